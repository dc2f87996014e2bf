/* POST /app/{app_id}/msg: the hot path. The body is scanned, not parsed; its payload's bytes are kept as they came. */
#include "api/application_in.h"
#include "api/message_json.h"
#include "api/routes.h"
#include "posthorn/clock.h"
#include "posthorn/ingest.h"
#include "posthorn/node.h"
#include "posthorn/sign_profile.h"

#include <sodium.h>
#include <string.h>

#define EVENT_TYPE_CHARS_MAX 256
#define EVENT_ID_CHARS_MAX   256
#define CHANNELS_MAX         5
#define TAGS_MAX             8
#define DAY_MS               (24 * 3600 * 1000LL)
#define HOUR_MS              (3600 * 1000LL)

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
    TRANSFORMATION,
    FIELDS
};

struct creation {
    struct ph_ingest_item item;
    struct ph_call *call;
    struct ph_json_field fields[FIELDS];
    struct ph_message_view view;
    bool with_content;
    struct ph_application_change
        *application; /* to be made if it is missing; NULL: not, or not any more */
};

static void fault(struct ph_call *call, struct ph_faults *faults, const char *field,
                  const char *msg, const char *type)
{
    ph_fault(call, faults, "body", field, msg, type);
}

/* Absent and null read as absent. */
static bool is_given(const struct ph_json_field *field)
{
    return field->kind != PH_JSON_ABSENT && field->kind != PH_JSON_NULL;
}

/* A text member, which outlives the body. */
static struct ph_str read_text(struct creation *c, struct ph_faults *faults, int index)
{
    struct ph_json_field *field = &c->fields[index];
    struct ph_arena *arena = c->call->req->arena;
    struct ph_str text;

    if (field->kind != PH_JSON_STRING) {
        fault(c->call, faults, field->name, "has to be a string", "type_error.str");
        return PH_STR_NONE;
    }
    if (ph_json_string(arena, field->raw, &text) != PH_OK) {
        fault(c->call, faults, field->name, "holds U+0000 or a lone surrogate", "value_error.str");
        return PH_STR_NONE;
    }
    return (struct ph_str){ph_arena_copy(arena, text.ptr, text.len), text.len};
}

static struct ph_str read_name(struct creation *c, struct ph_faults *faults, int index,
                               size_t max_chars)
{
    struct ph_str name = read_text(c, faults, index);

    if (name.ptr && !ph_name_ok(name, max_chars))
        fault(c->call, faults, c->fields[index].name,
              "has to be 1 to 256 of a-z, A-Z, 0-9, '-', '_', '.'", "value_error.str.regex");
    return name;
}

