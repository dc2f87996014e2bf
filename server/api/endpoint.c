#include "posthorn/endpoint.h"

#include "api/endpoint_json.h"
#include "api/filters.h"
#include "api/payload_filter.h"
#include "api/retry_json.h"
#include "api/routes.h"
#include "api/signing_in.h"
#include "posthorn/guard.h"
#include "posthorn/node.h"
#include "posthorn/subscription.h"

#define ANSWER_BYTES          (256 * 1024 * 1024)
#define URL_CHARS_MAX         65536
#define DESCRIPTION_CHARS_MAX 65536
#define EVENT_TYPES_MAX       1000
#define TRIES_MAX             3
/* Last millisecond that RFC 3339 can write. */
#define TIME_MAX_MS INT64_C(253402300799999)

/* A create or replace, which may take several statements. */
struct upsert {
    struct ph_endpoint_change change;
    struct ph_secret secret;
    struct ph_endpoint_path path; /* endpoint absent: create */
    bool may_race;                /* the uid to be made is the one that the path names */
    int tries;
};

static struct ph_endpoint_path path_of(struct ph_call *call)
{
    return (struct ph_endpoint_path){call->tenant, call->params[0], call->params[1]};
}

static void write_endpoint(struct ph_call *call, struct ph_json_writer *w,
                           const struct ph_endpoint *endpoint)
{
    ph_jw_object_begin(w);
    if (call->is_operational)
        ph_api_write_operational_members(w, endpoint);
    else
        ph_api_write_endpoint_members(w, endpoint);
    ph_jw_object_end(w);
}

static void answer_endpoint(struct ph_call *call, int status, const struct ph_endpoint *endpoint)
{
    struct ph_json_writer *w = ph_answer_writer(call, ANSWER_BYTES);

    write_endpoint(call, w, endpoint);
    ph_answer_json(call, status, w);
}

static void on_endpoint(void *ctx, enum ph_err err, const struct ph_endpoint *endpoint)
{
    if (err != PH_OK)
        ph_answer_error(ctx, err, NULL);
    else
        answer_endpoint(ctx, 200, endpoint);
}

static struct ph_str field_url(struct ph_call *call, struct ph_faults *faults, json_t *body,
                               bool required)
{
    struct ph_str url = ph_field_str(call, faults, body, "url", required, 1, URL_CHARS_MAX, NULL);
    struct ph_url parsed;
    const char *reason;

    if (url.ptr && ph_url_parse(call->req->arena, url, &parsed, &reason) != PH_OK)
        ph_fault(call, faults, "body", "url", reason, "value_error.url");
    return url;
}

/* What stands for the URL: that of a poller is no URL of its own. *given: the body says something about it. */
static struct ph_str field_target(struct ph_call *call, struct ph_faults *faults, json_t *body,
                                  bool patch, bool *given)
{
    json_t *type = call->is_operational ? NULL : json_object_get(body, "type");
    bool url = json_object_get(body, "url") != NULL;

    *given = url || type;
    if (!type || ph_str_eq(PH_STR("webhook"), ph_str_of(json_string_value(type))))
        return field_url(call, faults, body, url || !patch || type);
    if (!ph_str_eq(PH_STR("poller"), ph_str_of(json_string_value(type))))
        ph_fault(call, faults, "body", "type", "has to be \"webhook\" or \"poller\"",
                 "value_error.const");
    else if (url)
        ph_fault(call, faults, "body", "url", "a poller has none", "value_error");
    return PH_POLLER_URL;
}

/* "fifo" or null. */
static bool field_ordering(struct ph_call *call, struct ph_faults *faults, json_t *body,
                           bool *present)
{
    json_t *value = json_object_get(body, "ordering");

    *present = value != NULL;
    if (!value || json_is_null(value))
        return false;
    if (!json_is_string(value) || !ph_str_eq_c(PH_STR("fifo"), json_string_value(value)))
        ph_fault(call, faults, "body", "ordering", "has to be \"fifo\" or null",
                 "value_error.const");
    return true;
}

/* The members that EndpointIn, EndpointUpdate and EndpointPatch share. An empty list of names is none. */
static void read_change(struct ph_call *call, struct ph_faults *faults, json_t *body, bool patch,
                        struct ph_endpoint_change *change)
{
    bool uid, url, disabled, event_types, channels, metadata, rate, profile, header, paused,
        ordering, retry, filter = false;
    bool description = json_object_get(body, "description") != NULL;
    struct ph_str *names;

