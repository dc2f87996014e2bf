/* Secrets and custom headers of endpoints: what is sealed. */
#include "posthorn/clock.h"
#include "posthorn/endpoint.h"
#include "posthorn/log.h"
#include "sql.h"
#include "store/sealed_headers.h"

#include <stdlib.h>
#include <string.h>

/* Other changes that may come between before a caller is told to try again. */
#define TRIES_MAX 20

struct sealed_op {
    struct ph_db_req req;
    struct ph_db *db;
    struct ph_arena *arena;
    const struct ph_keyring *keyring;
    struct ph_endpoint_path path;
    int tries;
    /* rotation */
    struct ph_secret secret;
    int32_t grace_s;
    /* editing headers */
    ph_endpoint_headers_edit edit;
    union {
        ph_endpoint_plain_done plain;
        ph_endpoint_secret_done secret;
        ph_endpoint_headers_done headers;
    } done;
    void *ctx;
};

static void wipe_op(void *ptr)
{
    ph_secret_wipe(&((struct sealed_op *)ptr)->secret);
}

static struct sealed_op *op_new(struct ph_db *db, struct ph_arena *arena,
                                const struct ph_keyring *keyring,
                                const struct ph_endpoint_path *path, void *ctx)
{
    struct sealed_op *op = ph_arena_new_of(arena, struct sealed_op);

    ph_arena_defer(arena, wipe_op, op);
    op->db = db;
    op->arena = arena;
    op->keyring = keyring;
    op->path = *path;
    op->ctx = ctx;
    return op;
}

/* Begins the request again with the parameters that name the endpoint. */
static void begin(struct sealed_op *op, const struct ph_stmt *stmt,
                  void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *))
{
    ph_db_req_init(&op->req, stmt, op->arena, on_done);
    ph_db_req_tenant(&op->req, op->path.tenant);
    ph_db_add_id(&op->req, op->path.tenant);
    ph_store_add_key(&op->req, PH_ID_APPLICATION, op->path.application);
    ph_store_add_key(&op->req, PH_ID_ENDPOINT, op->path.endpoint);
}

static void log_sealed(const char *what, struct ph_id row)
{
    ph_log(PH_LOG_ERROR, "a sealed value of an endpoint does not open", ph_log_s("what", what),
           ph_log_id("row", PH_ID_ENDPOINT, row));
}

/* ---- secret ---- */

static void on_secret(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct sealed_op *op = ph_container_of(req, struct sealed_op, req);
    struct ph_str sealed;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK) {
        sealed = ph_db_str(res, 0, 1);
        if (sealed.len > sizeof op->secret.bytes + PH_SEAL_OVERHEAD ||
            ph_unseal(op->keyring, op->path.tenant, ph_db_id(res, 0, 0), sealed, op->secret.bytes,
                      &op->secret.len) != PH_OK) {
            log_sealed("secret", ph_db_id(res, 0, 0));
            err = PH_ERR_INTERNAL;
        }
        op->secret.kind = (enum ph_secret_kind)ph_db_int(res, 0, 2);
    }
    op->done.secret(op->ctx, err, err == PH_OK ? &op->secret : NULL);
}

void ph_endpoint_get_secret(struct ph_db *db, struct ph_arena *arena,
                            const struct ph_keyring *keyring, const struct ph_endpoint_path *path,
                            ph_endpoint_secret_done done, void *ctx)
{
    struct sealed_op *op = op_new(db, arena, keyring, path, ctx);

    op->done.secret = done;
    begin(op, &ph_sql_endpoint_secret, on_secret);
    ph_db_send(db, &op->req);
}

static void rotate(struct sealed_op *op);

static void on_rotated(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct sealed_op *op = ph_container_of(req, struct sealed_op, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK && !ph_db_bool(res, 0, 1)) {
        if (op->grace_s > 0 && ph_db_int(res, 0, 0) >= PH_ENDPOINT_OLD_SECRETS_MAX) {
            err = PH_ERR_VALIDATION;
        } else if (++op->tries < TRIES_MAX) {
            rotate(op);
            return;
        } else {
            err = PH_ERR_DB_RETRY;
        }
    }
    op->done.plain(op->ctx, err);
}

static void rotate(struct sealed_op *op)
{
    struct ph_id row = ph_id_new(ph_clock_wall_ms());
    struct ph_str plain = {(const char *)op->secret.bytes, op->secret.len};
    uint8_t *sealed = ph_arena_alloc(op->arena, plain.len + PH_SEAL_OVERHEAD);

    ph_seal(op->keyring, op->path.tenant, row, plain, sealed);
    begin(op, &ph_sql_endpoint_secret_rotate, on_rotated);
    ph_db_add_id(&op->req, row);
    ph_db_add_ref(&op->req, (struct ph_str){(const char *)sealed, plain.len + PH_SEAL_OVERHEAD});
    ph_db_add_i32(&op->req, op->grace_s);
    ph_db_add_i32(&op->req, PH_ENDPOINT_OLD_SECRETS_MAX);
    ph_db_add_i16(&op->req, (int16_t)op->secret.kind);
    ph_db_send(op->db, &op->req);
}

