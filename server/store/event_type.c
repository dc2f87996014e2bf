#include "posthorn/event_type.h"

#include "posthorn/clock.h"
#include "posthorn/json.h"
#include "sql.h"

struct op {
    struct ph_db_req req;
    struct ph_event_type_list list;
    struct ph_id new_id;
    union {
        ph_event_type_done one;
        ph_event_type_list_done many;
        void (*plain)(void *ctx, enum ph_err err);
    } done;
    enum ph_err none; /* what it means that there is no row */
    void *ctx;
};

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt, struct ph_id tenant,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    ph_db_req_init(&op->req, stmt, arena, on_done);
    ph_db_req_tenant(&op->req, tenant);
    ph_db_add_id(&op->req, tenant);
    op->none = PH_ERR_NOT_FOUND;
    op->ctx = ctx;
    return op;
}

static void read_row(const PGresult *res, int row, struct ph_event_type *out)
{
    out->id = ph_db_id(res, row, 0);
    out->name = ph_db_str(res, row, 1);
    out->description = ph_db_str(res, row, 2);
    out->schemas = ph_db_str(res, row, 3);
    out->archived = ph_db_bool(res, row, 4);
    out->deprecated = ph_db_bool(res, row, 5);
    out->feature_flag = ph_db_str(res, row, 6);
    out->created_ms = ph_db_time(res, row, 7);
    out->updated_ms = ph_db_time(res, row, 8);
    ph_retry_waits_read(res, row, 9, &out->retry);
    out->schema_validation = ph_db_str(res, row, 10);
    out->rules_version = ph_db_int(res, row, 11);
    out->group = ph_db_str(res, row, 12);
}

static void on_one(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_event_type type;

    if (err == PH_OK && PQntuples(res) == 0)
        err = op->none;
    if (err != PH_OK) {
        op->done.one(op->ctx, err, NULL, false);
        return;
    }
    read_row(res, 0, &type);
    op->done.one(op->ctx, PH_OK, &type, ph_id_eq(type.id, op->new_id));
}

static void on_list(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_event_type *types;
    int rows, n;

    if (err != PH_OK) {
        op->done.many(op->ctx, err, NULL, 0, false);
        return;
    }
    rows = PQntuples(res);
    n = rows > op->list.limit ? (int)op->list.limit : rows;
    types = ph_arena_array_of(req->arena, struct ph_event_type, n);
    for (int i = 0; i < n; i++)
        read_row(res, op->list.backwards ? n - 1 - i : i, &types[i]);
    op->done.many(op->ctx, PH_OK, types, (size_t)n, rows <= op->list.limit);
}

static void on_plain(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    op->done.plain(op->ctx, err);
}

static void add_viewer(struct ph_db_req *req, struct ph_id viewer)
{
    if (ph_id_is_zero(viewer))
        ph_db_add_null(req);
    else
        ph_db_add_id(req, viewer);
}

void ph_event_type_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                        const struct ph_event_type_list *list, ph_event_type_list_done done,
                        void *ctx)
{
    bool up = list->descending == list->backwards;
    struct op *op = op_new(arena, up ? &ph_sql_event_type_list_up : &ph_sql_event_type_list_down,
                           tenant, on_list, ctx);

    op->done.many = done;
    op->list = *list;
    /* Every name sorts behind the empty string and, made of letters, digits, '-', '_' and '.', in front of '~'. */
    ph_db_add_ref(&op->req, up && list->from.ptr ? list->from : PH_STR(""));
    ph_db_add_ref(&op->req, !up && list->from.ptr ? list->from : PH_STR("~"));
    ph_db_add_bool(&op->req, list->include_archived);
    ph_db_add_bool(&op->req, list->with_content);
    ph_db_add_i32(&op->req, (int32_t)list->limit + 1);
    add_viewer(&op->req, list->viewer);
    ph_db_send(db, &op->req);
}

void ph_event_type_get(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                       struct ph_id viewer, struct ph_str name, ph_event_type_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_event_type_get, tenant, on_one, ctx);

    op->done.one = done;
    ph_db_add_ref(&op->req, name);
    add_viewer(&op->req, viewer);
    ph_db_send(db, &op->req);
}

static void write_all(struct ph_db *db, struct op *op, struct ph_str name,
                      const struct ph_event_type_change *change)
{
    op->new_id = ph_id_new(ph_clock_wall_ms());
    ph_db_add_ref(&op->req, name);
    ph_db_add_ref(&op->req, change->description);
    ph_db_add_ref(&op->req, change->schemas);
    ph_db_add_bool(&op->req, change->archived);
    ph_db_add_bool(&op->req, change->deprecated);
    ph_db_add_ref(&op->req, change->feature_flag);
    ph_db_add_id(&op->req, op->new_id);
    ph_retry_waits_add(&op->req, &change->retry);
    ph_db_add_ref(&op->req, change->schema_validation);
    ph_db_add_ref(&op->req, change->group);
    ph_db_send(db, &op->req);
}

void ph_event_type_create(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                          struct ph_str name, const struct ph_event_type_change *change,
                          ph_event_type_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_event_type_create, tenant, on_one, ctx);

    op->done.one = done;
    op->none = PH_ERR_EVENT_TYPE_EXISTS;
    write_all(db, op, name, change);
}

void ph_event_type_put(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                       struct ph_str name, const struct ph_event_type_change *change,
                       ph_event_type_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_event_type_put, tenant, on_one, ctx);

    op->done.one = done;
    write_all(db, op, name, change);
}

void ph_event_type_patch(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                         struct ph_str name, const struct ph_event_type_change *change,
                         ph_event_type_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_event_type_patch, tenant, on_one, ctx);

    op->done.one = done;
    ph_db_add_ref(&op->req, name);
    ph_db_add_i32(&op->req, (int32_t)change->set);
    ph_db_add_ref(&op->req, change->description);
    ph_db_add_ref(&op->req, change->schemas);
    ph_db_add_bool(&op->req, change->archived);
    ph_db_add_bool(&op->req, change->deprecated);
    ph_db_add_ref(&op->req, change->feature_flag);
    ph_retry_waits_add(&op->req, &change->retry);
    ph_db_add_ref(&op->req, change->schema_validation);
    ph_db_add_ref(&op->req, change->group);
    if (change->rules_version)
        ph_db_add_i64(&op->req, change->rules_version);
    else
        ph_db_add_null(&op->req);
    ph_db_send(db, &op->req);
}

void ph_event_type_delete(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                          struct ph_str name, bool expunge,
                          void (*done)(void *ctx, enum ph_err err), void *ctx)
{
    struct op *op = op_new(arena, expunge ? &ph_sql_event_type_expunge : &ph_sql_event_type_archive,
                           tenant, on_plain, ctx);

    op->done.plain = done;
    ph_db_add_ref(&op->req, name);
    ph_db_send(db, &op->req);
}

/* The number that a raw key is, quotes and all; 0: it is none. */
static int64_t version_of(struct ph_str key)
{
    int64_t n;

    return ph_str_to_i64((struct ph_str){key.ptr + 1, key.len - 2}, &n) == PH_OK ? n : 0;
}

void ph_event_type_newest(struct ph_str schemas, struct ph_str *version, struct ph_str *schema)
{
    struct ph_str rest = schemas, key, value;
    int64_t best = INT64_MIN, n;

    *version = *schema = PH_STR_NONE;
    while (ph_json_next_member(&rest, &key, &value))
        if ((n = version_of(key)) >= best) {
            best = n;
            *version = (struct ph_str){key.ptr + 1, key.len - 2};
            *schema = value;
        }
}
