#include "posthorn/auth.h"

#include "posthorn/clock.h"
#include "posthorn/jwt_identity.h"
#include "posthorn/poller_token.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WAYS      4
#define SETS      (PH_AUTH_CACHE_KEYS / WAYS)
#define TAG_BYTES crypto_shorthash_siphashx24_BYTES

/* The time of a key's last use is stored once a minute, of many keys together. */
#define USED_EVERY_MS 60000
#define USED_SOON_MS  1000
#define USED_MAX      1000

/* SipHash under a key that only this process knows cannot be made to collide; 128 bits do not by chance. */
struct entry {
    uint8_t tag[TAG_BYTES];
    bool used; /* since used_ms */
    uint32_t epoch;
    struct ph_identity identity;
    uint64_t since_ms, until_ms; /* loop time; until 0: empty */
    uint64_t used_ms;            /* when its use was stored; 0: not yet */
};

struct ph_auth {
    struct ph_loop *loop;
    struct ph_db *db;
    const struct ph_auth_news *news;
    struct ph_auth_options options;
    struct ph_timer used_timer;
    struct ph_arena *used_arena; /* of the statement that stores uses; NULL: none is under way */
    uint8_t secret[crypto_shorthash_siphashx24_KEYBYTES];
    struct entry sets[SETS][WAYS];
};

/* A question to the database. Lives in the request's arena. */
struct question {
    struct ph_auth *auth;
    struct ph_str token;
    uint32_t changes; /* when it was asked: an answer from before a change is not remembered */
    ph_identity_done done;
    void *ctx;
};

static void store_uses(struct ph_timer *timer);

struct ph_auth *ph_auth_new(struct ph_loop *loop, const struct ph_auth_options *options)
{
    struct ph_auth *auth = ph_calloc(1, sizeof(*auth));

    auth->loop = loop;
    auth->options = *options;
    auth->db = options->db;
    auth->news = options->news;
    auth->used_timer.on_timer = store_uses;
    randombytes_buf(auth->secret, sizeof(auth->secret));
    return auth;
}

void ph_auth_stop(struct ph_auth *auth)
{
    ph_timer_clear(auth->loop, &auth->used_timer);
    auth->db = NULL;
}

