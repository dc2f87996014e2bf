#include "posthorn/event_type.h"

#include "api/event_type_json.h"
#include "api/retry_json.h"
#include "api/routes.h"
#include "posthorn/schema.h"

#define ANSWER_BYTES   (256 * 1024 * 1024)
#define FLAG_CHARS_MAX 256
#define TRIES_MAX      5

void ph_api_write_feature_flag(struct ph_json_writer *w, struct ph_str flag)
{
    ph_jw_key(w, "featureFlag");
    ph_jw_str(w, flag);
    ph_jw_key(w, "featureFlags");
    if (!flag.ptr) {
        ph_jw_null(w);
        return;
    }
    ph_jw_array_begin(w);
    ph_jw_str(w, flag);
    ph_jw_array_end(w);
}

void ph_api_write_schemas(struct ph_json_writer *w, struct ph_str schemas)
{
    ph_jw_key(w, "schemas");
    if (schemas.ptr)
        ph_jw_raw(w, schemas);
    else
        ph_jw_null(w);
}

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
    ph_api_write_feature_flag(w, type->feature_flag);
    ph_jw_key(w, "groupName");
    ph_jw_str(w, type->group);
    ph_jw_key(w, "name");
    ph_jw_str(w, type->name);
    ph_jw_key(w, "retrySchedule");
    ph_api_write_retry(w, &type->retry);
    ph_jw_key(w, "schemaValidation");
    ph_jw_str(w, type->schema_validation);
    ph_api_write_schemas(w, type->schemas);
    ph_jw_key(w, "updatedAt");
    ph_jw_time(w, type->updated_ms);
    ph_jw_object_end(w);
}

/* map<object> as it was sent, since numbers in it count as they are written; absent for null and without. */
static struct ph_str field_schemas(struct ph_call *call, struct ph_faults *faults, json_t *body,
                                   bool *present)
{
    json_t *value = json_object_get(body, "schemas"), *schema;
    struct ph_json_field field = {.name = "schemas"};
    struct ph_json_fault json_fault;
    const char *version;

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
    if (ph_json_scan(call->req->body, &field, 1, &json_fault) != PH_OK) {
        ph_fault(call, faults, "body", "schemas", json_fault.text, "value_error");
        return PH_STR_NONE;
    }
    return (struct ph_str){ph_arena_copy(call->req->arena, field.raw.ptr, field.raw.len),
                           field.raw.len};
}

static struct ph_str field_validation(struct ph_call *call, struct ph_faults *faults, json_t *body,
                                      bool *present)
{
    struct ph_str mode =
        ph_field_str(call, faults, body, "schemaValidation",
                     json_object_get(body, "schemaValidation") != NULL, 0, 0, present);

    if (mode.ptr && !ph_str_eq(mode, PH_STR("off")) && !ph_str_eq(mode, PH_STR("warn")) &&
        !ph_str_eq(mode, PH_STR("enforce"))) {
        ph_fault(call, faults, "body", "schemaValidation", "has to be off, warn or enforce",
                 "value_error.const");
        return PH_STR_NONE;
    }
    return mode.ptr ? mode : PH_STR("off");
}

/* What messages are to be checked against has to be something that they can be checked against in full. */
static void check_schema(struct ph_call *call, struct ph_faults *faults, struct ph_str validation,
                         struct ph_str schemas)
{
    struct ph_str version, newest;
    struct ph_schema *schema;
    struct ph_schema_fault fault;

    if (faults->list || ph_str_eq(validation, PH_STR("off")))
        return;
    ph_event_type_newest(schemas, &version, &newest);
    if (!newest.ptr)
        ph_fault(call, faults, "body", "schemas", "there has to be a schema to be checked against",
                 "value_error.missing");
    else if (ph_schema_compile(call->req->arena, newest, &schema, &fault) != PH_OK)
        ph_fault_at(call, faults, "body", "schemas",
                    ph_arena_printf(call->req->arena, "/%.*s%s", (int)version.len, version.ptr,
                                    fault.where),
                    fault.text, "value_error.schema");
}

/* featureFlag, or the one of featureFlags. */
static struct ph_str field_flag(struct ph_call *call, struct ph_faults *faults, json_t *body,
                                bool *present)
{
    bool has_list;
    struct ph_str *list;
    struct ph_str flag =
        ph_field_str(call, faults, body, "featureFlag", false, 0, FLAG_CHARS_MAX, present);
    size_t n =
        ph_field_names(call, faults, body, "featureFlags", 1, FLAG_CHARS_MAX, &list, &has_list);

    *present = *present || has_list;
    if (flag.ptr && !ph_name_ok(flag, FLAG_CHARS_MAX)) {
        ph_fault(call, faults, "body", "featureFlag", "has to be 1 to 256 of a-z A-Z 0-9 - _ .",
                 "value_error.str.regex");
        return PH_STR_NONE;
    }
    return flag.ptr || n == 0 ? flag : list[0];
}

