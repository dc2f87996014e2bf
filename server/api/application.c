#include "api/application_in.h"
#include "api/routes.h"

#define NAME_CHARS_MAX   1024
#define SEARCH_BYTES_MAX 256
/* A full page, with as much metadata as there can be. */
#define ANSWER_BYTES (64 * 1024 * 1024)
#define TRIES_MAX    3

/* State of a create or replace, which may take several statements. */
struct upsert {
    struct ph_application_change change;
    struct ph_str key; /* what names the application, when it may be there already */
    /* After a conflict, when somebody else may have made it in between; NULL: it is a conflict. */
    void (*again)(struct ph_call *call);
    int tries;
};

static void write_application(struct ph_json_writer *w, const struct ph_application *app)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "id");
    ph_jw_id(w, PH_ID_APPLICATION, app->id);
    ph_jw_key(w, "uid");
    ph_jw_str(w, app->uid);
    ph_jw_key(w, "name");
    ph_jw_str(w, app->name);
    ph_jw_key(w, "throttleRate");
    if (app->throttle_rate < 0)
        ph_jw_null(w);
    else
        ph_jw_i64(w, app->throttle_rate);
    ph_jw_key(w, "metadata");
    ph_jw_raw(w, app->metadata);
    ph_jw_key(w, "createdAt");
    ph_jw_time(w, app->created_ms);
    ph_jw_key(w, "updatedAt");
    ph_jw_time(w, app->updated_ms);
    ph_jw_object_end(w);
}

static void answer_application(struct ph_call *call, int status, const struct ph_application *app)
{
    struct ph_json_writer *w = ph_answer_writer(call, ANSWER_BYTES);

    write_application(w, app);
    ph_answer_json(call, status, w);
}

void ph_api_read_application(struct ph_call *call, struct ph_faults *faults, json_t *body,
                             struct ph_application_change *change)
{
    change->name = ph_field_str(call, faults, body, "name", true, 1, NAME_CHARS_MAX, NULL);
    change->uid = ph_field_uid(call, faults, body, "uid", PH_ID_APPLICATION, &change->set_uid);
    change->metadata = ph_field_metadata(call, faults, body, "metadata", NULL);
    change->throttle_rate =
        ph_field_int(call, faults, body, "throttleRate", 1, PH_APPLICATION_THROTTLE_MAX, NULL);
    change->set_name = change->set_metadata = change->set_throttle_rate = true;
}

/* ApplicationIn; false: answered. */
static bool read_in(struct ph_call *call, struct ph_application_change *change)
{
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);

    if (!body)
        return false;
    ph_api_read_application(call, &faults, body, change);
    return !ph_faults_answer(call, &faults);
}

static void on_page(void *ctx, enum ph_err err, const struct ph_application *apps, size_t n,
                    const struct ph_list_end *end)
{
    struct ph_call *call = ctx;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(call, err, NULL);
        return;
    }
    w = ph_answer_writer(call, ANSWER_BYTES);
    ph_answer_page_begin(w);
    for (size_t i = 0; i < n; i++)
        write_application(w, &apps[i]);
    ph_answer_page_end(call, w, PH_ID_APPLICATION, n ? &apps[0].id : NULL,
                       n ? &apps[n - 1].id : NULL, end);
}

void ph_api_application_list(struct ph_call *call)
{
    struct ph_str search = ph_query(call, "search");
    struct ph_faults faults = {0};
    struct ph_list list;

    if (!ph_page_read_ids(call, false, PH_ID_APPLICATION, &list))
        return;
    if (search.len > SEARCH_BYTES_MAX)
        ph_fault(call, &faults, "query", "search", "has to have at most 256 bytes",
                 "value_error.any_str.max_length");
    if (!ph_faults_answer(call, &faults))
        ph_application_list(call->api->db, call->req->arena, call->tenant, &list,
                            search.len ? search : PH_STR_NONE, on_page, call);
}

static void on_application(void *ctx, enum ph_err err, const struct ph_application *app)
{
    struct ph_call *call = ctx;

    if (err != PH_OK)
        ph_answer_error(call, err, NULL);
    else
        answer_application(call, 200, app);
}

void ph_api_application_get(struct ph_call *call)
{
    ph_application_get(call->api->db, call->req->arena, call->tenant, call->params[0],
                       on_application, call);
}

static void on_created(void *ctx, enum ph_err err, const struct ph_application *app)
{
    struct ph_call *call = ctx;
    struct upsert *upsert = call->data;

    if (err == PH_ERR_CONFLICT && upsert->again && upsert->tries < TRIES_MAX)
        upsert->again(call);
    else if (err != PH_OK)
        ph_answer_error(call, err, NULL);
    else
        answer_application(call, 201, app);
}

static void create(struct ph_call *call)
{
    struct upsert *upsert = call->data;

    ph_application_create(call->api->db, call->req->arena, call->tenant, &upsert->change,
                          on_created, call);
}

static void on_found(void *ctx, enum ph_err err, const struct ph_application *app)
{
    if (err == PH_ERR_NOT_FOUND)
        create(ctx);
    else
        on_application(ctx, err, app);
}

