#include "role/operator.h"

#include "posthorn/clock.h"
#include "posthorn/json.h"
#include "posthorn/receive.h"
#include "posthorn/role.h"
#include "posthorn/seal.h"
#include "posthorn/sql_user.h"
#include "posthorn/tenant.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define OUT_BYTES ((size_t)64 << 20)

/* ---- connection ---- */

void ph_operator_open(const char *database_url, struct ph_operator *out)
{
    out->arena = ph_arena_new();
    out->loop = ph_loop_new();
    out->db = ph_db_new(out->loop, &(struct ph_db_options){.conninfo = database_url,
                                                           .role = PH_DB_ENGINE,
                                                           .connections = 1,
                                                           .max_waiting = 16,
                                                           .name = "operator"});
}

void ph_operator_close(struct ph_operator *operator)
{
    ph_db_free(operator->db);
    ph_loop_free(operator->loop);
    ph_arena_free(operator->arena);
}

/* What comes of a store function that is waited for. */
struct waiting {
    bool done;
    enum ph_err err;
    struct ph_id id;
    void (*each)(const struct ph_api_key *key, void *ctx);
    void (*each_tenant)(const struct ph_tenant *tenant, void *ctx);
    void *ctx;
};

static enum ph_err wait_for(struct ph_operator *operator, struct waiting * waiting)
{
    while (!waiting->done)
        ph_loop_step(operator->loop, -1);
    return waiting->err;
}

static void on_plain(void *ctx, enum ph_err err)
{
    struct waiting *waiting = ctx;
    waiting->done = true;
    waiting->err = err;
}

static void on_identity(void *ctx, enum ph_err err, const struct ph_identity *identity)
{
    (void)identity;
    on_plain(ctx, err);
}

static void on_key(void *ctx, enum ph_err err, const struct ph_api_key *key)
{
    struct waiting *waiting = ctx;
    if (key != NULL)
        waiting->id = key->id;
    on_plain(ctx, err);
}

static void on_keys(void *ctx, enum ph_err err, const struct ph_api_key *keys, size_t n, bool done)
{
    struct waiting *waiting = ctx;
    (void)done;
    for (size_t i = 0; i < n; i++)
        waiting->each(&keys[i], waiting->ctx);
    on_plain(ctx, err);
}

static void on_tenant(void *ctx, enum ph_err err, const struct ph_tenant *tenant)
{
    struct waiting *waiting = ctx;
    if (tenant != NULL)
        waiting->id = tenant->id;
    on_plain(ctx, err);
}

static void on_tenants(void *ctx, enum ph_err err, const struct ph_tenant *tenants, size_t n,
                       bool done)
{
    struct waiting *waiting = ctx;
    (void)done;
    for (size_t i = 0; i < n; i++)
        waiting->each_tenant(&tenants[i], waiting->ctx);
    on_plain(ctx, err);
}

enum ph_err ph_operator_make_tenant(struct ph_operator *operator, struct ph_str name,
                                    struct ph_id *out)
{
    struct ph_tenant_admin_change change = {.set = PH_TENANT_ADMIN_NAME, .name = name};
    struct waiting waiting = {.done = false};
    ph_tenant_create(operator->db, operator->arena, &change, on_tenant, &waiting);
    enum ph_err err = wait_for(operator, & waiting);
    if (err == PH_OK)
        *out = waiting.id;
    return err;
}

enum ph_err ph_operator_check_key(struct ph_operator *operator, struct ph_str token)
{
    struct waiting waiting = {.done = false};
    ph_api_key_find(operator->db, operator->arena, token, on_identity, &waiting);
    return wait_for(operator, & waiting);
}

enum ph_err ph_operator_make_key(struct ph_operator *operator, struct ph_api_key * key,
                                 char token[PH_TOKEN_LEN + 1])
{
    struct waiting waiting = {.done = false};
    ph_api_key_create(operator->db, operator->arena, key, token, on_key, &waiting);
    enum ph_err err = wait_for(operator, & waiting);
    key->id = waiting.id;
    return err;
}

char *ph_role_new_master_key(struct ph_arena *arena)
{
    uint8_t key[PH_KEY_BYTES];
    char *text = ph_arena_alloc(arena, PH_BASE64_LEN(sizeof(key)) + 1);
    randombytes_buf(key, sizeof(key));
    ph_base64_encode(key, sizeof(key), text);
    sodium_memzero(key, sizeof(key));
    return text;
}

