/* Environments of the tenant that asks. */
#include "posthorn/environment.h"

#include "api/routes.h"
#include "posthorn/tenant.h"

#define ENVIRONMENT_BYTES 4096
#define PAGE_BYTES        (1024 * 1024)

/* token NULL: it is not shown. */
static void write_environment(struct ph_json_writer *w, const struct ph_environment *environment,
                              const char *token)
{
    ph_jw_object_begin(w);
    if (token) {
        ph_jw_key(w, "apiKey");
        ph_jw_cstr(w, token);
    }
    ph_jw_key(w, "createdAt");
    ph_jw_time(w, environment->created_ms);
    ph_jw_key(w, "id");
    ph_jw_id(w, PH_ID_TENANT, environment->id);
    ph_jw_key(w, "isRoot");
    ph_jw_bool(w, ph_id_eq(environment->id, environment->root));
    ph_jw_key(w, "name");
    ph_jw_str(w, environment->name);
    ph_jw_key(w, "updatedAt");
    ph_jw_time(w, environment->updated_ms);
    ph_jw_object_end(w);
}

/* ---- reading ---- */

static void on_page(void *ctx, enum ph_err err, const struct ph_environment *environments, size_t n,
                    bool done)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, PAGE_BYTES);
    ph_answer_page_begin(w);
    for (size_t i = 0; i < n; i++)
        write_environment(w, &environments[i], NULL);
    ph_answer_page_ids(ctx, w, PH_ID_TENANT, n ? &environments[0].id : NULL,
                       n ? &environments[n - 1].id : NULL, done);
}

void ph_api_environment_list(struct ph_call *call)
{
    struct ph_list list;

    if (ph_page_read_ids(call, false, PH_ID_TENANT, &list))
        ph_environment_list(call->api->engine_db, call->req->arena, call->tenant, &list, on_page,
                            call);
}

static void on_environment(void *ctx, enum ph_err err, const struct ph_environment *environment)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, ENVIRONMENT_BYTES);
    write_environment(w, environment, NULL);
    ph_answer_json(ctx, 200, w);
}

/* False: answered 404, it is no id of an environment. */
static bool read_id(struct ph_call *call, struct ph_id *out)
{
    if (ph_id_parse(PH_ID_TENANT, call->params[0], out) == PH_OK)
        return true;
    ph_answer_error(call, PH_ERR_NOT_FOUND, NULL);
    return false;
}

void ph_api_environment_get(struct ph_call *call)
{
    struct ph_id id;

    if (read_id(call, &id))
        ph_environment_get(call->api->engine_db, call->req->arena, call->tenant, id, on_environment,
                           call);
}

/* ---- changing ---- */

/* A key of tests, which many know, must not end production. False: answered 403. */
static bool may_change(struct ph_call *call)
{
    if ((call->identity.kind != PH_CREDENTIAL_API_KEY &&
         call->identity.kind != PH_CREDENTIAL_JWT) ||
        ph_id_eq(call->tenant, call->identity.standing.root))
        return true;
    ph_answer_error(call, PH_ERR_FORBIDDEN,
                    "Of API keys only those of the tenant's first environment may do this.");
    return false;
}

static struct ph_str field_name(struct ph_call *call, struct ph_faults *faults, json_t *body)
{
    struct ph_str name = ph_field_str(call, faults, body, "name", true, 1, 0, NULL);

    if (name.len > PH_TENANT_NAME_MAX)
        ph_fault(call, faults, "body", "name", "has at most 256 bytes",
                 "value_error.any_str.max_length");
    return name;
}

struct making {
    struct ph_call *call;
    char token[PH_TOKEN_LEN + 1];
    bool copies;
};

static void fault_copied(struct ph_call *call, struct ph_faults *faults)
{
    ph_fault(call, faults, "body", "copyFrom", "is no environment of this tenant", "value_error");
}

static void on_made(void *ctx, enum ph_err err, const struct ph_environment *environment)
{
    struct making *making = ctx;
    struct ph_faults faults = {0};
    struct ph_json_writer *w;

    if (err == PH_ERR_NOT_FOUND && making->copies) {
        fault_copied(making->call, &faults);
        (void)ph_faults_answer(making->call, &faults);
    } else if (err != PH_OK) {
        ph_answer_error(making->call, err, NULL);
    } else {
        w = ph_answer_writer(making->call, ENVIRONMENT_BYTES);
        write_environment(w, environment, making->token);
        ph_answer_json(making->call, 201, w);
    }
}

void ph_api_environment_create(struct ph_call *call)
{
    struct making *making = ph_arena_new_of(call->req->arena, struct making);
    struct ph_environment_new as = {.copied = {{0}}};
    struct ph_faults faults = {0};
    json_t *body = may_change(call) ? ph_body_object(call) : NULL;
    struct ph_str copied;

    if (!body)
        return;
    as.name = field_name(call, &faults, body);
    copied = ph_field_str(call, &faults, body, "copyFrom", false, 0, 0, NULL);
    if (copied.ptr && ph_id_parse(PH_ID_TENANT, copied, &as.copied) != PH_OK)
        fault_copied(call, &faults);
    if (call->identity.kind == PH_CREDENTIAL_API_KEY)
        as.created_by = call->api_key;
    making->call = call;
    making->copies = copied.ptr != NULL;
    if (!ph_faults_answer(call, &faults))
        ph_environment_create(call->api->engine_db, call->req->arena, call->tenant, &as,
                              making->token, on_made, making);
}

void ph_api_environment_patch(struct ph_call *call)
{
    struct ph_faults faults = {0};
    struct ph_str name;
    struct ph_id id;
    json_t *body;

    if (!may_change(call) || !read_id(call, &id) || !(body = ph_body_object(call)))
        return;
    name = field_name(call, &faults, body);
    if (!ph_faults_answer(call, &faults))
        ph_environment_rename(call->api->engine_db, call->req->arena, call->tenant, id, name,
                              on_environment, call);
}

static void on_deleted(void *ctx, enum ph_err err)
{
    struct ph_faults faults = {0};

    if (err == PH_ERR_VALIDATION) {
        ph_fault(ctx, &faults, "query", "name", "is not the name of this environment",
                 "value_error");
        (void)ph_faults_answer(ctx, &faults);
    } else if (err == PH_ERR_CONFLICT) {
        ph_answer_error(ctx, err, "The first environment goes with the tenant only.");
    } else if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
    } else {
        ph_answer_empty(ctx, 202);
    }
}

void ph_api_environment_delete(struct ph_call *call)
{
    struct ph_str name = ph_query(call, "name");
    struct ph_faults faults = {0};
    struct ph_id id;

    if (!may_change(call) || !read_id(call, &id))
        return;
    if (name.len == 0)
        ph_fault(call, &faults, "query", "name", "has to be the name of this environment",
                 "value_error.missing");
    if (!ph_faults_answer(call, &faults))
        ph_environment_delete(call->api->engine_db, call->req->arena, call->tenant, id, name,
                              on_deleted, call);
}
