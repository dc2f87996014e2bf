#include "posthorn/poller.h"

#include "sql.h"
#include "store/message_row.h"

#include <stdio.h>
#include <string.h>

/* Rows that are looked at for a page, when not all of them are wanted. */
#define SCAN_MAX 1000

/* Columns behind those of a message. The first row is a summary, whose id is the last one that was looked at. */
enum { COL_DELIVER_AT = 6, COL_XID, COL_SCANNED, COL_REFUSED, COL_WANTED };

void ph_poller_place_format(const struct ph_poller_place *place, char out[PH_POLLER_PLACE_LEN + 1])
{
    snprintf(out, PH_POLLER_PLACE_LEN + 1, "%016llx", (unsigned long long)place->xid);
    ph_hex_encode(place->message.b, sizeof place->message.b, out + 16);
}

static bool hex_digit(char c, unsigned *value)
{
    if (c >= '0' && c <= '9')
        *value = (unsigned)(c - '0');
    else if (c >= 'a' && c <= 'f')
        *value = (unsigned)(c - 'a') + 10;
    else
        return false;
    return true;
}

enum ph_err ph_poller_place_parse(struct ph_str text, struct ph_poller_place *out)
{
    uint8_t bytes[PH_POLLER_PLACE_LEN / 2];
    unsigned high, low;

    if (text.len != PH_POLLER_PLACE_LEN)
        return PH_ERR_BAD_REQUEST;
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (!hex_digit(text.ptr[2 * i], &high) || !hex_digit(text.ptr[2 * i + 1], &low))
            return PH_ERR_BAD_REQUEST;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    out->xid = 0;
    for (size_t i = 0; i < 8; i++)
        out->xid = out->xid << 8 | bytes[i];
    memcpy(out->message.b, bytes + 8, sizeof out->message.b);
    return PH_OK;
}

struct op {
    struct ph_db_req req;
    int limit, scan;
    union {
        ph_poller_done read;
        void (*seek)(void *ctx, enum ph_err err, const struct ph_poller_place *place);
    } done;
    void *ctx;
};

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt,
                         const struct ph_endpoint_path *path,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->ctx = ctx;
    ph_db_req_init(&op->req, stmt, arena, on_done);
    ph_db_req_tenant(&op->req, path->tenant);
    ph_db_add_id(&op->req, path->tenant);
    ph_store_add_key(&op->req, PH_ID_APPLICATION, path->application);
    ph_store_add_key(&op->req, PH_ID_ENDPOINT, path->endpoint);
    return op;
}

static uint64_t read_xid(const PGresult *res, int row, int col)
{
    struct ph_str text = ph_db_str(res, row, col);
    uint64_t xid = 0;

    for (size_t i = 0; i < text.len; i++)
        xid = xid * 10 + (uint64_t)(text.ptr[i] - '0');
    return xid;
}

/* Up to the last message of the page, or when there is nothing more to see in what was looked at, behind all of that. */
static void on_read(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_message_view *messages;
    struct ph_poller_place place;
    int n;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    else if (err == PH_OK && ph_db_bool(res, 0, COL_REFUSED))
        err = PH_ERR_CONFLICT;
    if (err != PH_OK) {
        op->done.read(op->ctx, err, NULL, 0, NULL, false);
        return;
    }
    n = PQntuples(res) - 1;
    messages = ph_arena_array_of(req->arena, struct ph_message_view, n);
    for (int i = 0; i < n; i++) {
        ph_message_read_row(req->arena, res, i + 1, &messages[i]);
        if (!ph_db_is_null(res, i + 1, COL_DELIVER_AT))
            messages[i].deliver_ms = ph_db_time(res, i + 1, COL_DELIVER_AT);
    }
    bool cut = n == op->limit || n < ph_db_int(res, 0, COL_WANTED);
    int last = cut && n ? n : 0;
    place = (struct ph_poller_place){read_xid(res, last, COL_XID), ph_db_id(res, last, 0)};
    op->done.read(op->ctx, PH_OK, messages, (size_t)n, &place,
                  !cut && ph_db_int(res, 0, COL_SCANNED) < op->scan);
}

void ph_poller_read(struct ph_db *db, struct ph_arena *arena,
                    const struct ph_poller_request *request, ph_poller_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_poller_read, &request->path, on_read, ctx);
    bool all = !request->event_type.ptr && !request->channel.ptr && !request->after_ms;

    op->done.read = done;
    op->limit = request->limit;
    op->scan = all ? request->limit + 1 : SCAN_MAX;
    if (request->has_place) {
        ph_db_add_str(&op->req, ph_str_of(ph_arena_printf(arena, "%llu",
                                                          (unsigned long long)request->place.xid)));
        ph_db_add_id(&op->req, request->place.message);
    } else {
        ph_db_add_null(&op->req);
        ph_db_add_null(&op->req);
    }
    ph_db_add_str(&op->req, request->consumer);
    ph_db_add_i32(&op->req, op->scan);
    ph_db_add_str(&op->req, request->event_type);
    ph_db_add_str(&op->req, request->channel);
    if (request->after_ms)
        ph_db_add_id(&op->req, ph_id_floor(request->after_ms));
    else
        ph_db_add_null(&op->req);
    ph_db_add_i32(&op->req, request->limit);
    ph_db_add_i64(&op->req, PH_MESSAGE_PAGE_BYTES);
    ph_db_add_i32(&op->req, PH_POLLER_CONSUMERS_MAX);
    ph_db_send(db, &op->req);
}

static void on_sought(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_poller_place place = {0};

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    else if (err == PH_OK && ph_db_bool(res, 0, 1))
        err = PH_ERR_CONFLICT;
    if (err == PH_OK)
        place.xid = read_xid(res, 0, 0);
    op->done.seek(op->ctx, err, err == PH_OK ? &place : NULL);
}

void ph_poller_seek(struct ph_db *db, struct ph_arena *arena, const struct ph_endpoint_path *path,
                    struct ph_str consumer, int64_t after_ms,
                    void (*done)(void *ctx, enum ph_err err, const struct ph_poller_place *place),
                    void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_poller_seek, path, on_sought, ctx);

    op->done.seek = done;
    ph_db_add_str(&op->req, consumer);
    ph_db_add_id(&op->req, ph_id_floor(after_ms));
    ph_db_add_i32(&op->req, PH_POLLER_CONSUMERS_MAX);
    ph_db_send(db, &op->req);
}
