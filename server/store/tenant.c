#include "posthorn/tenant.h"

#include "posthorn/clock.h"
#include "sql.h"

struct op {
    struct ph_db_req req;
    struct ph_list list;
    union {
        ph_tenant_done one;
        ph_tenant_list_done many;
        void (*plain)(void *ctx, enum ph_err err);
        void (*purged)(void *ctx, enum ph_err err, int32_t n);
        void (*usage)(void *ctx, enum ph_err err, const struct ph_tenant_usage *usage, size_t n);
    } done;
    void *ctx;
};

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->ctx = ctx;
    ph_db_req_init(&op->req, stmt, arena, on_done);
    return op;
}

static void read_row(const PGresult *res, int row, struct ph_tenant *out)
{
    out->id = ph_db_id(res, row, 0);
    out->name = ph_db_str(res, row, 1);
    out->foreign_id = ph_db_str(res, row, 2);
    out->plan = ph_db_str(res, row, 3);
    out->quotas = ph_db_str(res, row, 4);
    out->in_force = ph_db_str(res, row, 5);
    out->suspended_ms = ph_db_is_null(res, row, 6) ? 0 : ph_db_time(res, row, 6);
    out->created_ms = ph_db_time(res, row, 7);
    out->updated_ms = ph_db_time(res, row, 8);
    out->root = ph_db_id(res, row, 9);
    out->deleted_ms = ph_db_is_null(res, row, 10) ? 0 : ph_db_time(res, row, 10);
    out->messages_today = ph_db_int(res, row, 11);
    out->environments = ph_db_str(res, row, 12);
}

static void on_one(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_tenant tenant;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK)
        read_row(res, 0, &tenant);
    op->done.one(op->ctx, err, err == PH_OK ? &tenant : NULL);
}

static void on_list(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_tenant *tenants;
    int rows, n;

    if (err != PH_OK) {
        op->done.many(op->ctx, err, NULL, 0, false);
        return;
    }
    rows = PQntuples(res);
    n = ph_list_count(&op->list, rows);
    tenants = ph_arena_array_of(req->arena, struct ph_tenant, n);
    for (int i = 0; i < n; i++)
        read_row(res, ph_list_row(&op->list, n, i), &tenants[i]);
    op->done.many(op->ctx, PH_OK, tenants, (size_t)n, ph_list_done(&op->list, rows));
}

static void on_deleted(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    op->done.plain(op->ctx, err);
}

static void on_purged(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    int32_t n = -1;

    if (err == PH_OK && !ph_db_is_null(res, 0, 0))
        n = (int32_t)ph_db_int(res, 0, 0);
    op->done.purged(op->ctx, err, n);
}

static void on_usage(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    int n = err == PH_OK ? PQntuples(res) : 0;
    struct ph_tenant_usage *usage = ph_arena_array_of(req->arena, struct ph_tenant_usage, n);

    for (int i = 0; i < n; i++) {
        usage[i].day = ph_db_str(res, i, 0);
        usage[i].messages = ph_db_int(res, i, 1);
        usage[i].success = ph_db_int(res, i, 2);
        usage[i].failure = ph_db_int(res, i, 3);
    }
    op->done.usage(op->ctx, err, usage, (size_t)n);
}

void ph_tenant_create(struct ph_db *db, struct ph_arena *arena,
                      const struct ph_tenant_admin_change *change, ph_tenant_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_tenant_create, on_one, ctx);

    op->done.one = done;
    ph_db_add_id(&op->req, ph_id_new(ph_clock_wall_ms()));
    ph_db_add_str(&op->req, change->name);
    ph_db_add_str(&op->req, change->set & PH_TENANT_ADMIN_PLAN ? change->plan : PH_STR_NONE);
    ph_db_add_str(&op->req, change->set & PH_TENANT_ADMIN_QUOTAS ? change->quotas : PH_STR_NONE);
    ph_db_send(db, &op->req);
}

void ph_tenant_list(struct ph_db *db, struct ph_arena *arena, const struct ph_list *list,
                    const struct ph_tenant_filter *filter, ph_tenant_list_done done, void *ctx)
{
    struct ph_id id;
    struct op *op =
        op_new(arena, ph_list_ascending(list) ? &ph_sql_tenant_list_up : &ph_sql_tenant_list_down,
               on_list, ctx);

    op->done.many = done;
    op->list = *list;
    ph_db_add_id(&op->req, ph_list_bound(list));
    ph_db_add_i64(&op->req, list->limit + 1);
    ph_db_add_str(&op->req, filter->state);
    ph_db_add_str(&op->req, filter->search);
    if (ph_id_parse(PH_ID_TENANT, filter->search, &id) == PH_OK)
        ph_db_add_id(&op->req, id);
    else
        ph_db_add_null(&op->req);
    ph_db_send(db, &op->req);
}

void ph_tenant_find(struct ph_db *db, struct ph_arena *arena, struct ph_id id, ph_tenant_done done,
                    void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_tenant_find, on_one, ctx);

    op->done.one = done;
    ph_db_add_id(&op->req, id);
    ph_db_send(db, &op->req);
}

void ph_tenant_change(struct ph_db *db, struct ph_arena *arena, struct ph_id id,
                      const struct ph_tenant_admin_change *change, ph_tenant_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_tenant_change, on_one, ctx);

    op->done.one = done;
    ph_db_add_id(&op->req, id);
    ph_db_add_i32(&op->req, (int32_t)change->set);
    ph_db_add_str(&op->req, change->name);
    ph_db_add_str(&op->req, change->plan);
    ph_db_add_str(&op->req, change->quotas);
    ph_db_add_bool(&op->req, change->suspended);
    ph_db_send(db, &op->req);
}

void ph_tenant_delete(struct ph_db *db, struct ph_arena *arena, struct ph_id id,
                      void (*done)(void *ctx, enum ph_err err), void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_tenant_delete, on_deleted, ctx);

    op->done.plain = done;
    ph_db_add_id(&op->req, id);
    ph_db_send(db, &op->req);
}

void ph_tenants_purge(struct ph_db *db, struct ph_arena *arena, int32_t rows,
                      void (*done)(void *ctx, enum ph_err err, int32_t n), void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_tenant_purge, on_purged, ctx);

    op->done.purged = done;
    ph_db_add_i32(&op->req, rows);
    ph_db_send(db, &op->req);
}

void ph_tenant_get_usage(struct ph_db *db, struct ph_arena *arena, struct ph_id id, int32_t days,
                         void (*done)(void *ctx, enum ph_err err,
                                      const struct ph_tenant_usage *usage, size_t n),
                         void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_tenant_usage, on_usage, ctx);

    op->done.usage = done;
    ph_db_add_id(&op->req, id);
    ph_db_add_i32(&op->req, days);
    ph_db_send(db, &op->req);
}