/* ---- output ---- */

/* What a command prints: a JSON object or array of them, or lines for a person. */
struct output {
    bool json;
    struct ph_buf buf;
    struct ph_json_writer writer;
};

static void begin(struct output *out, bool json)
{
    out->json = json;
    ph_buf_init(&out->buf, OUT_BYTES);
    ph_jw_init(&out->writer, &out->buf);
}

static void finish(struct output *out)
{
    if (out->json)
        ph_buf_add_char(&out->buf, '\n');
    fwrite(out->buf.ptr, 1, out->buf.len, stdout);
    sodium_memzero(out->buf.ptr, out->buf.len); /* it may have held a key */
    ph_buf_free(&out->buf);
}

static void member_id(struct output *out, const char *name, enum ph_id_kind kind, struct ph_id id)
{
    ph_jw_key(&out->writer, name);
    ph_jw_id(&out->writer, kind, id);
}

static void member_str(struct output *out, const char *name, struct ph_str value)
{
    ph_jw_key(&out->writer, name);
    ph_jw_str(&out->writer, value);
}

static void member_time(struct output *out, const char *name, int64_t wall_ms)
{
    ph_jw_key(&out->writer, name);
    if (wall_ms == 0)
        ph_jw_null(&out->writer);
    else
        ph_jw_time(&out->writer, wall_ms);
}

/* "id  name", the name made harmless. */
static void add_line(struct output *out, enum ph_id_kind kind, struct ph_id id, struct ph_str name)
{
    char wire[PH_ID_WIRE_MAX];
    ph_id_format(kind, id, wire);
    ph_buf_printf(&out->buf, "%s  ", wire);
    ph_receive_add_visible(&out->buf, name, NULL);
    ph_buf_add_char(&out->buf, '\n');
}

/* ---- actions ---- */

/* Options of all actions; which of them an action takes is in its row. */
struct options {
    const char *command; /* e.g. "posthorn key create", for messages */
    struct ph_str name;
    struct ph_id tenant;
    struct ph_id key;
    struct ph_str role; /* of PostgreSQL */
    enum ph_access access;
    int64_t expires_ms;
    bool json;
};

static int report(const struct options *options, enum ph_err err)
{
    fprintf(stderr, "%s: %s\n", options->command, ph_err_text(err));
    return PH_EXIT_FAILURE;
}

static int report_name(const struct options *options, int max)
{
    fprintf(stderr, "%s: a name is 1 to %d bytes of text\n", options->command, max);
    return PH_EXIT_USAGE;
}

static int report_absent(const struct options *options, enum ph_id_kind kind, struct ph_id id)
{
    char wire[PH_ID_WIRE_MAX];
    ph_id_format(kind, id, wire);
    fprintf(stderr, "%s: there is no %s\n", options->command, wire);
    return PH_EXIT_FAILURE;
}

static int tenant_create(struct ph_operator *op, const struct options *options)
{
    struct ph_id id;
    if (options->name.len == 0 || options->name.len > PH_TENANT_NAME_MAX ||
        !ph_str_is_text(options->name))
        return report_name(options, PH_TENANT_NAME_MAX);
    enum ph_err err = ph_operator_make_tenant(op, options->name, &id);
    if (err != PH_OK)
        return report(options, err);
    struct output out;
    begin(&out, options->json);
    if (out.json) {
        ph_jw_object_begin(&out.writer);
        member_id(&out, "id", PH_ID_TENANT, id);
        member_str(&out, "name", options->name);
        ph_jw_object_end(&out.writer);
    } else {
        add_line(&out, PH_ID_TENANT, id, options->name);
    }
    finish(&out);
    return PH_EXIT_OK;
}

static void list_tenant(const struct ph_tenant *tenant, void *ctx)
{
    struct output *out = ctx;
    if (!out->json) {
        add_line(out, PH_ID_TENANT, tenant->id, tenant->name);
        return;
    }
    ph_jw_object_begin(&out->writer);
    member_id(out, "id", PH_ID_TENANT, tenant->id);
    member_str(out, "name", tenant->name);
    member_str(out, "plan", tenant->plan);
    member_time(out, "createdAt", tenant->created_ms);
    member_time(out, "suspendedAt", tenant->suspended_ms);
    ph_jw_object_end(&out->writer);
}

