#include "posthorn/endpoint.h"

#include "posthorn/clock.h"
#include "sql.h"

#define BUCKET_MS (5 * 60 * 1000)

struct op {
    struct ph_db_req req;
    struct ph_list list;
    union {
        ph_endpoint_done one;
        ph_endpoint_list_done many;
        ph_endpoint_plain_done plain;
        ph_endpoint_stats_done stats;
    } done;
    void *ctx;
};

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt, struct ph_id tenant,
                         struct ph_str application,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    ph_db_req_init(&op->req, stmt, arena, on_done);
    ph_db_req_tenant(&op->req, tenant);
    ph_db_add_id(&op->req, tenant);
    ph_store_add_key(&op->req, PH_ID_APPLICATION, application);
    op->ctx = ctx;
    return op;
}

static struct op *op_new_at(struct ph_arena *arena, const struct ph_stmt *stmt,
                            const struct ph_endpoint_path *path,
                            void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = op_new(arena, stmt, path->tenant, path->application, on_done, ctx);

    ph_store_add_key(&op->req, PH_ID_ENDPOINT, path->endpoint);
    return op;
}

void ph_endpoint_read_row(struct ph_arena *arena, const PGresult *res, int row,
                          struct ph_endpoint *out)
{
    out->id = ph_db_id(res, row, 0);
    out->uid = ph_db_str(res, row, 1);
    out->url = ph_db_str(res, row, 2);
    out->description = ph_db_str(res, row, 3);
    out->disabled = ph_db_bool(res, row, 4);
    out->event_types = out->channels = NULL;
    out->n_event_types = out->n_channels = 0;
    if (!ph_db_is_null(res, row, 5))
        out->n_event_types = ph_db_str_array(arena, res, row, 5, &out->event_types);
    if (!ph_db_is_null(res, row, 6))
        out->n_channels = ph_db_str_array(arena, res, row, 6, &out->channels);
    out->metadata = ph_db_str(res, row, 7);
    out->throttle_rate = ph_db_is_null(res, row, 8) ? -1 : ph_db_int(res, row, 8);
    out->created_ms = ph_db_time(res, row, 9);
    out->updated_ms = ph_db_time(res, row, 10);
    out->signature_profile = ph_db_str(res, row, 11);
    out->signature_header = ph_db_str(res, row, 12);
    out->paused = ph_db_bool(res, row, 13);
    out->ordered = !ph_db_is_null(res, row, 14);
    ph_retry_waits_read(res, row, 15, &out->retry);
    out->failing = !ph_db_is_null(res, row, 16);
    out->failing_since_ms = ph_db_time(res, row, 16);
    out->disabled_reason = ph_db_str(res, row, 17);
    out->filter = ph_db_str(res, row, 18);
}

static void on_one(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_endpoint endpoint;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK)
        ph_endpoint_read_row(req->arena, res, 0, &endpoint);
    op->done.one(op->ctx, err, err == PH_OK ? &endpoint : NULL);
}

static void on_list(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_endpoint *endpoints;
    int rows, n;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err != PH_OK) {
        op->done.many(op->ctx, err, NULL, 0, false);
        return;
    }
    rows = ph_db_is_null(res, 0, 0) ? 0 : PQntuples(res);
    n = ph_list_count(&op->list, rows);
    endpoints = ph_arena_array_of(req->arena, struct ph_endpoint, n);
    for (int i = 0; i < n; i++)
        ph_endpoint_read_row(req->arena, res, ph_list_row(&op->list, n, i), &endpoints[i]);
    op->done.many(op->ctx, PH_OK, endpoints, (size_t)n, ph_list_done(&op->list, rows));
}

static void on_plain(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    op->done.plain(op->ctx, err);
}

void ph_endpoint_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                      struct ph_str application, const struct ph_list *list,
                      ph_endpoint_list_done done, void *ctx)
{
    const struct ph_stmt *stmt =
        ph_list_ascending(list) ? &ph_sql_endpoint_list_up : &ph_sql_endpoint_list_down;
    struct op *op = op_new(arena, stmt, tenant, application, on_list, ctx);

    op->done.many = done;
    op->list = *list;
    ph_db_add_id(&op->req, ph_list_bound(list));
    ph_db_add_i32(&op->req, (int32_t)list->limit + 1);
    ph_db_send(db, &op->req);
}

void ph_endpoint_get(struct ph_db *db, struct ph_arena *arena, const struct ph_endpoint_path *path,
                     ph_endpoint_done done, void *ctx)
{
    struct op *op = op_new_at(arena, &ph_sql_endpoint_get, path, on_one, ctx);

    op->done.one = done;
    ph_db_send(db, &op->req);
}

