/* `posthorn sql-user`. */
#include "posthorn/sql_user.h"

#include "posthorn/role.h"
#include "role/command.h"

#include <stdio.h>

static void member_sql_user(struct ph_output *out, struct ph_str role, struct ph_id tenant)
{
    ph_output_str(out, "role", role);
    ph_output_id(out, "tenantId", PH_ID_TENANT, tenant);
}

static int sql_user_create(struct ph_operator *op, const struct ph_command_options *options)
{
    enum ph_err err =
        ph_sql_user_create(op->loop, ph_operator_begin(op), options->role, options->tenant);
    err = ph_operator_end(op, err, options->tenant, "sql-user.create", "sql-user", options->role);
    if (err == PH_ERR_NOT_FOUND)
        return ph_command_report_absent(options, PH_ID_TENANT, options->tenant);
    if (err == PH_ERR_VALIDATION)
        fprintf(stderr, "%s: the database has no role of this name that may be mapped\n",
                options->command);
    else if (err == PH_ERR_CONFLICT)
        fprintf(stderr, "%s: the role is mapped to a tenant already\n", options->command);
    else if (err != PH_OK)
        return ph_command_report(options, err);
    if (err != PH_OK)
        return PH_EXIT_FAILURE;
    struct ph_output out;
    ph_output_begin(&out, options->json);
    if (out.json) {
        ph_jw_object_begin(&out.writer);
        member_sql_user(&out, options->role, options->tenant);
        ph_jw_object_end(&out.writer);
    } else {
        ph_output_line(&out, PH_ID_TENANT, options->tenant, options->role);
    }
    ph_output_finish(&out);
    return PH_EXIT_OK;
}

static int sql_user_list(struct ph_operator *op, const struct ph_command_options *options)
{
    struct ph_sql_user *users;
    size_t n;
    enum ph_err err = ph_sql_user_list(op->loop, op->db, op->arena, &users, &n);
    if (err != PH_OK)
        return ph_command_report(options, err);
    struct ph_output out;
    ph_output_begin(&out, options->json);
    if (out.json)
        ph_jw_array_begin(&out.writer);
    for (size_t i = 0; i < n; i++) {
        if (!out.json) {
            ph_output_line(&out, PH_ID_TENANT, users[i].tenant, users[i].role);
            continue;
        }
        ph_jw_object_begin(&out.writer);
        member_sql_user(&out, users[i].role, users[i].tenant);
        ph_output_time(&out, "createdAt", users[i].created_ms);
        ph_jw_object_end(&out.writer);
    }
    if (out.json)
        ph_jw_array_end(&out.writer);
    ph_output_finish(&out);
    return PH_EXIT_OK;
}

static int sql_user_delete(struct ph_operator *op, const struct ph_command_options *options)
{
    enum ph_err err = ph_sql_user_delete(op->loop, ph_operator_begin(op), options->role);
    err =
        ph_operator_end(op, err, (struct ph_id){{0}}, "sql-user.delete", "sql-user", options->role);
    if (err == PH_ERR_NOT_FOUND) {
        fprintf(stderr, "%s: the role is mapped to no tenant\n", options->command);
        return PH_EXIT_FAILURE;
    }
    return err == PH_OK ? PH_EXIT_OK : ph_command_report(options, err);
}

int ph_role_sql_user(int argc, char **argv)
{
    static const char usage[] =
        "usage: posthorn sql-user create --tenant org_... --role NAME [--json]\n"
        "       posthorn sql-user list [--json]\n"
        "       posthorn sql-user delete --role NAME\n"
        "\n"
        "Lets a role of the PostgreSQL of POSTHORN_DATABASE_URL call posthorn.send for one "
        "tenant;\n"
        "lists such roles; or ends that.\n";
    static const struct ph_command_action actions[] = {
        {"create", sql_user_create, PH_OPTION_TENANT | PH_OPTION_ROLE | PH_OPTION_JSON,
         PH_OPTION_TENANT | PH_OPTION_ROLE},
        {"list", sql_user_list, PH_OPTION_JSON, 0},
        {"delete", sql_user_delete, PH_OPTION_ROLE, PH_OPTION_ROLE},
        {NULL, NULL, 0, 0},
    };
    return ph_command_run(argc, argv, actions, usage);
}
