#include "posthorn/event_type.h"

#include "api/retry_json.h"
#include "api/routes.h"

#include <stdlib.h>

#define ANSWER_BYTES   (256 * 1024 * 1024)
#define FLAG_CHARS_MAX 256

static void write_event_type(struct ph_json_writer *w, const struct ph_event_type *type)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "archived");
    ph_jw_bool(w, type->archived);
    ph_jw_key(w, "createdAt");
    ph_jw_time(w, type->created_ms);
    ph_jw_key(w, "deprecated");
    ph_jw_bool(w, type->deprecated);
    ph_jw_key(w, "description");
    ph_jw_str(w, type->description);
    ph_jw_key(w, "featureFlag");
    ph_jw_str(w, type->feature_flag);
    ph_jw_key(w, "name");
    ph_jw_str(w, type->name);
    ph_jw_key(w, "retrySchedule");
    ph_api_write_retry(w, &type->retry);
    ph_jw_key(w, "schemas");
    if (type->schemas.ptr)
        ph_jw_raw(w, type->schemas);
    else
        ph_jw_null(w);
    ph_jw_key(w, "updatedAt");
    ph_jw_time(w, type->updated_ms);
    ph_jw_object_end(w);
}

/* map<object> as JSON text in the arena; absent for null and without. */
static struct ph_str field_schemas(struct ph_call *call, struct ph_faults *faults, json_t *body,
                                   bool *present)
{
    json_t *value = json_object_get(body, "schemas"), *schema;
    const char *version;
    char *text;

    *present = value != NULL;
    if (!value || json_is_null(value))
        return PH_STR_NONE;
    if (!json_is_object(value)) {
        ph_fault(call, faults, "body", "schemas", "has to be an object", "type_error.dict");
        return PH_STR_NONE;
    }
    json_object_foreach(value, version, schema)
    {
        if (!json_is_object(schema)) {
            ph_fault(call, faults, "body", "schemas", "every schema has to be an object",
                     "type_error.dict");
            return PH_STR_NONE;
        }
    }
    text = json_dumps(value, JSON_COMPACT);
    ph_arena_defer(call->req->arena, free, text);
    return ph_str_of(text);
}

static struct ph_str field_flag(struct ph_call *call, struct ph_faults *faults, json_t *body,
                                bool *present)
{
    struct ph_str flag =
        ph_field_str(call, faults, body, "featureFlag", false, 0, FLAG_CHARS_MAX, present);

    if (flag.ptr && !ph_name_ok(flag, FLAG_CHARS_MAX)) {
        ph_fault(call, faults, "body", "featureFlag", "has to be 1 to 256 of a-z A-Z 0-9 - _ .",
                 "value_error.str.regex");
        return PH_STR_NONE;
    }
    return flag;
}

/* The members that EventTypeIn, EventTypeUpdate and EventTypePatch share. description is required unless it is a patch. */
static void read_change(struct ph_call *call, struct ph_faults *faults, json_t *body, bool patch,
                        struct ph_event_type_change *change)
{
    bool description = json_object_get(body, "description") != NULL, schemas, archived, deprecated,
         flag, retry;

    change->description =
        ph_field_str(call, faults, body, "description", description || !patch, 0, 0, NULL);
    change->schemas = field_schemas(call, faults, body, &schemas);
    change->archived = ph_field_bool(call, faults, body, "archived", false, &archived);
    change->deprecated = ph_field_bool(call, faults, body, "deprecated", false, &deprecated);
    change->feature_flag = field_flag(call, faults, body, &flag);
    ph_api_field_retry(call, faults, body, &change->retry, &retry);
    change->set =
        (description ? PH_EVENT_TYPE_SET_DESCRIPTION : 0u) |
        (schemas ? PH_EVENT_TYPE_SET_SCHEMAS : 0u) | (archived ? PH_EVENT_TYPE_SET_ARCHIVED : 0u) |
        (deprecated ? PH_EVENT_TYPE_SET_DEPRECATED : 0u) |
        (flag ? PH_EVENT_TYPE_SET_FEATURE_FLAG : 0u) | (retry ? PH_EVENT_TYPE_SET_RETRY : 0u);
}

static void answer_event_type(struct ph_call *call, int status, const struct ph_event_type *type)
{
    struct ph_json_writer *w = ph_answer_writer(call, ANSWER_BYTES);

    write_event_type(w, type);
    ph_answer_json(call, status, w);
}

