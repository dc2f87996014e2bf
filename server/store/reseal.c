#include "posthorn/reseal.h"

#include "posthorn/endpoint_outbound.h"
#include "sql.h"

#include <sodium.h>
#include <stdlib.h>

#define BATCH 100

/* As the statements number them. */
enum kind { SECRETS, HEADERS, MTLS, OAUTH, KINDS };

struct walk {
    struct ph_loop *loop;
    struct ph_db *db;
    const struct ph_keyring *keyring;
    enum kind kind;
    struct ph_id cursor;
    struct ph_reseal_counts *counts;
};

/* What the value of a row is bound to. */
static struct ph_id bound_row(enum kind kind, struct ph_id id)
{
    if (kind == MTLS || kind == OAUTH)
        return ph_outbound_bound_row(id, kind == MTLS ? PH_OUTBOUND_MTLS : PH_OUTBOUND_OAUTH);
    return id;
}

static enum ph_err find(struct walk *walk, struct ph_arena *arena, PGresult **res)
{
    uint32_t id = ph_keyring_sealing_id(walk->keyring);
    uint8_t key[4] = {(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    struct ph_db_req req;

    ph_db_req_init(&req,
                   walk->kind == SECRETS ? &ph_sql_sealed_secrets : &ph_sql_sealed_of_endpoints,
                   arena, NULL);
    ph_db_add_id(&req, walk->cursor);
    ph_db_add_ref(&req, (struct ph_str){(const char *)key, sizeof key});
    ph_db_add_i32(&req, BATCH);
    if (walk->kind != SECRETS)
        ph_db_add_i32(&req, (int32_t)walk->kind);
    return ph_db_run(walk->loop, walk->db, &req, res);
}

/* The value sealed anew, in the arena; absent: it does not open. */
static struct ph_str seal_again(struct walk *walk, struct ph_arena *arena, struct ph_id tenant,
                                struct ph_id row, struct ph_str sealed)
{
    struct ph_str out = PH_STR_NONE;
    uint8_t *plain = ph_malloc(sealed.len + 1);
    size_t len = 0;

    if (ph_unseal(walk->keyring, tenant, row, sealed, plain, &len) == PH_OK) {
        uint8_t *again = ph_arena_alloc(arena, len + PH_SEAL_OVERHEAD);
        ph_seal(walk->keyring, tenant, row, (struct ph_str){(const char *)plain, len}, again);
        out = (struct ph_str){(const char *)again, len + PH_SEAL_OVERHEAD};
        sodium_memzero(plain, len);
    }
    free(plain);
    return out;
}

/* Ids, values before and after of what opens. */
static void fill(struct walk *walk, struct ph_arena *arena, const PGresult *found,
                 struct ph_db_array arrays[3])
{
    for (int i = 0; i < PQntuples(found); i++) {
        struct ph_id id = ph_db_id(found, i, 0);
        struct ph_str before = ph_db_str(found, i, 2);
        struct ph_str after =
            seal_again(walk, arena, ph_db_id(found, i, 1), bound_row(walk->kind, id), before);
        walk->cursor = id;
        if (!after.ptr) {
            walk->counts->broken++;
            continue;
        }
        ph_db_array_id(&arrays[0], id);
        ph_db_array_str(&arrays[1], before);
        ph_db_array_str(&arrays[2], after);
    }
}

static enum ph_err write(struct walk *walk, struct ph_arena *arena, struct ph_db_array arrays[3])
{
    PGresult *res = NULL;
    struct ph_db_req req;
    enum ph_err err;

    ph_db_req_init(&req,
                   walk->kind == SECRETS ? &ph_sql_reseal_secrets : &ph_sql_reseal_of_endpoints,
                   arena, NULL);
    for (int i = 0; i < 3; i++)
        ph_db_add_array(&req, &arrays[i]);
    if (walk->kind != SECRETS)
        ph_db_add_i32(&req, (int32_t)walk->kind);
    err = ph_db_run(walk->loop, walk->db, &req, &res);
    if (err == PH_OK) {
        int64_t n = ph_db_int(res, 0, 0);
        walk->counts->sealed += n;
        walk->counts->changed += arrays[0].n - n;
    }
    PQclear(res);
    return err;
}

/* One batch; *more: it was full. */
static enum ph_err step(struct walk *walk, bool *more)
{
    static const enum ph_db_array_of types[3] = {PH_DB_UUIDS, PH_DB_BYTEAS, PH_DB_BYTEAS};
    struct ph_arena *arena = ph_arena_new();
    struct ph_db_array arrays[3];
    PGresult *found = NULL;
    enum ph_err err = find(walk, arena, &found);

    for (int i = 0; i < 3; i++)
        ph_db_array_init(&arrays[i], types[i], (size_t)256 << 20);
    *more = err == PH_OK && PQntuples(found) == BATCH;
    if (err == PH_OK)
        fill(walk, arena, found, arrays);
    if (err == PH_OK && arrays[0].n)
        err = write(walk, arena, arrays);
    for (int i = 0; i < 3; i++)
        ph_db_array_free(&arrays[i]);
    PQclear(found);
    ph_arena_free(arena);
    return err;
}

enum ph_err ph_reseal(struct ph_loop *loop, struct ph_db *db, const struct ph_keyring *keyring,
                      struct ph_reseal_counts *counts)
{
    *counts = (struct ph_reseal_counts){0};
    for (int kind = 0; kind < KINDS; kind++) {
        struct walk walk = {
            .loop = loop, .db = db, .keyring = keyring, .kind = (enum kind)kind, .counts = counts};
        bool more = true;
        while (more) {
            enum ph_err err = step(&walk, &more);
            if (err != PH_OK)
                return err;
        }
    }
    return PH_OK;
}
