#include "role/command.h"

#include "posthorn/clock.h"
#include "posthorn/receive.h"
#include "posthorn/role.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define OUT_BYTES ((size_t)64 << 20)

/* ---- output ---- */

void ph_output_begin(struct ph_output *out, bool json)
{
    out->json = json;
    ph_buf_init(&out->buf, OUT_BYTES);
    ph_jw_init(&out->writer, &out->buf);
}

void ph_output_finish(struct ph_output *out)
{
    if (out->json)
        ph_buf_add_char(&out->buf, '\n');
    fwrite(out->buf.ptr, 1, out->buf.len, stdout);
    sodium_memzero(out->buf.ptr, out->buf.len); /* it may have held a key */
    ph_buf_free(&out->buf);
}

void ph_output_id(struct ph_output *out, const char *name, enum ph_id_kind kind, struct ph_id id)
{
    ph_jw_key(&out->writer, name);
    ph_jw_id(&out->writer, kind, id);
}

void ph_output_str(struct ph_output *out, const char *name, struct ph_str value)
{
    ph_jw_key(&out->writer, name);
    ph_jw_str(&out->writer, value);
}

void ph_output_time(struct ph_output *out, const char *name, int64_t wall_ms)
{
    ph_jw_key(&out->writer, name);
    if (wall_ms == 0)
        ph_jw_null(&out->writer);
    else
        ph_jw_time(&out->writer, wall_ms);
}

void ph_output_line(struct ph_output *out, enum ph_id_kind kind, struct ph_id id,
                    struct ph_str name)
{
    char wire[PH_ID_WIRE_MAX];
    ph_id_format(kind, id, wire);
    ph_buf_printf(&out->buf, "%s  ", wire);
    ph_receive_add_visible(&out->buf, name, NULL);
    ph_buf_add_char(&out->buf, '\n');
}

/* ---- problems ---- */

int ph_command_report(const struct ph_command_options *options, enum ph_err err)
{
    fprintf(stderr, "%s: %s\n", options->command, ph_err_text(err));
    return PH_EXIT_FAILURE;
}

int ph_command_report_name(const struct ph_command_options *options, int max)
{
    fprintf(stderr, "%s: a name is 1 to %d bytes of text\n", options->command, max);
    return PH_EXIT_USAGE;
}

int ph_command_report_absent(const struct ph_command_options *options, enum ph_id_kind kind,
                             struct ph_id id)
{
    char wire[PH_ID_WIRE_MAX];
    ph_id_format(kind, id, wire);
    fprintf(stderr, "%s: there is no %s\n", options->command, wire);
    return PH_EXIT_FAILURE;
}

/* ---- command line ---- */

static bool read_id(const char *command, const char *option, enum ph_id_kind kind,
                    struct ph_id *out)
{
    if (ph_id_parse(kind, ph_str_of(optarg), out) == PH_OK)
        return true;
    fprintf(stderr, "%s: --%s is an id %s..., not \"%s\"\n", command, option, ph_id_prefix(kind),
            optarg);
    return false;
}

static bool read_scope(const char *command, enum ph_access *out)
{
    if (ph_access_parse(ph_str_of(optarg), out) == PH_OK)
        return true;
    fprintf(stderr, "%s: --scope is all, read or send, not \"%s\"\n", command, optarg);
    return false;
}

/* "90d", "12h", "30m", or a time. */
static bool read_expiry(const char *command, int64_t *out)
{
    struct ph_str text = ph_str_of(optarg);
    int64_t now_ms = ph_clock_wall_ms(), n, unit_ms = 0;
    char unit = text.len > 1 ? text.ptr[text.len - 1] : '\0';
    unit_ms = unit == 'd' ? 86400000 : unit == 'h' ? 3600000 : unit == 'm' ? 60000 : 0;
    if (unit_ms && ph_str_to_i64((struct ph_str){text.ptr, text.len - 1}, &n) == PH_OK && n > 0 &&
        n <= 36500 * INT64_C(86400000) / unit_ms)
        *out = now_ms + n * unit_ms;
    else if (unit_ms || ph_time_parse(text, out) != PH_OK || *out <= now_ms) {
        fprintf(stderr,
                "%s: --expires is like 90d, 12h or 30m, or a time to come like "
                "2030-01-01T00:00:00Z, not \"%s\"\n",
                command, optarg);
        return false;
    }
    return true;
}

