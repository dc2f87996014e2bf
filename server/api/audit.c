#include "api/audit.h"

#include <string.h>

#define CREATED 201

/* A parameter of a path, and what it names. */
static const struct {
    const char *parameter, *object_kind;
    enum ph_id_kind id;
} objects[] = {
    {"{app_id}", "application", PH_ID_APPLICATION}, {"{endpoint_id}", "endpoint", PH_ID_ENDPOINT},
    {"{sink_id}", "endpoint", PH_ID_ENDPOINT},      {"{msg_id}", "message", PH_ID_MESSAGE},
    {"{attempt_id}", "attempt", PH_ID_ATTEMPT},     {"{task_id}", "background-task", PH_ID_TASK},
    {"{key_id}", "api-key", PH_ID_API_KEY},         {"{tenant_id}", "tenant", PH_ID_TENANT},
};

#define OBJECTS (sizeof(objects) / sizeof(*objects))

struct lookup {
    struct ph_audit_entry *entry;
    struct ph_arena *arena;
    bool application, endpoint; /* which of them the path names by a uid */
    void (*done)(void *ctx, enum ph_err err);
    void *ctx;
};

static struct ph_str wire_of(struct ph_arena *arena, enum ph_id_kind kind, struct ph_id id)
{
    char *wire = ph_arena_alloc(arena, PH_ID_WIRE_MAX);

    return (struct ph_str){wire, ph_id_format(kind, id, wire)};
}

/* The kind of an object with this name; absent: its id does not say. */
static struct ph_str kind_of(struct ph_str object)
{
    struct ph_id id;

    for (size_t i = 0; i < OBJECTS; i++)
        if (ph_id_parse(objects[i].id, object, &id) == PH_OK)
            return ph_str_of(objects[i].object_kind);
    return PH_STR_NONE;
}

/* "endpoint" of "endpoint.create" and of "operational-webhook.endpoint.create". */
static struct ph_str kind_of_action(struct ph_str action)
{
    struct ph_str kind = action, part;

    while (ph_str_split(&action, '.', &part) && action.ptr)
        kind = part;
    return kind;
}

static struct ph_str kind_of_parameter(struct ph_str parameter, struct ph_str action)
{
    for (size_t i = 0; i < OBJECTS; i++)
        if (ph_str_eq_c(parameter, objects[i].parameter))
            return ph_str_of(objects[i].object_kind);
    return kind_of_action(action);
}

static void read_actor(struct ph_call *call, struct ph_audit_entry *entry)
{
    const struct ph_identity *identity = &call->identity;

    entry->actor_kind = ph_str_of(ph_audit_actor_kind(identity->kind));
    entry->tenant = call->tenant;
    if (identity->kind == PH_CREDENTIAL_API_KEY || identity->kind == PH_CREDENTIAL_PORTAL) {
        entry->actor = identity->credential;
        entry->actor_id = wire_of(
            call->req->arena, identity->kind == PH_CREDENTIAL_PORTAL ? PH_ID_PORTAL : PH_ID_API_KEY,
            entry->actor);
    } else if (identity->kind == PH_CREDENTIAL_OPERATOR) {
        entry->actor_name = PH_STR("operator");
    }
}

/* Application and object of the path: the first parameter below the application, or else the first one. */
static void read_objects(struct ph_call *call, struct ph_audit_entry *entry)
{
    struct ph_str rest = ph_str_of(call->route->path), part;
    int n = 0;

    while (ph_str_split(&rest, '/', &part)) {
        if (part.len == 0 || part.ptr[0] != '{')
            continue;
        if (ph_str_eq_c(part, "{app_id}"))
            entry->application = call->params[n];
        else if (ph_str_eq_c(part, "{tenant_id}") &&
                 ph_id_parse(PH_ID_TENANT, call->params[n], &entry->tenant) != PH_OK)
            entry->tenant = (struct ph_id){{0}};
        if (n < 2 && (n == 0 || entry->application.ptr)) {
            entry->object_id = call->params[n];
            entry->object_kind = kind_of_parameter(part, entry->action);
        }
        n++;
    }
}

static void on_found(void *ctx, enum ph_err err, struct ph_id application, struct ph_id endpoint)
{
    struct lookup *lookup = ctx;
    struct ph_audit_entry *entry = lookup->entry;
    bool is_object = ph_str_eq_c(entry->object_kind, "application");

    if (lookup->application && !ph_id_is_zero(application)) {
        entry->application = wire_of(lookup->arena, PH_ID_APPLICATION, application);
        if (is_object)
            entry->object_id = entry->application;
    }
    if (lookup->endpoint && !ph_id_is_zero(endpoint))
        entry->object_id = wire_of(lookup->arena, PH_ID_ENDPOINT, endpoint);
    lookup->done(lookup->ctx, err);
}

