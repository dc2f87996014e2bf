#include "posthorn/endpoint_outbound.h"

#include "posthorn/log.h"
#include "sql.h"

#include <stdlib.h>
#include <string.h>

/* Columns of endpoint_outbound. */
enum { COL_ID, COL_MTLS, COL_OAUTH };

struct op {
    struct ph_db_req req;
    struct ph_db *db;
    struct ph_arena *arena;
    const struct ph_keyring *keyring;
    struct ph_id tenant;
    enum ph_outbound_kind kind;
    const json_t *value;
    ph_endpoint_outbound_done on_got;
    ph_endpoint_plain_done on_set;
    void *ctx;
};

/* No row has such an id, for it is of another version of UUIDs. */
struct ph_id ph_outbound_bound_row(struct ph_id endpoint, enum ph_outbound_kind kind)
{
    endpoint.b[6] = (uint8_t)((endpoint.b[6] & 0x0f) | (kind == PH_OUTBOUND_MTLS ? 0xe0 : 0xf0));
    return endpoint;
}

json_t *ph_outbound_unseal(const struct ph_keyring *keyring, struct ph_id tenant,
                           struct ph_id endpoint, enum ph_outbound_kind kind, struct ph_str sealed)
{
    uint8_t *plain = ph_malloc(sealed.len + 1);
    json_t *value = NULL;
    size_t len;

    if (ph_unseal(keyring, tenant, ph_outbound_bound_row(endpoint, kind), sealed, plain, &len) ==
        PH_OK) {
        value = json_loadb((const char *)plain, len, 0, NULL);
        explicit_bzero(plain, len);
    }
    free(plain);
    return value;
}

static struct op *op_new(struct ph_db *db, struct ph_arena *arena, const struct ph_keyring *keyring,
                         const struct ph_endpoint_path *path, enum ph_outbound_kind kind, void *ctx,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *))
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->db = db;
    op->arena = arena;
    op->keyring = keyring;
    op->tenant = path->tenant;
    op->kind = kind;
    op->ctx = ctx;
    ph_db_req_init(&op->req, &ph_sql_endpoint_outbound, arena, on_done);
    ph_db_req_tenant(&op->req, path->tenant);
    ph_db_add_id(&op->req, path->tenant);
    ph_store_add_key(&op->req, PH_ID_APPLICATION, path->application);
    ph_store_add_key(&op->req, PH_ID_ENDPOINT, path->endpoint);
    return op;
}

static void decref(void *json)
{
    json_decref(json);
}

static void on_got(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    int col = op->kind == PH_OUTBOUND_MTLS ? COL_MTLS : COL_OAUTH;
    json_t *value = NULL;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK && !ph_db_is_null(res, 0, col)) {
        struct ph_id id = ph_db_id(res, 0, COL_ID);
        value = ph_outbound_unseal(op->keyring, op->tenant, id, op->kind, ph_db_str(res, 0, col));
        if (value) {
            ph_arena_defer(op->arena, decref, value);
        } else {
            ph_log(PH_LOG_ERROR, "a sealed value of an endpoint does not open",
                   ph_log_s("what", op->kind == PH_OUTBOUND_MTLS ? "mtls" : "oauth"),
                   ph_log_id("endpoint", PH_ID_ENDPOINT, id));
            err = PH_ERR_INTERNAL;
        }
    }
    op->on_got(op->ctx, err, value);
}

void ph_endpoint_get_outbound(struct ph_db *db, struct ph_arena *arena,
                              const struct ph_keyring *keyring, const struct ph_endpoint_path *path,
                              enum ph_outbound_kind kind, ph_endpoint_outbound_done done, void *ctx)
{
    struct op *op = op_new(db, arena, keyring, path, kind, ctx, on_got);

    op->on_got = done;
    ph_db_send(db, &op->req);
}

static void on_written(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    if (err == PH_OK && PQntuples(res) == 0) /* deleted meanwhile */
        err = PH_ERR_NOT_FOUND;
    op->on_set(op->ctx, err);
}

/* Its id is known now, which the value is bound to. */
static void on_found(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_str sealed = PH_STR_NONE;
    struct ph_id id;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err != PH_OK) {
        op->on_set(op->ctx, err);
        return;
    }
    id = ph_db_id(res, 0, COL_ID);
    if (op->value) {
        char *text = json_dumps(op->value, JSON_COMPACT);
        struct ph_str plain = ph_str_of(text);
        uint8_t *out = ph_arena_alloc(op->arena, plain.len + PH_SEAL_OVERHEAD);
        ph_seal(op->keyring, op->tenant, ph_outbound_bound_row(id, op->kind), plain, out);
        sealed = (struct ph_str){(const char *)out, plain.len + PH_SEAL_OVERHEAD};
        explicit_bzero(text, plain.len);
        free(text);
    }
    ph_db_req_init(&op->req, &ph_sql_endpoint_outbound_write, op->arena, on_written);
    ph_db_req_tenant(&op->req, op->tenant);
    ph_db_add_id(&op->req, op->tenant);
    ph_db_add_id(&op->req, id);
    ph_db_add_bool(&op->req, op->kind == PH_OUTBOUND_OAUTH);
    ph_db_add_ref(&op->req, sealed);
    ph_db_send(op->db, &op->req);
}

void ph_endpoint_set_outbound(struct ph_db *db, struct ph_arena *arena,
                              const struct ph_keyring *keyring, const struct ph_endpoint_path *path,
                              enum ph_outbound_kind kind, const json_t *value,
                              ph_endpoint_plain_done done, void *ctx)
{
    struct op *op = op_new(db, arena, keyring, path, kind, ctx, on_found);

    op->on_set = done;
    op->value = value;
    ph_db_send(db, &op->req);
}
