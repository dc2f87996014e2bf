#include "role/demo.h"

#include "posthorn/api_key.h"
#include "posthorn/file.h"
#include "posthorn/json.h"
#include "posthorn/seal.h"
#include "posthorn/tenant.h"
#include "role/operator.h"

#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define FILE_BYTES 65536

/* ---- the file ---- */

static const char *string_member(struct ph_arena *arena, json_t *root, const char *key)
{
    const char *value = json_string_value(json_object_get(root, key));
    return value == NULL ? NULL : ph_arena_strdup(arena, value);
}

static void write_member(struct ph_json_writer *w, const char *key, const char *value)
{
    ph_jw_key(w, key);
    ph_jw_cstr(w, value);
}

static enum ph_err save(const struct ph_demo *demo, struct ph_buf *problems)
{
    struct ph_buf buf;
    struct ph_json_writer w;
    ph_buf_init(&buf, FILE_BYTES);
    ph_jw_init(&w, &buf);
    ph_jw_object_begin(&w);
    write_member(&w, "master_key", demo->master_key);
    write_member(&w, "tenant_id", demo->tenant);
    write_member(&w, "api_key", demo->api_key);
    ph_jw_object_end(&w);
    ph_buf_add_char(&buf, '\n');
    enum ph_err err = ph_file_replace(demo->path, ph_buf_str(&buf), 0600);
    if (err != PH_OK)
        ph_buf_printf(problems, "%s: %s\n", demo->path, strerror(errno));
    sodium_memzero(buf.ptr, buf.len);
    ph_buf_free(&buf);
    return err;
}

static bool is_key(const char *text)
{
    uint8_t key[PH_KEY_BYTES];
    size_t n;
    bool ok = text != NULL && ph_base64_decode(ph_str_of(text), key, sizeof(key), &n) == PH_OK &&
              n == sizeof(key);
    sodium_memzero(key, sizeof(key));
    return ok;
}

/* A database that is given has a file of its own, so that changing to it and back loses neither's keys. */
static const char *path_of(struct ph_arena *arena, const char *dir, const char *database_url)
{
    uint8_t hash[16];
    char hex[2 * sizeof(hash) + 1];
    if (database_url[0] == '\0')
        return ph_arena_printf(arena, "%s/demo.json", dir);
    crypto_generichash(hash, sizeof(hash), (const uint8_t *)database_url, strlen(database_url),
                       NULL, 0);
    ph_hex_encode(hash, sizeof(hash), hex);
    return ph_arena_printf(arena, "%s/demo-%.12s.json", dir, hex);
}

enum ph_err ph_demo_open(struct ph_arena *arena, const char *dir, const char *database_url,
                         struct ph_buf *problems, struct ph_demo *out)
{
    struct ph_demo demo = {.path = path_of(arena, dir, database_url)};
    struct ph_buf buf;
    json_t *root = NULL;
    ph_buf_init(&buf, FILE_BYTES);
    enum ph_err err = ph_file_read(demo.path, &buf);
    if (err == PH_OK) {
        root = json_loadb(buf.ptr, buf.len, 0, NULL);
        demo.master_key = string_member(arena, root, "master_key");
        demo.tenant = string_member(arena, root, "tenant_id");
        demo.api_key = string_member(arena, root, "api_key");
        /* not made anew: what the database has sealed needs the old one */
        if (!is_key(demo.master_key)) {
            ph_buf_printf(problems,
                          "%s has no master_key of %d bytes in base64: restore the file, or use "
                          "another --data folder.\n",
                          demo.path, PH_KEY_BYTES);
            err = PH_ERR_CONFIG;
        }
    } else if (err == PH_ERR_NOT_FOUND) {
        demo.master_key = ph_role_new_master_key(arena);
        err = save(&demo, problems);
    } else {
        ph_buf_printf(problems, "%s cannot be read: %s\n", demo.path,
                      err == PH_ERR_IO ? strerror(errno) : ph_err_text(err));
    }
    json_decref(root);
    ph_buf_free(&buf);
    if (err == PH_OK)
        *out = demo;
    return err;
}

