#include "posthorn/str.h"

#include "base/utf8.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct ph_str ph_str_of(const char *c_string)
{
    return c_string != NULL ? (struct ph_str){c_string, strlen(c_string)} : PH_STR_NONE;
}

bool ph_str_eq(struct ph_str a, struct ph_str b)
{
    if ((a.ptr == NULL) != (b.ptr == NULL) || a.len != b.len)
        return false;
    return a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0;
}

bool ph_str_eq_c(struct ph_str a, const char *c_string)
{
    return ph_str_eq(a, ph_str_of(c_string));
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool ph_str_ieq(struct ph_str a, struct ph_str b)
{
    if ((a.ptr == NULL) != (b.ptr == NULL) || a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    }
    return true;
}

bool ph_str_starts(struct ph_str s, struct ph_str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct ph_str ph_str_trim(struct ph_str s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool ph_str_split(struct ph_str *rest, char separator, struct ph_str *part)
{
    if (rest->ptr == NULL)
        return false;
    const char *cut = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
    if (cut == NULL) {
        *part = *rest;
        *rest = PH_STR_NONE;
        return true;
    }
    size_t len = (size_t)(cut - rest->ptr);
    *part = (struct ph_str){rest->ptr, len};
    *rest = (struct ph_str){cut + 1, rest->len - len - 1};
    return true;
}

enum ph_err ph_str_to_i64(struct ph_str s, int64_t *out)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == s.len)
        return PH_ERR_BAD_REQUEST;
    int64_t v = 0; /* gathered as a negative number, which reaches one further */
    for (; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return PH_ERR_BAD_REQUEST;
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, s.ptr[i] - '0', &v))
            return PH_ERR_BAD_REQUEST;
    }
    if (!negative && __builtin_sub_overflow(0, v, &v))
        return PH_ERR_BAD_REQUEST;
    *out = v;
    return PH_OK;
}

static pthread_once_t hash_once = PTHREAD_ONCE_INIT;
static unsigned char hash_key[crypto_shorthash_KEYBYTES];

static void make_hash_key(void)
{
    if (sodium_init() < 0)
        abort();
    randombytes_buf(hash_key, sizeof(hash_key));
}

uint64_t ph_str_hash(struct ph_str s)
{
    uint64_t hash;
    _Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "SipHash gives 64 bits");
    pthread_once(&hash_once, make_hash_key);
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)s.ptr, s.len, hash_key);
    return hash;
}

bool ph_str_is_text(struct ph_str s)
{
    for (size_t i = 0, n; i < s.len; i += n) {
        if (s.ptr[i] == '\0')
            return false;
        n = ph_utf8_step(s.ptr + i, s.len - i);
        if (n == 0)
            return false;
    }
    return true;
}