static void find_or_create(struct ph_call *call)
{
    struct upsert *upsert = call->data;

    upsert->tries++;
    ph_application_get(call->api->db, call->req->arena, call->tenant, upsert->key, on_found, call);
}

void ph_api_application_create(struct ph_call *call)
{
    struct upsert *upsert = ph_arena_new_of(call->req->arena, struct upsert);
    bool get_if_exists;

    if (!ph_query_bool(call, "get_if_exists", false, &get_if_exists) ||
        !read_in(call, &upsert->change))
        return;
    call->data = upsert;
    if (!get_if_exists || !upsert->change.uid.ptr) {
        create(call);
        return;
    }
    upsert->key = upsert->change.uid;
    upsert->again = find_or_create;
    find_or_create(call);
}

static void on_replaced(void *ctx, enum ph_err err, const struct ph_application *app)
{
    struct ph_call *call = ctx;
    struct upsert *upsert = call->data;
    struct ph_faults faults = {0};
    struct ph_id id;

    if (err != PH_ERR_NOT_FOUND || ph_id_parse(PH_ID_APPLICATION, upsert->key, &id) == PH_OK) {
        on_application(ctx, err, app);
        return;
    }
    if (upsert->again && !ph_uid_ok(upsert->key, PH_ID_APPLICATION))
        ph_fault(call, &faults, "path", "app_id", "is neither an id nor a uid",
                 "value_error.str.regex");
    if (!ph_faults_answer(call, &faults))
        create(call);
}

static void replace(struct ph_call *call)
{
    struct upsert *upsert = call->data;

    upsert->tries++;
    ph_application_update(call->api->db, call->req->arena, call->tenant, upsert->key,
                          &upsert->change, on_replaced, call);
}

/* A body without a uid keeps the uid that the path names. */
void ph_api_application_replace(struct ph_call *call)
{
    struct upsert *upsert = ph_arena_new_of(call->req->arena, struct upsert);
    struct ph_id id;

    if (!read_in(call, &upsert->change))
        return;
    call->data = upsert;
    upsert->key = call->params[0];
    if (!upsert->change.set_uid && ph_id_parse(PH_ID_APPLICATION, upsert->key, &id) != PH_OK)
        upsert->change.uid = upsert->key;
    if (ph_str_eq(upsert->change.uid, upsert->key))
        upsert->again = replace;
    upsert->change.set_uid = true;
    replace(call);
}

void ph_api_application_patch(struct ph_call *call)
{
    struct ph_application_change *change =
        ph_arena_new_of(call->req->arena, struct ph_application_change);
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);

    if (!body)
        return;
    change->set_name = json_object_get(body, "name") != NULL;
    change->name =
        ph_field_str(call, &faults, body, "name", change->set_name, 1, NAME_CHARS_MAX, NULL);
    change->uid = ph_field_uid(call, &faults, body, "uid", PH_ID_APPLICATION, &change->set_uid);
    change->metadata = ph_field_metadata(call, &faults, body, "metadata", &change->set_metadata);
    change->throttle_rate = ph_field_int(call, &faults, body, "throttleRate", 0,
                                         PH_APPLICATION_THROTTLE_MAX, &change->set_throttle_rate);
    if (!ph_faults_answer(call, &faults))
        ph_application_update(call->api->db, call->req->arena, call->tenant, call->params[0],
                              change, on_application, call);
}

static void on_deleted(void *ctx, enum ph_err err)
{
    struct ph_call *call = ctx;

    call->ends_credentials = true; /* those that are good for this application */
    if (err != PH_OK)
        ph_answer_error(call, err, NULL);
    else
        ph_answer_empty(call, 204);
}

void ph_api_application_delete(struct ph_call *call)
{
    ph_application_delete(call->api->db, call->req->arena, call->tenant, call->params[0],
                          on_deleted, call);
}

struct ensuring {
    struct ph_call *call;
    struct ph_application_change change;
    void (*done)(void *ctx);
    void *ctx;
};

static void on_ensured(void *ctx, enum ph_err err, const struct ph_application *app)
{
    struct ensuring *e = ctx;

    (void)app;
    if (err == PH_OK || err == PH_ERR_CONFLICT)
        e->done(e->ctx);
    else
        ph_answer_error(e->call, err, NULL);
}

void ph_api_ensure_application(struct ph_call *call, const struct ph_application_change *change,
                               void (*done)(void *ctx), void *ctx)
{
    struct ensuring *e = ph_arena_new_of(call->req->arena, struct ensuring);
    struct ph_str uid = call->params[0];
    struct ph_faults faults = {0};

    *e = (struct ensuring){.call = call, .change = *change, .done = done, .ctx = ctx};
    if (!ph_uid_ok(uid, PH_ID_APPLICATION)) {
        ph_answer_error(call, PH_ERR_NOT_FOUND, NULL);
        return;
    }
    if (change->uid.ptr && !ph_str_eq(change->uid, uid)) {
        ph_fault(call, &faults, "body", "application", "uid has to be the one that the path names",
                 "value_error");
        ph_faults_answer(call, &faults);
        return;
    }
    e->change.uid = uid;
    ph_application_create(call->api->db, call->req->arena, call->tenant, &e->change, on_ensured, e);
}
