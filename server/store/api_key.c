#include "posthorn/api_key.h"
#include "posthorn/clock.h"
#include "sql.h"

#include <sodium.h>
#include <string.h>

#define PREFIX     "phk_"
#define PREFIX_LEN 4
#define KEY_BYTES  32

struct op {
    struct ph_db_req req;
    ph_api_key_done done;
    void *ctx;
    uint8_t hash[crypto_hash_sha256_BYTES];
};

bool ph_api_key_well_formed(struct ph_str key)
{
    if (key.len != PH_API_KEY_LEN || memcmp(key.ptr, PREFIX, PREFIX_LEN) != 0)
        return false;
    for (size_t i = PREFIX_LEN; i < key.len; i++) {
        char c = key.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

static void make_key(char key[PH_API_KEY_LEN + 1])
{
    uint8_t random[KEY_BYTES];

    randombytes_buf(random, sizeof(random));
    memcpy(key, PREFIX, PREFIX_LEN);
    sodium_bin2base64(key + PREFIX_LEN, PH_API_KEY_LEN + 1 - PREFIX_LEN, random, sizeof(random),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(random, sizeof(random));
}

static struct ph_str hash_of(struct ph_str key, uint8_t hash[crypto_hash_sha256_BYTES])
{
    crypto_hash_sha256(hash, (const unsigned char *)key.ptr, key.len);
    return (struct ph_str){(const char *)hash, crypto_hash_sha256_BYTES};
}

enum ph_err ph_api_key_create(struct ph_loop *loop, struct ph_db *db, struct ph_id tenant,
                              struct ph_str name, int64_t expires_ms, char key[PH_API_KEY_LEN + 1],
                              struct ph_id *out)
{
    struct ph_arena *arena;
    struct ph_id id = ph_id_new(ph_clock_wall_ms());
    struct ph_db_req req;
    PGresult *res = NULL;
    uint8_t hash[crypto_hash_sha256_BYTES];
    enum ph_err err;

    if (name.len == 0 || name.len > PH_API_KEY_NAME_MAX || !ph_str_is_text(name))
        return PH_ERR_VALIDATION;
    arena = ph_arena_new();
    make_key(key);
    ph_db_req_init(&req, &ph_sql_api_key_create, arena, NULL);
    ph_db_add_id(&req, id);
    ph_db_add_id(&req, tenant);
    ph_db_add_str(&req, name);
    ph_db_add_ref(&req, hash_of((struct ph_str){key, PH_API_KEY_LEN}, hash));
    if (expires_ms == 0)
        ph_db_add_null(&req);
    else
        ph_db_add_time(&req, expires_ms);
    err = ph_db_run(loop, db, &req, &res);
    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK)
        *out = id;
    PQclear(res);
    ph_arena_free(arena);
    return err;
}

enum ph_err ph_api_key_list(struct ph_loop *loop, struct ph_db *db, struct ph_arena *arena,
                            struct ph_id tenant, struct ph_api_key **out, size_t *n)
{
    struct ph_db_req req;
    struct ph_api_key *keys;
    PGresult *res = NULL;
    enum ph_err err;
    int rows;

    ph_db_req_init(&req, &ph_sql_api_key_list, arena, NULL);
    ph_db_add_id(&req, tenant);
    err = ph_db_run(loop, db, &req, &res);
    if (err != PH_OK)
        return err;
    rows = PQntuples(res);
    keys = ph_arena_array_of(arena, struct ph_api_key, rows);
    for (int i = 0; i < rows; i++) {
        struct ph_str name = ph_db_str(res, i, 2);
        keys[i].id = ph_db_id(res, i, 0);
        keys[i].tenant = ph_db_id(res, i, 1);
        keys[i].name = (struct ph_str){ph_arena_copy(arena, name.ptr, name.len), name.len};
        keys[i].created_ms = ph_db_time(res, i, 3);
        keys[i].expires_ms = ph_db_is_null(res, i, 4) ? 0 : ph_db_time(res, i, 4);
    }
    PQclear(res);
    *out = keys;
    *n = (size_t)rows;
    return PH_OK;
}

enum ph_err ph_api_key_delete(struct ph_loop *loop, struct ph_db *db, struct ph_id id)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_db_req req;
    PGresult *res = NULL;
    enum ph_err err;

    ph_db_req_init(&req, &ph_sql_api_key_delete, arena, NULL);
    ph_db_add_id(&req, id);
    err = ph_db_run(loop, db, &req, &res);
    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    PQclear(res);
    ph_arena_free(arena);
    return err;
}

static void on_find(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_api_key found = {0};

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK) {
        found.id = ph_db_id(res, 0, 0);
        found.tenant = ph_db_id(res, 0, 1);
        found.created_ms = ph_db_time(res, 0, 2);
        found.expires_ms = ph_db_is_null(res, 0, 3) ? 0 : ph_db_time(res, 0, 3);
    }
    op->done(op->ctx, err, err == PH_OK ? &found : NULL);
}

void ph_api_key_find(struct ph_db *db, struct ph_arena *arena, struct ph_str key,
                     ph_api_key_done done, void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->done = done;
    op->ctx = ctx;
    ph_db_req_init(&op->req, &ph_sql_api_key_find, arena, on_find);
    ph_db_add_ref(&op->req, hash_of(key, op->hash));
    ph_db_send(db, &op->req);
}
