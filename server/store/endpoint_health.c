#include "posthorn/endpoint_health.h"

#include "sql.h"

struct call {
    struct ph_db_req req;
    void (*on_done)(enum ph_err err, int32_t n, void *ctx);
    void *ctx;
};

static void changed(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct call *call = ph_container_of(req, struct call, req);

    call->on_done(err, err == PH_OK ? (int32_t)ph_db_int(res, 0, 0) : 0, call->ctx);
}

static struct ph_db_req *new_call(struct ph_arena *arena, const struct ph_stmt *stmt,
                                  void (*on_done)(enum ph_err err, int32_t n, void *ctx), void *ctx)
{
    struct call *call = ph_arena_new_of(arena, struct call);

    call->on_done = on_done;
    call->ctx = ctx;
    ph_db_req_init(&call->req, stmt, arena, changed);
    return &call->req;
}

void ph_endpoint_disable(struct ph_db *db, struct ph_arena *arena, struct ph_id endpoint,
                         struct ph_str reason, bool mails,
                         void (*on_done)(enum ph_err err, int32_t n, void *ctx), void *ctx)
{
    struct ph_db_req *req = new_call(arena, &ph_sql_endpoint_disable, on_done, ctx);

    ph_db_add_id(req, endpoint);
    ph_db_add_str(req, reason);
    ph_db_add_bool(req, mails);
    ph_db_send(db, req);
}

void ph_endpoints_disable_failing(struct ph_db *db, struct ph_arena *arena, int64_t failing_s,
                                  bool mails,
                                  void (*on_done)(enum ph_err err, int32_t n, void *ctx), void *ctx)
{
    struct ph_db_req *req = new_call(arena, &ph_sql_endpoints_disable_failing, on_done, ctx);

    ph_db_add_i64(req, failing_s);
    ph_db_add_bool(req, mails);
    ph_db_send(db, req);
}
