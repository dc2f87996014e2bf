/* What the operator sees and does: /admin/v1. */
#include "api/api_key_out.h"
#include "api/operator_in.h"
#include "api/routes.h"
#include "posthorn/tenant.h"

#include <stdlib.h>

#define TENANT_BYTES (16 * 1024)
#define PAGE_BYTES   (4 * 1024 * 1024)

static const char *state_of(const struct ph_tenant *tenant)
{
    return tenant->deleted_ms ? "leaving" : tenant->suspended_ms ? "suspended" : "active";
}

static void write_tenant(struct ph_json_writer *w, const struct ph_tenant *tenant)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "createdAt");
    ph_jw_time(w, tenant->created_ms);
    ph_jw_key(w, "effectiveQuotas");
    ph_jw_raw(w, tenant->in_force);
    ph_jw_key(w, "environments");
    ph_jw_raw(w, tenant->environments);
    ph_jw_key(w, "foreignId");
    ph_jw_str(w, tenant->foreign_id);
    ph_jw_key(w, "id");
    ph_jw_id(w, PH_ID_TENANT, tenant->id);
    ph_jw_key(w, "messagesToday");
    ph_jw_i64(w, tenant->messages_today);
    ph_jw_key(w, "name");
    ph_jw_str(w, tenant->name);
    ph_jw_key(w, "plan");
    ph_jw_str(w, tenant->plan);
    ph_jw_key(w, "quotas");
    ph_jw_raw(w, tenant->quotas);
    ph_jw_key(w, "rootId");
    ph_jw_id(w, PH_ID_TENANT, tenant->root);
    ph_jw_key(w, "state");
    ph_jw_cstr(w, state_of(tenant));
    ph_jw_key(w, "suspendedAt");
    if (tenant->suspended_ms)
        ph_jw_time(w, tenant->suspended_ms);
    else
        ph_jw_null(w);
    ph_jw_key(w, "updatedAt");
    ph_jw_time(w, tenant->updated_ms);
    ph_jw_object_end(w);
}

static void answer_tenant(struct ph_call *call, int status, enum ph_err err,
                          const struct ph_tenant *tenant)
{
    struct ph_faults faults = {0};
    struct ph_json_writer *w;

    if (err == PH_ERR_CONFLICT) {
        ph_fault(call, &faults, "body", "plan", "there is no such plan", "value_error");
        ph_faults_answer(call, &faults);
    } else if (err != PH_OK) {
        ph_answer_error(call, err, NULL);
    } else {
        w = ph_answer_writer(call, TENANT_BYTES);
        write_tenant(w, tenant);
        ph_answer_json(call, status, w);
    }
}

static void on_tenant(void *ctx, enum ph_err err, const struct ph_tenant *tenant)
{
    answer_tenant(ctx, 200, err, tenant);
}

static void on_made(void *ctx, enum ph_err err, const struct ph_tenant *tenant)
{
    answer_tenant(ctx, 201, err, tenant);
}

static void on_page(void *ctx, enum ph_err err, const struct ph_tenant *tenants, size_t n,
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
        write_tenant(w, &tenants[i]);
    ph_answer_page_ids(ctx, w, PH_ID_TENANT, n ? &tenants[0].id : NULL,
                       n ? &tenants[n - 1].id : NULL, done);
}

static bool read_filter(struct ph_call *call, struct ph_tenant_filter *out)
{
    struct ph_faults faults = {0};

    out->search = ph_query(call, "search");
    out->state = ph_query(call, "state");
    if (out->search.len == 0)
        out->search = PH_STR_NONE;
    if (out->state.ptr && !ph_str_eq_c(out->state, "active") &&
        !ph_str_eq_c(out->state, "suspended") && !ph_str_eq_c(out->state, "leaving"))
        ph_fault(call, &faults, "query", "state", "has to be active, suspended or leaving",
                 "type_error.enum");
    return !ph_faults_answer(call, &faults);
}

void ph_api_admin_tenant_list(struct ph_call *call)
{
    struct ph_tenant_filter filter;
    struct ph_list list;

    if (ph_page_read_ids(call, false, PH_ID_TENANT, &list) && read_filter(call, &filter))
        ph_tenant_list(call->api->engine_db, call->req->arena, &list, &filter, on_page, call);
}

