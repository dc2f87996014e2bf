/*
 * Strings: a slice that does not own its bytes, a byte buffer with a largest size, and text codings.
 */
#ifndef POSTHORN_STR_H
#define POSTHORN_STR_H

#include "posthorn/err.h"

#include <stddef.h>
#include <stdint.h>

/* A run of bytes that somebody else owns; not NUL-terminated. ptr NULL means "absent", which is not the empty string. */
struct ph_str {
    const char *ptr;
    size_t len;
};

#define PH_STR(literal) ((struct ph_str){("" literal), sizeof(literal) - 1})
#define PH_STR_NONE     ((struct ph_str){NULL, 0})

struct ph_str ph_str_of(const char *c_string); /* NULL gives PH_STR_NONE */
bool ph_str_eq(struct ph_str a, struct ph_str b);
bool ph_str_eq_c(struct ph_str a, const char *c_string);
bool ph_str_ieq(struct ph_str a, struct ph_str b); /* ASCII letters without case */
bool ph_str_starts(struct ph_str s, struct ph_str prefix);
/* Without leading and trailing spaces, tabs, CR and LF. */
struct ph_str ph_str_trim(struct ph_str s);
/* Cuts the part before the next `separator` off the front of *rest into *part. False when *rest is absent, that is,
 * used up; the last part leaves *rest absent. "a,,b" gives "a", "", "b". */
bool ph_str_split(struct ph_str *rest, char separator, struct ph_str *part);
/* Decimal int64 with optional minus and nothing else. BAD_REQUEST: not a number or out of range. */
PH_MUST_CHECK enum ph_err ph_str_to_i64(struct ph_str s, int64_t *out);
/* 64-bit hash for tables in memory, keyed with a per-process random key (SipHash of libsodium). */
uint64_t ph_str_hash(struct ph_str s);
/* Well-formed UTF-8 without NUL (PostgreSQL text cannot hold NUL). */
bool ph_str_is_text(struct ph_str s);

/*
 * Byte buffer. Grows by doubling up to max_bytes; an append past that sets `overflow` and is left out, so a writer
 * checks once at the end. Owner frees with ph_buf_free.
 */
struct ph_buf {
    char *ptr;
    size_t len, cap, max_bytes;
    bool overflow;
};

void ph_buf_init(struct ph_buf *buf, size_t max_bytes);
void ph_buf_free(struct ph_buf *buf);  /* the buffer is empty and usable afterwards */
void ph_buf_clear(struct ph_buf *buf); /* keeps the memory, clears overflow */
/* Room for `bytes` more: returns the write position (advance with buf->len += n), or NULL with overflow set. */
char *ph_buf_reserve(struct ph_buf *buf, size_t bytes);
void ph_buf_add(struct ph_buf *buf, const void *ptr, size_t bytes);
void ph_buf_add_str(struct ph_buf *buf, struct ph_str s);
void ph_buf_add_c(struct ph_buf *buf, const char *c_string);
void ph_buf_add_char(struct ph_buf *buf, char c);
void ph_buf_add_i64(struct ph_buf *buf, int64_t v);
void ph_buf_printf(struct ph_buf *buf, const char *fmt, ...) PH_PRINTF(2, 3);
struct ph_str ph_buf_str(const struct ph_buf *buf);

/* Base64, standard alphabet with padding (RFC 4648, section 4). Encoded length without NUL: */
#define PH_BASE64_LEN(n) ((((n) + 2) / 3) * 4)
/* Writes PH_BASE64_LEN(n) characters and a NUL to out; returns the number of characters. */
size_t ph_base64_encode(const void *ptr, size_t n, char *out);
/* Strict: padding needed, no white space. `out` holds out_cap bytes. BAD_REQUEST: not base64 or too long. */
PH_MUST_CHECK enum ph_err ph_base64_decode(struct ph_str s, uint8_t *out, size_t out_cap,
                                           size_t *out_len);
/* Base32 (RFC 4648, section 6), without padding. Encoded length without NUL: */
#define PH_BASE32_LEN(n) (((n)*8 + 4) / 5)
/* Writes PH_BASE32_LEN(n) characters and a NUL to out. */
void ph_base32_encode(const void *ptr, size_t n, char *out);
/* Lower-case hex of n bytes and a NUL: 2n + 1 bytes. */
void ph_hex_encode(const void *ptr, size_t n, char *out);

#endif
