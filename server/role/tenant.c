/* `posthorn tenant`. */
#include "posthorn/tenant.h"

#include "posthorn/receive.h"
#include "posthorn/role.h"
#include "role/command.h"

#include <jansson.h>
#include <stdio.h>

static int report_plan(const struct ph_command_options *options)
{
    fprintf(stderr, "%s: there is no such plan\n", options->command);
    return PH_EXIT_FAILURE;
}

static int tenant_create(struct ph_operator *op, const struct ph_command_options *options)
{
    struct ph_id id;
    if (options->name.len == 0 || options->name.len > PH_TENANT_NAME_MAX ||
        !ph_str_is_text(options->name))
        return ph_command_report_name(options, PH_TENANT_NAME_MAX);
    if (!ph_str_is_text(options->plan))
        return report_plan(options);
    enum ph_err err = ph_operator_make_tenant(op, options->name, options->plan, &id);
    if (err == PH_ERR_CONFLICT)
        return report_plan(options);
    if (err != PH_OK)
        return ph_command_report(options, err);
    struct ph_output out;
    ph_output_begin(&out, options->json);
    if (out.json) {
        ph_jw_object_begin(&out.writer);
        ph_output_id(&out, "id", PH_ID_TENANT, id);
        ph_output_str(&out, "name", options->name);
        ph_jw_object_end(&out.writer);
    } else {
        ph_output_line(&out, PH_ID_TENANT, id, options->name);
    }
    ph_output_finish(&out);
    return PH_EXIT_OK;
}

/* A list that is printed. */
struct listing {
    struct ph_waiting waiting;
    struct ph_output out;
};

/* Those beside the first one, indented. */
static void list_environments(struct ph_str environments, struct ph_output *out)
{
    json_t *list = json_loadb(environments.ptr, environments.len, 0, NULL), *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        ph_buf_printf(&out->buf, "  %s  ", json_string_value(json_object_get(one, "id")));
        ph_receive_add_visible(&out->buf,
                               ph_str_of(json_string_value(json_object_get(one, "name"))), NULL);
        ph_buf_add_char(&out->buf, '\n');
    }
    json_decref(list);
}

static void list_tenant(const struct ph_tenant *tenant, struct ph_output *out)
{
    if (!out->json) {
        ph_output_line(out, PH_ID_TENANT, tenant->id, tenant->name);
        list_environments(tenant->environments, out);
        return;
    }
    ph_jw_object_begin(&out->writer);
    ph_output_id(out, "id", PH_ID_TENANT, tenant->id);
    ph_output_str(out, "name", tenant->name);
    ph_jw_key(&out->writer, "environments");
    ph_jw_raw(&out->writer, tenant->environments);
    ph_output_str(out, "plan", tenant->plan);
    ph_output_time(out, "createdAt", tenant->created_ms);
    ph_output_time(out, "suspendedAt", tenant->suspended_ms);
    ph_jw_object_end(&out->writer);
}

static void on_tenants(void *ctx, enum ph_err err, const struct ph_tenant *tenants, size_t n,
                       bool done)
{
    struct listing *listing = ctx;
    (void)done;
    for (size_t i = 0; i < n; i++)
        list_tenant(&tenants[i], &listing->out);
    ph_operator_on_plain(&listing->waiting, err);
}

