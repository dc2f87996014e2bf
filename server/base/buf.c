#include "posthorn/arena.h"
#include "posthorn/str.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

void ph_buf_init(struct ph_buf *buf, size_t max_bytes)
{
    *buf = (struct ph_buf){.max_bytes = max_bytes};
}

void ph_buf_free(struct ph_buf *buf)
{
    free(buf->ptr);
    ph_buf_init(buf, buf->max_bytes);
}

void ph_buf_clear(struct ph_buf *buf)
{
    buf->len = 0;
    buf->overflow = false;
}

char *ph_buf_reserve(struct ph_buf *buf, size_t bytes)
{
    if (bytes > buf->max_bytes - buf->len) {
        buf->overflow = true;
        return NULL;
    }
    size_t need = buf->len + bytes;
    if (need > buf->cap || buf->ptr == NULL) {
        size_t cap = buf->cap > 0 ? buf->cap : FIRST_CAP;
        while (cap < need)
            cap = cap <= buf->max_bytes / 2 ? cap * 2 : buf->max_bytes;
        if (cap > buf->max_bytes)
            cap = buf->max_bytes;
        /* One byte more than cap: room for the NUL that ph_buf_printf writes and does not count. */
        buf->ptr = ph_realloc(buf->ptr, cap + 1);
        buf->cap = cap;
    }
    return buf->ptr + buf->len;
}

void ph_buf_add(struct ph_buf *buf, const void *ptr, size_t bytes)
{
    if (bytes == 0)
        return;
    char *to = ph_buf_reserve(buf, bytes);
    if (to == NULL)
        return;
    memcpy(to, ptr, bytes);
    buf->len += bytes;
}

void ph_buf_add_str(struct ph_buf *buf, struct ph_str s)
{
    ph_buf_add(buf, s.ptr, s.len);
}

void ph_buf_add_c(struct ph_buf *buf, const char *c_string)
{
    ph_buf_add(buf, c_string, strlen(c_string));
}

void ph_buf_add_char(struct ph_buf *buf, char c)
{
    ph_buf_add(buf, &c, 1);
}

void ph_buf_add_i64(struct ph_buf *buf, int64_t v)
{
    char digits[20]; /* "-9223372036854775808" */
    size_t at = sizeof(digits);
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (v < 0)
        digits[--at] = '-';
    ph_buf_add(buf, digits + at, sizeof(digits) - at);
}

void ph_buf_printf(struct ph_buf *buf, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    assert(n >= 0);
    char *to = ph_buf_reserve(buf, (size_t)n);
    if (to != NULL) {
        vsnprintf(to, (size_t)n + 1, fmt, again);
        buf->len += (size_t)n;
    }
    va_end(again);
}

struct ph_str ph_buf_str(const struct ph_buf *buf)
{
    return (struct ph_str){buf->ptr != NULL ? buf->ptr : "", buf->len};
}
