#include "api/message_in.h"

#include "api/application_in.h"
#include "posthorn/clock.h"
#include "posthorn/node.h"
#include "posthorn/sign_profile.h"

#include <sodium.h>
#include <string.h>

#define EVENT_TYPE_CHARS_MAX 256
#define EVENT_ID_CHARS_MAX   256
#define CHANNELS_MAX         5
#define CHANNELS_MAX_OF_ALL  10 /* of a broadcast */
#define TAGS_MAX             8
#define DAY_MS               (24 * 3600 * 1000LL)
#define HOUR_MS              (3600 * 1000LL)
#define PLAN_MAX_MS          (30 * DAY_MS)

enum {
    EVENT_TYPE,
    PAYLOAD,
    EVENT_ID,
    CHANNELS,
    TAGS,
    RETENTION_DAYS,
    RETENTION_HOURS,
    APPLICATION,
    DELIVER_AT,
    DELIVER_IN,
    TRANSFORMATION,
    FIELDS
};

struct reader {
    struct ph_call *call;
    struct ph_faults *faults;
    struct ph_message_in *in;
    struct ph_json_field fields[FIELDS];
};

static void fault(struct reader *r, const char *field, const char *msg, const char *type)
{
    ph_fault(r->call, r->faults, "body", field, msg, type);
}

/* Absent and null read as absent. */
static bool is_given(const struct ph_json_field *field)
{
    return field->kind != PH_JSON_ABSENT && field->kind != PH_JSON_NULL;
}

/* A text member, which outlives the body. */
static struct ph_str read_text(struct reader *r, int index)
{
    struct ph_json_field *field = &r->fields[index];
    struct ph_arena *arena = r->call->req->arena;
    struct ph_str text;

    if (field->kind != PH_JSON_STRING) {
        fault(r, field->name, "has to be a string", "type_error.str");
        return PH_STR_NONE;
    }
    if (ph_json_string(arena, field->raw, &text) != PH_OK) {
        fault(r, field->name, "holds U+0000 or a lone surrogate", "value_error.str");
        return PH_STR_NONE;
    }
    return (struct ph_str){ph_arena_copy(arena, text.ptr, text.len), text.len};
}

static struct ph_str read_name(struct reader *r, int index, size_t max_chars)
{
    struct ph_str name = read_text(r, index);

    if (name.ptr && !ph_name_ok(name, max_chars))
        fault(r, r->fields[index].name, "has to be 1 to 256 of a-z, A-Z, 0-9, '-', '_', '.'",
              "value_error.str.regex");
    return name;
}

/* A list of names; also joined with commas, which the alphabet has not. */
static size_t read_names(struct reader *r, int index, size_t max_items, const struct ph_str **out,
                         struct ph_str *joined)
{
    struct ph_json_field *field = &r->fields[index];
    struct ph_arena *arena = r->call->req->arena;
    struct ph_str rest = field->raw, element, name;
    struct ph_str *names;
    size_t n = 0, bytes = 0;

    if (!is_given(field))
        return 0;
    if (field->kind != PH_JSON_ARRAY) {
        fault(r, field->name, "has to be an array", "type_error.list");
        return 0;
    }
    names = ph_arena_array_of(arena, struct ph_str, max_items);
    while (ph_json_next_element(&rest, &element)) {
        if (n == max_items) {
            fault(r, field->name, "has too many items", "value_error.list.max_items");
            return 0;
        }
        if (ph_json_kind_of(element) != PH_JSON_STRING ||
            ph_json_string(arena, element, &name) != PH_OK ||
            !ph_name_ok(name, PH_MESSAGE_NAME_CHARS_MAX)) {
            fault(r, field->name, "every item has to be 1 to 128 of a-z, A-Z, 0-9, '-', '_', '.'",
                  "value_error.str.regex");
            return 0;
        }
        names[n++] = (struct ph_str){ph_arena_copy(arena, name.ptr, name.len), name.len};
        bytes += name.len + 1;
    }
    if (n == 0)
        return 0;
    char *text = ph_arena_alloc(arena, bytes);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        memcpy(text + at, names[i].ptr, names[i].len);
        at += names[i].len;
        text[at++] = ',';
    }
    *joined = (struct ph_str){text, at - 1};
    *out = names;
    return n;
}