/* ---- the database ---- */

/* A key of the tenant that the file names; NOT_FOUND: that tenant is not there. */
static enum ph_err make_key(struct ph_operator *op, struct ph_arena *arena, struct ph_demo *demo)
{
    struct ph_api_key key = {.name = PH_STR("demo")};
    char token[PH_TOKEN_LEN + 1];
    if (demo->tenant == NULL ||
        ph_id_parse(PH_ID_TENANT, ph_str_of(demo->tenant), &key.tenant) != PH_OK)
        return PH_ERR_NOT_FOUND;
    enum ph_err err = ph_operator_make_key(op, &key, token);
    if (err == PH_OK)
        demo->api_key = ph_arena_strdup(arena, token);
    return err;
}

static enum ph_err make_tenant(struct ph_operator *op, struct ph_arena *arena, struct ph_demo *demo)
{
    struct ph_id tenant;
    char wire[PH_ID_WIRE_MAX];
    enum ph_err err = ph_operator_make_tenant(op, PH_STR("Demo"), PH_STR_NONE, &tenant);
    if (err != PH_OK)
        return err;
    ph_id_format(PH_ID_TENANT, tenant, wire);
    demo->tenant = ph_arena_strdup(arena, wire);
    return PH_OK;
}

enum ph_err ph_demo_ensure(struct ph_arena *arena, struct ph_demo *demo, const char *database_url,
                           struct ph_buf *problems)
{
    struct ph_operator op;
    ph_operator_open(database_url, &op);
    enum ph_err err = PH_ERR_NOT_FOUND;
    if (demo->api_key != NULL && demo->tenant != NULL)
        err = ph_operator_check_key(&op, ph_str_of(demo->api_key));
    if (err == PH_ERR_NOT_FOUND) {
        err = make_key(&op, arena, demo);
        if (err == PH_ERR_NOT_FOUND && (err = make_tenant(&op, arena, demo)) == PH_OK)
            err = make_key(&op, arena, demo);
        if (err == PH_OK && (err = save(demo, problems)) != PH_OK)
            goto out;
    }
    if (err != PH_OK)
        ph_buf_printf(problems, "No tenant and key can be made: %s\n", ph_err_text(err));
out:
    ph_operator_close(&op);
    return err;
}

/* ---- for a person ---- */

void ph_demo_print(const struct ph_demo *demo, const char *url, const char *program,
                   const char *psql)
{
    printf("\nPosthorn is ready on %s\n\n", url);
    printf("  Dashboard %s/dashboard\n", url);
    printf("  API key   %s\n", demo->api_key);
    printf("  Tenant    %s\n", demo->tenant);
    if (psql != NULL)
        printf("  Database  psql %s\n", psql);
    printf("  Kept in   %s\n", demo->path);
    printf("\nPaste this into another terminal to see a webhook arrive (kill %%1 ends the "
           "receiver):\n\n");
    printf("  URL=%s/api/v1\n", url);
    printf("  KEY=%s\n", demo->api_key);
    printf("  call() { curl -sS -H \"Authorization: Bearer $KEY\" -H 'Content-Type: "
           "application/json' \"$@\"; echo; }\n");
    printf("  call $URL/app -d '{\"name\":\"Acme\",\"uid\":\"acme\"}'\n");
    printf("  call $URL/app/acme/endpoint -d "
           "'{\"uid\":\"hook\",\"url\":\"http://127.0.0.1:8090/\"}'\n");
    printf("  %s receive --secret $(call $URL/app/acme/endpoint/hook/secret | cut -d'\"' -f4) & "
           "sleep 1\n",
           program);
    printf("  call $URL/app/acme/msg -d "
           "'{\"eventType\":\"invoice.paid\",\"payload\":{\"invoice\":42}}'\n");
    printf("\nCtrl-C stops it.\n");
}