/* Returns -1 to go on, or the exit code. */
static int parse(int argc, char **argv, const struct ph_command_action *action, const char *usage,
                 struct ph_command_options *out)
{
    enum { HELP = 1 << 30 };
    static const struct option known[] = {
        {"name", required_argument, NULL, PH_OPTION_NAME},
        {"tenant", required_argument, NULL, PH_OPTION_TENANT},
        {"id", required_argument, NULL, PH_OPTION_KEY},
        {"json", no_argument, NULL, PH_OPTION_JSON},
        {"role", required_argument, NULL, PH_OPTION_ROLE},
        {"scope", required_argument, NULL, PH_OPTION_SCOPE},
        {"expires", required_argument, NULL, PH_OPTION_EXPIRES},
        {"plan", required_argument, NULL, PH_OPTION_PLAN},
        {"quotas", required_argument, NULL, PH_OPTION_QUOTAS},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    int given = 0;
    int c;
    optind = 0;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c == HELP) {
            fputs(usage, stdout);
            return PH_EXIT_OK;
        }
        if (c == '?' || (action->takes & c) == 0) {
            if (c != '?')
                fprintf(stderr, "%s: an option does not belong here\n", argv[0]);
            return PH_EXIT_USAGE;
        }
        given |= c;
        if (c == PH_OPTION_NAME)
            out->name = ph_str_of(optarg);
        else if (c == PH_OPTION_ROLE)
            out->role = ph_str_of(optarg);
        else if (c == PH_OPTION_PLAN)
            out->plan = ph_str_of(optarg);
        else if (c == PH_OPTION_QUOTAS)
            out->quotas = ph_str_of(optarg);
        else if (c == PH_OPTION_JSON)
            out->json = true;
        else if ((c == PH_OPTION_TENANT &&
                  !read_id(argv[0], "tenant", PH_ID_TENANT, &out->tenant)) ||
                 (c == PH_OPTION_KEY && !read_id(argv[0], "id", PH_ID_API_KEY, &out->key)) ||
                 (c == PH_OPTION_SCOPE && !read_scope(argv[0], &out->access)) ||
                 (c == PH_OPTION_EXPIRES && !read_expiry(argv[0], &out->expires_ms)))
            return PH_EXIT_USAGE;
    }
    if (optind < argc || (given & action->needs) != action->needs) {
        fprintf(stderr, "%s: wrong arguments\n%s", argv[0], usage);
        return PH_EXIT_USAGE;
    }
    return -1;
}

int ph_command_run(int argc, char **argv, const struct ph_command_action *actions,
                   const char *usage)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0) {
        fputs(usage, stdout);
        return PH_EXIT_OK;
    }
    const struct ph_command_action *action = actions;
    while (action->name != NULL && strcmp(action->name, name) != 0)
        action++;
    if (action->name == NULL) {
        fputs(usage, stderr);
        return PH_EXIT_USAGE;
    }
    char command[64];
    snprintf(command, sizeof(command), "%s %s", argv[0], name);
    argv[1] = command;
    struct ph_command_options options = {.command = command};
    int code = parse(argc - 1, argv + 1, action, usage, &options);
    struct ph_config config;
    if (code >= 0)
        return code;
    if (ph_role_load_database(command, &config) != PH_OK)
        return PH_EXIT_FAILURE;
    struct ph_operator op;
    ph_operator_open(config.database_url, &op);
    code = action->run(&op, &options);
    ph_operator_close(&op);
    return code;
}
