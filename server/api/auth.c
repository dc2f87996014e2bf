#include "posthorn/auth.h"
#include "posthorn/clock.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WAYS      4
#define SETS      (PH_AUTH_CACHE_KEYS / WAYS)
#define TAG_BYTES crypto_shorthash_siphashx24_BYTES

/* SipHash under a key that only this process knows cannot be made to collide; 128 bits do not by chance. */
struct entry {
    uint8_t tag[TAG_BYTES];
    struct ph_identity identity;
    uint64_t until_ms; /* loop time; 0: empty */
};

struct ph_auth {
    struct ph_loop *loop;
    struct ph_db *db;
    uint8_t secret[crypto_shorthash_siphashx24_KEYBYTES];
    struct entry sets[SETS][WAYS];
};

/* A question to the database. Lives in the request's arena. */
struct question {
    struct ph_auth *auth;
    struct ph_str key;
    ph_auth_done done;
    void *ctx;
};

struct ph_auth *ph_auth_new(struct ph_loop *loop, struct ph_db *db)
{
    struct ph_auth *auth = ph_calloc(1, sizeof(*auth));

    auth->loop = loop;
    auth->db = db;
    randombytes_buf(auth->secret, sizeof(auth->secret));
    return auth;
}

void ph_auth_free(struct ph_auth *auth)
{
    free(auth);
}

struct ph_str ph_auth_bearer(struct ph_str header)
{
    const struct ph_str scheme = PH_STR("bearer ");
    struct ph_str head;

    if (header.len < scheme.len)
        return PH_STR_NONE;
    head = (struct ph_str){header.ptr, scheme.len};
    if (!ph_str_ieq(head, scheme))
        return PH_STR_NONE;
    return ph_str_trim((struct ph_str){header.ptr + scheme.len, header.len - scheme.len});
}

static struct entry *set_of(struct ph_auth *auth, struct ph_str key, uint8_t tag[TAG_BYTES])
{
    uint32_t index;

    crypto_shorthash_siphashx24(tag, (const unsigned char *)key.ptr, key.len, auth->secret);
    memcpy(&index, tag, sizeof(index));
    return auth->sets[index % SETS];
}

bool ph_auth_lookup(struct ph_auth *auth, struct ph_str key, struct ph_identity *out)
{
    uint8_t tag[TAG_BYTES];
    const struct entry *set = set_of(auth, key, tag);

    for (int i = 0; i < WAYS; i++) {
        if (set[i].until_ms == 0 || memcmp(set[i].tag, tag, TAG_BYTES) != 0)
            continue;
        if (set[i].until_ms <= ph_loop_now_ms(auth->loop))
            return false;
        *out = set[i].identity;
        return true;
    }
    return false;
}

/* Over the key's own entry, or else the one that ends first. */
static void remember(struct ph_auth *auth, struct ph_str key, const struct ph_identity *identity,
                     int64_t for_ms)
{
    uint8_t tag[TAG_BYTES];
    struct entry *set = set_of(auth, key, tag), *at = &set[0];

    for (int i = 0; i < WAYS; i++) {
        if (memcmp(set[i].tag, tag, TAG_BYTES) == 0) {
            at = &set[i];
            break;
        }
        if (set[i].until_ms < at->until_ms)
            at = &set[i];
    }
    memcpy(at->tag, tag, TAG_BYTES);
    at->identity = *identity;
    at->until_ms = ph_loop_now_ms(auth->loop) + (uint64_t)for_ms;
}

static void on_find(void *ctx, enum ph_err err, const struct ph_api_key *found)
{
    struct question *question = ctx;
    struct ph_identity identity = {0};
    int64_t for_ms = PH_AUTH_CACHE_MS;

    if (err != PH_OK) {
        question->done(question->ctx, err == PH_ERR_NOT_FOUND ? PH_ERR_AUTH : err, NULL);
        return;
    }
    identity.tenant = found->tenant;
    identity.api_key = found->id;
    if (found->expires_ms != 0 && found->expires_ms - ph_clock_wall_ms() < for_ms)
        for_ms = found->expires_ms - ph_clock_wall_ms();
    if (for_ms > 0)
        remember(question->auth, question->key, &identity, for_ms);
    question->done(question->ctx, PH_OK, &identity);
}

void ph_auth_resolve(struct ph_auth *auth, struct ph_arena *arena, struct ph_str key,
                     ph_auth_done done, void *ctx)
{
    struct question *question = ph_arena_new_of(arena, struct question);

    *question = (struct question){.auth = auth, .key = key, .done = done, .ctx = ctx};
    ph_api_key_find(auth->db, arena, key, on_find, question);
}
