/* `posthorn plan`. */
#include "posthorn/plan.h"

#include "posthorn/api.h"
#include "posthorn/quota.h"
#include "posthorn/receive.h"
#include "posthorn/role.h"
#include "role/command.h"

#include <stdio.h>

/* A list that is printed. */
struct listing {
    struct ph_waiting waiting;
    struct ph_output out;
};

static void list_plan(const struct ph_plan *plan, struct ph_output *out)
{
    if (!out->json) {
        ph_receive_add_visible(&out->buf, plan->name, NULL);
        ph_buf_add_c(&out->buf, "  ");
        ph_receive_add_visible(&out->buf, plan->quotas, NULL);
        ph_buf_add_char(&out->buf, '\n');
        return;
    }
    ph_jw_object_begin(&out->writer);
    ph_output_str(out, "name", plan->name);
    ph_jw_key(&out->writer, "quotas");
    ph_jw_raw(&out->writer, plan->quotas);
    ph_jw_key(&out->writer, "tenants");
    ph_jw_i64(&out->writer, plan->tenants);
    ph_jw_object_end(&out->writer);
}

static void on_plans(void *ctx, enum ph_err err, const struct ph_plan *plans, size_t n)
{
    struct listing *listing = ctx;
    for (size_t i = 0; i < n; i++)
        list_plan(&plans[i], &listing->out);
    ph_operator_on_plain(&listing->waiting, err);
}

static int plan_list(struct ph_operator *op, const struct ph_command_options *options)
{
    struct listing listing = {.waiting = {.done = false}};
    struct ph_output *out = &listing.out;
    ph_output_begin(out, options->json);
    if (out->json)
        ph_jw_array_begin(&out->writer);
    ph_plan_list(op->db, op->arena, on_plans, &listing);
    enum ph_err err = ph_operator_wait(op, &listing.waiting);
    if (err != PH_OK) {
        ph_buf_free(&out->buf);
        return ph_command_report(options, err);
    }
    if (out->json)
        ph_jw_array_end(&out->writer);
    ph_output_finish(out);
    return PH_EXIT_OK;
}

/* False: it is no name, which has been said. */
static bool name_ok(const struct ph_command_options *options)
{
    if (ph_name_ok(options->name, PH_PLAN_NAME_MAX))
        return true;
    fprintf(stderr, "%s: a name is 1 to %d of a-z A-Z 0-9 - _ .\n", options->command,
            PH_PLAN_NAME_MAX);
    return false;
}

/* False: it is no JSON object of quotas, which has been said. */
static bool quotas_ok(const struct ph_command_options *options)
{
    json_t *quotas =
        json_loadb(options->quotas.ptr, options->quotas.len, JSON_REJECT_DUPLICATES, NULL);
    const char *fault = json_is_object(quotas) ? ph_quotas_fault(quotas) : NULL;
    bool ok = json_is_object(quotas) && !fault;
    if (fault)
        fprintf(stderr, "%s: %s is no quota, or not a number from 0 to %lld\n", options->command,
                fault, (long long)PH_QUOTA_MAX);
    else if (!ok)
        fprintf(stderr, "%s: --quotas is a JSON object like '{\"messagesPerDay\": 10000}'\n",
                options->command);
    json_decref(quotas);
    return ok;
}

static void on_put(void *ctx, enum ph_err err, const struct ph_plan *plan)
{
    (void)plan;
    ph_operator_on_plain(ctx, err);
}

static int plan_put(struct ph_operator *op, const struct ph_command_options *options)
{
    struct ph_waiting waiting = {.done = false};
    if (!name_ok(options) || !quotas_ok(options))
        return PH_EXIT_USAGE;
    ph_plan_put(ph_operator_begin(op), op->arena, options->name, options->quotas, on_put, &waiting);
    enum ph_err err = ph_operator_wait(op, &waiting);
    err = ph_operator_end(op, err, (struct ph_id){{0}}, "admin.plan.put", "plan", options->name);
    return err == PH_OK ? PH_EXIT_OK : ph_command_report(options, err);
}

static int plan_delete(struct ph_operator *op, const struct ph_command_options *options)
{
    struct ph_waiting waiting = {.done = false};
    if (!name_ok(options))
        return PH_EXIT_USAGE;
    ph_plan_delete(ph_operator_begin(op), op->arena, options->name, ph_operator_on_plain, &waiting);
    enum ph_err err = ph_operator_wait(op, &waiting);
    err = ph_operator_end(op, err, (struct ph_id){{0}}, "admin.plan.delete", "plan", options->name);
    if (err == PH_ERR_NOT_FOUND)
        fprintf(stderr, "%s: there is no such plan\n", options->command);
    else if (err == PH_ERR_CONFLICT)
        fprintf(stderr, "%s: there are tenants of this plan\n", options->command);
    else if (err != PH_OK)
        return ph_command_report(options, err);
    return err == PH_OK ? PH_EXIT_OK : PH_EXIT_FAILURE;
}

int ph_role_plan(int argc, char **argv)
{
    static const char usage[] = "usage: posthorn plan list [--json]\n"
                                "       posthorn plan put --name NAME --quotas JSON\n"
                                "       posthorn plan delete --name NAME\n"
                                "\n"
                                "A plan is a name for quotas, e.g. '{\"messagesPerDay\": 10000, "
                                "\"endpoints\": 500}'; what is "
                                "not\n"
                                "named has no limit. Replaced, its quotas count at once for all "
                                "tenants that have it. A plan "
                                "that\n"
                                "a tenant has is not deleted. `posthorn tenant create --plan`, "
                                "`posthorn tenant plan` give it "
                                "to one.\n";
    static const struct ph_command_action actions[] = {
        {"list", plan_list, PH_OPTION_JSON, 0},
        {"put", plan_put, PH_OPTION_NAME | PH_OPTION_QUOTAS, PH_OPTION_NAME | PH_OPTION_QUOTAS},
        {"delete", plan_delete, PH_OPTION_NAME, PH_OPTION_NAME},
        {NULL, NULL, 0, 0},
    };
    return ph_command_run(argc, argv, actions, usage);
}
