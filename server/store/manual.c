#include "posthorn/manual.h"

#include "sql.h"

/* Deliveries that one statement cancels. */
#define CANCEL_ROWS 5000
#define TRIES_MAX   5

struct op {
    struct ph_db_req req;
    ph_manual_done done;
    void *ctx;
};

static void init(struct op *op, struct ph_arena *arena, const struct ph_stmt *stmt,
                 const struct ph_endpoint_path *path,
                 void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *))
{
    ph_db_req_init(&op->req, stmt, arena, on_done);
    ph_db_add_id(&op->req, path->tenant);
    ph_store_add_key(&op->req, PH_ID_APPLICATION, path->application);
    ph_store_add_key(&op->req, PH_ID_ENDPOINT, path->endpoint);
}

/* Rows: is the endpoint disabled, has the payload expired? */
static void on_made(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    else if (err == PH_OK && ph_db_bool(res, 0, 0))
        err = PH_ERR_CONFLICT;
    else if (err == PH_OK && ph_db_bool(res, 0, 1))
        err = PH_ERR_VALIDATION;
    op->done(op->ctx, err);
}

void ph_delivery_resend(struct ph_db *db, struct ph_arena *arena,
                        const struct ph_endpoint_path *path, struct ph_str message,
                        ph_manual_done done, void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->done = done;
    op->ctx = ctx;
    init(op, arena, &ph_sql_delivery_resend, path, on_made);
    ph_store_add_key(&op->req, PH_ID_MESSAGE, message);
    ph_db_send(db, &op->req);
}

void ph_message_send_to(struct ph_db *db, struct ph_arena *arena,
                        const struct ph_endpoint_path *path, struct ph_id message,
                        struct ph_str event_type, struct ph_str payload, ph_manual_done done,
                        void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->done = done;
    op->ctx = ctx;
    init(op, arena, &ph_sql_message_send_to, path, on_made);
    ph_db_add_id(&op->req, message);
    ph_db_add_ref(&op->req, event_type);
    ph_db_add_ref(&op->req, payload);
    ph_db_send(db, &op->req);
}

struct cancel {
    struct op op;
    struct ph_db *db;
    struct ph_arena *arena;
    struct ph_endpoint_path path;
    int64_t before_ms;
    int tries; /* of the statement under way */
};

static void on_cancelled(struct ph_db_req *req, enum ph_err err, PGresult *res);

static void cancel_some(struct cancel *cancel)
{
    init(&cancel->op, cancel->arena, &ph_sql_deliveries_cancel, &cancel->path, on_cancelled);
    ph_db_add_id(&cancel->op.req, ph_id_floor(cancel->before_ms));
    ph_db_add_i32(&cancel->op.req, CANCEL_ROWS);
    ph_db_add_i64(&cancel->op.req, cancel->before_ms);
    ph_db_send(cancel->db, &cancel->op.req);
}

static void on_cancelled(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct cancel *cancel = ph_container_of(req, struct cancel, op.req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_ERR_DB_RETRY && ++cancel->tries < TRIES_MAX) {
        cancel_some(cancel);
    } else if (err == PH_OK && ph_db_int(res, 0, 0) == CANCEL_ROWS) {
        cancel->tries = 0;
        cancel_some(cancel);
    } else {
        cancel->op.done(cancel->op.ctx, err);
    }
}

void ph_deliveries_cancel(struct ph_db *db, struct ph_arena *arena,
                          const struct ph_endpoint_path *path, int64_t before_ms,
                          ph_manual_done done, void *ctx)
{
    struct cancel *cancel = ph_arena_new_of(arena, struct cancel);

    cancel->op.done = done;
    cancel->op.ctx = ctx;
    cancel->db = db;
    cancel->arena = arena;
    cancel->path = *path;
    cancel->before_ms = before_ms > 0 ? before_ms : 0;
    cancel_some(cancel);
}