void ph_endpoint_rotate_secret(struct ph_db *db, struct ph_arena *arena,
                               const struct ph_keyring *keyring,
                               const struct ph_endpoint_path *path, const struct ph_secret *secret,
                               int32_t grace_s, ph_endpoint_plain_done done, void *ctx)
{
    struct sealed_op *op = op_new(db, arena, keyring, path, ctx);

    op->secret = *secret;
    op->grace_s = grace_s;
    op->done.plain = done;
    rotate(op);
}

/* ---- headers ---- */

static void decref(void *json)
{
    json_decref(json);
}

json_t *ph_store_unseal_headers(struct ph_arena *arena, const struct ph_keyring *keyring,
                                struct ph_id tenant, struct ph_id endpoint, struct ph_str sealed)
{
    json_t *headers = NULL;
    size_t len;

    if (!sealed.ptr) {
        headers = json_object();
    } else {
        uint8_t *plain = ph_arena_alloc(arena, sealed.len);
        if (ph_unseal(keyring, tenant, endpoint, sealed, plain, &len) == PH_OK)
            headers = json_loadb((const char *)plain, len, 0, NULL);
    }
    if (headers)
        ph_arena_defer(arena, decref, headers);
    else
        log_sealed("headers", endpoint);
    return headers;
}

/* Reads the row of endpoint_headers; NULL: it does not open (logged). */
static json_t *read_headers(struct sealed_op *op, const PGresult *res)
{
    return ph_store_unseal_headers(op->arena, op->keyring, op->path.tenant, ph_db_id(res, 0, 0),
                                   ph_db_str(res, 0, 2));
}

static void on_headers(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct sealed_op *op = ph_container_of(req, struct sealed_op, req);
    json_t *headers = NULL;
    struct ph_str *sensitive = NULL;
    size_t n = 0;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK && !(headers = read_headers(op, res)))
        err = PH_ERR_INTERNAL;
    if (err == PH_OK)
        n = ph_db_str_array(op->arena, res, 0, 3, &sensitive);
    op->done.headers(op->ctx, err, headers, sensitive, n);
}

void ph_endpoint_get_headers(struct ph_db *db, struct ph_arena *arena,
                             const struct ph_keyring *keyring, const struct ph_endpoint_path *path,
                             ph_endpoint_headers_done done, void *ctx)
{
    struct sealed_op *op = op_new(db, arena, keyring, path, ctx);

    op->done.headers = done;
    begin(op, &ph_sql_endpoint_headers, on_headers);
    ph_db_send(db, &op->req);
}

static void edit_headers(struct sealed_op *op);

static void on_headers_written(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct sealed_op *op = ph_container_of(req, struct sealed_op, req);

    if (err == PH_OK && PQntuples(res) == 0) { /* another change came between */
        if (++op->tries < TRIES_MAX) {
            edit_headers(op);
            return;
        }
        err = PH_ERR_DB_RETRY;
    }
    op->done.plain(op->ctx, err);
}

static void write_headers(struct sealed_op *op, struct ph_id id, int64_t version,
                          const json_t *headers, const struct ph_str *sensitive, size_t n_sensitive)
{
    struct ph_str sealed = PH_STR_NONE;

    if (json_object_size(headers) > 0) {
        char *text = json_dumps(headers, JSON_COMPACT);
        struct ph_str plain = ph_str_of(text);
        uint8_t *out = ph_arena_alloc(op->arena, plain.len + PH_SEAL_OVERHEAD);
        ph_seal(op->keyring, op->path.tenant, id, plain, out);
        sealed = (struct ph_str){(const char *)out, plain.len + PH_SEAL_OVERHEAD};
        free(text);
    }
    ph_db_req_init(&op->req, &ph_sql_endpoint_headers_write, op->arena, on_headers_written);
    ph_db_req_tenant(&op->req, op->path.tenant);
    ph_db_add_id(&op->req, op->path.tenant);
    ph_db_add_id(&op->req, id);
    ph_db_add_i64(&op->req, version);
    ph_db_add_ref(&op->req, sealed);
    ph_db_add_str_array(&op->req, n_sensitive ? sensitive : &PH_STR(""), n_sensitive);
    ph_db_send(op->db, &op->req);
}

static void on_headers_to_edit(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct sealed_op *op = ph_container_of(req, struct sealed_op, req);
    json_t *headers = NULL;
    const struct ph_str *sensitive = NULL;
    size_t n = 0;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK && !(headers = read_headers(op, res)))
        err = PH_ERR_INTERNAL;
    if (err == PH_OK && !(headers = op->edit(op->ctx, headers, &sensitive, &n)))
        err = PH_ERR_VALIDATION;
    if (err == PH_OK)
        write_headers(op, ph_db_id(res, 0, 0), ph_db_int(res, 0, 1), headers, sensitive, n);
    else
        op->done.plain(op->ctx, err);
}

static void edit_headers(struct sealed_op *op)
{
    begin(op, &ph_sql_endpoint_headers, on_headers_to_edit);
    ph_db_send(op->db, &op->req);
}

void ph_endpoint_edit_headers(struct ph_db *db, struct ph_arena *arena,
                              const struct ph_keyring *keyring, const struct ph_endpoint_path *path,
                              ph_endpoint_headers_edit edit, ph_endpoint_plain_done done, void *ctx)
{
    struct sealed_op *op = op_new(db, arena, keyring, path, ctx);

    op->edit = edit;
    op->done.plain = done;
    edit_headers(op);
}
