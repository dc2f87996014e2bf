/* What a tenant has sent, by day: for itself, with what it may, and for the operator. */
#include "api/routes.h"
#include "posthorn/tenant.h"

#define ANSWER_BYTES   (256 * 1024)
#define USAGE_DAYS     30
#define USAGE_DAYS_MAX 366

struct figures {
    struct ph_call *call;
    struct ph_id id;
    int64_t days;
    bool with_quotas;
    struct ph_str plan, quotas;
};

static struct ph_str keep(struct ph_call *call, struct ph_str text)
{
    return text.ptr ? (struct ph_str){ph_arena_copy(call->req->arena, text.ptr, text.len), text.len}
                    : PH_STR_NONE;
}

static void write_day(struct ph_json_writer *w, const struct ph_tenant_usage *usage)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "attemptsFailed");
    ph_jw_i64(w, usage->failure);
    ph_jw_key(w, "attemptsSucceeded");
    ph_jw_i64(w, usage->success);
    ph_jw_key(w, "day");
    ph_jw_str(w, usage->day);
    ph_jw_key(w, "messages");
    ph_jw_i64(w, usage->messages);
    ph_jw_object_end(w);
}

static void on_usage(void *ctx, enum ph_err err, const struct ph_tenant_usage *usage, size_t n)
{
    struct figures *figures = ctx;
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(figures->call, err, NULL);
        return;
    }
    w = ph_answer_writer(figures->call, ANSWER_BYTES);
    ph_jw_object_begin(w);
    ph_jw_key(w, "data");
    ph_jw_array_begin(w);
    for (size_t i = 0; i < n; i++)
        write_day(w, &usage[i]);
    ph_jw_array_end(w);
    if (figures->with_quotas) {
        ph_jw_key(w, "plan");
        ph_jw_str(w, figures->plan);
        ph_jw_key(w, "quotas");
        ph_jw_raw(w, figures->quotas);
    }
    ph_jw_object_end(w);
    ph_answer_json(figures->call, 200, w);
}

static void on_tenant(void *ctx, enum ph_err err, const struct ph_tenant *tenant)
{
    struct figures *figures = ctx;
    struct ph_call *call = figures->call;

    if (err != PH_OK) {
        ph_answer_error(call, err, NULL);
        return;
    }
    figures->plan = keep(call, tenant->plan);
    figures->quotas = keep(call, tenant->in_force);
    ph_tenant_get_usage(call->api->engine_db, call->req->arena, figures->id, (int32_t)figures->days,
                        on_usage, figures);
}

static void answer(struct ph_call *call, struct ph_id tenant, bool with_quotas)
{
    struct figures *figures = ph_arena_new_of(call->req->arena, struct figures);
    struct ph_str days = ph_query(call, "days");
    struct ph_faults faults = {0};

    *figures = (struct figures){
        .call = call, .id = tenant, .days = USAGE_DAYS, .with_quotas = with_quotas};
    if (days.ptr && (ph_str_to_i64(days, &figures->days) != PH_OK || figures->days < 1 ||
                     figures->days > USAGE_DAYS_MAX))
        ph_fault(call, &faults, "query", "days", "has to be from 1 to 366", "value_error.number");
    if (!ph_faults_answer(call, &faults))
        ph_tenant_find(call->api->engine_db, call->req->arena, tenant, on_tenant, figures);
}

void ph_api_tenant_usage(struct ph_call *call)
{
    answer(call, call->tenant, true);
}

void ph_api_admin_usage(struct ph_call *call)
{
    struct ph_id id;

    if (ph_id_parse(PH_ID_TENANT, call->params[0], &id) == PH_OK)
        answer(call, id, false);
    else
        ph_answer_error(call, PH_ERR_NOT_FOUND, NULL);
}
