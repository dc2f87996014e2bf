#include "posthorn/id.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define TIME_MAX    ((INT64_C(1) << 48) - 1)
#define COUNTER_MAX 0xfff
#define TAIL_BITS   62
#define RANDOM_SIZE 4096

/* Makes ids of one thread. Random bytes are drawn in blocks because a draw is a system call. */
struct maker {
    int64_t wall_ms;  /* of the last id */
    unsigned counter; /* of the last id */
    uint64_t tail;    /* of the last id: TAIL_BITS */
    size_t random_used;
    bool started;
    uint8_t random[RANDOM_SIZE];
};

static _Thread_local struct maker maker;

static uint64_t draw(struct maker *m)
{
    uint64_t v;
    if (!m->started || m->random_used == RANDOM_SIZE) {
        if (sodium_init() < 0)
            abort();
        randombytes_buf(m->random, RANDOM_SIZE);
        m->random_used = 0;
        m->started = true;
    }
    memcpy(&v, m->random + m->random_used, sizeof(v));
    memset(m->random + m->random_used, 0, sizeof(v));
    m->random_used += sizeof(v);
    return v;
}

static void put_time(struct ph_id *id, int64_t wall_ms)
{
    for (int i = 0; i < 6; i++)
        id->b[i] = (uint8_t)(wall_ms >> (40 - 8 * i));
}

static struct ph_id compose(int64_t wall_ms, unsigned counter, uint64_t tail)
{
    struct ph_id id;
    put_time(&id, wall_ms);
    id.b[6] = (uint8_t)(0x70 | counter >> 8);
    id.b[7] = (uint8_t)counter;
    for (int i = 0; i < 8; i++)
        id.b[8 + i] = (uint8_t)(tail >> (56 - 8 * i));
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
    return id;
}

struct ph_id ph_id_new(int64_t wall_ms)
{
    struct maker *m = &maker;
    assert(wall_ms >= 0 && wall_ms <= TIME_MAX);

    uint64_t random = draw(m);
    bool same_ms = m->wall_ms == wall_ms;
    if (same_ms && m->counter == COUNTER_MAX) {
        /* The counter is used up: go on in the tail, by steps that cannot be guessed. */
        m->tail += 1 + (random >> 32);
    } else {
        m->counter = same_ms ? m->counter + 1 : 0;
        m->tail = random >> (64 - TAIL_BITS);
        if (m->counter == COUNTER_MAX)
            m->tail >>= 1; /* half of the range is kept for such steps: room for 2^29 */
        m->wall_ms = wall_ms;
    }
    assert(m->tail >> TAIL_BITS == 0);
    return compose(m->wall_ms, m->counter, m->tail);
}

struct ph_id ph_id_floor(int64_t wall_ms)
{
    if (wall_ms < 0)
        wall_ms = 0;
    if (wall_ms > TIME_MAX)
        wall_ms = TIME_MAX;
    /* Without version and variant, as the SQL function uuid_floor makes it: one bound for both. */
    struct ph_id id = {{0}};
    put_time(&id, wall_ms);
    return id;
}

int64_t ph_id_time_ms(struct ph_id id)
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id.b[i];
    return ms;
}

int ph_id_compare(struct ph_id a, struct ph_id b)
{
    return memcmp(a.b, b.b, sizeof(a.b));
}

bool ph_id_eq(struct ph_id a, struct ph_id b)
{
    return ph_id_compare(a, b) == 0;
}

bool ph_id_is_zero(struct ph_id id)
{
    return ph_id_eq(id, (struct ph_id){{0}});
}

uint64_t ph_id_hash(struct ph_id id)
{
    return ph_str_hash((struct ph_str){(const char *)id.b, sizeof(id.b)});
}

static const struct ph_str prefixes[PH_ID_KINDS] = {
    [PH_ID_TENANT] = {"org_", 4},    [PH_ID_APPLICATION] = {"app_", 4},
    [PH_ID_ENDPOINT] = {"ep_", 3},   [PH_ID_MESSAGE] = {"msg_", 4},
    [PH_ID_ATTEMPT] = {"atmpt_", 6}, [PH_ID_EVENT_TYPE] = {"evtype_", 7},
    [PH_ID_TASK] = {"qtask_", 6},    [PH_ID_API_KEY] = {"key_", 4},
    [PH_ID_PORTAL] = {"portal_", 7}, [PH_ID_AUDIT] = {"audit_", 6},
    [PH_ID_ARRIVAL] = {"inreq_", 6}, [PH_ID_USER] = {"usr_", 4},
    [PH_ID_SESSION] = {"sess_", 5},  [PH_ID_INVITATION] = {"inv_", 4},
};

const char *ph_id_prefix(enum ph_id_kind kind)
{
    assert((size_t)kind < PH_ID_KINDS);
    return prefixes[kind].ptr;
}

typedef unsigned __int128 u128;

#define BASE       62
#define HALF       10                           /* digits that fit 64 bits */
#define BASE_POW10 UINT64_C(839299365868340224) /* BASE to the power of HALF */

/* Ascending in ASCII, so that texts of one width sort like their numbers. */
static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static void put_digits(char *out, uint64_t v, int n)
{
    for (int i = n - 1; i >= 0; i--) {
        out[i] = alphabet[v % BASE];
        v /= BASE;
    }
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 36;
    return -1;
}

size_t ph_id_format(enum ph_id_kind kind, struct ph_id id, char out[PH_ID_WIRE_MAX])
{
    assert((size_t)kind < PH_ID_KINDS);
    size_t n = prefixes[kind].len;
    memcpy(out, prefixes[kind].ptr, n);

    u128 v = 0;
    for (size_t i = 0; i < sizeof(id.b); i++)
        v = v << 8 | id.b[i];
    u128 high = v / BASE_POW10;
    put_digits(out + n, (uint64_t)(high / BASE_POW10), PH_ID_BASE62_LEN - 2 * HALF);
    put_digits(out + n + PH_ID_BASE62_LEN - 2 * HALF, (uint64_t)(high % BASE_POW10), HALF);
    put_digits(out + n + PH_ID_BASE62_LEN - HALF, (uint64_t)(v % BASE_POW10), HALF);
    n += PH_ID_BASE62_LEN;
    out[n] = '\0';
    return n;
}

enum ph_err ph_id_parse(enum ph_id_kind kind, struct ph_str s, struct ph_id *out)
{
    assert((size_t)kind < PH_ID_KINDS);
    struct ph_str prefix = prefixes[kind];
    if (s.len != prefix.len + PH_ID_BASE62_LEN || !ph_str_starts(s, prefix))
        return PH_ERR_BAD_REQUEST;
    u128 v = 0;
    for (size_t i = prefix.len; i < s.len; i++) {
        int digit = digit_of(s.ptr[i]);
        if (digit < 0 || __builtin_mul_overflow(v, (u128)BASE, &v) ||
            __builtin_add_overflow(v, (u128)digit, &v))
            return PH_ERR_BAD_REQUEST;
    }
    for (size_t i = sizeof(out->b); i-- > 0; v >>= 8)
        out->b[i] = (uint8_t)v;
    return PH_OK;
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum ph_err ph_id_parse_uuid(const char *text, struct ph_id *out)
{
    for (size_t i = 0; i < sizeof(out->b); i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
            return PH_ERR_BAD_REQUEST;
        int high = hex_of(text[0]), low = high < 0 ? -1 : hex_of(text[1]);
        if (low < 0)
            return PH_ERR_BAD_REQUEST;
        out->b[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return *text ? PH_ERR_BAD_REQUEST : PH_OK;
}
