#include "posthorn/message_batch.h"

#include "sql.h"

struct find {
    struct ph_db_req req;
    void (*on_done)(enum ph_err err, struct ph_id message, void *ctx);
    void *ctx;
};

static void found(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct find *find = ph_container_of(req, struct find, req);
    struct ph_id message = {{0}};

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK)
        message = ph_db_id(res, 0, 0);
    find->on_done(err, message, find->ctx);
}

void ph_idempotency_find(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                         struct ph_id key,
                         void (*on_done)(enum ph_err err, struct ph_id message, void *ctx),
                         void *ctx)
{
    struct find *find = ph_arena_new_of(arena, struct find);

    find->on_done = on_done;
    find->ctx = ctx;
    ph_db_req_init(&find->req, &ph_sql_idempotency_find, arena, found);
    ph_db_add_id(&find->req, tenant);
    ph_db_add_id(&find->req, key);
    ph_db_send(db, &find->req);
}
