#include "posthorn/inbox.h"

#include "sql.h"

#include <string.h>

struct op {
    struct ph_db_req req;
    struct ph_list list;
    union {
        ph_inbox_done one;
        void (*plain)(void *ctx, enum ph_err err);
        void (*place)(void *ctx, enum ph_err err, const struct ph_inbox_place *place);
        ph_inbox_requests_done requests;
    } done;
    void *ctx;
};

bool ph_inbox_token_of(struct ph_str path, struct ph_str *token)
{
    struct ph_str before = PH_STR(PH_INBOX_PATH);

    if (!ph_str_starts(path, before))
        return false;
    *token = (struct ph_str){path.ptr + before.len, path.len - before.len};
    return ph_token_well_formed(*token, PH_INBOX_TOKEN_PREFIX);
}

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    ph_db_req_init(&op->req, stmt, arena, on_done);
    op->ctx = ctx;
    return op;
}

/* Of an application of the tenant. */
static struct op *op_new_of(struct ph_arena *arena, const struct ph_stmt *stmt, struct ph_id tenant,
                            struct ph_str application,
                            void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = op_new(arena, stmt, on_done, ctx);

    ph_db_req_tenant(&op->req, tenant);
    ph_db_add_id(&op->req, tenant);
    ph_store_add_key(&op->req, PH_ID_APPLICATION, application);
    return op;
}

/* ---- the inbox ---- */

static void on_one(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_inbox inbox;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK)
        inbox = (struct ph_inbox){.token = ph_db_str(res, 0, 0),
                                  .status = (int)ph_db_int(res, 0, 1),
                                  .delay_ms = ph_db_int(res, 0, 2),
                                  .created_ms = ph_db_time(res, 0, 3)};
    op->done.one(op->ctx, err, err == PH_OK ? &inbox : NULL);
}

void ph_inbox_get(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                  struct ph_str application, ph_inbox_done done, void *ctx)
{
    struct op *op = op_new_of(arena, &ph_sql_inbox_get, tenant, application, on_one, ctx);

    op->done.one = done;
    ph_db_send(db, &op->req);
}

void ph_inbox_put(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                  struct ph_str application, int status, int64_t delay_ms, ph_inbox_done done,
                  void *ctx)
{
    struct op *op = op_new_of(arena, &ph_sql_inbox_put, tenant, application, on_one, ctx);
    char token[PH_TOKEN_LEN + 1];

    op->done.one = done;
    ph_token_make(PH_INBOX_TOKEN_PREFIX, token);
    ph_db_add_str(&op->req, ph_str_of(token));
    ph_db_add_i32(&op->req, status);
    ph_db_add_i32(&op->req, (int32_t)delay_ms);
    ph_db_send(db, &op->req);
}

static void on_deleted(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    op->done.plain(op->ctx, err);
}

void ph_inbox_delete(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                     struct ph_str application, void (*done)(void *ctx, enum ph_err err), void *ctx)
{
    struct op *op = op_new_of(arena, &ph_sql_inbox_delete, tenant, application, on_deleted, ctx);

    op->done.plain = done;
    ph_db_send(db, &op->req);
}

/* ---- what arrives ---- */

static void on_place(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_inbox_place place;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err != PH_OK) {
        op->done.place(op->ctx, err, NULL);
        return;
    }
    place = (struct ph_inbox_place){.tenant = ph_db_id(res, 0, 0),
                                    .application = ph_db_id(res, 0, 1),
                                    .status = (int)ph_db_int(res, 0, 2),
                                    .delay_ms = ph_db_int(res, 0, 3)};
    for (int i = 0; i < PQntuples(res) && !ph_db_is_null(res, i, 4); i++)
        place.endpoints[place.n_endpoints++] = ph_db_id(res, i, 4);
    op->done.place(op->ctx, PH_OK, &place);
}

