#include "posthorn/task.h"

#include "posthorn/clock.h"
#include "sql.h"

/* Clocks of nodes differ: an attempt's id may be this much older than its message's. */
#define SKEW_MS (60 * 60 * 1000)

/* Behind the columns of a task. */
enum { COL_RESULT = 12, COL_MISSING = 13 };

struct op {
    struct ph_db_req req;
    struct ph_list list;
    union {
        ph_background_task_done one;
        ph_background_task_list_done many;
        ph_background_task_stepped step;
    } done;
    void *ctx;
};

static const char *const type_texts[PH_TASK_TYPES] = {
    [PH_TASK_RECOVER] = "endpoint.recover",        [PH_TASK_REPLAY] = "endpoint.bulk-replay",
    [PH_TASK_REPLAY_MISSING] = "endpoint.replay",  [PH_TASK_BROADCAST] = "message.broadcast",
    [PH_TASK_PURGE] = "application.purge_content", [PH_TASK_USAGE] = "application.stats",
};

const char *ph_background_task_type_text(enum ph_background_task_type type)
{
    return type_texts[type];
}

bool ph_background_task_type_known(struct ph_str text)
{
    for (int i = 0; i < PH_TASK_TYPES; i++)
        if (ph_str_eq_c(text, type_texts[i]))
            return true;
    return false;
}

bool ph_background_task_status_known(struct ph_str text)
{
    static const char *const known[] = {"running", "finished", "failed"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (ph_str_eq_c(text, known[i]))
            return true;
    return false;
}

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt, struct ph_id tenant,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    ph_db_req_init(&op->req, stmt, arena, on_done);
    ph_db_req_tenant(&op->req, tenant);
    ph_db_add_id(&op->req, tenant);
    op->ctx = ctx;
    return op;
}

static void read_row(const PGresult *res, int row, struct ph_background_task *out)
{
    out->id = ph_db_id(res, row, 0);
    out->type = ph_db_str(res, row, 1);
    out->status = ph_db_str(res, row, 2);
    out->params = ph_db_str(res, row, 3);
    out->done = ph_db_int(res, row, 4);
    out->total = ph_db_is_null(res, row, 5) ? -1 : ph_db_int(res, row, 5);
    out->queued = ph_db_int(res, row, 6);
    out->error = ph_db_str(res, row, 7);
    out->application = ph_db_id(res, row, 8);
    out->endpoint = ph_db_id(res, row, 9);
    out->created_ms = ph_db_time(res, row, 10);
    out->updated_ms = ph_db_time(res, row, 11);
    out->result = ph_db_str(res, row, COL_RESULT);
}

static void on_one(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_background_task task;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK && ph_db_is_null(res, 0, 0))
        err = PH_ERR_CONFLICT;
    if (err == PH_OK)
        read_row(res, 0, &task);
    op->done.one(op->ctx, err, err == PH_OK ? &task : NULL);
}

static struct ph_id message_floor(int64_t wall_ms)
{
    return ph_id_floor(wall_ms > 0 ? wall_ms : 0);
}

void ph_background_task_create(struct ph_db *db, struct ph_arena *arena,
                               const struct ph_endpoint_path *path,
                               const struct ph_background_task_order *order,
                               ph_background_task_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_task_create, path->tenant, on_one, ctx);
    int64_t now_ms = ph_clock_wall_ms();
    bool by_message = order->type == PH_TASK_REPLAY_MISSING;

    op->done.one = done;
    ph_store_add_key(&op->req, PH_ID_APPLICATION, path->application);
    ph_store_add_key(&op->req, PH_ID_ENDPOINT, path->endpoint);
    ph_db_add_id(&op->req, ph_id_new(now_ms));
    ph_db_add_str(&op->req, ph_str_of(type_texts[order->type]));
    ph_db_add_ref(&op->req, order->params);
    ph_db_add_id(&op->req, message_floor(order->since_ms));
    ph_db_add_id(&op->req, message_floor(order->until_ms));
    ph_db_add_id(&op->req, message_floor(by_message ? order->since_ms : order->since_ms - SKEW_MS));
    ph_db_add_id(&op->req, message_floor(by_message ? order->until_ms : now_ms));
    ph_db_send(db, &op->req);
}

static void add_time(struct ph_db_req *req, int64_t wall_ms)
{
    if (wall_ms)
        ph_db_add_time(req, wall_ms);
    else
        ph_db_add_null(req);
}

void ph_broadcast_create(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                         const struct ph_broadcast_order *order, ph_background_task_done done,
                         void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_broadcast_create, tenant, on_one, ctx);

    op->done.one = done;
    ph_db_add_id(&op->req, ph_id_new(ph_clock_wall_ms()));
    ph_db_add_ref(&op->req, order->params);
    ph_db_add_ref(&op->req, order->event_type);
    ph_db_add_ref(&op->req, order->event_id);
    ph_db_add_str_array(&op->req, order->channels, order->n_channels);
    ph_db_add_str_array(&op->req, order->tags, order->n_tags);
    add_time(&op->req, order->expires_ms);
    ph_db_add_ref(&op->req, order->payload);
    ph_db_add_ref(&op->req, order->raw_body);
    ph_db_add_ref(&op->req, order->content_type);
    add_time(&op->req, order->deliver_ms);
    ph_db_send(db, &op->req);
}

void ph_purge_create(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                     struct ph_str application, ph_background_task_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_purge_create, tenant, on_one, ctx);
    int64_t now_ms = ph_clock_wall_ms();

    op->done.one = done;
    ph_store_add_key(&op->req, PH_ID_APPLICATION, application);
    ph_db_add_id(&op->req, ph_id_new(now_ms));
    ph_db_add_id(&op->req, ph_id_floor(now_ms + 1));
    ph_db_send(db, &op->req);
}