void ph_auth_free(struct ph_auth *auth)
{
    ph_timer_clear(auth->loop, &auth->used_timer);
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

bool ph_auth_well_formed(const struct ph_auth *auth, struct ph_str token)
{
    return ph_token_well_formed(token, PH_API_KEY_PREFIX) ||
           ph_token_well_formed(token, PH_PORTAL_TOKEN_PREFIX) ||
           ph_token_well_formed(token, PH_POLLER_TOKEN_PREFIX) ||
           (auth->options.jwt_secret.len > 0 && ph_jwt_well_formed(token));
}

static struct entry *set_of(struct ph_auth *auth, struct ph_str token, uint8_t tag[TAG_BYTES])
{
    uint32_t index;

    crypto_shorthash_siphashx24(tag, (const unsigned char *)token.ptr, token.len, auth->secret);
    memcpy(&index, tag, sizeof(index));
    return auth->sets[index % SETS];
}

static bool holds(const struct ph_auth *auth, const struct entry *entry)
{
    uint64_t now_ms = ph_loop_now_ms(auth->loop);

    return now_ms < entry->until_ms &&
           entry->epoch == ph_auth_news_epoch(auth->news, entry->identity.tenant) &&
           (ph_auth_news_come(auth->news, now_ms) ||
            now_ms < entry->since_ms + PH_AUTH_CACHE_DEAF_MS);
}

static void set_used_timer(struct ph_auth *auth, uint64_t due_ms)
{
    if (!auth->used_arena && auth->db &&
        (!ph_timer_is_set(&auth->used_timer) || auth->used_timer.due_ms > due_ms))
        ph_timer_set(auth->loop, &auth->used_timer, due_ms);
}

static void note_use(struct ph_auth *auth, struct entry *entry)
{
    uint64_t soon_ms = ph_loop_now_ms(auth->loop) + USED_SOON_MS;
    uint64_t due_ms = entry->used_ms + USED_EVERY_MS;

    if (entry->used || entry->identity.kind != PH_CREDENTIAL_API_KEY)
        return;
    entry->used = true;
    set_used_timer(auth, entry->used_ms == 0 || due_ms < soon_ms ? soon_ms : due_ms);
}

bool ph_auth_lookup(struct ph_auth *auth, struct ph_str token, struct ph_identity *out)
{
    uint8_t tag[TAG_BYTES];
    struct entry *set = set_of(auth, token, tag);

    for (int i = 0; i < WAYS; i++) {
        if (set[i].until_ms == 0 || memcmp(set[i].tag, tag, TAG_BYTES) != 0)
            continue;
        if (!holds(auth, &set[i]))
            return false;
        note_use(auth, &set[i]);
        *out = set[i].identity;
        return true;
    }
    return false;
}

/* Over the token's own entry, or else the one that ends first. */
static void remember(struct ph_auth *auth, struct ph_str token, const struct ph_identity *identity,
                     uint32_t epoch, int64_t for_ms)
{
    uint8_t tag[TAG_BYTES];
    struct entry *set = set_of(auth, token, tag), *at = &set[0];

    for (int i = 0; i < WAYS; i++) {
        if (memcmp(set[i].tag, tag, TAG_BYTES) == 0) {
            at = &set[i];
            break;
        }
        if (set[i].until_ms < at->until_ms)
            at = &set[i];
    }
    if (memcmp(at->tag, tag, TAG_BYTES) != 0) {
        at->used = false;
        at->used_ms = 0;
    }
    memcpy(at->tag, tag, TAG_BYTES);
    at->identity = *identity;
    at->epoch = epoch;
    at->since_ms = ph_loop_now_ms(auth->loop);
    at->until_ms = at->since_ms + (uint64_t)for_ms;
    note_use(auth, at);
}

/* With what this node knows of the tenant. */
static struct ph_identity complete(struct ph_auth *auth, const struct ph_identity *found)
{
    struct ph_identity identity = *found;
    int64_t *per_second = identity.standing.quotas.per_second;

    for (int i = 0; i < PH_RATE_CLASSES; i++) {
        if (per_second[i] < 0)
            per_second[i] = auth->options.per_second[i];
        if (per_second[i] > PH_RATE_MAX)
            per_second[i] = PH_RATE_MAX;
    }
    identity.rates = ph_rate_table_get(auth->options.rates, identity.standing.root);
    return identity;
}

static void on_found(void *ctx, enum ph_err err, const struct ph_identity *found)
{
    struct question *question = ctx;
    struct ph_auth *auth = question->auth;
    int64_t for_ms = PH_AUTH_CACHE_MS;
    struct ph_identity identity;
    uint32_t epoch;

    if (err != PH_OK) {
        question->done(question->ctx, err == PH_ERR_NOT_FOUND ? PH_ERR_AUTH : err, NULL);
        return;
    }
    identity = complete(auth, found);
    if (identity.standing.quotas.messages_per_day >= 0)
        for_ms = PH_AUTH_CACHE_LIMITED_MS;
    if (found->expires_ms != 0 && found->expires_ms - ph_clock_wall_ms() < for_ms)
        for_ms = found->expires_ms - ph_clock_wall_ms();
    epoch = ph_auth_news_epoch(auth->news, found->tenant);
    if (for_ms > 0 && question->changes == ph_auth_news_changes(auth->news))
        remember(auth, question->token, &identity, epoch, for_ms);
    question->done(question->ctx, PH_OK, &identity);
}

static void resolve_jwt(struct question *question, struct ph_arena *arena)
{
    struct ph_auth *auth = question->auth;
    struct ph_jwt_claims claims;

    if (ph_jwt_verify(auth->options.jwt_secret, question->token, ph_clock_wall_ms(), &claims) ==
        PH_OK)
        ph_jwt_identity_find(auth->db, arena, &claims, on_found, question);
    else
        question->done(question->ctx, PH_ERR_AUTH, NULL);
}

void ph_auth_resolve(struct ph_auth *auth, struct ph_arena *arena, struct ph_str token,
                     ph_identity_done done, void *ctx)
{
    struct question *question = ph_arena_new_of(arena, struct question);

    *question = (struct question){.auth = auth,
                                  .token = token,
                                  .changes = ph_auth_news_changes(auth->news),
                                  .done = done,
                                  .ctx = ctx};
    if (ph_token_well_formed(token, PH_PORTAL_TOKEN_PREFIX))
        ph_portal_token_find(auth->db, arena, token, on_found, question);
    else if (ph_token_well_formed(token, PH_POLLER_TOKEN_PREFIX))
        ph_poller_token_find(auth->db, arena, token, on_found, question);
    else if (ph_token_well_formed(token, PH_API_KEY_PREFIX))
        ph_api_key_find(auth->db, arena, token, on_found, question);
    else
        resolve_jwt(question, arena);
}

/* ---- when keys were used ---- */

static void on_uses_stored(void *ctx, enum ph_err err)
{
    struct ph_auth *auth = ctx;

    (void)err; /* a use that is not noted is no harm */
    ph_arena_free(auth->used_arena);
    auth->used_arena = NULL;
    if (auth->db)
        set_used_timer(auth, ph_loop_now_ms(auth->loop) + USED_SOON_MS);
}

static void store_uses(struct ph_timer *timer)
{
    struct ph_auth *auth = ph_container_of(timer, struct ph_auth, used_timer);
    uint64_t now_ms = ph_loop_now_ms(auth->loop), next_ms = UINT64_MAX;
    struct ph_arena *arena = ph_arena_new();
    struct ph_id *ids = ph_arena_array_of(arena, struct ph_id, USED_MAX);
    struct entry *entry = &auth->sets[0][0];
    size_t n = 0;

    for (; entry < &auth->sets[0][0] + (size_t)SETS * WAYS; entry++) {
        uint64_t due_ms = entry->used_ms == 0 ? now_ms : entry->used_ms + USED_EVERY_MS;
        if (!entry->used)
            continue;
        if (due_ms <= now_ms && n < USED_MAX) {
            ids[n++] = entry->identity.credential;
            entry->used = false;
            entry->used_ms = now_ms;
        } else if (due_ms < next_ms) {
            next_ms = due_ms;
        }
    }
    if (n == 0) {
        ph_arena_free(arena);
        if (next_ms != UINT64_MAX)
            set_used_timer(auth, next_ms);
        return;
    }
    auth->used_arena = arena;
    ph_api_keys_used(auth->db, arena, ids, n, on_uses_stored, auth);
}
