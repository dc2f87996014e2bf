#include "posthorn/tail_news.h"

#include "sql.h"

struct op {
    struct ph_db_req req;
    struct ph_db_array ids;
    bool has_ids;
    void (*on_done)(enum ph_err err, void *ctx);
    void *ctx;
};

static void done(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    (void)res;
    if (op->has_ids)
        ph_db_array_free(&op->ids);
    op->on_done(err, op->ctx);
}

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt,
                         void (*on_done)(enum ph_err err, void *ctx), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->on_done = on_done;
    op->ctx = ctx;
    ph_db_req_init(&op->req, stmt, arena, done);
    return op;
}

void ph_tail_hear(struct ph_db *db, struct ph_arena *arena,
                  void (*on_done)(enum ph_err err, void *ctx), void *ctx)
{
    ph_db_send(db, &op_new(arena, &ph_sql_tail_hear, on_done, ctx)->req);
}

void ph_tail_announce_interest(struct ph_db *db, struct ph_arena *arena,
                               const struct ph_id *tenants, size_t n,
                               void (*on_done)(enum ph_err err, void *ctx), void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_tail_interest, on_done, ctx);

    op->has_ids = true;
    ph_db_array_init(&op->ids, PH_DB_UUIDS, 64 + n * 24);
    for (size_t i = 0; i < n; i++)
        ph_db_array_id(&op->ids, tenants[i]);
    ph_db_add_array(&op->req, &op->ids);
    ph_db_send(db, &op->req);
}

void ph_tail_announce(struct ph_db *db, struct ph_arena *arena, const struct ph_str *events,
                      size_t n, void (*on_done)(enum ph_err err, void *ctx), void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_tail_tell, on_done, ctx);

    ph_db_add_str_array(&op->req, events, n);
    ph_db_send(db, &op->req);
}
