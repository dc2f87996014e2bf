#include "posthorn/idempotency.h"

#include "sql.h"

struct op {
    struct ph_db_req req;
    struct ph_arena *arena;
    const struct ph_keyring *keyring;
    struct ph_id tenant, key;
    ph_kept_answer_done found;
    void (*kept)(void *ctx, enum ph_err err);
    void *ctx;
};

static struct op *op_new(struct ph_arena *arena, const struct ph_keyring *keyring,
                         struct ph_id tenant, struct ph_id key, const struct ph_stmt *stmt,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->arena = arena;
    op->keyring = keyring;
    op->tenant = tenant;
    op->key = key;
    op->ctx = ctx;
    ph_db_req_init(&op->req, stmt, arena, on_done);
    ph_db_req_tenant(&op->req, tenant);
    ph_db_add_id(&op->req, tenant);
    ph_db_add_id(&op->req, key);
    return op;
}

static enum ph_err unseal(struct op *op, struct ph_str sealed, struct ph_str *out)
{
    uint8_t *plain;

    if (sealed.len < PH_SEAL_OVERHEAD)
        return PH_ERR_INTERNAL;
    plain = ph_arena_alloc(op->arena, sealed.len);
    if (ph_unseal(op->keyring, op->tenant, op->key, sealed, plain, &out->len) != PH_OK)
        return PH_ERR_INTERNAL;
    out->ptr = (char *)plain;
    return PH_OK;
}

/* No row, or status 0: there is no answer yet. */
static void on_found(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_kept_answer answer = {0};

    if (err == PH_OK && PQntuples(res) > 0)
        answer.status = (int)ph_db_int(res, 0, 0);
    if (err == PH_OK && answer.status)
        err = unseal(op, ph_db_str(res, 0, 1), &answer.body);
    op->found(op->ctx, err, err == PH_OK && answer.status ? &answer : NULL);
}

void ph_idempotency_take(struct ph_db *db, struct ph_arena *arena, const struct ph_keyring *keyring,
                         struct ph_id tenant, struct ph_id key, ph_kept_answer_done done, void *ctx)
{
    struct op *op = op_new(arena, keyring, tenant, key, &ph_sql_idempotency_take, on_found, ctx);

    op->found = done;
    ph_db_send(db, &op->req);
}

void ph_idempotency_find_answer(struct ph_db *db, struct ph_arena *arena,
                                const struct ph_keyring *keyring, struct ph_id tenant,
                                struct ph_id key, ph_kept_answer_done done, void *ctx)
{
    struct op *op =
        op_new(arena, keyring, tenant, key, &ph_sql_idempotency_find_answer, on_found, ctx);

    op->found = done;
    ph_db_send(db, &op->req);
}

static void on_kept(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    (void)res;
    op->kept(op->ctx, err);
}

void ph_idempotency_keep(struct ph_db *db, struct ph_arena *arena, const struct ph_keyring *keyring,
                         struct ph_id tenant, struct ph_id key, const struct ph_kept_answer *answer,
                         void (*done)(void *ctx, enum ph_err err), void *ctx)
{
    struct op *op = op_new(arena, keyring, tenant, key, &ph_sql_idempotency_keep, on_kept, ctx);
    size_t bytes = answer->body.len + PH_SEAL_OVERHEAD;
    uint8_t *sealed = ph_arena_alloc(arena, bytes);

    op->kept = done;
    ph_seal(keyring, tenant, key, answer->body, sealed);
    ph_db_add_i16(&op->req, (int16_t)answer->status);
    ph_db_add_ref(&op->req, (struct ph_str){(char *)sealed, bytes});
    ph_db_send(db, &op->req);
}