    change->uid = ph_field_uid(call, faults, body, "uid", PH_ID_ENDPOINT, &uid);
    change->url = field_target(call, faults, body, patch, &url);
    change->description = ph_field_str(call, faults, body, "description", description, 0,
                                       DESCRIPTION_CHARS_MAX, NULL);
    if (!change->description.ptr)
        change->description = PH_STR("");
    change->disabled = ph_field_bool(call, faults, body, "disabled", false, &disabled);
    change->n_event_types = ph_field_names(call, faults, body, "eventTypes", EVENT_TYPES_MAX,
                                           PH_EVENT_TYPE_CHARS_MAX, &names, &event_types);
    change->event_types = change->n_event_types ? names : NULL;
    change->n_channels = ph_field_names(call, faults, body, "channels", PH_ENDPOINT_CHANNELS_MAX,
                                        PH_MESSAGE_NAME_CHARS_MAX, &names, &channels);
    change->channels = change->n_channels ? names : NULL;
    change->metadata = ph_field_metadata(call, faults, body, "metadata", &metadata);
    change->throttle_rate = ph_field_int(call, faults, body, "throttleRate", patch ? 0 : 1,
                                         PH_ENDPOINT_THROTTLE_MAX, &rate);
    change->signature_profile = ph_api_field_profile(call, faults, body, false, &profile);
    change->signature_header = ph_api_field_signature_header(call, faults, body, &header);
    change->paused = ph_field_bool(call, faults, body, "paused", false, &paused);
    change->ordered = field_ordering(call, faults, body, &ordering);
    ph_api_field_retry(call, faults, body, &change->retry, &retry);
    change->filter =
        call->is_operational ? PH_STR_NONE : ph_api_field_filter(call, faults, body, &filter);
    change->set =
        (uid ? PH_ENDPOINT_SET_UID : 0u) | (url ? PH_ENDPOINT_SET_URL : 0u) |
        (description ? PH_ENDPOINT_SET_DESCRIPTION : 0u) |
        (disabled ? PH_ENDPOINT_SET_DISABLED : 0u) |
        (event_types ? PH_ENDPOINT_SET_EVENT_TYPES : 0u) |
        (channels ? PH_ENDPOINT_SET_CHANNELS : 0u) | (metadata ? PH_ENDPOINT_SET_METADATA : 0u) |
        (rate ? PH_ENDPOINT_SET_THROTTLE_RATE : 0u) | (paused ? PH_ENDPOINT_SET_PAUSED : 0u) |
        (ordering ? PH_ENDPOINT_SET_ORDERING : 0u) | (retry ? PH_ENDPOINT_SET_RETRY : 0u) |
        (profile ? PH_ENDPOINT_SET_SIGNATURE_PROFILE : 0u) |
        (header ? PH_ENDPOINT_SET_SIGNATURE_HEADER : 0u) | (filter ? PH_ENDPOINT_SET_FILTER : 0u);
}

static void on_page(void *ctx, enum ph_err err, const struct ph_endpoint *endpoints, size_t n,
                    bool done)
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
        write_endpoint(call, w, &endpoints[i]);
    ph_answer_page_ids(call, w, PH_ID_ENDPOINT, n ? &endpoints[0].id : NULL,
                       n ? &endpoints[n - 1].id : NULL, done);
}

void ph_api_endpoint_list(struct ph_call *call)
{
    struct ph_list list;

    if (ph_page_read_ids(call, true, PH_ID_ENDPOINT, &list))
        ph_endpoint_list(ph_api_endpoint_db(call), call->req->arena, call->tenant, call->params[0],
                         &list, on_page, call);
}

void ph_api_endpoint_get(struct ph_call *call)
{
    struct ph_endpoint_path path = path_of(call);

    ph_endpoint_get(ph_api_endpoint_db(call), call->req->arena, &path, on_endpoint, call);
}

static void replace(struct ph_call *call);

static void on_created(void *ctx, enum ph_err err, const struct ph_endpoint *endpoint)
{
    struct ph_call *call = ctx;
    struct upsert *upsert = call->data;

    if (err == PH_ERR_CONFLICT && upsert->may_race && upsert->tries < TRIES_MAX)
        replace(call); /* somebody else made it in between */
    else if (err != PH_OK)
        ph_answer_error(call, err, NULL);
    else
        answer_endpoint(call, 201, endpoint);
}

static void create(struct ph_call *call)
{
    struct upsert *upsert = call->data;

    ph_endpoint_create(ph_api_endpoint_db(call), call->req->arena, call->api->node->keyring,
                       call->tenant, call->params[0], &upsert->change, &upsert->secret, on_created,
                       call);
}

static void wipe(void *upsert)
{
    ph_secret_wipe(&((struct upsert *)upsert)->secret);
}

/* With a new random secret. */
static struct upsert *upsert_new(struct ph_call *call)
{
    struct upsert *upsert = ph_arena_new_of(call->req->arena, struct upsert);