void ph_inbox_find(struct ph_db *engine_db, struct ph_arena *arena, struct ph_str token,
                   void (*done)(void *ctx, enum ph_err err, const struct ph_inbox_place *place),
                   void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_inbox_find, on_place, ctx);

    op->done.place = done;
    ph_db_add_str(&op->req, token);
    ph_db_add_str(&op->req, ph_str_of(ph_arena_printf(arena, PH_INBOX_PATH "%.*s", (int)token.len,
                                                      token.ptr)));
    ph_db_add_i32(&op->req, PH_INBOX_ENDPOINTS);
    ph_db_send(engine_db, &op->req);
}

static void on_stored(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    (void)res;
    op->done.plain(op->ctx, err);
}

void ph_inbox_request_store(struct ph_db *engine_db, struct ph_arena *arena,
                            const struct ph_inbox_place *place,
                            const struct ph_inbox_request *request,
                            void (*done)(void *ctx, enum ph_err err), void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_inbox_request_store, on_stored, ctx);

    op->done.plain = done;
    ph_db_add_id(&op->req, place->application);
    ph_db_add_id(&op->req, request->id);
    ph_db_add_id(&op->req, place->tenant);
    ph_db_add_ref(&op->req, request->method);
    ph_db_add_ref(&op->req, request->headers);
    ph_db_add_ref(&op->req, request->body);
    ph_db_add_i32(&op->req, (int32_t)request->body_bytes);
    ph_db_add_ref(&op->req, request->signature);
    if (ph_id_is_zero(request->endpoint))
        ph_db_add_null(&op->req);
    else
        ph_db_add_id(&op->req, request->endpoint);
    ph_db_add_i32(&op->req, request->status);
    ph_db_add_i32(&op->req, PH_INBOX_REQUESTS - 1);
    ph_db_send(engine_db, &op->req);
}

/* ---- looking at it ---- */

enum {
    COL_ID,
    COL_METHOD,
    COL_BODY_BYTES,
    COL_SIGNATURE,
    COL_ENDPOINT,
    COL_STATUS,
    COL_HEADERS,
    COL_BODY
};

static struct ph_inbox_request read_request(const PGresult *res, int row)
{
    return (struct ph_inbox_request){
        .id = ph_db_id(res, row, COL_ID),
        .method = ph_db_str(res, row, COL_METHOD),
        .body_bytes = ph_db_int(res, row, COL_BODY_BYTES),
        .signature = ph_db_str(res, row, COL_SIGNATURE),
        .endpoint = ph_db_id(res, row, COL_ENDPOINT),
        .status = (int)ph_db_int(res, row, COL_STATUS),
        .headers = ph_db_str(res, row, COL_HEADERS),
        .body = ph_db_str(res, row, COL_BODY),
    };
}

static void on_requests(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_inbox_request *requests;
    int rows, n;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err != PH_OK) {
        op->done.requests(op->ctx, err, NULL, 0, false);
        return;
    }
    rows = ph_db_is_null(res, 0, COL_ID) ? 0 : PQntuples(res);
    n = ph_list_count(&op->list, rows);
    requests = ph_arena_array_of(req->arena, struct ph_inbox_request, n);
    for (int i = 0; i < n; i++)
        requests[i] = read_request(res, ph_list_row(&op->list, n, i));
    op->done.requests(op->ctx, PH_OK, requests, (size_t)n, ph_list_done(&op->list, rows));
}

void ph_inbox_request_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           struct ph_str application, const struct ph_list *list,
                           ph_inbox_requests_done done, void *ctx)
{
    const struct ph_stmt *stmt =
        ph_list_ascending(list) ? &ph_sql_inbox_request_list_up : &ph_sql_inbox_request_list_down;
    struct op *op = op_new_of(arena, stmt, tenant, application, on_requests, ctx);

    op->done.requests = done;
    op->list = *list;
    ph_db_add_id(&op->req, ph_list_bound(list));
    ph_db_add_i32(&op->req, (int32_t)list->limit + 1);
    ph_db_send(db, &op->req);
}

void ph_inbox_request_get(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                          struct ph_str application, struct ph_id request,
                          ph_inbox_requests_done done, void *ctx)
{
    struct op *op =
        op_new_of(arena, &ph_sql_inbox_request_get, tenant, application, on_requests, ctx);

    op->done.requests = done;
    op->list.limit = 1;
    ph_db_add_id(&op->req, request);
    ph_db_send(db, &op->req);
}
