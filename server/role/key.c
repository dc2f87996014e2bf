/* `posthorn key` and `posthorn master-key`. */
#include "posthorn/api_key.h"
#include "posthorn/role.h"
#include "posthorn/seal.h"
#include "role/command.h"

#include <sodium.h>
#include <stdio.h>

static void member_expiry(struct ph_output *out, const struct ph_api_key *key)
{
    ph_output_str(out, "scope", ph_str_of(ph_access_text(key->access)));
    ph_output_time(out, "expiresAt", key->expires_ms);
}

static int key_create(struct ph_operator *op, const struct ph_command_options *options)
{
    char token[PH_TOKEN_LEN + 1];
    struct ph_api_key key = {.tenant = options->tenant,
                             .name =
                                 options->name.ptr != NULL ? options->name : PH_STR("command line"),
                             .access = options->access,
                             .expires_ms = options->expires_ms};
    if (key.name.len == 0 || key.name.len > PH_API_KEY_NAME_MAX || !ph_str_is_text(key.name))
        return ph_command_report_name(options, PH_API_KEY_NAME_MAX);
    enum ph_err err = ph_operator_make_key(op, &key, token);
    if (err == PH_ERR_NOT_FOUND)
        return ph_command_report_absent(options, PH_ID_TENANT, options->tenant);
    if (err != PH_OK)
        return ph_command_report(options, err);
    struct ph_output out;
    ph_output_begin(&out, options->json);
    if (out.json) {
        ph_jw_object_begin(&out.writer);
        ph_output_id(&out, "id", PH_ID_API_KEY, key.id);
        ph_output_id(&out, "tenantId", PH_ID_TENANT, options->tenant);
        ph_output_str(&out, "name", key.name);
        member_expiry(&out, &key);
        ph_output_str(&out, "key", ph_str_of(token));
        ph_jw_object_end(&out.writer);
    } else {
        ph_buf_printf(&out.buf, "API key  %s\n", token);
        ph_output_line(&out, PH_ID_API_KEY, key.id, key.name);
        ph_buf_add_c(&out.buf, "Keep the key now: it is not shown again.\n");
    }
    sodium_memzero(token, sizeof(token));
    ph_output_finish(&out);
    return PH_EXIT_OK;
}

/* A list that is printed. */
struct listing {
    struct ph_waiting waiting;
    struct ph_output out;
};

static void list_key(const struct ph_api_key *key, struct ph_output *out)
{
    if (!out->json) {
        ph_output_line(out, PH_ID_API_KEY, key->id, key->name);
        return;
    }
    ph_jw_object_begin(&out->writer);
    ph_output_id(out, "id", PH_ID_API_KEY, key->id);
    ph_output_str(out, "name", key->name);
    member_expiry(out, key);
    ph_output_time(out, "createdAt", key->created_ms);
    ph_output_time(out, "lastUsedAt", key->last_used_ms);
    ph_jw_object_end(&out->writer);
}

static void on_keys(void *ctx, enum ph_err err, const struct ph_api_key *keys, size_t n, bool done)
{
    struct listing *listing = ctx;
    (void)done;
    for (size_t i = 0; i < n; i++)
        list_key(&keys[i], &listing->out);
    ph_operator_on_plain(&listing->waiting, err);
}

static int key_list(struct ph_operator *op, const struct ph_command_options *options)
{
    struct ph_list all = {.limit = INT32_MAX};
    struct listing listing = {.waiting = {.done = false}};
    struct ph_output *out = &listing.out;
    ph_output_begin(out, options->json);
    if (out->json)
        ph_jw_array_begin(&out->writer);
    ph_api_key_list(op->db, op->arena, options->tenant, &all, on_keys, &listing);
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

static void on_owner(void *ctx, enum ph_err err, struct ph_id tenant)
{
    struct ph_waiting *waiting = ctx;
    waiting->id = tenant;
    ph_operator_on_plain(waiting, err);
}

static int key_delete(struct ph_operator *op, const struct ph_command_options *options)
{
    struct ph_waiting owner = {.done = false}, waiting = {.done = false};
    struct ph_db *db = ph_operator_begin(op);
    ph_api_key_owner(db, op->arena, options->key, on_owner, &owner);
    enum ph_err err = ph_operator_wait(op, &owner);
    if (err == PH_OK) {
        ph_api_key_delete(db, op->arena, owner.id, options->key, ph_operator_on_plain, &waiting);
        err = ph_operator_wait(op, &waiting);
    }
    err = ph_operator_end(op, err, owner.id, "api-key.delete", "api-key",
                          ph_operator_wire(op, PH_ID_API_KEY, options->key));
    if (err == PH_ERR_NOT_FOUND)
        return ph_command_report_absent(options, PH_ID_API_KEY, options->key);
    return err == PH_OK ? PH_EXIT_OK : ph_command_report(options, err);
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
    static const struct ph_command_action actions[] = {
        {"create", key_create,
         PH_OPTION_TENANT | PH_OPTION_NAME | PH_OPTION_SCOPE | PH_OPTION_EXPIRES | PH_OPTION_JSON,
         PH_OPTION_TENANT},
        {"list", key_list, PH_OPTION_TENANT | PH_OPTION_JSON, PH_OPTION_TENANT},
        {"delete", key_delete, PH_OPTION_KEY, PH_OPTION_KEY},
        {NULL, NULL, 0, 0},
    };
    return ph_command_run(argc, argv, actions, usage);
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