/* 0: the payload is kept as long as its message. */
static int64_t read_expiry(struct reader *r, int index, int64_t min, int64_t max, int64_t unit_ms)
{
    struct ph_json_field *field = &r->fields[index];
    int64_t n;

    if (!is_given(field))
        return 0;
    if (field->kind != PH_JSON_NUMBER || ph_str_to_i64(field->raw, &n) != PH_OK) {
        fault(r, field->name, "has to be an integer", "type_error.integer");
        return 0;
    }
    if (n < min || n > max) {
        fault(r, field->name,
              ph_arena_printf(r->call->req->arena, "has to be from %lld to %lld", (long long)min,
                              (long long)max),
              "value_error.number");
        return 0;
    }
    if (n * unit_ms >= r->call->api->node->config->retention_days * DAY_MS)
        return 0;
    return ph_clock_wall_ms() + n * unit_ms;
}

static int64_t read_deliver_at(struct reader *r)
{
    struct ph_str text = read_text(r, DELIVER_AT);
    int64_t wall_ms = 0;

    if (text.ptr && ph_time_parse(text, &wall_ms) != PH_OK)
        fault(r, "deliverAt", "has to be an RFC 3339 date-time, e.g. 2026-11-24T09:30:00Z",
              "value_error.datetime");
    return wall_ms;
}

static int64_t read_deliver_in(struct reader *r)
{
    struct ph_json_field *field = &r->fields[DELIVER_IN];
    int64_t n;

    if (field->kind != PH_JSON_NUMBER || ph_str_to_i64(field->raw, &n) != PH_OK || n < 0 ||
        n > PLAN_MAX_MS / 1000) {
        fault(r, field->name, "has to be an integer from 0 to 2592000", "value_error.number");
        return 0;
    }
    return ph_clock_wall_ms() + n * 1000;
}

/* When the message is to be delivered, and not as long as its payload is kept at the longest; 0: at once. */
static int64_t read_plan(struct reader *r)
{
    int64_t now_ms = ph_clock_wall_ms(), expires_ms = r->in->item.message.expires_ms;
    int64_t kept_ms = r->call->api->node->config->retention_days * DAY_MS;
    bool is_at = is_given(&r->fields[DELIVER_AT]);
    int64_t deliver_ms = is_at ? read_deliver_at(r) : read_deliver_in(r);
    const char *name = r->fields[is_at ? DELIVER_AT : DELIVER_IN].name;

    if (is_at && is_given(&r->fields[DELIVER_IN]))
        fault(r, r->fields[DELIVER_IN].name, "is given beside deliverAt", "value_error");
    else if (deliver_ms > now_ms + PLAN_MAX_MS)
        fault(r, name, "is more than 30 days ahead", "value_error.datetime");
    else if (deliver_ms >= now_ms + kept_ms || (expires_ms && deliver_ms >= expires_ms))
        fault(r, name, "the payload is not kept for so long", "value_error.datetime");
    return deliver_ms > now_ms ? deliver_ms : 0;
}

/* `application`: made from it when the path names none. */
static void read_application(struct reader *r)
{
    struct ph_json_field *field = &r->fields[APPLICATION];
    struct ph_arena *arena = r->call->req->arena;

    if (!is_given(field))
        return;
    json_t *json =
        field->kind == PH_JSON_OBJECT ? json_loadb(field->raw.ptr, field->raw.len, 0, NULL) : NULL;
    if (!json) {
        fault(r, field->name, "has to be an object", "type_error.dict");
        return;
    }
    ph_arena_defer(arena, (void (*)(void *))json_decref, json);
    r->in->application = ph_arena_new_of(arena, struct ph_application_change);
    ph_api_read_application(r->call, r->faults, json, r->in->application);
}

