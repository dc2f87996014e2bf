/* POST /event-type/import/openapi: event types from the webhooks of an OpenAPI document. */
#include "api/event_type_json.h"
#include "api/routes.h"
#include "posthorn/event_type.h"
#include "posthorn/schema.h"
#include "posthorn/webhook_spec.h"
#include "posthorn/yaml.h"

#define ANSWER_BYTES (64 * 1024 * 1024)

enum { SPEC, SPEC_RAW, DRY_RUN, REPLACE_ALL, FIELDS };

struct import {
    struct ph_call *call;
    const char *field; /* spec or specRaw: where faults are */
    struct ph_webhook *webhooks;
    struct ph_str *names;
    struct ph_event_type_change *types;
    struct ph_event_type_import what;
};

/* ---- the answer ---- */

static void write_type(struct ph_json_writer *w, struct ph_str name,
                       const struct ph_event_type_change *type)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "deprecated");
    ph_jw_bool(w, type->deprecated);
    ph_jw_key(w, "description");
    ph_jw_str(w, type->description);
    ph_api_write_feature_flag(w, type->feature_flag);
    ph_jw_key(w, "groupName");
    ph_jw_str(w, type->group);
    ph_jw_key(w, "name");
    ph_jw_str(w, name);
    ph_api_write_schemas(w, type->schemas);
    ph_jw_object_end(w);
}

static void on_imported(void *ctx, enum ph_err err, const int32_t *changed, size_t n)
{
    struct import *import = ctx;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(import->call, err, NULL);
        return;
    }
    w = ph_answer_writer(import->call, ANSWER_BYTES);
    ph_jw_object_begin(w);
    ph_jw_key(w, "data");
    ph_jw_object_begin(w);
    ph_jw_key(w, "modified");
    ph_jw_array_begin(w);
    for (size_t i = 0; i < n && !import->what.dry; i++)
        ph_jw_str(w, import->names[changed[i]]);
    ph_jw_array_end(w);
    ph_jw_key(w, "to_modify");
    ph_jw_array_begin(w);
    for (size_t i = 0; i < n && import->what.dry; i++)
        write_type(w, import->names[changed[i]], &import->types[changed[i]]);
    ph_jw_array_end(w);
    ph_jw_object_end(w);
    ph_jw_object_end(w);
    ph_answer_json(import->call, 200, w);
}

/* ---- types that messages are checked against ---- */

static void check_schema(struct import *import, struct ph_faults *faults, size_t i)
{
    struct ph_arena *arena = import->call->req->arena;
    const struct ph_webhook *webhook = &import->webhooks[i];
    struct ph_schema_fault fault = {"", "there has to be a schema to be checked against"};
    struct ph_schema *schema;

    if (webhook->schema.ptr && ph_schema_compile(arena, webhook->schema, &schema, &fault) == PH_OK)
        return;
    ph_fault_at(import->call, faults, "body", import->field,
                ph_arena_printf(arena, "/webhooks/%.*s%s", (int)webhook->name.len,
                                webhook->name.ptr, fault.where),
                fault.text, "value_error.schema");
}

static void on_checked(void *ctx, enum ph_err err, const struct ph_str *names, size_t n)
{
    struct import *import = ctx;
    struct ph_call *call = import->call;
    struct ph_faults faults = {0};

    if (err != PH_OK) {
        ph_answer_error(call, err, NULL);
        return;
    }
    for (size_t i = 0; i < import->what.n; i++)
        for (size_t j = 0; j < n; j++)
            if (ph_str_eq(import->names[i], names[j]))
                check_schema(import, &faults, i);
    if (!ph_faults_answer(call, &faults))
        ph_event_type_import(call->api->db, call->req->arena, call->tenant, &import->what,
                             on_imported, import);
}

/* ---- reading ---- */

static bool read_flag(struct ph_call *call, struct ph_faults *faults,
                      const struct ph_json_field *field)
{
    if (field->kind != PH_JSON_ABSENT && field->kind != PH_JSON_NULL &&
        field->kind != PH_JSON_TRUE && field->kind != PH_JSON_FALSE)
        ph_fault(call, faults, "body", field->name, "has to be true or false", "type_error.bool");
    return field->kind == PH_JSON_TRUE;
}

/* The document as JSON; absent: a fault was noted. */
static struct ph_str read_spec(struct import *import, struct ph_faults *faults,
                               const struct ph_json_field *fields)
{
    struct ph_call *call = import->call;
    struct ph_str text = fields[SPEC].raw, raw;
    struct ph_json_fault json_fault = {0, "has to be a string"};
    const char *fault = json_fault.text;

    if (fields[SPEC].kind == PH_JSON_OBJECT)
        return text;
    if (fields[SPEC_RAW].kind == PH_JSON_STRING &&
        ph_json_string(call->req->arena, fields[SPEC_RAW].raw, &raw) == PH_OK) {
        text = ph_str_trim(raw);
        if (text.len && *text.ptr == '{')
            fault = NULL;
        else
            (void)!ph_yaml_to_json(call->req->arena, raw, &text, &fault);
        if (!fault && ph_json_scan(text, NULL, 0, &json_fault) == PH_OK)
            return text;
        fault = fault ? fault : json_fault.text;
    }
    if (fields[SPEC].raw.ptr && fields[SPEC].kind != PH_JSON_NULL)
        fault = "has to be an object";
    ph_fault(call, faults, "body", import->field, fault, "value_error");
    return PH_STR_NONE;
}

