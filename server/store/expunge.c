#include "posthorn/expunge.h"

#include "sql.h"

#define TRIES_MAX 5
struct expunge {
    struct ph_db_req req;
    struct ph_db *db;
    struct ph_arena *arena;
    struct ph_id tenant;
    struct ph_str application;
    const struct ph_str *messages;
    size_t n;
    int tries;
    ph_messages_expunged done;
    void *ctx;
};

static void on_expunged(struct ph_db_req *req, enum ph_err err, PGresult *res);

static void expunge(struct expunge *op)
{
    ph_db_req_init(&op->req, &ph_sql_messages_expunge, op->arena, on_expunged);
    ph_db_add_id(&op->req, op->tenant);
    ph_store_add_key(&op->req, PH_ID_APPLICATION, op->application);
    ph_store_add_keys(&op->req, PH_ID_MESSAGE, op->messages, op->n);
    ph_db_send(op->db, &op->req);
}

static void on_expunged(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct expunge *op = ph_container_of(req, struct expunge, req);
    bool *found = NULL;

    if (err == PH_ERR_DB_RETRY && ++op->tries < TRIES_MAX) {
        expunge(op);
        return;
    }
    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK) {
        found = ph_arena_array_of(op->arena, bool, op->n);
        for (size_t i = 0; i < op->n; i++)
            found[i] = ph_db_bool(res, (int)i, 1);
    }
    op->done(op->ctx, err, found);
}

void ph_messages_expunge(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                         struct ph_str application, const struct ph_str *messages, size_t n,
                         ph_messages_expunged done, void *ctx)
{
    struct expunge *op = ph_arena_new_of(arena, struct expunge);

    *op = (struct expunge){
        .db = db,
        .arena = arena,
        .tenant = tenant,
        .application = application,
        .messages = messages,
        .n = n,
        .done = done,
        .ctx = ctx,
    };
    expunge(op);
}

struct attempt_op {
    struct ph_db_req req;
    void (*done)(void *ctx, enum ph_err err);
    void *ctx;
};

static void on_attempt(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct attempt_op *op = ph_container_of(req, struct attempt_op, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    op->done(op->ctx, err);
}

void ph_attempt_expunge(struct ph_db *db, struct ph_arena *arena,
                        const struct ph_message_path *path, struct ph_id attempt,
                        void (*done)(void *ctx, enum ph_err err), void *ctx)
{
    struct attempt_op *op = ph_arena_new_of(arena, struct attempt_op);

    op->done = done;
    op->ctx = ctx;
    ph_db_req_init(&op->req, &ph_sql_attempt_expunge, arena, on_attempt);
    ph_db_add_id(&op->req, path->tenant);
    ph_store_add_key(&op->req, PH_ID_APPLICATION, path->application);
    ph_store_add_key(&op->req, PH_ID_MESSAGE, path->message);
    ph_db_add_id(&op->req, attempt);
    ph_db_send(db, &op->req);
}
