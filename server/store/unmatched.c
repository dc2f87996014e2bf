#include "posthorn/unmatched.h"

#include "sql.h"

/* Columns of unmatched_take; the summary has its tenant, time, and the last two. */
enum {
    COL_SUMMARY,
    COL_TENANT,
    COL_MESSAGE,
    COL_APPLICATION,
    COL_EVENT_TYPE,
    COL_CHANNELS,
    COL_PAYLOAD,
    COL_RAW_BODY,
    COL_CONTENT_TYPE,
    COL_EVENT_ID,
    COL_TAGS,
    COL_TIME,
    COL_NEXT,
    COL_MORE
};

struct take {
    struct ph_db_req req;
    void (*on_done)(enum ph_err err, const struct ph_unmatched_taken *taken, void *ctx);
    void *ctx;
};

static void read_item(struct ph_arena *arena, const PGresult *res, int row,
                      struct ph_unmatched *out)
{
    out->tenant = ph_db_id(res, row, COL_TENANT);
    out->message = ph_db_id(res, row, COL_MESSAGE);
    out->application = ph_db_id(res, row, COL_APPLICATION);
    out->event_type = ph_db_str(res, row, COL_EVENT_TYPE);
    if (!ph_db_is_null(res, row, COL_CHANNELS))
        out->n_channels = ph_db_str_array(arena, res, row, COL_CHANNELS, &out->channels);
    out->payload = ph_db_str(res, row, COL_PAYLOAD);
    out->raw_body = ph_db_str(res, row, COL_RAW_BODY);
    out->content_type = ph_db_str(res, row, COL_CONTENT_TYPE);
    out->event_id = ph_db_str(res, row, COL_EVENT_ID);
    out->tags = ph_db_str(res, row, COL_TAGS);
}

static void taken(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct take *take = ph_container_of(req, struct take, req);
    struct ph_unmatched_taken all = {.next_ms = INT64_MAX};

    if (err != PH_OK) {
        take->on_done(err, NULL, take->ctx);
        return;
    }
    all.items = ph_arena_array_of(req->arena, struct ph_unmatched, PQntuples(res));
    for (int row = 0; row < PQntuples(res); row++) {
        if (!ph_db_bool(res, row, COL_SUMMARY)) {
            read_item(req->arena, res, row, &all.items[all.n++]);
            continue;
        }
        all.cursor = ph_db_id(res, row, COL_TENANT);
        all.now_ms = ph_db_time(res, row, COL_TIME);
        if (!ph_db_is_null(res, row, COL_NEXT))
            all.next_ms = ph_db_time(res, row, COL_NEXT);
        all.more = ph_db_bool(res, row, COL_MORE);
    }
    take->on_done(PH_OK, &all, take->ctx);
}

void ph_unmatched_take(struct ph_db *db, struct ph_arena *arena, int max, int per_tenant,
                       int64_t max_bytes, struct ph_id cursor,
                       void (*on_done)(enum ph_err err, const struct ph_unmatched_taken *taken,
                                       void *ctx),
                       void *ctx)
{
    struct take *take = ph_arena_new_of(arena, struct take);

    take->on_done = on_done;
    take->ctx = ctx;
    ph_db_req_init(&take->req, &ph_sql_unmatched_take, arena, taken);
    ph_db_add_i32(&take->req, max);
    ph_db_add_id(&take->req, cursor);
    ph_db_add_i32(&take->req, per_tenant);
    ph_db_add_i64(&take->req, max_bytes);
    ph_db_send(db, &take->req);
}

struct drop {
    struct ph_db_req req;
    struct ph_db_array ids;
    void (*on_done)(enum ph_err err, void *ctx);
    void *ctx;
};

static void dropped(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct drop *drop = ph_container_of(req, struct drop, req);

    (void)res;
    ph_db_array_free(&drop->ids);
    drop->on_done(err, drop->ctx);
}

void ph_unmatched_drop(struct ph_db *db, struct ph_arena *arena, const struct ph_id *messages,
                       size_t n, void (*on_done)(enum ph_err err, void *ctx), void *ctx)
{
    struct drop *drop = ph_arena_new_of(arena, struct drop);

    drop->on_done = on_done;
    drop->ctx = ctx;
    ph_db_array_init(&drop->ids, PH_DB_UUIDS, 64 + n * 24);
    for (size_t i = 0; i < n; i++)
        ph_db_array_id(&drop->ids, messages[i]);
    ph_db_req_init(&drop->req, &ph_sql_unmatched_drop, arena, dropped);
    ph_db_add_array(&drop->req, &drop->ids);
    ph_db_send(db, &drop->req);
}

struct unplan {
    struct ph_db_req req;
    void (*on_done)(void *ctx, enum ph_err err);
    void *ctx;
};

static void unplanned(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct unplan *unplan = ph_container_of(req, struct unplan, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    else if (err == PH_OK && !ph_db_bool(res, 0, 0))
        err = PH_ERR_CONFLICT;
    unplan->on_done(unplan->ctx, err);
}

void ph_message_unplan(struct ph_db *db, struct ph_arena *arena, const struct ph_message_path *path,
                       void (*on_done)(void *ctx, enum ph_err err), void *ctx)
{
    struct unplan *unplan = ph_arena_new_of(arena, struct unplan);

    unplan->on_done = on_done;
    unplan->ctx = ctx;
    ph_db_req_init(&unplan->req, &ph_sql_message_unplan, arena, unplanned);
    ph_db_add_id(&unplan->req, path->tenant);
    ph_store_add_key(&unplan->req, PH_ID_APPLICATION, path->application);
    ph_store_add_key(&unplan->req, PH_ID_MESSAGE, path->message);
    ph_db_send(db, &unplan->req);
}
