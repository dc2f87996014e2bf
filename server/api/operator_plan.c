/* Plans, as the operator makes them. */
#include "posthorn/plan.h"

#include "api/operator_in.h"
#include "api/routes.h"

#define PLAN_BYTES  4096
#define PLANS_BYTES (4 * 1024 * 1024)

static void write_plan(struct ph_json_writer *w, const struct ph_plan *plan)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "name");
    ph_jw_str(w, plan->name);
    ph_jw_key(w, "quotas");
    ph_jw_raw(w, plan->quotas);
    ph_jw_key(w, "tenants");
    ph_jw_i64(w, plan->tenants);
    ph_jw_object_end(w);
}

static void on_plans(void *ctx, enum ph_err err, const struct ph_plan *plans, size_t n)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, PLANS_BYTES);
    ph_jw_object_begin(w);
    ph_jw_key(w, "data");
    ph_jw_array_begin(w);
    for (size_t i = 0; i < n; i++)
        write_plan(w, &plans[i]);
    ph_jw_array_end(w);
    ph_jw_object_end(w);
    ph_answer_json(ctx, 200, w);
}

void ph_api_admin_plan_list(struct ph_call *call)
{
    ph_plan_list(call->api->engine_db, call->req->arena, on_plans, call);
}

static void on_plan(void *ctx, enum ph_err err, const struct ph_plan *plan)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, PLAN_BYTES);
    write_plan(w, plan);
    ph_answer_json(ctx, plan->is_new ? 201 : 200, w);
}

void ph_api_admin_plan_get(struct ph_call *call)
{
    ph_plan_get(call->api->engine_db, call->req->arena, call->params[0], on_plan, call);
}

void ph_api_admin_plan_put(struct ph_call *call)
{
    struct ph_str name = call->params[0], quotas;
    struct ph_faults faults = {0};
    json_t *body = ph_body_object(call);

    if (!body)
        return;
    quotas = ph_api_field_quotas(call, &faults, body);
    if (!ph_name_ok(name, PH_PLAN_NAME_MAX))
        ph_fault(call, &faults, "path", "plan_name", "has to be 1 to 64 of a-z A-Z 0-9 - _ .",
                 "value_error.str.regex");
    if (!ph_faults_answer(call, &faults))
        ph_plan_put(call->api->engine_db, call->req->arena, name, quotas, on_plan, call);
}

static void on_deleted(void *ctx, enum ph_err err)
{
    if (err != PH_OK)
        ph_answer_error(ctx, err,
                        err == PH_ERR_CONFLICT ? "There are tenants of this plan." : NULL);
    else
        ph_answer_empty(ctx, 204);
}

void ph_api_admin_plan_delete(struct ph_call *call)
{
    ph_plan_delete(call->api->engine_db, call->req->arena, call->params[0], on_deleted, call);
}