/* The sealed form of a secret, in the arena. */
static struct ph_str seal_secret(struct ph_arena *arena, const struct ph_keyring *keyring,
                                 struct ph_id tenant, struct ph_id row,
                                 const struct ph_secret *secret)
{
    struct ph_str plain = {(const char *)secret->bytes, secret->len};
    uint8_t *sealed = ph_arena_alloc(arena, plain.len + PH_SEAL_OVERHEAD);

    ph_seal(keyring, tenant, row, plain, sealed);
    return (struct ph_str){(const char *)sealed, plain.len + PH_SEAL_OVERHEAD};
}

static void add_change(struct ph_db_req *req, const struct ph_endpoint_change *change)
{
    ph_db_add_ref(req, change->uid);
    ph_db_add_ref(req, change->url);
    ph_db_add_ref(req, change->description);
    ph_db_add_bool(req, change->disabled);
    ph_db_add_str_array(req, change->event_types, change->n_event_types);
    ph_db_add_str_array(req, change->channels, change->n_channels);
    ph_db_add_ref(req, change->metadata);
    if (change->throttle_rate < 0)
        ph_db_add_null(req);
    else
        ph_db_add_i32(req, (int32_t)change->throttle_rate);
    ph_db_add_ref(req, change->signature_profile);
    ph_db_add_ref(req, change->signature_header);
}

/* How it wants to be served. */
static void add_service(struct ph_db_req *req, const struct ph_endpoint_change *change)
{
    ph_db_add_bool(req, change->paused);
    ph_db_add_ref(req, change->ordered ? PH_STR("fifo") : PH_STR_NONE);
    ph_retry_waits_add(req, &change->retry);
    ph_db_add_ref(req, change->filter);
}

void ph_endpoint_create(struct ph_db *db, struct ph_arena *arena, const struct ph_keyring *keyring,
                        struct ph_id tenant, struct ph_str application,
                        const struct ph_endpoint_change *change, const struct ph_secret *secret,
                        ph_endpoint_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_endpoint_create, tenant, application, on_one, ctx);
    int64_t now_ms = ph_clock_wall_ms();
    struct ph_id id = ph_id_new(now_ms), secret_id = ph_id_new(now_ms);

    op->done.one = done;
    ph_db_add_id(&op->req, id);
    ph_db_add_id(&op->req, secret_id);
    ph_db_add_ref(&op->req, seal_secret(arena, keyring, tenant, secret_id, secret));
    add_change(&op->req, change);
    ph_db_add_i16(&op->req, (int16_t)secret->kind);
    add_service(&op->req, change);
    ph_db_send(db, &op->req);
}

void ph_endpoint_update(struct ph_db *db, struct ph_arena *arena,
                        const struct ph_endpoint_path *path,
                        const struct ph_endpoint_change *change, ph_endpoint_done done, void *ctx)
{
    struct op *op = op_new_at(arena, &ph_sql_endpoint_update, path, on_one, ctx);

    op->done.one = done;
    ph_db_add_i32(&op->req, (int32_t)change->set);
    add_change(&op->req, change);
    add_service(&op->req, change);
    ph_db_send(db, &op->req);
}

void ph_endpoint_delete(struct ph_db *db, struct ph_arena *arena,
                        const struct ph_endpoint_path *path, ph_endpoint_plain_done done, void *ctx)
{
    struct op *op = op_new_at(arena, &ph_sql_endpoint_delete, path, on_plain, ctx);

    op->done.plain = done;
    ph_db_send(db, &op->req);
}

static void on_stats(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_endpoint_stats stats = {0};

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK) {
        stats.success = ph_db_int(res, 0, 0);
        stats.exhausted = ph_db_int(res, 0, 1);
        stats.pending = ph_db_int(res, 0, 2);
        stats.sending = ph_db_int(res, 0, 3);
        stats.canceled = ph_db_int(res, 0, 4);
        stats.skipped = ph_db_int(res, 0, 5);
    }
    op->done.stats(op->ctx, err, err == PH_OK ? &stats : NULL);
}

void ph_endpoint_get_stats(struct ph_db *db, struct ph_arena *arena,
                           const struct ph_endpoint_path *path, int64_t since_ms, int64_t until_ms,
                           ph_endpoint_stats_done done, void *ctx)
{
    struct op *op = op_new_at(arena, &ph_sql_endpoint_stats, path, on_stats, ctx);

    op->done.stats = done;
    ph_db_add_time(&op->req, since_ms - since_ms % BUCKET_MS);
    ph_db_add_time(&op->req, until_ms);
    ph_db_add_id(&op->req, ph_id_floor(since_ms));
    ph_db_add_id(&op->req, ph_id_floor(until_ms));
    ph_db_add_i32(&op->req, PH_ENDPOINT_STATS_OWED_MAX);
    ph_db_send(db, &op->req);
}