/* False: answered 404, it is no id of a tenant. */
static bool read_id(struct ph_call *call, struct ph_id *out)
{
    if (ph_id_parse(PH_ID_TENANT, call->params[0], out) == PH_OK)
        return true;
    ph_answer_error(call, PH_ERR_NOT_FOUND, NULL);
    return false;
}

void ph_api_admin_tenant_get(struct ph_call *call)
{
    struct ph_id id;

    if (read_id(call, &id))
        ph_tenant_find(call->api->engine_db, call->req->arena, id, on_tenant, call);
}

/* ---- changes ---- */

struct ph_str ph_api_field_quotas(struct ph_call *call, struct ph_faults *faults, json_t *body)
{
    json_t *quotas = json_object_get(body, "quotas");
    const char *fault = json_is_object(quotas) ? ph_quotas_fault(quotas) : NULL;
    char *text;

    if (!json_is_object(quotas)) {
        ph_fault(call, faults, "body", "quotas", "has to be an object", "type_error.dict");
        return PH_STR_NONE;
    }
    if (fault)
        ph_fault(call, faults, "body", "quotas",
                 ph_arena_printf(call->req->arena,
                                 "%.64s is no quota, or not a number from 0 to %lld", fault,
                                 (long long)PH_QUOTA_MAX),
                 "value_error");
    text = json_dumps(quotas, JSON_COMPACT);
    ph_arena_defer(call->req->arena, free, text);
    return ph_str_of(text);
}

/* False: answered. */
static bool read_change(struct ph_call *call, bool create, struct ph_tenant_admin_change *out)
{
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);
    bool name, plan, quotas, suspended;

    if (!body)
        return false;
    *out = (struct ph_tenant_admin_change){0};
    name = create || json_object_get(body, "name");
    plan = json_object_get(body, "plan") != NULL;
    quotas = json_object_get(body, "quotas") != NULL;
    out->name = ph_field_str(call, &faults, body, "name", name, 1, 0, NULL);
    if (out->name.len > PH_TENANT_NAME_MAX)
        ph_fault(call, &faults, "body", "name", "has at most 256 bytes",
                 "value_error.any_str.max_length");
    out->plan = ph_field_str(call, &faults, body, "plan", false, 1, 0, NULL);
    if (quotas)
        out->quotas = ph_api_field_quotas(call, &faults, body);
    out->suspended = ph_field_bool(call, &faults, body, "suspended", false, &suspended);
    out->set = (name ? PH_TENANT_ADMIN_NAME : 0u) | (plan ? PH_TENANT_ADMIN_PLAN : 0u) |
               (quotas ? PH_TENANT_ADMIN_QUOTAS : 0u) |
               (suspended ? PH_TENANT_ADMIN_SUSPENDED : 0u);
    return !ph_faults_answer(call, &faults);
}

void ph_api_admin_tenant_create(struct ph_call *call)
{
    struct ph_tenant_admin_change change;

    if (read_change(call, true, &change))
        ph_tenant_create(call->api->engine_db, call->req->arena, &change, on_made, call);
}

void ph_api_admin_tenant_patch(struct ph_call *call)
{
    struct ph_tenant_admin_change change;
    struct ph_id id;

    if (read_id(call, &id) && read_change(call, false, &change))
        ph_tenant_change(call->api->engine_db, call->req->arena, id, &change, on_tenant, call);
}

static void on_deleted(void *ctx, enum ph_err err)
{
    if (err != PH_OK)
        ph_answer_error(ctx, err, NULL);
    else
        ph_answer_empty(ctx, 202);
}

void ph_api_admin_tenant_delete(struct ph_call *call)
{
    struct ph_id id;

    if (read_id(call, &id))
        ph_tenant_delete(call->api->engine_db, call->req->arena, id, on_deleted, call);
}

void ph_api_admin_key_create(struct ph_call *call)
{
    struct ph_id id;

    if (read_id(call, &id))
        ph_api_key_create_for(call, call->api->engine_db, id);
}