/* The member whose name is content-type in whatever case. */
static void read_content_type(struct reader *r, struct ph_str raw)
{
    struct ph_arena *arena = r->call->req->arena;
    json_t *headers = json_loadb(raw.ptr, raw.len, 0, NULL), *value;
    const char *name;

    ph_arena_defer(arena, (void (*)(void *))json_decref, headers);
    if (!json_is_object(headers)) {
        fault(r, "transformationsParams", "headers has to be an object", "type_error.dict");
        return;
    }
    json_object_foreach(headers, name, value)
    {
        struct ph_str text = {json_string_value(value), json_string_length(value)};
        if (!ph_str_ieq(ph_str_of(name), PH_STR("content-type")))
            continue;
        if (!text.ptr || !ph_content_type_ok(text))
            fault(r, "transformationsParams",
                  "the content type has to be like text/xml; charset=utf-8", "value_error");
        r->in->item.message.content_type = text;
    }
}

/*
 * transformationsParams: {"rawPayload": "text", "headers": {"content-type": "text/xml"}}. The text is sent instead of the
 * payload; without it there is nothing to do. Of the headers only the content type counts.
 */
static void read_raw_body(struct reader *r)
{
    struct ph_json_field *field = &r->fields[TRANSFORMATION];
    struct ph_json_field members[] = {{.name = "rawPayload"}, {.name = "headers"}};
    struct ph_json_fault json_fault;
    struct ph_new_message *message = &r->in->item.message;
    struct ph_arena *arena = r->call->req->arena;
    struct ph_str body;

    if (ph_json_scan(field->raw, members, 2, &json_fault) != PH_OK) {
        fault(r, field->name, "has to be an object", "type_error.dict");
        return;
    }
    if (is_given(&members[1]))
        read_content_type(r, members[1].raw);
    if (!is_given(&members[0])) {
        message->content_type = PH_STR_NONE;
        return;
    }
    if (members[0].kind != PH_JSON_STRING ||
        ph_json_string(arena, members[0].raw, &body) != PH_OK) {
        fault(r, field->name, "rawPayload has to be a string without U+0000 and lone surrogates",
              "type_error.str");
        return;
    }
    message->json = (struct ph_str){
        ph_arena_copy(arena, r->in->item.body.ptr, r->in->item.body.len), r->in->item.body.len};
    r->in->item.body = body;
}

/* A payload is no larger, and kept no longer, than the tenant's quotas allow. */
static void apply_quotas(struct reader *r)
{
    const struct ph_quotas *quotas = &r->call->identity.standing.quotas;
    struct ph_new_message *message = &r->in->item.message;
    int64_t kept_until_ms;

    if (quotas->payload_bytes >= 0 && (int64_t)r->fields[PAYLOAD].raw.len > quotas->payload_bytes)
        fault(r, "payload",
              ph_arena_printf(r->call->req->arena, "has more than the %lld bytes of the quota",
                              (long long)quotas->payload_bytes),
              "value_error.quota");
    if (quotas->retention_days < 0)
        return;
    kept_until_ms = ph_clock_wall_ms() + quotas->retention_days * DAY_MS;
    if (message->expires_ms == 0 || message->expires_ms > kept_until_ms)
        message->expires_ms = kept_until_ms;
}

static void read_members(struct reader *r)
{
    struct ph_ingest_item *item = &r->in->item;
    struct ph_new_message *message = &item->message;
    struct ph_message_view *view = &r->in->view;

    if (r->fields[EVENT_TYPE].kind == PH_JSON_ABSENT)
        fault(r, "eventType", "field required", "value_error.missing");
    else
        message->event_type = view->event_type = read_name(r, EVENT_TYPE, EVENT_TYPE_CHARS_MAX);
    if (r->fields[PAYLOAD].kind == PH_JSON_ABSENT)
        fault(r, "payload", "field required", "value_error.missing");
    else if (r->fields[PAYLOAD].kind != PH_JSON_OBJECT)
        fault(r, "payload", "has to be an object", "type_error.dict");
    if (is_given(&r->fields[EVENT_ID]))
        message->event_id = view->event_id = read_name(r, EVENT_ID, EVENT_ID_CHARS_MAX);
    view->n_channels = item->n_channels =
        read_names(r, CHANNELS, r->in->is_broadcast ? CHANNELS_MAX_OF_ALL : CHANNELS_MAX,
                   &view->channels, &message->channels);
    item->channels = view->channels;
    view->n_tags = read_names(r, TAGS, TAGS_MAX, &view->tags, &message->tags);
    message->expires_ms = read_expiry(r, RETENTION_DAYS, r->in->is_broadcast ? 1 : 5, 90, DAY_MS);
    if (is_given(&r->fields[RETENTION_HOURS]))
        message->expires_ms = read_expiry(r, RETENTION_HOURS, 1, 2160, HOUR_MS);
    apply_quotas(r);
    if (!r->in->is_broadcast)
        read_application(r);
    if (is_given(&r->fields[DELIVER_AT]) || is_given(&r->fields[DELIVER_IN]))
        message->deliver_ms = view->deliver_ms = read_plan(r);
    item->body = r->fields[PAYLOAD].raw;
    if (is_given(&r->fields[TRANSFORMATION]))
        read_raw_body(r);
}