static void fault_of(struct import *import, struct ph_faults *faults, size_t i, const char *text)
{
    const struct ph_str name = import->webhooks[i].name;

    ph_fault_at(
        import->call, faults, "body", import->field,
        ph_arena_printf(import->call->req->arena, "/webhooks/%.*s", (int)name.len, name.ptr), text,
        "value_error");
}

static void check_webhook(struct import *import, struct ph_faults *faults, size_t i)
{
    const struct ph_webhook *w = &import->webhooks[i];

    if (!ph_name_ok(w->name, PH_EVENT_TYPE_CHARS_MAX))
        fault_of(import, faults, i, "has to be 1 to 256 of a-z A-Z 0-9 - _ .");
    if (w->group.len > PH_EVENT_TYPE_GROUP_CHARS_MAX)
        fault_of(import, faults, i, "has a group name of more than 256 bytes");
    if (w->feature_flag.ptr && !ph_name_ok(w->feature_flag, PH_EVENT_TYPE_CHARS_MAX))
        fault_of(import, faults, i, "has a feature flag that is not 1 to 256 of a-z A-Z 0-9 - _ .");
    for (size_t j = 0; j < i; j++)
        if (ph_str_eq(import->webhooks[j].name, w->name))
            fault_of(import, faults, i, "is there twice");
}

static void fill(struct import *import, size_t n)
{
    struct ph_arena *arena = import->call->req->arena;

    import->names = ph_arena_array_of(arena, struct ph_str, n);
    import->types = ph_arena_array_of(arena, struct ph_event_type_change, n);
    for (size_t i = 0; i < n; i++) {
        const struct ph_webhook *w = &import->webhooks[i];
        import->names[i] = w->name;
        import->types[i] = (struct ph_event_type_change){
            .description = w->description,
            .deprecated = w->deprecated,
            .group = w->group.len ? w->group : PH_STR_NONE,
            .feature_flag = w->feature_flag,
        };
        if (w->schema.ptr)
            import->types[i].schemas = ph_str_of(
                ph_arena_printf(arena, "{\"1\":%.*s}", (int)w->schema.len, w->schema.ptr));
    }
    import->what.names = import->names;
    import->what.types = import->types;
    import->what.n = n;
}

static void read_webhooks(struct import *import, struct ph_faults *faults, struct ph_str spec)
{
    struct ph_webhook_fault fault;
    size_t n;

    if (ph_webhook_spec_read(import->call->req->arena, spec, &import->webhooks, &n, &fault) !=
        PH_OK) {
        ph_fault_at(import->call, faults, "body", import->field, fault.where, fault.text,
                    "value_error");
        return;
    }
    if (n == 0)
        ph_fault(import->call, faults, "body", import->field, "has neither webhooks nor x-webhooks",
                 "value_error");
    for (size_t i = 0; i < n && !faults->list; i++)
        check_webhook(import, faults, i);
    fill(import, n);
}

void ph_api_event_type_import(struct ph_call *call)
{
    struct ph_json_field fields[FIELDS] = {
        {.name = "spec"}, {.name = "specRaw"}, {.name = "dryRun"}, {.name = "replaceAll"}};
    struct import *import = ph_arena_new_of(call->req->arena, struct import);
    struct ph_faults faults = {0};
    struct ph_json_fault json_fault;
    struct ph_str spec;
    bool has_spec, has_raw;

    ph_request_keep(call->req);
    if (ph_json_scan(call->req->body, fields, FIELDS, &json_fault) != PH_OK) {
        ph_fault(call, &faults, "body", NULL, json_fault.text, "value_error.jsondecode");
        ph_faults_answer(call, &faults);
        return;
    }
    has_spec = fields[SPEC].kind != PH_JSON_ABSENT && fields[SPEC].kind != PH_JSON_NULL;
    has_raw = fields[SPEC_RAW].kind != PH_JSON_ABSENT && fields[SPEC_RAW].kind != PH_JSON_NULL;
    if (has_spec == has_raw) {
        ph_answer_error(call, PH_ERR_BAD_REQUEST, "There has to be one of spec and specRaw.");
        return;
    }
    import->call = call;
    import->field = has_spec ? "spec" : "specRaw";
    import->what.dry = read_flag(call, &faults, &fields[DRY_RUN]);
    import->what.archive_others = read_flag(call, &faults, &fields[REPLACE_ALL]);
    spec = read_spec(import, &faults, fields);
    if (spec.ptr)
        read_webhooks(import, &faults, spec);
    if (!ph_faults_answer(call, &faults))
        ph_event_type_checked(call->api->db, call->req->arena, call->tenant, import->names,
                              import->what.n, on_checked, import);
}