    ph_arena_defer(call->req->arena, wipe, upsert);
    ph_secret_new(&upsert->secret);
    call->data = upsert;
    return upsert;
}

void ph_api_endpoint_create(struct ph_call *call)
{
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    struct upsert *upsert;

    if (!body)
        return;
    upsert = upsert_new(call);
    read_change(call, &faults, body, false, &upsert->change);
    ph_api_field_secret(call, &faults, body, "secret", &upsert->secret);
    if (!ph_faults_answer(call, &faults))
        ph_api_check_secret(call, &upsert->secret, upsert->change.signature_profile, "secret",
                            create);
}

static void on_replaced(void *ctx, enum ph_err err, const struct ph_endpoint *endpoint)
{
    struct ph_call *call = ctx;
    struct upsert *upsert = call->data;
    struct ph_faults faults = {0};
    struct ph_id id;

    if (err != PH_ERR_NOT_FOUND ||
        ph_id_parse(PH_ID_ENDPOINT, upsert->path.endpoint, &id) == PH_OK) {
        on_endpoint(ctx, err, endpoint);
        return;
    }
    if (upsert->may_race && !ph_uid_ok(upsert->path.endpoint, PH_ID_ENDPOINT))
        ph_fault(call, &faults, "path", "endpoint_id", "is neither an id nor a uid",
                 "value_error.str.regex");
    if (!ph_faults_answer(call, &faults))
        create(call);
}

static void replace(struct ph_call *call)
{
    struct upsert *upsert = call->data;

    upsert->tries++;
    ph_endpoint_update(ph_api_endpoint_db(call), call->req->arena, &upsert->path, &upsert->change,
                       on_replaced, call);
}

/* A body without a uid keeps the uid that the path names. */
void ph_api_endpoint_replace(struct ph_call *call)
{
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    struct upsert *upsert;
    struct ph_id id;

    if (!body)
        return;
    upsert = upsert_new(call);
    upsert->path = path_of(call);
    read_change(call, &faults, body, false, &upsert->change);
    if (ph_faults_answer(call, &faults))
        return;
    if (!(upsert->change.set & PH_ENDPOINT_SET_UID) &&
        ph_id_parse(PH_ID_ENDPOINT, upsert->path.endpoint, &id) != PH_OK)
        upsert->change.uid = upsert->path.endpoint;
    upsert->may_race = ph_str_eq(upsert->change.uid, upsert->path.endpoint);
    upsert->change.set = PH_ENDPOINT_SET_ALL;
    replace(call);
}

void ph_api_endpoint_patch(struct ph_call *call)
{
    struct ph_endpoint_change change;
    struct ph_endpoint_path path = path_of(call);
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);

    if (!body)
        return;
    read_change(call, &faults, body, true, &change);
    if (!ph_faults_answer(call, &faults))
        ph_endpoint_update(ph_api_endpoint_db(call), call->req->arena, &path, &change, on_endpoint,
                           call);
}

static void on_deleted(void *ctx, enum ph_err err)
{
    if (err != PH_OK)
        ph_answer_error(ctx, err, NULL);
    else
        ph_answer_empty(ctx, 204);
}

void ph_api_endpoint_delete(struct ph_call *call)
{
    struct ph_endpoint_path path = path_of(call);

    ph_endpoint_delete(ph_api_endpoint_db(call), call->req->arena, &path, on_deleted, call);
}

static void on_stats(void *ctx, enum ph_err err, const struct ph_endpoint_stats *stats)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, 1024);
    ph_jw_object_begin(w);
    ph_jw_key(w, "canceled");
    ph_jw_i64(w, stats->canceled);
    ph_jw_key(w, "fail");
    ph_jw_i64(w, stats->exhausted);
    ph_jw_key(w, "pending");
    ph_jw_i64(w, stats->pending);
    ph_jw_key(w, "sending");
    ph_jw_i64(w, stats->sending);
    ph_jw_key(w, "skipped");
    ph_jw_i64(w, stats->skipped);
    ph_jw_key(w, "success");
    ph_jw_i64(w, stats->success);
    ph_jw_object_end(w);
    ph_answer_json(ctx, 200, w);
}

void ph_api_endpoint_stats(struct ph_call *call)
{
    struct ph_endpoint_path path = path_of(call);
    struct ph_faults faults = {0};
    int64_t since_ms = ph_query_time(call, &faults, "since", 0);
    int64_t until_ms = ph_query_time(call, &faults, "until", TIME_MAX_MS);

    if (ph_faults_answer(call, &faults))
        return;
    ph_endpoint_get_stats(ph_api_endpoint_db(call), call->req->arena, &path,
                          since_ms < 0 ? 0 : since_ms, until_ms < 0 ? 0 : until_ms, on_stats, call);
}
