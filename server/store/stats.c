#include "posthorn/stats.h"

#include "sql.h"

static const int64_t bounds_ms[PH_DURATION_STEPS] = {10, 30, 100, 300, 1000, 3000, 10000, 10000};

enum { COL_AT, COL_MESSAGES, COL_SUCCESS, COL_FAILURE, COL_EXHAUSTED, COL_DURATION };

struct op {
    struct ph_db_req req;
    union {
        ph_stats_done series;
        ph_stats_event_types_done event_types;
        ph_stats_backlog_done backlog;
        ph_throttled_since_done throttled;
    } done;
    void *ctx;
};

int64_t ph_stats_percentile_ms(const struct ph_stats_bucket *bucket, int percent)
{
    int64_t n = bucket->success + bucket->failure, before = 0, low_ms = 0;
    int64_t rank = (n * percent + 99) / 100; /* the attempt in question, counted from 1 */

    if (n == 0)
        return -1;
    for (int i = 0; i < PH_DURATION_STEPS; i++) {
        int64_t in = bucket->durations[i];
        if (in > 0 && before + in >= rank)
            return low_ms + (bounds_ms[i] - low_ms) * (rank - before) / in;
        before += in;
        low_ms = bounds_ms[i];
    }
    return low_ms;
}

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt, struct ph_id tenant,
                         struct ph_str application,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    ph_db_req_init(&op->req, stmt, arena, on_done);
    ph_db_req_tenant(&op->req, tenant);
    ph_db_add_id(&op->req, tenant);
    if (application.ptr) {
        ph_store_add_key(&op->req, PH_ID_APPLICATION, application);
    } else {
        ph_db_add_null(&op->req);
        ph_db_add_null(&op->req);
    }
    op->ctx = ctx;
    return op;
}

static void read_bucket(const PGresult *res, int row, struct ph_stats_bucket *out)
{
    out->at_ms = ph_db_time(res, row, COL_AT);
    out->messages = ph_db_int(res, row, COL_MESSAGES);
    out->success = ph_db_int(res, row, COL_SUCCESS);
    out->failure = ph_db_int(res, row, COL_FAILURE);
    out->exhausted = ph_db_int(res, row, COL_EXHAUSTED);
    for (int i = 0; i < PH_DURATION_STEPS; i++)
        out->durations[i] = ph_db_int(res, row, COL_DURATION + i);
}

static void on_series(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_stats_bucket *buckets = NULL;
    int n = 0;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK) {
        n = ph_db_is_null(res, 0, COL_AT) ? 0 : PQntuples(res);
        buckets = ph_arena_array_of(req->arena, struct ph_stats_bucket, n);
        for (int i = 0; i < n; i++)
            read_bucket(res, i, &buckets[i]);
    }
    op->done.series(op->ctx, err, buckets, (size_t)n);
}

static void add_range(struct op *op, const struct ph_stats_range *range)
{
    ph_db_add_time(&op->req, range->since_ms);
    ph_db_add_time(&op->req, range->until_ms);
    ph_db_add_i32(&op->req, range->step_s);
}

void ph_stats_series(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                     struct ph_str application, const struct ph_stats_range *range,
                     ph_stats_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_stats_series, tenant, application, on_series, ctx);

    op->done.series = done;
    add_range(op, range);
    ph_db_send(db, &op->req);
}

void ph_stats_endpoint_series(struct ph_db *db, struct ph_arena *arena,
                              const struct ph_endpoint_path *path,
                              const struct ph_stats_range *range, ph_stats_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_stats_endpoint_series, path->tenant, path->application,
                           on_series, ctx);

    op->done.series = done;
    add_range(op, range);
    ph_store_add_key(&op->req, PH_ID_ENDPOINT, path->endpoint);
    ph_db_send(db, &op->req);
}

static void on_event_types(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_stats_event_type *types = NULL;
    int n = 0;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK) {
        n = ph_db_is_null(res, 0, 0) ? 0 : PQntuples(res);
        types = ph_arena_array_of(req->arena, struct ph_stats_event_type, n);
        for (int i = 0; i < n; i++)
            types[i] = (struct ph_stats_event_type){ph_db_str(res, i, 0), ph_db_int(res, i, 1),
                                                    ph_db_int(res, i, 2)};
    }
    op->done.event_types(op->ctx, err, types, (size_t)n);
}

void ph_stats_by_event_type(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                            struct ph_str application, int64_t since_ms, int64_t until_ms,
                            const struct ph_str *event_types, size_t n_event_types,
                            ph_stats_event_types_done done, void *ctx)
{
    struct op *op =
        op_new(arena, &ph_sql_stats_by_event_type, tenant, application, on_event_types, ctx);

    op->done.event_types = done;
    ph_db_add_time(&op->req, since_ms);
    ph_db_add_time(&op->req, until_ms);
    ph_db_add_str_array(&op->req, event_types, n_event_types);
    ph_db_send(db, &op->req);
}

static void on_backlog(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_stats_backlog backlog;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK)
        backlog = (struct ph_stats_backlog){
            .waiting = ph_db_int(res, 0, 0),
            .due = ph_db_int(res, 0, 1),
            .oldest_due_ms = ph_db_time(res, 0, 2),
            .is_capped = ph_db_int(res, 0, 0) >= PH_STATS_BACKLOG_MAX ||
                         ph_db_int(res, 0, 3) >= PH_STATS_BACKLOG_MAX,
        };
    op->done.backlog(op->ctx, err, err == PH_OK ? &backlog : NULL);
}

void ph_stats_backlog(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                      struct ph_str application, ph_stats_backlog_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_stats_backlog, tenant, application, on_backlog, ctx);

    op->done.backlog = done;
    ph_db_add_i32(&op->req, PH_STATS_BACKLOG_MAX);
    ph_db_send(db, &op->req);
}

void ph_stats_endpoint_backlog(struct ph_db *db, struct ph_arena *arena,
                               const struct ph_endpoint_path *path, ph_stats_backlog_done done,
                               void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_stats_endpoint_backlog, path->tenant, path->application,
                           on_backlog, ctx);

    op->done.backlog = done;
    ph_db_add_i32(&op->req, PH_STATS_BACKLOG_MAX);
    ph_store_add_key(&op->req, PH_ID_ENDPOINT, path->endpoint);
    ph_db_send(db, &op->req);
}

static void on_throttled(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    op->done.throttled(op->ctx, err, err == PH_OK ? ph_db_time(res, 0, 0) : 0);
}

void ph_endpoint_throttled_since(struct ph_db *db, struct ph_arena *arena,
                                 const struct ph_endpoint_path *path, ph_throttled_since_done done,
                                 void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_endpoint_throttled_since, path->tenant, path->application,
                           on_throttled, ctx);

    op->done.throttled = done;
    ph_store_add_key(&op->req, PH_ID_ENDPOINT, path->endpoint);
    ph_db_send(db, &op->req);
}