void ph_api_read_message(struct ph_call *call, struct ph_faults *faults, struct ph_str json,
                         struct ph_message_in *in)
{
    struct reader r = {
        .call = call,
        .faults = faults,
        .in = in,
        .fields = {[EVENT_TYPE].name = "eventType",
                   [PAYLOAD].name = "payload",
                   [EVENT_ID].name = "eventId",
                   [CHANNELS].name = "channels",
                   [TAGS].name = "tags",
                   [RETENTION_DAYS].name = "payloadRetentionPeriod",
                   [RETENTION_HOURS].name = "payloadRetentionHours",
                   [APPLICATION].name = "application",
                   [DELIVER_AT].name = "deliverAt",
                   [DELIVER_IN].name = "deliverInSeconds",
                   [TRANSFORMATION].name = "transformationsParams"},
    };
    struct ph_json_fault json_fault;
    enum ph_err err = ph_json_scan(json, r.fields, FIELDS, &json_fault);

    if (err == PH_OK)
        read_members(&r);
    else
        ph_api_json_fault(call, faults, err, &json_fault);
    in->item.tenant = call->tenant;
    in->item.application = call->params[0];
    in->item.arena = call->req->arena;
}

void ph_api_json_fault(struct ph_call *call, struct ph_faults *faults, enum ph_err err,
                       const struct ph_json_fault *json_fault)
{
    if (err == PH_ERR_BAD_REQUEST)
        ph_fault(call, faults, "body", NULL,
                 ph_arena_printf(call->req->arena, "%s (byte %zu)", json_fault->text,
                                 json_fault->offset),
                 "value_error.jsondecode");
    else
        ph_fault(call, faults, "body", NULL, "has to be an object", "type_error.dict");
}

bool ph_api_idempotency_id(struct ph_call *call, uint32_t number, struct ph_id *out)
{
    struct ph_str key = ph_request_header(call->req, "idempotency-key");
    crypto_generichash_state state;

    if (key.len == 0)
        return false;
    crypto_generichash_init(&state, NULL, 0, sizeof out->b);
    crypto_generichash_update(&state, call->api_key.b, sizeof call->api_key.b);
    crypto_generichash_update(&state, (const uint8_t *)call->req->path.ptr, call->req->path.len);
    crypto_generichash_update(&state, (const uint8_t *)"", 1);
    crypto_generichash_update(&state, (const uint8_t *)key.ptr, key.len);
    if (number) {
        crypto_generichash_update(&state, (const uint8_t *)"", 1);
        crypto_generichash_update(&state, (const uint8_t *)&number, sizeof number);
    }
    crypto_generichash_final(&state, out->b, sizeof out->b);
    return true;
}

void ph_api_schema_fault(struct ph_call *call, struct ph_faults *faults,
                         const struct ph_ingest_item *item)
{
    const struct ph_schema_fault *fault = &item->check.fault;
    bool missing = ph_str_eq_c(ph_str_of(fault->text), PH_SCHEMA_MISSING);

    ph_fault_at(call, faults, "body", "payload", fault->where, fault->text,
                missing ? "value_error.missing" : "value_error.schema");
}

struct ph_str ph_api_schema_warning(struct ph_call *call, const struct ph_ingest_item *item)
{
    const struct ph_schema_fault *fault = &item->check.fault;

    return fault->text ? ph_str_of(ph_arena_printf(call->req->arena, "payload%s: %s", fault->where,
                                                   fault->text))
                       : PH_STR_NONE;
}