/* The members that EventTypeIn, EventTypeUpdate and EventTypePatch share. description is required unless it is a patch. */
static void read_change(struct ph_call *call, struct ph_faults *faults, json_t *body, bool patch,
                        struct ph_event_type_change *change)
{
    bool description = json_object_get(body, "description") != NULL, schemas, archived, deprecated,
         flag, retry, validation, group;

    change->description =
        ph_field_str(call, faults, body, "description", description || !patch, 0, 0, NULL);
    change->schemas = field_schemas(call, faults, body, &schemas);
    change->schema_validation = field_validation(call, faults, body, &validation);
    change->group = ph_field_str(call, faults, body, "groupName", false, 1,
                                 PH_EVENT_TYPE_GROUP_CHARS_MAX, &group);
    change->rules_version = 0;
    change->archived = ph_field_bool(call, faults, body, "archived", false, &archived);
    change->deprecated = ph_field_bool(call, faults, body, "deprecated", false, &deprecated);
    change->feature_flag = field_flag(call, faults, body, &flag);
    ph_api_field_retry(call, faults, body, &change->retry, &retry);
    change->set =
        (description ? PH_EVENT_TYPE_SET_DESCRIPTION : 0u) |
        (schemas ? PH_EVENT_TYPE_SET_SCHEMAS : 0u) | (archived ? PH_EVENT_TYPE_SET_ARCHIVED : 0u) |
        (deprecated ? PH_EVENT_TYPE_SET_DEPRECATED : 0u) |
        (flag ? PH_EVENT_TYPE_SET_FEATURE_FLAG : 0u) | (retry ? PH_EVENT_TYPE_SET_RETRY : 0u) |
        (validation ? PH_EVENT_TYPE_SET_SCHEMA_VALIDATION : 0u) |
        (group ? PH_EVENT_TYPE_SET_GROUP : 0u);
    if (!patch)
        check_schema(call, faults, change->schema_validation, change->schemas);
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

/* ---- patch: what is changed and what stays have to go together ---- */

struct patch {
    struct ph_call *call;
    struct ph_event_type_change change;
    int tries;
};

static void look(struct patch *patch);

static void on_patched(void *ctx, enum ph_err err, const struct ph_event_type *type, bool created)
{
    struct patch *patch = ctx;

    /* There is none, or somebody else was quicker. */
    if (err == PH_ERR_NOT_FOUND && patch->change.rules_version && patch->tries < TRIES_MAX)
        look(patch);
    else
        on_event_type(patch->call, err, type, created);
}

static void write_patch(struct patch *patch)
{
    struct ph_call *call = patch->call;

    ph_event_type_patch(call->api->db, call->req->arena, call->tenant, call->params[0],
                        &patch->change, on_patched, patch);
}

static void on_present(void *ctx, enum ph_err err, const struct ph_event_type *type, bool created)
{
    struct patch *patch = ctx;
    const struct ph_event_type_change *change = &patch->change;
    struct ph_faults faults = {0};

    (void)created;
    if (err != PH_OK) {
        ph_answer_error(patch->call, err, NULL);
        return;
    }
    check_schema(patch->call, &faults,
                 change->set & PH_EVENT_TYPE_SET_SCHEMA_VALIDATION ? change->schema_validation
                                                                   : type->schema_validation,
                 change->set & PH_EVENT_TYPE_SET_SCHEMAS ? change->schemas : type->schemas);
    if (ph_faults_answer(patch->call, &faults))
        return;
    patch->change.rules_version = type->rules_version;
    write_patch(patch);
}

static void look(struct patch *patch)
{
    struct ph_call *call = patch->call;

    patch->tries++;
    ph_event_type_get(call->api->db, call->req->arena, call->tenant, (struct ph_id){{0}},
                      call->params[0], on_present, patch);
}

void ph_api_event_type_patch(struct ph_call *call)
{
    struct patch *patch = ph_arena_new_of(call->req->arena, struct patch);
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);

    if (!body)
        return;
    patch->call = call;
    read_change(call, &faults, body, true, &patch->change);
    if (ph_faults_answer(call, &faults))
        return;
    if (patch->change.set & (PH_EVENT_TYPE_SET_SCHEMAS | PH_EVENT_TYPE_SET_SCHEMA_VALIDATION))
        look(patch);
    else
        write_patch(patch);
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
