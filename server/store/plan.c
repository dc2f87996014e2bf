#include "posthorn/plan.h"

#include "sql.h"

struct op {
    struct ph_db_req req;
    union {
        ph_plan_done one;
        void (*many)(void *ctx, enum ph_err err, const struct ph_plan *plans, size_t n);
        void (*plain)(void *ctx, enum ph_err err);
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

static void read_row(const PGresult *res, int row, struct ph_plan *out)
{
    out->name = ph_db_str(res, row, 0);
    out->quotas = ph_db_str(res, row, 1);
    out->tenants = ph_db_int(res, row, 2);
    out->is_new = ph_db_bool(res, row, 3);
}

static void on_one(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_plan plan;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK)
        read_row(res, 0, &plan);
    op->done.one(op->ctx, err, err == PH_OK ? &plan : NULL);
}

static void on_list(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    int n = err == PH_OK ? PQntuples(res) : 0;
    struct ph_plan *plans = ph_arena_array_of(req->arena, struct ph_plan, n);

    for (int i = 0; i < n; i++)
        read_row(res, i, &plans[i]);
    op->done.many(op->ctx, err, plans, (size_t)n);
}

static void on_deleted(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    op->done.plain(op->ctx, err);
}

void ph_plan_list(struct ph_db *db, struct ph_arena *arena,
                  void (*done)(void *ctx, enum ph_err err, const struct ph_plan *plans, size_t n),
                  void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_plan_list, on_list, ctx);

    op->done.many = done;
    ph_db_send(db, &op->req);
}

void ph_plan_get(struct ph_db *db, struct ph_arena *arena, struct ph_str name, ph_plan_done done,
                 void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_plan_get, on_one, ctx);

    op->done.one = done;
    ph_db_add_str(&op->req, name);
    ph_db_send(db, &op->req);
}

void ph_plan_put(struct ph_db *db, struct ph_arena *arena, struct ph_str name, struct ph_str quotas,
                 ph_plan_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_plan_put, on_one, ctx);

    op->done.one = done;
    ph_db_add_str(&op->req, name);
    ph_db_add_str(&op->req, quotas);
    ph_db_send(db, &op->req);
}

void ph_plan_delete(struct ph_db *db, struct ph_arena *arena, struct ph_str name,
                    void (*done)(void *ctx, enum ph_err err), void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_plan_delete, on_deleted, ctx);

    op->done.plain = done;
    ph_db_add_str(&op->req, name);
    ph_db_send(db, &op->req);
}
