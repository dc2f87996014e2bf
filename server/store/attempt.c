#include "posthorn/attempt.h"

#include "sql.h"
#include "store/message_row.h"
#include "store/range.h"

#include <string.h>

/* Clocks of nodes differ: an attempt's id may be this much older than its message's. */
#define SKEW_MS (60 * 60 * 1000)

/* Of a message; of an attempt. */
enum { COL_FATE = 6, COL_FOUND = 11 };
enum { COL_WALKED_TO = 9 };

struct op {
    struct ph_db_req req;
    struct ph_list list;
    union {
        ph_attempt_done one;
        ph_attempt_list_done many;
        ph_endpoint_messages_done messages;
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

static void read_row(const PGresult *res, int row, struct ph_attempt_view *out)
{
    out->id = ph_db_id(res, row, 0);
    out->message = ph_db_id(res, row, 1);
    out->endpoint = ph_db_id(res, row, 2);
    out->status = (enum ph_message_status)ph_db_int(res, row, 3);
    out->trigger_type = (int)ph_db_int(res, row, 4);
    out->status_code = (int)ph_db_int(res, row, 5);
    out->duration_ms = ph_db_int(res, row, 6);
    out->url = ph_db_str(res, row, 7);
    out->response = ph_db_str(res, row, 8);
}

static void on_one(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_attempt_view attempt;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK)
        read_row(res, 0, &attempt);
    op->done.one(op->ctx, err, err == PH_OK ? &attempt : NULL);
}

void ph_attempt_get(struct ph_db *db, struct ph_arena *arena, const struct ph_message_path *path,
                    struct ph_id attempt, ph_attempt_done done, void *ctx)
{
    struct op *op =
        op_new(arena, &ph_sql_attempt_get, path->tenant, path->application, on_one, ctx);

    op->done.one = done;
    ph_store_add_key(&op->req, PH_ID_MESSAGE, path->message);
    ph_db_add_id(&op->req, attempt);
    ph_db_send(db, &op->req);
}

static void on_list(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_attempt_view *attempts;
    struct ph_list_end end;
    int rows, n;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err != PH_OK) {
        op->done.many(op->ctx, err, NULL, 0, NULL);
        return;
    }
    rows = ph_db_is_null(res, 0, 0) ? 0 : PQntuples(res);
    n = ph_list_count(&op->list, rows);
    attempts = ph_arena_array_of(req->arena, struct ph_attempt_view, n);
    for (int i = 0; i < n; i++)
        read_row(res, ph_list_row(&op->list, n, i), &attempts[i]);
    end = ph_list_ending(&op->list, res, COL_WALKED_TO, rows, n);
    op->done.many(op->ctx, PH_OK, attempts, (size_t)n, &end);
}

static void add_i16_or_any(struct ph_db_req *req, int value)
{
    if (value == PH_ATTEMPT_ANY)
        ph_db_add_null(req);
    else
        ph_db_add_i16(req, (int16_t)value);
}

/* Parameters of both lists behind those that name the endpoint or message. */
static void add_filter(struct op *op, const struct ph_attempt_filter *filter)
{
    ph_range_add(&op->req, &op->list, filter->after, filter->before);
    ph_db_add_i32(&op->req, (int32_t)op->list.limit + 1);
    ph_db_add_bool(&op->req, filter->with_content);
    add_i16_or_any(&op->req, filter->status);
    add_i16_or_any(&op->req, filter->status_code_class);
}

/* What the message has to have. */
static void add_message_names(struct op *op, const struct ph_attempt_filter *filter)
{
    ph_db_add_ref(&op->req, filter->channel);
    ph_db_add_str_array(&op->req, filter->event_types, filter->n_event_types);
    ph_db_add_ref(&op->req, filter->tag);
}

void ph_attempt_list_by_endpoint(struct ph_db *db, struct ph_arena *arena,
                                 const struct ph_endpoint_path *path, const struct ph_list *list,
                                 const struct ph_attempt_filter *filter, ph_attempt_list_done done,
                                 void *ctx)
{
    const struct ph_stmt *stmt = ph_list_ascending(list) ? &ph_sql_attempt_list_endpoint_up
                                                         : &ph_sql_attempt_list_endpoint_down;
    struct op *op = op_new(arena, stmt, path->tenant, path->application, on_list, ctx);

    op->done.many = done;
    op->list = *list;
    ph_store_add_key(&op->req, PH_ID_ENDPOINT, path->endpoint);
    add_filter(op, filter);
    add_message_names(op, filter);
    ph_db_add_i32(&op->req, PH_LIST_WALK_MAX);
    ph_db_send(db, &op->req);
}

