#include "posthorn/portal_token.h"

#include "posthorn/clock.h"
#include "sql.h"

struct op {
    struct ph_db_req req;
    union {
        ph_portal_token_done plain;
        ph_identity_done found;
        void (*session)(void *ctx, enum ph_err err, struct ph_str session);
        void (*portal)(void *ctx, enum ph_err err, const struct ph_portal *portal);
    } done;
    void *ctx;
    uint8_t hash[PH_TOKEN_HASH_BYTES];
};

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt, struct ph_id tenant,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->ctx = ctx;
    ph_db_req_init(&op->req, stmt, arena, on_done);
    ph_db_req_tenant(&op->req, tenant);
    ph_db_add_id(&op->req, tenant);
    return op;
}

static void on_row(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    op->done.plain(op->ctx, err);
}

static void on_session(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    op->done.session(op->ctx, err,
                     err == PH_OK && PQntuples(res) > 0 ? ph_db_str(res, 0, 0) : PH_STR_NONE);
}

static void on_found(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_identity identity = {0};

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK) {
        identity.kind = PH_CREDENTIAL_PORTAL;
        identity.credential = ph_db_id(res, 0, 0);
        identity.tenant = ph_db_id(res, 0, 1);
        identity.application = ph_db_id(res, 0, 2);
        ph_identity_set_uid(&identity, ph_db_str(res, 0, 3));
        identity.access = ph_db_bool(res, 0, 4) ? PH_ACCESS_READ : PH_ACCESS_ALL;
        identity.expires_ms = ph_db_time(res, 0, 5);
        identity.sections = (unsigned)ph_db_int(res, 0, 7);
        err = ph_standing_parse(ph_db_str(res, 0, 6), &identity.standing);
    }
    op->done.found(op->ctx, err, err == PH_OK ? &identity : NULL);
}

void ph_portal_token_create(struct ph_db *db, struct ph_arena *arena,
                            const struct ph_portal_token *new_one, char token[PH_TOKEN_LEN + 1],
                            ph_portal_token_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_portal_token_create, new_one->tenant, on_row, ctx);

    op->done.plain = done;
    ph_token_make(PH_PORTAL_TOKEN_PREFIX, token);
    ph_store_add_key(&op->req, PH_ID_APPLICATION, new_one->application);
    ph_db_add_id(&op->req, ph_id_new(ph_clock_wall_ms()));
    ph_db_add_ref(&op->req, ph_token_hash((struct ph_str){token, PH_TOKEN_LEN}, op->hash));
    ph_db_add_bool(&op->req, new_one->read_only);
    ph_db_add_str(&op->req, new_one->session);
    ph_db_add_str_array(&op->req, new_one->feature_flags, new_one->n_feature_flags);
    ph_db_add_id(&op->req, new_one->created_by);
    ph_db_add_i64(&op->req, new_one->lifetime_s);
    ph_db_add_i16(&op->req, (int16_t)new_one->sections);
    ph_db_send(db, &op->req);
}

void ph_portal_token_delete(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                            struct ph_id id, ph_portal_token_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_portal_token_delete, tenant, on_row, ctx);

    op->done.plain = done;
    ph_db_add_id(&op->req, id);
    ph_db_send(db, &op->req);
}

void ph_portal_tokens_expire(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                             struct ph_str application, int64_t seconds,
                             const struct ph_str *sessions, size_t n_sessions,
                             ph_portal_token_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_portal_tokens_expire, tenant, on_row, ctx);

    op->done.plain = done;
    ph_store_add_key(&op->req, PH_ID_APPLICATION, application);
    ph_db_add_i64(&op->req, seconds);
    ph_db_add_str_array(&op->req, sessions, n_sessions);
    ph_db_send(db, &op->req);
}

void ph_portal_token_session(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                             struct ph_id id,
                             void (*done)(void *ctx, enum ph_err err, struct ph_str session),
                             void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_portal_token_session, tenant, on_session, ctx);

    op->done.session = done;
    ph_db_add_id(&op->req, id);
    ph_db_send(db, &op->req);
}

static void on_portal(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_portal portal;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK)
        portal = (struct ph_portal){ph_db_str(res, 0, 0), ph_db_id(res, 0, 1), ph_db_str(res, 0, 2),
                                    ph_db_str(res, 0, 3)};
    op->done.portal(op->ctx, err, err == PH_OK ? &portal : NULL);
}

void ph_portal_show(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                    struct ph_id application,
                    void (*done)(void *ctx, enum ph_err err, const struct ph_portal *portal),
                    void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_portal_show, tenant, on_portal, ctx);

    op->done.portal = done;
    ph_db_add_id(&op->req, application);
    ph_db_send(db, &op->req);
}

void ph_portal_token_find(struct ph_db *db, struct ph_arena *arena, struct ph_str token,
                          ph_identity_done done, void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->done.found = done;
    op->ctx = ctx;
    ph_db_req_init(&op->req, &ph_sql_portal_token_find, arena, on_found);
    ph_db_add_ref(&op->req, ph_token_hash(token, op->hash));
    ph_db_send(db, &op->req);
}