static int tenant_list(struct ph_operator *op, const struct options *options)
{
    struct output out;
    struct ph_list all = {.limit = INT32_MAX};
    struct waiting waiting = {.each_tenant = list_tenant, .ctx = &out};
    begin(&out, options->json);
    if (out.json)
        ph_jw_array_begin(&out.writer);
    ph_tenant_list(op->db, op->arena, &all, on_tenants, &waiting);
    enum ph_err err = wait_for(op, &waiting);
    if (err != PH_OK) {
        ph_buf_free(&out.buf);
        return report(options, err);
    }
    if (out.json)
        ph_jw_array_end(&out.writer);
    finish(&out);
    return PH_EXIT_OK;
}

static int suspend(struct ph_operator *op, const struct options *options, bool suspended)
{
    struct ph_tenant_admin_change change = {.set = PH_TENANT_ADMIN_SUSPENDED,
                                            .suspended = suspended};
    struct waiting waiting = {.done = false};
    ph_tenant_change(op->db, op->arena, options->tenant, &change, on_tenant, &waiting);
    enum ph_err err = wait_for(op, &waiting);
    if (err == PH_ERR_NOT_FOUND)
        return report_absent(options, PH_ID_TENANT, options->tenant);
    return err == PH_OK ? PH_EXIT_OK : report(options, err);
}

static int tenant_suspend(struct ph_operator *op, const struct options *options)
{
    return suspend(op, options, true);
}

static int tenant_resume(struct ph_operator *op, const struct options *options)
{
    return suspend(op, options, false);
}

static int tenant_delete(struct ph_operator *op, const struct options *options)
{
    struct waiting waiting = {.done = false};
    ph_tenant_delete(op->db, op->arena, options->tenant, on_plain, &waiting);
    enum ph_err err = wait_for(op, &waiting);
    if (err == PH_ERR_NOT_FOUND)
        return report_absent(options, PH_ID_TENANT, options->tenant);
    return err == PH_OK ? PH_EXIT_OK : report(options, err);
}

static void member_expiry(struct output *out, const struct ph_api_key *key)
{
    member_str(out, "scope", ph_str_of(ph_access_text(key->access)));
    member_time(out, "expiresAt", key->expires_ms);
}

static int key_create(struct ph_operator *op, const struct options *options)
{
    char token[PH_TOKEN_LEN + 1];
    struct ph_api_key key = {.tenant = options->tenant,
                             .name =
                                 options->name.ptr != NULL ? options->name : PH_STR("command line"),
                             .access = options->access,
                             .expires_ms = options->expires_ms};
    if (key.name.len == 0 || key.name.len > PH_API_KEY_NAME_MAX || !ph_str_is_text(key.name))
        return report_name(options, PH_API_KEY_NAME_MAX);
    enum ph_err err = ph_operator_make_key(op, &key, token);
    if (err == PH_ERR_NOT_FOUND)
        return report_absent(options, PH_ID_TENANT, options->tenant);
    if (err != PH_OK)
        return report(options, err);
    struct output out;
    begin(&out, options->json);
    if (out.json) {
        ph_jw_object_begin(&out.writer);
        member_id(&out, "id", PH_ID_API_KEY, key.id);
        member_id(&out, "tenantId", PH_ID_TENANT, options->tenant);
        member_str(&out, "name", key.name);
        member_expiry(&out, &key);
        member_str(&out, "key", ph_str_of(token));
        ph_jw_object_end(&out.writer);
    } else {
        ph_buf_printf(&out.buf, "API key  %s\n", token);
        add_line(&out, PH_ID_API_KEY, key.id, key.name);
        ph_buf_add_c(&out.buf, "Keep the key now: it is not shown again.\n");
    }
    sodium_memzero(token, sizeof(token));
    finish(&out);
    return PH_EXIT_OK;
}

static void list_key(const struct ph_api_key *key, void *ctx)
{
    struct output *out = ctx;
    if (!out->json) {
        add_line(out, PH_ID_API_KEY, key->id, key->name);
        return;
    }
    ph_jw_object_begin(&out->writer);
    member_id(out, "id", PH_ID_API_KEY, key->id);
    member_str(out, "name", key->name);
    member_expiry(out, key);
    member_time(out, "createdAt", key->created_ms);
    member_time(out, "lastUsedAt", key->last_used_ms);
    ph_jw_object_end(&out->writer);
}

