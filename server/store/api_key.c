#include "posthorn/api_key.h"

#include "posthorn/clock.h"
#include "sql.h"

#include <assert.h>

struct op {
    struct ph_db_req req;
    struct ph_list list;
    union {
        ph_api_key_done one;
        ph_api_key_list_done many;
        ph_identity_done found;
        void (*plain)(void *ctx, enum ph_err err);
        void (*owner)(void *ctx, enum ph_err err, struct ph_id tenant);
    } done;
    void *ctx;
    uint8_t hash[PH_TOKEN_HASH_BYTES];
    struct ph_db_array ids;
};

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->ctx = ctx;
    ph_db_req_init(&op->req, stmt, arena, on_done);
    return op;
}

static void add_tenant(struct op *op, struct ph_id tenant)
{
    ph_db_req_tenant(&op->req, tenant);
    ph_db_add_id(&op->req, tenant);
}

static enum ph_access access_of(const PGresult *res, int row, int col)
{
    enum ph_access access = PH_ACCESS_READ;

    if (ph_access_parse(ph_db_str(res, row, col), &access) != PH_OK)
        assert(!"the table knows a scope that is none");
    return access;
}

static void read_row(const PGresult *res, int row, struct ph_api_key *out)
{
    out->id = ph_db_id(res, row, 0);
    out->tenant = ph_db_id(res, row, 1);
    out->name = ph_db_str(res, row, 2);
    out->access = access_of(res, row, 3);
    out->created_by = ph_db_id(res, row, 4);
    out->created_ms = ph_db_time(res, row, 5);
    out->expires_ms = ph_db_is_null(res, row, 6) ? 0 : ph_db_time(res, row, 6);
    out->last_used_ms = ph_db_is_null(res, row, 7) ? 0 : ph_db_time(res, row, 7);
}

static void on_one(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_api_key key;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK)
        read_row(res, 0, &key);
    op->done.one(op->ctx, err, err == PH_OK ? &key : NULL);
}

static void on_list(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_api_key *keys;
    int rows, n;

    if (err != PH_OK) {
        op->done.many(op->ctx, err, NULL, 0, false);
        return;
    }
    rows = PQntuples(res);
    n = ph_list_count(&op->list, rows);
    keys = ph_arena_array_of(req->arena, struct ph_api_key, n);
    for (int i = 0; i < n; i++)
        read_row(res, ph_list_row(&op->list, n, i), &keys[i]);
    op->done.many(op->ctx, PH_OK, keys, (size_t)n, ph_list_done(&op->list, rows));
}

static void on_deleted(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    op->done.plain(op->ctx, err);
}

static void on_found(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_identity identity = {0};

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK) {
        identity.credential = ph_db_id(res, 0, 0);
        identity.tenant = ph_db_id(res, 0, 1);
        identity.access = access_of(res, 0, 2);
        identity.expires_ms = ph_db_is_null(res, 0, 3) ? 0 : ph_db_time(res, 0, 3);
        err = ph_standing_parse(ph_db_str(res, 0, 4), &identity.standing);
    }
    op->done.found(op->ctx, err, err == PH_OK ? &identity : NULL);
}

static void on_used(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    (void)res;
    ph_db_array_free(&op->ids);
    op->done.plain(op->ctx, err);
}

void ph_api_key_create(struct ph_db *db, struct ph_arena *arena, const struct ph_api_key *key,
                       char token[PH_TOKEN_LEN + 1], ph_api_key_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_api_key_create, on_one, ctx);

    op->done.one = done;
    ph_token_make(PH_API_KEY_PREFIX, token);
    add_tenant(op, key->tenant);
    ph_db_add_id(&op->req, ph_id_new(ph_clock_wall_ms()));
    ph_db_add_str(&op->req, key->name);
    ph_db_add_ref(&op->req, ph_token_hash((struct ph_str){token, PH_TOKEN_LEN}, op->hash));
    ph_db_add_str(&op->req, ph_str_of(ph_access_text(key->access)));
    if (key->expires_ms == 0)
        ph_db_add_null(&op->req);
    else
        ph_db_add_time(&op->req, key->expires_ms);
    if (ph_id_is_zero(key->created_by))
        ph_db_add_null(&op->req);
    else
        ph_db_add_id(&op->req, key->created_by);
    ph_db_send(db, &op->req);
}

void ph_api_key_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                     const struct ph_list *list, ph_api_key_list_done done, void *ctx)
{
    struct op *op =
        op_new(arena, ph_list_ascending(list) ? &ph_sql_api_key_list_up : &ph_sql_api_key_list_down,
               on_list, ctx);

    op->done.many = done;
    op->list = *list;
    add_tenant(op, tenant);
    ph_db_add_id(&op->req, ph_list_bound(list));
    ph_db_add_i64(&op->req, list->limit + 1);
    ph_db_send(db, &op->req);
}

void ph_api_key_get(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant, struct ph_id id,
                    ph_api_key_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_api_key_get, on_one, ctx);

    op->done.one = done;
    add_tenant(op, tenant);
    ph_db_add_id(&op->req, id);
    ph_db_send(db, &op->req);
}

static void on_owner(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    op->done.owner(op->ctx, err, err == PH_OK ? ph_db_id(res, 0, 0) : (struct ph_id){{0}});
}

void ph_api_key_owner(struct ph_db *db, struct ph_arena *arena, struct ph_id id,
                      void (*done)(void *ctx, enum ph_err err, struct ph_id tenant), void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_api_key_owner, on_owner, ctx);

    op->done.owner = done;
    ph_db_add_id(&op->req, id);
    ph_db_send(db, &op->req);
}

void ph_api_key_delete(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                       struct ph_id id, void (*done)(void *ctx, enum ph_err err), void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_api_key_delete, on_deleted, ctx);

    op->done.plain = done;
    add_tenant(op, tenant);
    ph_db_add_id(&op->req, id);
    ph_db_send(db, &op->req);
}

void ph_api_key_find(struct ph_db *db, struct ph_arena *arena, struct ph_str token,
                     ph_identity_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_api_key_find, on_found, ctx);

    op->done.found = done;
    ph_db_add_ref(&op->req, ph_token_hash(token, op->hash));
    ph_db_send(db, &op->req);
}

void ph_api_keys_used(struct ph_db *db, struct ph_arena *arena, const struct ph_id *ids, size_t n,
                      void (*done)(void *ctx, enum ph_err err), void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_api_keys_used, on_used, ctx);

    op->done.plain = done;
    ph_db_array_init(&op->ids, PH_DB_UUIDS, 64 + 20 * n);
    for (size_t i = 0; i < n; i++)
        ph_db_array_id(&op->ids, ids[i]);
    ph_db_add_array(&op->req, &op->ids);
    ph_db_send(db, &op->req);
}
