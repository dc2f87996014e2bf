#include "posthorn/environment.h"

#include "posthorn/api_key.h"
#include "posthorn/clock.h"
#include "sql.h"

struct op {
    struct ph_db_req req;
    struct ph_list list;
    union {
        ph_environment_done one;
        ph_environment_list_done many;
        void (*plain)(void *ctx, enum ph_err err);
    } done;
    void *ctx;
    uint8_t hash[PH_TOKEN_HASH_BYTES];
};

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt, struct ph_id tenant,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->ctx = ctx;
    ph_db_req_init(&op->req, stmt, arena, on_done);
    ph_db_add_id(&op->req, tenant);
    return op;
}

static void read_row(const PGresult *res, int row, struct ph_environment *out)
{
    out->id = ph_db_id(res, row, 0);
    out->name = ph_db_str(res, row, 1);
    out->root = ph_db_id(res, row, 2);
    out->created_ms = ph_db_time(res, row, 3);
    out->updated_ms = ph_db_time(res, row, 4);
}

static void on_one(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_environment environment;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK)
        read_row(res, 0, &environment);
    op->done.one(op->ctx, err, err == PH_OK ? &environment : NULL);
}

static void on_list(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_environment *environments;
    int rows, n;

    if (err != PH_OK) {
        op->done.many(op->ctx, err, NULL, 0, false);
        return;
    }
    rows = PQntuples(res);
    n = ph_list_count(&op->list, rows);
    environments = ph_arena_array_of(req->arena, struct ph_environment, n);
    for (int i = 0; i < n; i++)
        read_row(res, ph_list_row(&op->list, n, i), &environments[i]);
    op->done.many(op->ctx, PH_OK, environments, (size_t)n, ph_list_done(&op->list, rows));
}

static void on_deleted(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    else if (err == PH_OK && ph_db_bool(res, 0, 0))
        err = PH_ERR_CONFLICT;
    else if (err == PH_OK && !ph_db_bool(res, 0, 1))
        err = PH_ERR_VALIDATION;
    op->done.plain(op->ctx, err);
}

static void add_id_or_null(struct op *op, struct ph_id id)
{
    if (ph_id_is_zero(id))
        ph_db_add_null(&op->req);
    else
        ph_db_add_id(&op->req, id);
}

void ph_environment_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                         const struct ph_list *list, ph_environment_list_done done, void *ctx)
{
    struct op *op = op_new(arena,
                           ph_list_ascending(list) ? &ph_sql_environment_list_up
                                                   : &ph_sql_environment_list_down,
                           tenant, on_list, ctx);

    op->done.many = done;
    op->list = *list;
    ph_db_add_id(&op->req, ph_list_bound(list));
    ph_db_add_i64(&op->req, list->limit + 1);
    ph_db_send(db, &op->req);
}

void ph_environment_get(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                        struct ph_id id, ph_environment_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_environment_get, tenant, on_one, ctx);

    op->done.one = done;
    ph_db_add_id(&op->req, id);
    ph_db_send(db, &op->req);
}

void ph_environment_create(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           const struct ph_environment_new *as, char token[PH_TOKEN_LEN + 1],
                           ph_environment_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_environment_create, tenant, on_one, ctx);

    op->done.one = done;
    ph_token_make(PH_API_KEY_PREFIX, token);
    ph_db_add_id(&op->req, ph_id_new(ph_clock_wall_ms()));
    ph_db_add_str(&op->req, as->name);
    ph_db_add_id(&op->req, ph_id_new(ph_clock_wall_ms()));
    ph_db_add_ref(&op->req, ph_token_hash((struct ph_str){token, PH_TOKEN_LEN}, op->hash));
    add_id_or_null(op, as->created_by);
    add_id_or_null(op, as->copied);
    ph_db_send(db, &op->req);
}

void ph_environment_rename(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           struct ph_id id, struct ph_str name, ph_environment_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_environment_rename, tenant, on_one, ctx);

    op->done.one = done;
    ph_db_add_id(&op->req, id);
    ph_db_add_str(&op->req, name);
    ph_db_send(db, &op->req);
}

void ph_environment_delete(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           struct ph_id id, struct ph_str name,
                           void (*done)(void *ctx, enum ph_err err), void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_environment_delete, tenant, on_deleted, ctx);

    op->done.plain = done;
    ph_db_add_id(&op->req, id);
    ph_db_add_str(&op->req, name);
    ph_db_send(db, &op->req);
}