static int key_list(struct ph_operator *op, const struct options *options)
{
    struct output out;
    struct ph_list all = {.limit = INT32_MAX};
    struct waiting waiting = {.each = list_key, .ctx = &out};
    begin(&out, options->json);
    if (out.json)
        ph_jw_array_begin(&out.writer);
    ph_api_key_list(op->db, op->arena, options->tenant, &all, on_keys, &waiting);
    enum ph_err err = wait_for(op, &waiting);
    if (err != PH_OK) {
        ph_buf_free(&out.buf);
        return report(options, err);
    }
    if (out.json)
        ph_jw_array_end(&out.writer);
    finish(&out);
    return PH_EXIT_OK;
}

static int key_delete(struct ph_operator *op, const struct options *options)
{
    struct waiting waiting = {.done = false};
    ph_api_key_delete(op->db, op->arena, (struct ph_id){{0}}, options->key, on_plain, &waiting);
    enum ph_err err = wait_for(op, &waiting);
    if (err == PH_ERR_NOT_FOUND)
        return report_absent(options, PH_ID_API_KEY, options->key);
    return err == PH_OK ? PH_EXIT_OK : report(options, err);
}

static void member_sql_user(struct output *out, struct ph_str role, struct ph_id tenant)
{
    member_str(out, "role", role);
    member_id(out, "tenantId", PH_ID_TENANT, tenant);
}

static int sql_user_create(struct ph_operator *op, const struct options *options)
{
    enum ph_err err = ph_sql_user_create(op->loop, op->db, options->role, options->tenant);
    if (err == PH_ERR_NOT_FOUND)
        return report_absent(options, PH_ID_TENANT, options->tenant);
    if (err == PH_ERR_VALIDATION)
        fprintf(stderr, "%s: the database has no role of this name that may be mapped\n",
                options->command);
    else if (err == PH_ERR_CONFLICT)
        fprintf(stderr, "%s: the role is mapped to a tenant already\n", options->command);
    else if (err != PH_OK)
        return report(options, err);
    if (err != PH_OK)
        return PH_EXIT_FAILURE;
    struct output out;
    begin(&out, options->json);
    if (out.json) {
        ph_jw_object_begin(&out.writer);
        member_sql_user(&out, options->role, options->tenant);
        ph_jw_object_end(&out.writer);
    } else {
        add_line(&out, PH_ID_TENANT, options->tenant, options->role);
    }
    finish(&out);
    return PH_EXIT_OK;
}

static int sql_user_list(struct ph_operator *op, const struct options *options)
{
    struct ph_sql_user *users;
    size_t n;
    enum ph_err err = ph_sql_user_list(op->loop, op->db, op->arena, &users, &n);
    if (err != PH_OK)
        return report(options, err);
    struct output out;
    begin(&out, options->json);
    if (out.json)
        ph_jw_array_begin(&out.writer);
    for (size_t i = 0; i < n; i++) {
        if (!out.json) {
            add_line(&out, PH_ID_TENANT, users[i].tenant, users[i].role);
            continue;
        }
        ph_jw_object_begin(&out.writer);
        member_sql_user(&out, users[i].role, users[i].tenant);
        member_time(&out, "createdAt", users[i].created_ms);
        ph_jw_object_end(&out.writer);
    }
    if (out.json)
        ph_jw_array_end(&out.writer);
    finish(&out);
    return PH_EXIT_OK;
}

static int sql_user_delete(struct ph_operator *op, const struct options *options)
{
    enum ph_err err = ph_sql_user_delete(op->loop, op->db, options->role);
    if (err == PH_ERR_NOT_FOUND) {
        fprintf(stderr, "%s: the role is mapped to no tenant\n", options->command);
        return PH_EXIT_FAILURE;
    }
    return err == PH_OK ? PH_EXIT_OK : report(options, err);
}

/* ---- command line ---- */

enum { NAME = 1, TENANT = 2, KEY = 4, AS_JSON = 8, ROLE = 16, SCOPE = 32, EXPIRES = 64 };