struct usage_op {
    struct ph_db_req req;
    ph_usage_created done;
    void *ctx;
};

static void on_usage(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct usage_op *op = ph_container_of(req, struct usage_op, req);
    struct ph_background_task task;
    int32_t *missing = NULL;
    size_t n = 0;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK) {
        read_row(res, 0, &task);
        missing = ph_arena_array_of(req->arena, int32_t, PH_USAGE_APPLICATIONS_MAX);
        n = ph_db_int_array(res, 0, COL_MISSING, missing, PH_USAGE_APPLICATIONS_MAX);
    }
    op->done(op->ctx, err, err == PH_OK ? &task : NULL, missing, n);
}

void ph_usage_create(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                     const struct ph_usage_order *order, ph_usage_created done, void *ctx)
{
    struct usage_op *op = ph_arena_new_of(arena, struct usage_op);

    op->done = done;
    op->ctx = ctx;
    ph_db_req_init(&op->req, &ph_sql_usage_create, arena, on_usage);
    ph_db_req_tenant(&op->req, tenant);
    ph_db_add_id(&op->req, tenant);
    ph_db_add_id(&op->req, ph_id_new(ph_clock_wall_ms()));
    ph_db_add_ref(&op->req, order->params);
    ph_db_add_id(&op->req, ph_id_floor(order->since_ms));
    ph_db_add_id(&op->req, ph_id_floor(order->until_ms));
    ph_store_add_keys(&op->req, PH_ID_APPLICATION, order->applications, order->n_applications);
    ph_db_send(db, &op->req);
}

void ph_background_task_get(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                            struct ph_id id, ph_background_task_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_task_get, tenant, on_one, ctx);

    op->done.one = done;
    ph_db_add_id(&op->req, id);
    ph_db_send(db, &op->req);
}

void ph_background_task_cancel(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                               struct ph_id id, ph_background_task_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_task_cancel, tenant, on_one, ctx);

    op->done.one = done;
    ph_db_add_id(&op->req, id);
    ph_db_send(db, &op->req);
}

static void on_list(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_background_task *tasks;
    int n;

    if (err != PH_OK) {
        op->done.many(op->ctx, err, NULL, 0, false);
        return;
    }
    n = ph_list_count(&op->list, PQntuples(res));
    tasks = ph_arena_array_of(req->arena, struct ph_background_task, n);
    for (int i = 0; i < n; i++)
        read_row(res, ph_list_row(&op->list, n, i), &tasks[i]);
    op->done.many(op->ctx, PH_OK, tasks, (size_t)n, ph_list_done(&op->list, PQntuples(res)));
}

void ph_background_task_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                             const struct ph_list *list, struct ph_str status, struct ph_str type,
                             ph_background_task_list_done done, void *ctx)
{
    const struct ph_stmt *stmt =
        ph_list_ascending(list) ? &ph_sql_task_list_up : &ph_sql_task_list_down;
    struct op *op = op_new(arena, stmt, tenant, on_list, ctx);

    op->done.many = done;
    op->list = *list;
    ph_db_add_id(&op->req, ph_list_bound(list));
    ph_db_add_i32(&op->req, (int32_t)list->limit + 1);
    ph_db_add_ref(&op->req, status);
    ph_db_add_ref(&op->req, type);
    ph_db_send(db, &op->req);
}

static void on_step(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    bool found = err == PH_OK && PQntuples(res) > 0;

    op->done.step(op->ctx, err, found, found ? (int32_t)ph_db_int(res, 0, 1) : 0);
}

static const struct {
    const struct ph_stmt *step;
    const char *types; /* what theirs begin with */
    int32_t limits[3];
    int n_limits;
} kinds[PH_TASK_KINDS] = {
    [PH_TASK_OF_ENDPOINT] = {&ph_sql_task_step,
                             "endpoint.",
                             {PH_BACKGROUND_TASK_STEP, PH_BACKGROUND_TASK_WAITING},
                             2},
    [PH_TASK_OF_BROADCAST] = {&ph_sql_broadcast_step,
                              "message.broadcast",
                              {PH_BROADCAST_STEP, PH_BROADCAST_BYTES, PH_BROADCAST_WAITING},
                              3},
    [PH_TASK_OF_PURGE] = {&ph_sql_purge_step, "application.purge_content", {PH_PURGE_STEP}, 1},
    [PH_TASK_OF_USAGE] = {&ph_sql_usage_step, "application.stats", {PH_USAGE_STEP}, 1},
};

void ph_background_task_step(struct ph_db *db, struct ph_arena *arena,
                             enum ph_background_task_kind kind, ph_background_task_stepped done,
                             void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->done.step = done;
    op->ctx = ctx;
    ph_db_req_init(&op->req, kinds[kind].step, arena, on_step);
    for (int i = 0; i < kinds[kind].n_limits; i++)
        ph_db_add_i32(&op->req, kinds[kind].limits[i]);
    ph_db_send(db, &op->req);
}

void ph_background_task_postpone(struct ph_db *db, struct ph_arena *arena,
                                 enum ph_background_task_kind kind, ph_background_task_stepped done,
                                 void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->done.step = done;
    op->ctx = ctx;
    ph_db_req_init(&op->req, &ph_sql_task_postpone, arena, on_step);
    ph_db_add_ref(&op->req, ph_str_of(kinds[kind].types));
    ph_db_send(db, &op->req);
}