/* A list of names; also joined with commas, which the alphabet has not. */
static size_t read_names(struct creation *c, struct ph_faults *faults, int index, size_t max_items,
                         const struct ph_str **out, struct ph_str *joined)
{
    struct ph_json_field *field = &c->fields[index];
    struct ph_arena *arena = c->call->req->arena;
    struct ph_str rest = field->raw, element, name;
    struct ph_str *names = ph_arena_array_of(arena, struct ph_str, max_items);
    size_t n = 0, bytes = 0;

    if (!is_given(field))
        return 0;
    if (field->kind != PH_JSON_ARRAY) {
        fault(c->call, faults, field->name, "has to be an array", "type_error.list");
        return 0;
    }
    while (ph_json_next_element(&rest, &element)) {
        if (n == max_items) {
            fault(c->call, faults, field->name, "has too many items", "value_error.list.max_items");
            return 0;
        }
        if (ph_json_kind_of(element) != PH_JSON_STRING ||
            ph_json_string(arena, element, &name) != PH_OK ||
            !ph_name_ok(name, PH_MESSAGE_NAME_CHARS_MAX)) {
            fault(c->call, faults, field->name,
                  "every item has to be 1 to 128 of a-z, A-Z, 0-9, '-', '_', '.'",
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
static int64_t read_expiry(struct creation *c, struct ph_faults *faults, int index, int64_t min,
                           int64_t max, int64_t unit_ms)
{
    struct ph_json_field *field = &c->fields[index];
    int64_t n;

    if (!is_given(field))
        return 0;
    if (field->kind != PH_JSON_NUMBER || ph_str_to_i64(field->raw, &n) != PH_OK) {
        fault(c->call, faults, field->name, "has to be an integer", "type_error.integer");
        return 0;
    }
    if (n < min || n > max) {
        fault(c->call, faults, field->name,
              ph_arena_printf(c->call->req->arena, "has to be from %lld to %lld", (long long)min,
                              (long long)max),
              "value_error.number");
        return 0;
    }
    if (n * unit_ms >= c->call->api->node->config->retention_days * DAY_MS)
        return 0;
    return ph_clock_wall_ms() + n * unit_ms;
}

/* `application`: made from it when the path names none. */
static void read_application(struct creation *c, struct ph_faults *faults)
{
    struct ph_json_field *field = &c->fields[APPLICATION];
    struct ph_call *call = c->call;

    if (!is_given(field))
        return;
    json_t *json =
        field->kind == PH_JSON_OBJECT ? json_loadb(field->raw.ptr, field->raw.len, 0, NULL) : NULL;
    if (!json) {
        fault(call, faults, field->name, "has to be an object", "type_error.dict");
        return;
    }
    ph_arena_defer(call->req->arena, (void (*)(void *))json_decref, json);
    c->application = ph_arena_new_of(call->req->arena, struct ph_application_change);
    ph_api_read_application(call, faults, json, c->application);
    if (!c->application->uid.ptr && ph_uid_ok(call->params[0], PH_ID_APPLICATION))
        c->application->uid = call->params[0];
    c->application->set_uid = true;
}

/* Same key, credential and path: same id. */
static void read_idempotency_key(struct creation *c)
{
    struct ph_call *call = c->call;
    struct ph_str key = ph_request_header(call->req, "idempotency-key");
    crypto_generichash_state state;

    if (key.len == 0)
        return;
    crypto_generichash_init(&state, NULL, 0, sizeof c->item.message.idempotency_key.b);
    crypto_generichash_update(&state, call->api_key.b, sizeof call->api_key.b);
    crypto_generichash_update(&state, (const uint8_t *)call->req->path.ptr, call->req->path.len);
    crypto_generichash_update(&state, (const uint8_t *)"", 1);
    crypto_generichash_update(&state, (const uint8_t *)key.ptr, key.len);
    crypto_generichash_final(&state, c->item.message.idempotency_key.b,
                             sizeof c->item.message.idempotency_key.b);
    c->item.message.has_key = true;
}

/* The member whose name is content-type in whatever case. */
static void read_content_type(struct creation *c, struct ph_faults *faults, struct ph_str raw)
{
    struct ph_arena *arena = c->call->req->arena;
    json_t *headers = json_loadb(raw.ptr, raw.len, 0, NULL), *value;
    const char *name;

    ph_arena_defer(arena, (void (*)(void *))json_decref, headers);
    if (!json_is_object(headers)) {
        fault(c->call, faults, "transformationsParams", "headers has to be an object",
              "type_error.dict");
        return;
    }
    json_object_foreach(headers, name, value)
    {
        struct ph_str text = {json_string_value(value), json_string_length(value)};
        if (!ph_str_ieq(ph_str_of(name), PH_STR("content-type")))
            continue;
        if (!text.ptr || !ph_content_type_ok(text))
            fault(c->call, faults, "transformationsParams",
                  "the content type has to be like text/xml; charset=utf-8", "value_error");
        c->item.message.content_type = text;
    }
}

/*
 * transformationsParams: {"rawPayload": "text", "headers": {"content-type": "text/xml"}}. The text is sent instead of the
 * payload; without it there is nothing to do. Of the headers only the content type counts.
 */
static void read_raw_body(struct creation *c, struct ph_faults *faults)
{
    struct ph_json_field *field = &c->fields[TRANSFORMATION];
    struct ph_json_field members[] = {{.name = "rawPayload"}, {.name = "headers"}};
    struct ph_json_fault json_fault;
    struct ph_new_message *message = &c->item.message;
    struct ph_arena *arena = c->call->req->arena;
    struct ph_str body;

    if (ph_json_scan(field->raw, members, 2, &json_fault) != PH_OK) {
        fault(c->call, faults, field->name, "has to be an object", "type_error.dict");
        return;
    }
    if (is_given(&members[1]))
        read_content_type(c, faults, members[1].raw);
    if (!is_given(&members[0])) {
        message->content_type = PH_STR_NONE;
        return;
    }
    if (members[0].kind != PH_JSON_STRING ||
        ph_json_string(arena, members[0].raw, &body) != PH_OK) {
        fault(c->call, faults, field->name,
              "rawPayload has to be a string without U+0000 and lone surrogates", "type_error.str");
        return;
    }
    message->json =
        (struct ph_str){ph_arena_copy(arena, c->item.body.ptr, c->item.body.len), c->item.body.len};
    c->item.body = body;
}

/* False: answered. */
static bool read_message(struct creation *c)
{
    struct ph_ingest_item *item = &c->item;
    struct ph_new_message *message = &item->message;
    struct ph_message_view *view = &c->view;
    struct ph_faults faults = {0};

    if (c->fields[EVENT_TYPE].kind == PH_JSON_ABSENT)
        fault(c->call, &faults, "eventType", "field required", "value_error.missing");
    else
        message->event_type = view->event_type =
            read_name(c, &faults, EVENT_TYPE, EVENT_TYPE_CHARS_MAX);
    if (c->fields[PAYLOAD].kind == PH_JSON_ABSENT)
        fault(c->call, &faults, "payload", "field required", "value_error.missing");
    else if (c->fields[PAYLOAD].kind != PH_JSON_OBJECT)
        fault(c->call, &faults, "payload", "has to be an object", "type_error.dict");
    if (is_given(&c->fields[EVENT_ID]))
        message->event_id = view->event_id = read_name(c, &faults, EVENT_ID, EVENT_ID_CHARS_MAX);
    view->n_channels = item->n_channels =
        read_names(c, &faults, CHANNELS, CHANNELS_MAX, &view->channels, &message->channels);
    item->channels = view->channels;
    view->n_tags = read_names(c, &faults, TAGS, TAGS_MAX, &view->tags, &message->tags);
    message->expires_ms = read_expiry(c, &faults, RETENTION_DAYS, 5, 90, DAY_MS);
    if (is_given(&c->fields[RETENTION_HOURS]))
        message->expires_ms = read_expiry(c, &faults, RETENTION_HOURS, 1, 2160, HOUR_MS);
    read_application(c, &faults);
    if (is_given(&c->fields[DELIVER_AT]))
        fault(c->call, &faults, "deliverAt", "delayed messages are not supported",
              "value_error.unsupported");
    item->body = c->fields[PAYLOAD].raw;
    if (is_given(&c->fields[TRANSFORMATION]))
        read_raw_body(c, &faults);
    return !ph_faults_answer(c->call, &faults);
}

static void answer_message(struct creation *c, const struct ph_message_view *view)
{
    struct ph_json_writer *w = ph_answer_writer(c->call, ph_api_message_bytes(view));

    ph_api_write_message(w, view);
    ph_answer_json(c->call, 202, w);
}

static void replayed(void *ctx, enum ph_err err, const struct ph_message_view *message)
{
    struct creation *c = ctx;

    if (err == PH_OK)
        answer_message(c, message);
    else
        ph_answer_error(c->call, err, NULL);
}

/* The key made a message before: the same answer again, made from what is stored. */
static void replay(struct creation *c)
{
    struct ph_call *call = c->call;
    struct ph_message_path path = {.tenant = call->tenant, .application = call->params[0]};
    char *id = ph_arena_alloc(call->req->arena, PH_ID_WIRE_MAX);

    path.message = (struct ph_str){id, ph_id_format(PH_ID_MESSAGE, c->item.replay_of, id)};
    ph_message_get(call->api->db, call->req->arena, &path, c->with_content, replayed, c);
}

static void made_application(void *ctx, enum ph_err err, const struct ph_application *app)
{
    struct creation *c = ctx;
    struct ph_call *call = c->call;
    char *id;

    if (err == PH_OK) {
        id = ph_arena_alloc(call->req->arena, PH_ID_WIRE_MAX);
        c->item.application = (struct ph_str){id, ph_id_format(PH_ID_APPLICATION, app->id, id)};
    } else if (err == PH_ERR_CONFLICT) {
        c->item.application = c->application->uid;
    } else {
        ph_answer_error(call, err, NULL);
        return;
    }
    c->application = NULL;
    ph_ingest_submit(call->api->ingest, &c->item);
}

static void done(struct ph_ingest_item *item, enum ph_err err)
{
    struct creation *c = ph_container_of(item, struct creation, item);
    struct ph_call *call = c->call;

    switch (err) {
    case PH_OK:
        c->view.id = item->message.payload->message;
        c->view.payload = !c->with_content         ? PH_STR("{}")
                          : item->message.json.ptr ? item->message.json
                                                   : (struct ph_str){item->message.payload->bytes,
                                                                     item->message.payload->len};
        answer_message(c, &c->view);
        return;
    case PH_ERR_CONFLICT:
        if (!ph_id_is_zero(item->replay_of))
            replay(c);
        else
            ph_answer_error(call, err, "The application has a message with this eventId already.");
        return;
    case PH_ERR_NOT_FOUND:
        if (c->application) {
            ph_application_create(call->api->db, call->req->arena, call->tenant, c->application,
                                  made_application, c);
            return;
        }
        /* fall through */
    default:
        ph_answer_error(call, err, NULL);
        return;
    }
}

static void answer_bad_json(struct ph_call *call, enum ph_err err,
                            const struct ph_json_fault *json_fault)
{
    struct ph_faults faults = {0};

    if (err == PH_ERR_BAD_REQUEST)
        fault(call, &faults, NULL,
              ph_arena_printf(call->req->arena, "%s (byte %zu)", json_fault->text,
                              json_fault->offset),
              "value_error.jsondecode");
    else
        fault(call, &faults, NULL, "has to be an object", "type_error.dict");
    ph_faults_answer(call, &faults);
}

void ph_api_message_create(struct ph_call *call)
{
    static const char *const names[FIELDS] = {
        [EVENT_TYPE] = "eventType",
        [PAYLOAD] = "payload",
        [EVENT_ID] = "eventId",
        [CHANNELS] = "channels",
        [TAGS] = "tags",
        [RETENTION_DAYS] = "payloadRetentionPeriod",
        [RETENTION_HOURS] = "payloadRetentionHours",
        [APPLICATION] = "application",
        [DELIVER_AT] = "deliverAt",
        [TRANSFORMATION] = "transformationsParams",
    };
    struct creation *c = ph_arena_new_of(call->req->arena, struct creation);
    struct ph_json_fault json_fault;

    c->call = call;
    for (int i = 0; i < FIELDS; i++)
        c->fields[i].name = names[i];
    enum ph_err err = ph_json_scan(call->req->body, c->fields, FIELDS, &json_fault);
    if (err != PH_OK) {
        answer_bad_json(call, err, &json_fault);
        return;
    }
    if (!ph_query_bool(call, "with_content", true, &c->with_content) || !read_message(c))
        return;
    read_idempotency_key(c);
    c->item.tenant = call->tenant;
    c->item.application = call->params[0];
    c->item.arena = call->req->arena;
    c->item.on_done = done;
    if (c->application) /* may be submitted twice, and the body is gone by then */
        c->item.body.ptr = ph_arena_copy(call->req->arena, c->item.body.ptr, c->item.body.len);
    ph_ingest_submit(call->api->ingest, &c->item);
}