void ph_api_audit_begin(struct ph_call *call, struct ph_audit_entry *entry,
                        void (*done)(void *ctx, enum ph_err err), void *ctx)
{
    struct ph_arena *arena = call->req->arena;
    struct lookup *lookup;
    struct ph_id application = {{0}}, endpoint;
    bool by_uid, endpoint_by_uid;

    *entry = (struct ph_audit_entry){0};
    entry->action = ph_str_of(ph_route_operation(call->route));
    read_actor(call, entry);
    entry->address = ph_call_address(call);
    entry->user_agent = ph_request_header(call->req, "user-agent");
    read_objects(call, entry);
    by_uid = entry->application.ptr &&
             ph_id_parse(PH_ID_APPLICATION, entry->application, &application) != PH_OK;
    endpoint_by_uid = entry->application.ptr && ph_str_eq_c(entry->object_kind, "endpoint") &&
                      ph_id_parse(PH_ID_ENDPOINT, entry->object_id, &endpoint) != PH_OK;
    if (!by_uid && !endpoint_by_uid) {
        done(ctx, PH_OK);
        return;
    }
    lookup = ph_arena_new_of(arena, struct lookup);
    *lookup = (struct lookup){entry, arena, by_uid, endpoint_by_uid, done, ctx};
    ph_audit_find_objects(
        call->api->db, arena, call->tenant, by_uid ? entry->application : PH_STR_NONE,
        endpoint_by_uid ? entry->object_id : PH_STR_NONE, application, on_found, lookup);
}

static void decref(void *json)
{
    json_decref(json);
}

/* What a request has made is in its answer, by its id, or its name. */
static void read_made(struct ph_call *call, struct ph_audit_entry *entry, struct ph_str body)
{
    json_t *answer = json_loadb(body.ptr, body.len, 0, NULL), *id = json_object_get(answer, "id");
    struct ph_str kind;

    if (!answer)
        return;
    ph_arena_defer(call->req->arena, decref, answer);
    if (!id)
        id = json_object_get(answer, "name");
    if (!json_is_string(id))
        return;
    entry->object_id = (struct ph_str){json_string_value(id), json_string_length(id)};
    kind = kind_of(entry->object_id);
    entry->object_kind = kind.ptr ? kind : kind_of_action(entry->action);
    if (ph_str_eq_c(entry->object_kind, "application"))
        entry->application = entry->object_id;
    if (ph_str_eq_c(entry->object_kind, "tenant") && call->identity.kind == PH_CREDENTIAL_OPERATOR)
        (void)!ph_id_parse(PH_ID_TENANT, entry->object_id, &entry->tenant);
}

/* Names of the members of the request's body. */
static void read_fields(struct ph_call *call, struct ph_audit_entry *entry)
{
    const char *name;
    json_t *value;

    entry->fields = ph_arena_array_of(call->req->arena, struct ph_str, PH_AUDIT_FIELDS_MAX);
    json_object_foreach(call->body, name, value)
    {
        struct ph_str field = ph_audit_text(ph_str_of(name), PH_AUDIT_FIELD_MAX);
        if (field.len > 0 && entry->n_fields < PH_AUDIT_FIELDS_MAX)
            entry->fields[entry->n_fields++] = field;
    }
}

/* Not so one that does something to an object and thereby makes something else, such as an attempt. */
static bool makes_object(const struct ph_call *call, const struct ph_audit_entry *entry)
{
    return strcmp(call->route->method, "PUT") == 0 || strstr(entry->action.ptr, ".create") != NULL;
}

void ph_api_audit_end(struct ph_call *call, struct ph_audit_entry *entry, int status,
                      struct ph_str body, void (*done)(void *ctx, enum ph_err err), void *ctx)
{
    bool of_operator = call->identity.kind == PH_CREDENTIAL_OPERATOR;

    if (body.len > 0 && (!entry->object_id.ptr || (status == CREATED && makes_object(call, entry))))
        read_made(call, entry, body);
    if (!entry->object_kind.ptr)
        entry->object_kind = kind_of_action(entry->action);
    read_fields(call, entry);
    ph_audit_add(of_operator ? call->api->engine_db : call->api->db, call->req->arena, entry, done,
                 ctx);
}