struct action {
    const char *name; /* NULL ends a table */
    int (*run)(struct ph_operator *op, const struct options *options);
    int takes, needs; /* options */
};

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
static int parse(int argc, char **argv, const struct action *action, const char *usage,
                 struct options *out)
{
    enum { HELP = 256 };
    static const struct option known[] = {
        {"name", required_argument, NULL, NAME},
        {"tenant", required_argument, NULL, TENANT},
        {"id", required_argument, NULL, KEY},
        {"json", no_argument, NULL, AS_JSON},
        {"role", required_argument, NULL, ROLE},
        {"scope", required_argument, NULL, SCOPE},
        {"expires", required_argument, NULL, EXPIRES},
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
        if (c == NAME)
            out->name = ph_str_of(optarg);
        else if (c == ROLE)
            out->role = ph_str_of(optarg);
        else if (c == AS_JSON)
            out->json = true;
        else if ((c == TENANT && !read_id(argv[0], "tenant", PH_ID_TENANT, &out->tenant)) ||
                 (c == KEY && !read_id(argv[0], "id", PH_ID_API_KEY, &out->key)) ||
                 (c == SCOPE && !read_scope(argv[0], &out->access)) ||
                 (c == EXPIRES && !read_expiry(argv[0], &out->expires_ms)))
            return PH_EXIT_USAGE;
    }
    if (optind < argc || (given & action->needs) != action->needs) {
        fprintf(stderr, "%s: wrong arguments\n%s", argv[0], usage);
        return PH_EXIT_USAGE;
    }
    return -1;
}

static int run(int argc, char **argv, const struct action *actions, const char *usage)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0) {
        fputs(usage, stdout);
        return PH_EXIT_OK;
    }
    const struct action *action = actions;
    while (action->name != NULL && strcmp(action->name, name) != 0)
        action++;
    if (action->name == NULL) {
        fputs(usage, stderr);
        return PH_EXIT_USAGE;
    }
    char command[64];
    snprintf(command, sizeof(command), "%s %s", argv[0], name);
    argv[1] = command;
    struct options options = {.command = command};
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

int ph_role_tenant(int argc, char **argv)
{
    static const char usage[] =
        "usage: posthorn tenant create --name NAME [--json]\n"
        "       posthorn tenant list [--json]\n"
        "       posthorn tenant suspend --tenant org_...\n"
        "       posthorn tenant resume --tenant org_...\n"
        "       posthorn tenant delete --tenant org_...\n"
        "\n"
        "Makes a tenant in the database of POSTHORN_DATABASE_URL, or lists them. A suspended "
        "tenant\n"
        "may do nothing, and its deliveries wait. A deleted one's keys end at once; its data are\n"
        "removed by the running nodes, bit by bit.\n";
    static const struct action actions[] = {
        {"create", tenant_create, NAME | AS_JSON, NAME}, {"list", tenant_list, AS_JSON, 0},
        {"suspend", tenant_suspend, TENANT, TENANT},     {"resume", tenant_resume, TENANT, TENANT},
        {"delete", tenant_delete, TENANT, TENANT},       {NULL, NULL, 0, 0},
    };
    return run(argc, argv, actions, usage);
}

int ph_role_key(int argc, char **argv)
{
    static const char usage[] =
        "usage: posthorn key create --tenant org_... [--name NAME] [--scope all|read|send]\n"
        "                           [--expires 90d] [--json]\n"
        "       posthorn key list --tenant org_... [--json]\n"
        "       posthorn key delete --id key_...\n"
        "\n"
        "Makes an API key of a tenant in the database of POSTHORN_DATABASE_URL and shows it once;\n"
        "lists a tenant's keys without what is secret in them; or deletes one, which all nodes\n"
        "refuse from then on. A key of scope read changes nothing and sees no secrets; one of\n"
        "scope send can only send messages.\n";
    static const struct action actions[] = {
        {"create", key_create, TENANT | NAME | SCOPE | EXPIRES | AS_JSON, TENANT},
        {"list", key_list, TENANT | AS_JSON, TENANT},
        {"delete", key_delete, KEY, KEY},
        {NULL, NULL, 0, 0},
    };
    return run(argc, argv, actions, usage);
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
    static const struct action actions[] = {
        {"create", sql_user_create, TENANT | ROLE | AS_JSON, TENANT | ROLE},
        {"list", sql_user_list, AS_JSON, 0},
        {"delete", sql_user_delete, ROLE, ROLE},
        {NULL, NULL, 0, 0},
    };
    return run(argc, argv, actions, usage);
}

int ph_role_master_key(int argc, char **argv)
{
    int code = ph_role_no_options(argc, argv,
                                  "usage: posthorn master-key\n"
                                  "\n"
                                  "Prints a new random key for POSTHORN_MASTER_KEY. Keep it "
                                  "outside the database: without it\n"
                                  "the secrets in there cannot be read.\n");
    if (code >= 0)
        return code;
    struct ph_arena *arena = ph_arena_new();
    puts(ph_role_new_master_key(arena));
    ph_arena_free(arena);
    return PH_EXIT_OK;
}
