#include "posthorn/poller_token.h"

#include "posthorn/clock.h"
#include "sql.h"

#define END_CHARS 4

struct op {
    struct ph_db_req req;
    union {
        ph_poller_token_done token;
        ph_identity_done found;
    } done;
    void *ctx;
    uint8_t hash[PH_TOKEN_HASH_BYTES];
};

static void on_token(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_poller_token token = {0};

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK) {
        token.id = ph_db_id(res, 0, 0);
        token.created_ms = ph_db_time(res, 0, 1);
        token.expires_ms = ph_db_is_null(res, 0, 2) ? 0 : ph_db_time(res, 0, 2);
        token.end = ph_db_str(res, 0, 3);
    }
    op->done.token(op->ctx, err, err == PH_OK ? &token : NULL);
}

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt,
                         const struct ph_endpoint_path *path, ph_poller_token_done done, void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->done.token = done;
    op->ctx = ctx;
    ph_db_req_init(&op->req, stmt, arena, on_token);
    ph_db_req_tenant(&op->req, path->tenant);
    ph_db_add_id(&op->req, path->tenant);
    ph_store_add_key(&op->req, PH_ID_APPLICATION, path->application);
    ph_store_add_key(&op->req, PH_ID_ENDPOINT, path->endpoint);
    return op;
}

void ph_poller_token_rotate(struct ph_db *db, struct ph_arena *arena,
                            const struct ph_endpoint_path *path, int64_t expiry_s,
                            int64_t old_expiry_s, char text[PH_TOKEN_LEN + 1],
                            ph_poller_token_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_poller_token_rotate, path, done, ctx);

    ph_token_make(PH_POLLER_TOKEN_PREFIX, text);
    ph_db_add_id(&op->req, ph_id_new(ph_clock_wall_ms()));
    ph_db_add_ref(&op->req, ph_token_hash((struct ph_str){text, PH_TOKEN_LEN}, op->hash));
    ph_db_add_str(&op->req, (struct ph_str){text + PH_TOKEN_LEN - END_CHARS, END_CHARS});
    if (expiry_s)
        ph_db_add_i64(&op->req, expiry_s);
    else
        ph_db_add_null(&op->req);
    ph_db_add_i64(&op->req, old_expiry_s);
    ph_db_send(db, &op->req);
}

void ph_poller_token_get(struct ph_db *db, struct ph_arena *arena,
                         const struct ph_endpoint_path *path, ph_poller_token_done done, void *ctx)
{
    ph_db_send(db, &op_new(arena, &ph_sql_poller_token_get, path, done, ctx)->req);
}

static void on_found(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_identity identity = {0};

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK) {
        identity.kind = PH_CREDENTIAL_POLLER;
        identity.credential = ph_db_id(res, 0, 0);
        identity.tenant = ph_db_id(res, 0, 1);
        identity.application = ph_db_id(res, 0, 2);
        ph_identity_set_uid(&identity, ph_db_str(res, 0, 3));
        ph_identity_set_poller(&identity, ph_db_id(res, 0, 4), ph_db_str(res, 0, 5));
        identity.access = PH_ACCESS_ALL;
        identity.expires_ms = ph_db_is_null(res, 0, 6) ? 0 : ph_db_time(res, 0, 6);
        err = ph_standing_parse(ph_db_str(res, 0, 7), &identity.standing);
    }
    op->done.found(op->ctx, err, err == PH_OK ? &identity : NULL);
}

void ph_poller_token_find(struct ph_db *db, struct ph_arena *arena, struct ph_str token,
                          ph_identity_done done, void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->done.found = done;
    op->ctx = ctx;
    ph_db_req_init(&op->req, &ph_sql_poller_token_find, arena, on_found);
    ph_db_add_ref(&op->req, ph_token_hash(token, op->hash));
    ph_db_send(db, &op->req);
}
