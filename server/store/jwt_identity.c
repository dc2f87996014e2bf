#include "posthorn/jwt_identity.h"

#include "posthorn/clock.h"
#include "sql.h"

#include <sodium.h>

struct op {
    struct ph_db_req req;
    struct ph_db *db;
    struct ph_arena *arena;
    struct ph_jwt_claims claims;
    bool made;
    ph_identity_done done;
    void *ctx;
};

static void find(struct op *op);

static void on_made(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    (void)res;
    op->made = true;
    if (err == PH_OK)
        find(op);
    else
        op->done(op->ctx, err, NULL);
}

static void make(struct op *op)
{
    ph_db_req_init(&op->req, &ph_sql_jwt_tenant_create, op->arena, on_made);
    ph_db_add_id(&op->req, ph_id_new(ph_clock_wall_ms()));
    ph_db_add_str(&op->req, ph_str_of(op->claims.foreign));
    ph_db_send(op->db, &op->req);
}

/* All tokens with the same claims are one credential: a repeated request may come with a new one. */
static struct ph_id credential_of(const struct ph_identity *identity)
{
    struct ph_id id;
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, sizeof(id.b));
    crypto_generichash_update(&state, (const unsigned char *)"jwt", 3);
    crypto_generichash_update(&state, identity->tenant.b, sizeof(identity->tenant.b));
    crypto_generichash_update(&state, identity->application.b, sizeof(identity->application.b));
    crypto_generichash_final(&state, id.b, sizeof(id.b));
    return id;
}

static void on_found(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_identity identity = {.kind = PH_CREDENTIAL_JWT, .access = PH_ACCESS_ALL};

    if (err == PH_OK && PQntuples(res) == 0) {
        if (*op->claims.foreign && !op->made) {
            make(op);
            return;
        }
        err = PH_ERR_NOT_FOUND;
    } else if (err == PH_OK && !ph_id_is_zero(op->claims.application) && ph_db_is_null(res, 0, 1)) {
        err = PH_ERR_NOT_FOUND;
    }
    if (err == PH_OK) {
        identity.tenant = ph_db_id(res, 0, 0);
        identity.application = ph_db_id(res, 0, 1);
        ph_identity_set_uid(&identity, ph_db_str(res, 0, 2));
        identity.expires_ms = op->claims.expires_ms;
        identity.credential = credential_of(&identity);
        err = ph_standing_parse(ph_db_str(res, 0, 3), &identity.standing);
    }
    op->done(op->ctx, err, err == PH_OK ? &identity : NULL);
}

static void find(struct op *op)
{
    ph_db_req_init(&op->req, &ph_sql_jwt_identity_find, op->arena, on_found);
    if (*op->claims.foreign) {
        ph_db_add_null(&op->req);
        ph_db_add_str(&op->req, ph_str_of(op->claims.foreign));
    } else {
        ph_db_add_id(&op->req, op->claims.tenant);
        ph_db_add_null(&op->req);
    }
    if (ph_id_is_zero(op->claims.application))
        ph_db_add_null(&op->req);
    else
        ph_db_add_id(&op->req, op->claims.application);
    ph_db_send(op->db, &op->req);
}

void ph_jwt_identity_find(struct ph_db *db, struct ph_arena *arena,
                          const struct ph_jwt_claims *claims, ph_identity_done done, void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->db = db;
    op->arena = arena;
    op->claims = *claims;
    op->done = done;
    op->ctx = ctx;
    find(op);
}
