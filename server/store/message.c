#include "posthorn/message.h"

#include "sql.h"
#include "store/message_row.h"
#include "store/range.h"

enum { COL_PAYLOAD = 5, COL_DELIVER_AT = 6, COL_FOUND = 7 };

struct op {
    struct ph_db_req req;
    struct ph_list list;
    union {
        ph_message_done one;
        ph_message_many_done some;
        ph_message_list_done many;
        ph_message_endpoints_done endpoints;
    } done;
    void *ctx;
};

const char *ph_message_status_text(enum ph_message_status status)
{
    static const char *const texts[] = {"success", "pending",  "fail",
                                        "sending", "canceled", "skipped"};

    return texts[status];
}

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

static size_t read_names(struct ph_arena *arena, const PGresult *res, int row, int col,
                         const struct ph_str **out)
{
    struct ph_str *names = NULL;
    size_t n = 0;

    if (!ph_db_is_null(res, row, col))
        n = ph_db_str_array(arena, res, row, col, &names);
    *out = n ? names : NULL;
    return n;
}

void ph_message_read_row(struct ph_arena *arena, const PGresult *res, int row,
                         struct ph_message_view *out)
{
    *out = (struct ph_message_view){
        .id = ph_db_id(res, row, 0),
        .event_type = ph_db_str(res, row, 1),
        .event_id = ph_db_str(res, row, 2),
        .payload = ph_db_str(res, row, COL_PAYLOAD),
    };
    out->n_channels = read_names(arena, res, row, 3, &out->channels);
    out->n_tags = read_names(arena, res, row, 4, &out->tags);
}

/* What is still owed comes before what the newest attempt brought, and a success before how the delivery was closed: it was
 * under way then. */
struct ph_message_fate ph_message_read_fate(const PGresult *res, int row, int col)
{
    struct ph_message_fate fate = {0};

    if (!ph_db_bool(res, row, col + 1)) {
        bool is_closed = !ph_db_is_null(res, row, col + 4);
        if (is_closed &&
            (ph_db_is_null(res, row, col) || ph_db_int(res, row, col) != PH_STATUS_SUCCESS))
            col += 4;
        fate.status = (enum ph_message_status)ph_db_int(res, row, col);
        return fate;
    }
    fate.status = ph_db_int(res, row, col + 2) > 0 ? PH_STATUS_SENDING : PH_STATUS_PENDING;
    fate.is_owed = true;
    fate.attempts = (int)ph_db_int(res, row, col + 2);
    fate.has_next = !ph_db_is_null(res, row, col + 3);
    fate.next_ms = ph_db_time(res, row, col + 3);
    return fate;
}

/* The same and the column behind it. */
static void read_planned(struct ph_arena *arena, const PGresult *res, int row,
                         struct ph_message_view *out)
{
    ph_message_read_row(arena, res, row, out);
    out->deliver_ms =
        ph_db_is_null(res, row, COL_DELIVER_AT) ? 0 : ph_db_time(res, row, COL_DELIVER_AT);
}

static void on_one(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_message_view message;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK)
        read_planned(req->arena, res, 0, &message);
    op->done.one(op->ctx, err, err == PH_OK ? &message : NULL);
}

void ph_message_get(struct ph_db *db, struct ph_arena *arena, const struct ph_message_path *path,
                    bool with_content, ph_message_done done, void *ctx)
{
    struct op *op =
        op_new(arena, &ph_sql_message_get, path->tenant, path->application, on_one, ctx);

    op->done.one = done;
    ph_store_add_key(&op->req, PH_ID_MESSAGE, path->message);
    ph_db_add_bool(&op->req, with_content);
    ph_db_send(db, &op->req);
}

void ph_message_get_raw(struct ph_db *db, struct ph_arena *arena,
                        const struct ph_message_path *path, ph_message_done done, void *ctx)
{
    struct op *op =
        op_new(arena, &ph_sql_message_get_raw, path->tenant, path->application, on_one, ctx);

    op->done.one = done;
    ph_store_add_key(&op->req, PH_ID_MESSAGE, path->message);
    ph_db_send(db, &op->req);
}

static void on_some(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_message_view *messages;
    int n;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err != PH_OK) {
        op->done.some(op->ctx, err, NULL, 0);
        return;
    }
    n = ph_db_is_null(res, 0, 0) ? 0 : PQntuples(res);
    messages = ph_arena_array_of(req->arena, struct ph_message_view, n);
    for (int i = 0; i < n; i++)
        read_planned(req->arena, res, i, &messages[i]);
    op->done.some(op->ctx, PH_OK, messages, (size_t)n);
}