static int tenant_list(struct ph_operator *op, const struct ph_command_options *options)
{
    struct ph_list all = {.limit = INT32_MAX};
    struct listing listing = {.waiting = {.done = false}};
    struct ph_output *out = &listing.out;
    ph_output_begin(out, options->json);
    if (out->json)
        ph_jw_array_begin(&out->writer);
    ph_tenant_list(op->db, op->arena, &all, &(struct ph_tenant_filter){.state = PH_STR_NONE},
                   on_tenants, &listing);
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

static void on_changed(void *ctx, enum ph_err err, const struct ph_tenant *tenant)
{
    (void)tenant;
    ph_operator_on_plain(ctx, err);
}

static int change(struct ph_operator *op, const struct ph_command_options *options,
                  const struct ph_tenant_admin_change *change)
{
    struct ph_waiting waiting = {.done = false};
    ph_tenant_change(ph_operator_begin(op), op->arena, options->tenant, change, on_changed,
                     &waiting);
    enum ph_err err = ph_operator_wait(op, &waiting);
    err = ph_operator_end(op, err, options->tenant, "admin.tenant.patch", "tenant",
                          ph_operator_wire(op, PH_ID_TENANT, options->tenant));
    if (err == PH_ERR_NOT_FOUND)
        return ph_command_report_absent(options, PH_ID_TENANT, options->tenant);
    if (err == PH_ERR_CONFLICT)
        return report_plan(options);
    return err == PH_OK ? PH_EXIT_OK : ph_command_report(options, err);
}

static int suspend(struct ph_operator *op, const struct ph_command_options *options, bool suspended)
{
    return change(
        op, options,
        &(struct ph_tenant_admin_change){.set = PH_TENANT_ADMIN_SUSPENDED, .suspended = suspended});
}

static int tenant_plan(struct ph_operator *op, const struct ph_command_options *options)
{
    struct ph_str plan = ph_str_eq_c(options->plan, "none") ? PH_STR_NONE : options->plan;
    if (!ph_str_is_text(plan))
        return report_plan(options);
    return change(op, options,
                  &(struct ph_tenant_admin_change){.set = PH_TENANT_ADMIN_PLAN, .plan = plan});
}

static int tenant_suspend(struct ph_operator *op, const struct ph_command_options *options)
{
    return suspend(op, options, true);
}

static int tenant_resume(struct ph_operator *op, const struct ph_command_options *options)
{
    return suspend(op, options, false);
}

static int tenant_delete(struct ph_operator *op, const struct ph_command_options *options)
{
    struct ph_waiting waiting = {.done = false};
    ph_tenant_delete(ph_operator_begin(op), op->arena, options->tenant, ph_operator_on_plain,
                     &waiting);
    enum ph_err err = ph_operator_wait(op, &waiting);
    err = ph_operator_end(op, err, options->tenant, "admin.tenant.delete", "tenant",
                          ph_operator_wire(op, PH_ID_TENANT, options->tenant));
    if (err == PH_ERR_NOT_FOUND)
        return ph_command_report_absent(options, PH_ID_TENANT, options->tenant);
    return err == PH_OK ? PH_EXIT_OK : ph_command_report(options, err);
}

int ph_role_tenant(int argc, char **argv)
{
    static const char usage[] =
        "usage: posthorn tenant create --name NAME [--plan PLAN] [--json]\n"
        "       posthorn tenant list [--json]\n"
        "       posthorn tenant plan --tenant org_... --plan PLAN|none\n"
        "       posthorn tenant suspend --tenant org_...\n"
        "       posthorn tenant resume --tenant org_...\n"
        "       posthorn tenant delete --tenant org_...\n"
        "\n"
        "Makes a tenant in the database of POSTHORN_DATABASE_URL, or lists them, or gives one "
        "another plan.\n"
        "A suspended tenant may do nothing, and its deliveries wait. A deleted one's keys end at "
        "once; its data are\n"
        "removed by the running nodes, bit by bit.\n";
    static const struct ph_command_action actions[] = {
        {"create", tenant_create, PH_OPTION_NAME | PH_OPTION_PLAN | PH_OPTION_JSON, PH_OPTION_NAME},
        {"plan", tenant_plan, PH_OPTION_TENANT | PH_OPTION_PLAN, PH_OPTION_TENANT | PH_OPTION_PLAN},
        {"list", tenant_list, PH_OPTION_JSON, 0},
        {"suspend", tenant_suspend, PH_OPTION_TENANT, PH_OPTION_TENANT},
        {"resume", tenant_resume, PH_OPTION_TENANT, PH_OPTION_TENANT},
        {"delete", tenant_delete, PH_OPTION_TENANT, PH_OPTION_TENANT},
        {NULL, NULL, 0, 0},
    };
    return ph_command_run(argc, argv, actions, usage);
}
