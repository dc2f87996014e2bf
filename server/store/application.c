#include "posthorn/application.h"
#include "posthorn/clock.h"
#include "sql.h"

struct op {
    struct ph_db_req req;
    struct ph_list list;
    union {
        ph_application_done one;
        ph_application_list_done many;
        void (*plain)(void *ctx, enum ph_err err);
    } done;
    void *ctx;
};

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt, struct ph_id tenant,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    ph_db_req_init(&op->req, stmt, arena, on_done);
    ph_db_req_tenant(&op->req, tenant);
    op->ctx = ctx;
    return op;
}

static void read_row(const PGresult *res, int row, struct ph_application *out)
{
    out->id = ph_db_id(res, row, 0);
    out->uid = ph_db_str(res, row, 1);
    out->name = ph_db_str(res, row, 2);
    out->metadata = ph_db_str(res, row, 3);
    out->throttle_rate = ph_db_is_null(res, row, 4) ? -1 : ph_db_int(res, row, 4);
    out->created_ms = ph_db_time(res, row, 5);
    out->updated_ms = ph_db_time(res, row, 6);
}

static void on_one(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_application app;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK)
        read_row(res, 0, &app);
    op->done.one(op->ctx, err, err == PH_OK ? &app : NULL);
}

/* Behind the columns of an application. */
enum { COL_FOUND = 7, COL_WALKED_TO };

static void on_list(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_application *apps;
    struct ph_list_end end;
    int64_t found;
    int n;

    if (err != PH_OK) {
        op->done.many(op->ctx, err, NULL, 0, NULL);
        return;
    }
    found = ph_db_int(res, 0, COL_FOUND);
    n = ph_list_count(&op->list, (int)found);
    apps = ph_arena_array_of(req->arena, struct ph_application, n);
    for (int i = 0; i < n; i++)
        read_row(res, ph_list_row(&op->list, n, i), &apps[i]);
    end = ph_list_ending(&op->list, res, COL_WALKED_TO, found, n);
    op->done.many(op->ctx, PH_OK, apps, (size_t)n, &end);
}

static void on_delete(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    op->done.plain(op->ctx, err);
}

static void on_made(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    (void)res;
    op->done.plain(op->ctx, err);
}

static void add_rate(struct ph_db_req *req, int64_t rate)
{
    if (rate < 0)
        ph_db_add_null(req);
    else
        ph_db_add_i32(req, (int32_t)rate);
}

void ph_application_get(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                        struct ph_str id_or_uid, ph_application_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_application_get, tenant, on_one, ctx);

    op->done.one = done;
    ph_store_add_key(&op->req, PH_ID_APPLICATION, id_or_uid);
    ph_db_send(db, &op->req);
}

void ph_application_make_internal(struct ph_db *engine_db, struct ph_arena *arena,
                                  struct ph_id tenant, void (*done)(void *ctx, enum ph_err err),
                                  void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_application_make_internal, tenant, on_made, ctx);

    op->done.plain = done;
    ph_db_add_id(&op->req, ph_id_new(ph_clock_wall_ms()));
    ph_db_add_id(&op->req, tenant);
    ph_db_add_ref(&op->req, PH_APPLICATION_INTERNAL);
    ph_db_send(engine_db, &op->req);
}

void ph_application_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                         const struct ph_list *list, struct ph_str search,
                         ph_application_list_done done, void *ctx)
{
    const struct ph_stmt *stmt =
        ph_list_ascending(list) ? &ph_sql_application_list_up : &ph_sql_application_list_down;
    struct op *op = op_new(arena, stmt, tenant, on_list, ctx);

    op->done.many = done;
    op->list = *list;
    ph_db_add_id(&op->req, ph_list_bound(list));
    ph_db_add_i32(&op->req, (int32_t)list->limit + 1);
    ph_db_add_ref(&op->req, search);
    ph_db_add_i32(&op->req, PH_LIST_WALK_MAX);
    ph_db_send(db, &op->req);
}

void ph_application_create(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           const struct ph_application_change *change, ph_application_done done,
                           void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_application_create, tenant, on_one, ctx);

    op->done.one = done;
    ph_db_add_id(&op->req, ph_id_new(ph_clock_wall_ms()));
    ph_db_add_ref(&op->req, change->uid);
    ph_db_add_ref(&op->req, change->name);
    ph_db_add_ref(&op->req, change->metadata);
    add_rate(&op->req, change->throttle_rate);
    ph_db_send(db, &op->req);
}

void ph_application_update(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           struct ph_str id_or_uid, const struct ph_application_change *change,
                           ph_application_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_application_update, tenant, on_one, ctx);

    op->done.one = done;
    ph_store_add_key(&op->req, PH_ID_APPLICATION, id_or_uid);
    ph_db_add_bool(&op->req, change->set_uid);
    ph_db_add_ref(&op->req, change->uid);
    ph_db_add_bool(&op->req, change->set_name);
    ph_db_add_ref(&op->req, change->name);
    ph_db_add_bool(&op->req, change->set_metadata);
    ph_db_add_ref(&op->req, change->metadata);
    ph_db_add_bool(&op->req, change->set_throttle_rate);
    add_rate(&op->req, change->throttle_rate);
    ph_db_send(db, &op->req);
}

void ph_application_delete(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           struct ph_str id_or_uid, void (*done)(void *ctx, enum ph_err err),
                           void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_application_delete, tenant, on_delete, ctx);

    op->done.plain = done;
    ph_store_add_key(&op->req, PH_ID_APPLICATION, id_or_uid);
    ph_db_send(db, &op->req);
}