static void free_array(void *array)
{
    ph_db_array_free(array);
}

void ph_message_get_many(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                         struct ph_str application, const struct ph_id *ids, size_t n,
                         ph_message_many_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_message_get_many, tenant, application, on_some, ctx);
    struct ph_db_array *wanted = ph_arena_new_of(arena, struct ph_db_array);

    op->done.some = done;
    ph_db_array_init(wanted, PH_DB_UUIDS, 64 + n * 24);
    ph_arena_defer(arena, free_array, wanted);
    for (size_t i = 0; i < n; i++)
        ph_db_array_id(wanted, ids[i]);
    ph_db_add_array(&op->req, wanted);
    ph_db_send(db, &op->req);
}

static void on_list(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_message_view *messages;
    struct ph_list_end end;
    int64_t found;
    int n;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err != PH_OK) {
        op->done.many(op->ctx, err, NULL, 0, NULL);
        return;
    }
    found = ph_db_int(res, 0, COL_FOUND);
    n = found == 0 ? 0 : ph_list_count(&op->list, PQntuples(res));
    messages = ph_arena_array_of(req->arena, struct ph_message_view, n);
    for (int i = 0; i < n; i++)
        read_planned(req->arena, res, ph_list_row(&op->list, n, i), &messages[i]);
    end = ph_list_ending(&op->list, res, COL_FOUND + 1, found, n);
    op->done.many(op->ctx, PH_OK, messages, (size_t)n, &end);
}

void ph_message_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                     struct ph_str application, const struct ph_list *list,
                     const struct ph_message_filter *filter, ph_message_list_done done, void *ctx)
{
    const struct ph_stmt *stmt =
        ph_list_ascending(list) ? &ph_sql_message_list_up : &ph_sql_message_list_down;
    struct op *op = op_new(arena, stmt, tenant, application, on_list, ctx);

    op->done.many = done;
    op->list = *list;
    ph_range_add(&op->req, list, filter->after, filter->before);
    ph_db_add_i32(&op->req, (int32_t)list->limit + 1);
    ph_db_add_ref(&op->req, filter->channel);
    ph_db_add_str_array(&op->req, filter->event_types, filter->n_event_types);
    ph_db_add_ref(&op->req, filter->tag);
    ph_db_add_bool(&op->req, filter->with_content);
    ph_db_add_i64(&op->req, PH_MESSAGE_PAGE_BYTES);
    ph_db_add_i32(&op->req, PH_LIST_WALK_MAX);
    ph_db_send(db, &op->req);
}

static void on_endpoints(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_message_endpoint *items;
    int rows, n;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err != PH_OK) {
        op->done.endpoints(op->ctx, err, NULL, 0, false);
        return;
    }
    rows = ph_db_is_null(res, 0, 0) ? 0 : PQntuples(res);
    n = ph_list_count(&op->list, rows);
    items = ph_arena_array_of(req->arena, struct ph_message_endpoint, n);
    for (int i = 0; i < n; i++) {
        int row = ph_list_row(&op->list, n, i);
        ph_endpoint_read_row(req->arena, res, row, &items[i].endpoint);
        items[i].fate = ph_message_read_fate(res, row, PH_ENDPOINT_COLUMNS);
    }
    op->done.endpoints(op->ctx, PH_OK, items, (size_t)n, ph_list_done(&op->list, rows));
}

void ph_message_endpoints(struct ph_db *db, struct ph_arena *arena,
                          const struct ph_message_path *path, const struct ph_list *list,
                          ph_message_endpoints_done done, void *ctx)
{
    const struct ph_stmt *stmt =
        ph_list_ascending(list) ? &ph_sql_message_endpoints_up : &ph_sql_message_endpoints_down;
    struct op *op = op_new(arena, stmt, path->tenant, path->application, on_endpoints, ctx);

    op->done.endpoints = done;
    op->list = *list;
    ph_store_add_key(&op->req, PH_ID_MESSAGE, path->message);
    ph_range_add(&op->req, list, (struct ph_id){0}, (struct ph_id){0});
    ph_db_add_i32(&op->req, (int32_t)list->limit + 1);
    ph_db_send(db, &op->req);
}
