#include "posthorn/data_key.h"

#include "sql.h"

static enum ph_err load(struct ph_loop *loop, struct ph_db *db, struct ph_keyring *keyring, int *n)
{
    struct ph_arena *arena = ph_arena_new();
    PGresult *res = NULL;
    struct ph_db_req req;
    enum ph_err err;

    ph_db_req_init(&req, &ph_sql_data_keys_load, arena, NULL);
    err = ph_db_run(loop, db, &req, &res);
    *n = err == PH_OK ? PQntuples(res) : 0;
    for (int i = 0; err == PH_OK && i < *n; i++)
        err = ph_keyring_add_key(keyring, (uint32_t)ph_db_int(res, i, 0), ph_db_str(res, i, 1));
    PQclear(res);
    ph_arena_free(arena);
    return err;
}

static enum ph_err add_first(struct ph_loop *loop, struct ph_db *db,
                             const struct ph_keyring *keyring)
{
    struct ph_arena *arena = ph_arena_new();
    uint8_t wrapped[PH_WRAPPED_BYTES];
    PGresult *res = NULL;
    struct ph_db_req req;
    enum ph_err err;

    ph_keyring_make_key(keyring, 1, wrapped);
    ph_db_req_init(&req, &ph_sql_data_key_add, arena, NULL);
    ph_db_add_i32(&req, 1);
    ph_db_add_ref(&req, (struct ph_str){(const char *)wrapped, sizeof wrapped});
    err = ph_db_run(loop, db, &req, &res);
    PQclear(res);
    ph_arena_free(arena);
    return err;
}

enum ph_err ph_data_keys_load(struct ph_loop *loop, struct ph_db *db, struct ph_keyring *keyring)
{
    int n;
    enum ph_err err = load(loop, db, keyring, &n);

    if (err != PH_OK || n)
        return err;
    err = add_first(loop, db, keyring);
    return err == PH_OK ? load(loop, db, keyring, &n) : err;
}