void ph_attempt_list_by_message(struct ph_db *db, struct ph_arena *arena,
                                const struct ph_message_path *path, const struct ph_list *list,
                                const struct ph_attempt_filter *filter, ph_attempt_list_done done,
                                void *ctx)
{
    const struct ph_stmt *stmt = ph_list_ascending(list) ? &ph_sql_attempt_list_message_up
                                                         : &ph_sql_attempt_list_message_down;
    struct op *op = op_new(arena, stmt, path->tenant, path->application, on_list, ctx);

    op->done.many = done;
    op->list = *list;
    ph_store_add_key(&op->req, PH_ID_MESSAGE, path->message);
    add_filter(op, filter);
    if (filter->endpoint.ptr) {
        ph_store_add_key(&op->req, PH_ID_ENDPOINT, filter->endpoint);
    } else {
        ph_db_add_null(&op->req);
        ph_db_add_null(&op->req);
    }
    add_message_names(op, filter);
    ph_db_send(db, &op->req);
}

static void on_messages(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_endpoint_message *items;
    struct ph_list_end end;
    int64_t found;
    int n;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err != PH_OK) {
        op->done.messages(op->ctx, err, NULL, 0, NULL);
        return;
    }
    found = ph_db_int(res, 0, COL_FOUND);
    n = found == 0 ? 0 : ph_list_count(&op->list, PQntuples(res));
    items = ph_arena_array_of(req->arena, struct ph_endpoint_message, n);
    for (int i = 0; i < n; i++) {
        int row = ph_list_row(&op->list, n, i);
        ph_message_read_row(req->arena, res, row, &items[i].message);
        items[i].fate = ph_message_read_fate(res, row, COL_FATE);
    }
    end = ph_list_ending(&op->list, res, COL_FOUND + 1, found, n);
    op->done.messages(op->ctx, PH_OK, items, (size_t)n, &end);
}

/* Parameters of both lists of messages behind those that bound the ids. */
static void add_message_filter(struct op *op, int status, const struct ph_message_filter *filter)
{
    ph_db_add_i32(&op->req, (int32_t)op->list.limit + 1);
    ph_db_add_bool(&op->req, filter->with_content);
    add_i16_or_any(&op->req, status);
    ph_db_add_ref(&op->req, filter->channel);
    ph_db_add_str_array(&op->req, filter->event_types, filter->n_event_types);
    ph_db_add_i64(&op->req, PH_MESSAGE_PAGE_BYTES);
    ph_db_add_ref(&op->req, filter->tag);
}

static void list_by_message(struct op *op, int status, const struct ph_message_filter *filter)
{
    ph_range_add(&op->req, &op->list, filter->after, filter->before);
    add_message_filter(op, status, filter);
    ph_db_add_i32(&op->req, PH_LIST_WALK_MAX);
}

/* The list's place is that of a message's first attempt, so only the filter bounds the messages' ids. */
static void list_attempted(struct op *op, int status, const struct ph_message_filter *filter)
{
    struct ph_list whole = {.descending = true};
    struct ph_id oldest = {0};
    int64_t after_ms = ph_id_time_ms(filter->after);

    ph_range_add(&op->req, &whole, filter->after, filter->before);
    add_message_filter(op, status, filter);
    if (ph_id_is_zero(op->list.from))
        ph_db_add_null(&op->req);
    else
        ph_db_add_id(&op->req, op->list.from);
    if (after_ms > SKEW_MS)
        oldest = ph_id_floor(after_ms - SKEW_MS);
    ph_db_add_id(&op->req, oldest);
    ph_db_add_i32(&op->req, PH_LIST_WALK_MAX_FEW);
}

void ph_endpoint_messages(struct ph_db *db, struct ph_arena *arena,
                          const struct ph_endpoint_path *path, const struct ph_list *list,
                          int status, const struct ph_message_filter *filter,
                          ph_endpoint_messages_done done, void *ctx)
{
    bool up = ph_list_ascending(list),
         owed = status == PH_STATUS_PENDING || status == PH_STATUS_SENDING,
         closed = status == PH_STATUS_CANCELED || status == PH_STATUS_SKIPPED;
    const struct ph_stmt *attempted_stmt =
        up ? &ph_sql_endpoint_messages_attempted_up : &ph_sql_endpoint_messages_attempted_down;
    const struct ph_stmt *owed_stmt =
        up ? &ph_sql_endpoint_messages_owed_up : &ph_sql_endpoint_messages_owed_down;
    const struct ph_stmt *closed_stmt =
        up ? &ph_sql_endpoint_messages_closed_up : &ph_sql_endpoint_messages_closed_down;
    struct op *op = op_new(arena,
                           owed     ? owed_stmt
                           : closed ? closed_stmt
                                    : attempted_stmt,
                           path->tenant, path->application, on_messages, ctx);

    op->done.messages = done;
    op->list = *list;
    ph_store_add_key(&op->req, PH_ID_ENDPOINT, path->endpoint);
    if (owed || closed)
        list_by_message(op, status, filter);
    else
        list_attempted(op, status, filter);
    ph_db_send(db, &op->req);
}
