#include "posthorn/data_key.h"

#include "sql.h"

/* Times that somebody else's change may come between. */
#define TRIES_MAX 5

/* Adds what the keyring does not have; the first key there is seals at once. */
static enum ph_err add_new(const PGresult *res, struct ph_keyring *keyring, int *added)
{
    enum ph_err result = PH_OK;

    *added = 0;
    for (int i = 0; i < PQntuples(res); i++) {
        uint32_t id = (uint32_t)ph_db_int(res, i, 0);
        enum ph_err err;
        if (ph_keyring_has_key(keyring, id))
            continue;
        err = ph_keyring_add_key_from(keyring, id, ph_db_str(res, i, 1),
                                      i == 0 ? 0 : ph_db_time(res, i, 2) + PH_DATA_KEY_WAIT_MS);
        if (err == PH_OK)
            ++*added;
        else
            result = err;
    }
    return result;
}

static enum ph_err select_all(struct ph_loop *loop, struct ph_db *db, struct ph_arena *arena,
                              PGresult **res)
{
    struct ph_db_req req;

    ph_db_req_init(&req, &ph_sql_data_keys_load, arena, NULL);
    return ph_db_run(loop, db, &req, res);
}

static enum ph_err load(struct ph_loop *loop, struct ph_db *db, struct ph_keyring *keyring, int *n)
{
    struct ph_arena *arena = ph_arena_new();
    PGresult *res = NULL;
    enum ph_err err = select_all(loop, db, arena, &res);
    int added;

    *n = err == PH_OK ? PQntuples(res) : 0;
    if (err == PH_OK)
        err = add_new(res, keyring, &added);
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

/* ---- while running ---- */

struct refresh {
    struct ph_db_req req;
    struct ph_keyring *keyring;
    void (*on_done)(enum ph_err err, int32_t n, void *ctx);
    void *ctx;
};

static void refreshed(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct refresh *refresh = ph_container_of(req, struct refresh, req);
    int added = 0;

    if (err == PH_OK)
        err = add_new(res, refresh->keyring, &added);
    refresh->on_done(err, added, refresh->ctx);
}

void ph_data_keys_refresh(struct ph_db *db, struct ph_arena *arena, struct ph_keyring *keyring,
                          void (*on_done)(enum ph_err err, int32_t n, void *ctx), void *ctx)
{
    struct refresh *refresh = ph_arena_new_of(arena, struct refresh);

    refresh->keyring = keyring;
    refresh->on_done = on_done;
    refresh->ctx = ctx;
    ph_db_req_init(&refresh->req, &ph_sql_data_keys_load, arena, refreshed);
    ph_db_send(db, &refresh->req);
}

/* ---- changes ---- */

enum ph_err ph_data_key_add_next(struct ph_loop *loop, struct ph_db *db,
                                 const struct ph_keyring *keyring, uint32_t *id)
{
    struct ph_arena *arena = ph_arena_new();
    uint8_t wrapped[PH_WRAPPED_BYTES];
    PGresult *all = NULL, *res = NULL;
    struct ph_db_req req;
    enum ph_err err = select_all(loop, db, arena, &all);
    int last = err == PH_OK ? PQntuples(all) - 1 : -1;

    if (err == PH_OK &&
        (last < 0 || !ph_keyring_has_key(keyring, (uint32_t)ph_db_int(all, last, 0))))
        err = PH_ERR_CONFLICT;
    if (err == PH_OK) {
        *id = (uint32_t)ph_db_int(all, last, 0) + 1;
        ph_keyring_make_key(keyring, *id, wrapped);
        ph_db_req_init(&req, &ph_sql_data_key_add_next, arena, NULL);
        ph_db_add_i32(&req, (int32_t)*id);
        ph_db_add_ref(&req, (struct ph_str){(const char *)wrapped, sizeof wrapped});
        ph_db_add_i32(&req, (int32_t)*id - 1);
        ph_db_add_ref(&req, ph_db_str(all, last, 1));
        err = ph_db_run(loop, db, &req, &res);
    }
    if (err == PH_OK && !PQntuples(res))
        err = PH_ERR_CONFLICT;
    PQclear(res);
    PQclear(all);
    ph_arena_free(arena);
    return err;
}

/* Those of `all` that another master key wraps: their wrapping before and after. */
static enum ph_err wrap_again(const PGresult *all, const struct ph_keyring *keyring,
                              struct ph_db_array arrays[3])
{
    for (int i = 0; i < PQntuples(all); i++) {
        uint8_t wrapped[PH_WRAPPED_BYTES];
        struct ph_str before = ph_db_str(all, i, 1);
        int32_t id = (int32_t)ph_db_int(all, i, 0);
        bool changed;
        if (ph_keyring_rewrap(keyring, (uint32_t)id, before, wrapped, &changed) != PH_OK)
            return PH_ERR_CRYPTO;
        if (!changed)
            continue;
        ph_db_array_i32(&arrays[0], id);
        ph_db_array_str(&arrays[1], before);
        ph_db_array_str(&arrays[2], (struct ph_str){(const char *)wrapped, sizeof wrapped});
    }
    return PH_OK;
}

/* changed: how many were not wrapped so. */
static enum ph_err rewrap_once(struct ph_loop *loop, struct ph_db *db,
                               const struct ph_keyring *keyring, int *changed)
{
    static const enum ph_db_array_of types[3] = {PH_DB_I32S, PH_DB_BYTEAS, PH_DB_BYTEAS};
    struct ph_arena *arena = ph_arena_new();
    struct ph_db_array arrays[3];
    PGresult *all = NULL, *res = NULL;
    struct ph_db_req req;
    enum ph_err err = select_all(loop, db, arena, &all);

    for (int i = 0; i < 3; i++)
        ph_db_array_init(&arrays[i], types[i], 1 << 20);
    if (err == PH_OK)
        err = wrap_again(all, keyring, arrays);
    *changed = arrays[0].n;
    if (err == PH_OK && *changed) {
        ph_db_req_init(&req, &ph_sql_data_keys_rewrap, arena, NULL);
        for (int i = 0; i < 3; i++)
            ph_db_add_array(&req, &arrays[i]);
        err = ph_db_run(loop, db, &req, &res);
    }
    for (int i = 0; i < 3; i++)
        ph_db_array_free(&arrays[i]);
    PQclear(res);
    PQclear(all);
    ph_arena_free(arena);
    return err;
}

/* Until there is nothing to do: a key may have joined meanwhile. */
enum ph_err ph_data_keys_rewrap(struct ph_loop *loop, struct ph_db *db,
                                const struct ph_keyring *keyring, int *n)
{
    *n = 0;
    for (int i = 0; i < TRIES_MAX; i++) {
        int changed;
        enum ph_err err = rewrap_once(loop, db, keyring, &changed);
        if (err != PH_OK || !changed)
            return err;
        *n += changed;
    }
    return PH_ERR_CONFLICT;
}