static void on_event_type(void *ctx, enum ph_err err, const struct ph_event_type *type,
                          bool created)
{
    (void)created;
    if (err != PH_OK)
        ph_answer_error(ctx, err, NULL);
    else
        answer_event_type(ctx, 200, type);
}

static void on_created(void *ctx, enum ph_err err, const struct ph_event_type *type, bool created)
{
    (void)created; /* a revived one is answered like a new one */
    if (err != PH_OK)
        ph_answer_error(ctx, err, NULL);
    else
        answer_event_type(ctx, 201, type);
}

static void on_put(void *ctx, enum ph_err err, const struct ph_event_type *type, bool created)
{
    if (err != PH_OK)
        ph_answer_error(ctx, err, NULL);
    else
        answer_event_type(ctx, created ? 201 : 200, type);
}

static void on_page(void *ctx, enum ph_err err, const struct ph_event_type *types, size_t n,
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
        write_event_type(w, &types[i]);
    ph_answer_page(call, w, n ? types[0].name : PH_STR_NONE, n ? types[n - 1].name : PH_STR_NONE,
                   done);
}

void ph_api_event_type_list(struct ph_call *call)
{
    struct ph_event_type_list list;
    struct ph_faults faults = {0};
    struct ph_page page;

    if (!ph_page_read(call, false, &page) ||
        !ph_query_bool(call, "include_archived", false, &list.include_archived) ||
        !ph_query_bool(call, "with_content", true, &list.with_content))
        return;
    if (page.iterator.ptr && !ph_name_ok(page.iterator, PH_EVENT_TYPE_CHARS_MAX))
        ph_fault(call, &faults, "query", "iterator", "is not an iterator of this list",
                 "value_error");
    if (ph_faults_answer(call, &faults))
        return;
    list.limit = page.limit;
    list.descending = page.descending;
    list.backwards = page.backwards;
    list.from = page.iterator;
    list.viewer = ph_call_viewer(call);
    ph_event_type_list(call->api->db, call->req->arena, call->tenant, &list, on_page, call);
}

void ph_api_event_type_create(struct ph_call *call)
{
    struct ph_event_type_change change;
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    struct ph_str name;

    if (!body)
        return;
    name = ph_field_str(call, &faults, body, "name", true, 0, 0, NULL);
    if (name.ptr && !ph_name_ok(name, PH_EVENT_TYPE_CHARS_MAX))
        ph_fault(call, &faults, "body", "name", "has to be 1 to 256 of a-z A-Z 0-9 - _ .",
                 "value_error.str.regex");
    read_change(call, &faults, body, false, &change);
    if (!ph_faults_answer(call, &faults))
        ph_event_type_create(call->api->db, call->req->arena, call->tenant, name, &change,
                             on_created, call);
}

void ph_api_event_type_get(struct ph_call *call)
{
    ph_event_type_get(call->api->db, call->req->arena, call->tenant, ph_call_viewer(call),
                      call->params[0], on_event_type, call);
}

void ph_api_event_type_replace(struct ph_call *call)
{
    struct ph_event_type_change change;
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);

    if (!body)
        return;
    if (!ph_name_ok(call->params[0], PH_EVENT_TYPE_CHARS_MAX))
        ph_fault(call, &faults, "path", "event_type_name",
                 "has to be 1 to 256 of a-z A-Z 0-9 - _ .", "value_error.str.regex");
    read_change(call, &faults, body, false, &change);
    if (!ph_faults_answer(call, &faults))
        ph_event_type_put(call->api->db, call->req->arena, call->tenant, call->params[0], &change,
                          on_put, call);
}

void ph_api_event_type_patch(struct ph_call *call)
{
    struct ph_event_type_change change;
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);

    if (!body)
        return;
    read_change(call, &faults, body, true, &change);
    if (!ph_faults_answer(call, &faults))
        ph_event_type_patch(call->api->db, call->req->arena, call->tenant, call->params[0], &change,
                            on_event_type, call);
}

static void on_deleted(void *ctx, enum ph_err err)
{
    if (err != PH_OK)
        ph_answer_error(ctx, err, NULL);
    else
        ph_answer_empty(ctx, 204);
}

void ph_api_event_type_delete(struct ph_call *call)
{
    bool expunge;

    if (ph_query_bool(call, "expunge", false, &expunge))
        ph_event_type_delete(call->api->db, call->req->arena, call->tenant, call->params[0],
                             expunge, on_deleted, call);
}
