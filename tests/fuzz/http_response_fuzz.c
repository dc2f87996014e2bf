/*
 * The parser of HTTP answers: an answer fed whole and in pieces gives the same result, and nothing is read or written
 * where it should not be. The first four bytes choose limits, the cuts and whether the connection ends; the rest is the
 * answer.
 */
#include "posthorn/http_response.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(struct ph_str a, struct ph_str b)
{
    return (a.ptr == NULL) == (b.ptr == NULL) && ph_str_eq(a, b);
}

static void compare(const struct ph_http_response *a, const struct ph_http_response *b)
{
    static const char *const names[] = {"retry-after", "Content-Length", "transfer-encoding", "x"};
    assert(ph_http_response_status(a) == ph_http_response_status(b));
    assert(same(ph_http_response_body(a), ph_http_response_body(b)));
    assert(ph_http_response_truncated(a) == ph_http_response_truncated(b));
    assert(ph_http_response_keep_alive(a) == ph_http_response_keep_alive(b));
    assert(ph_http_response_started(a) == ph_http_response_started(b));
    assert(ph_http_response_fault(a) == ph_http_response_fault(b));
    assert(same(ph_http_response_headers(a), ph_http_response_headers(b)));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert(same(ph_http_response_header(a, names[i]), ph_http_response_header(b, names[i])));
}

static void check(const struct ph_http_response *r, enum ph_http_progress progress,
                  size_t body_bytes)
{
    assert(ph_http_response_body(r).len <= body_bytes);
    assert((progress == PH_HTTP_INVALID) == (ph_http_response_fault(r) != NULL));
    if (progress == PH_HTTP_COMPLETE)
        assert(ph_http_response_status(r) >= 200 && ph_http_response_status(r) <= 999);
    else
        assert(!ph_http_response_keep_alive(r));
    if (ph_http_response_truncated(r))
        assert(progress == PH_HTTP_COMPLETE && !ph_http_response_keep_alive(r));
}

/* Feeds a copy of just these bytes, so that a sanitizer sees a read past them. */
static enum ph_http_progress feed(struct ph_http_response *r, const uint8_t *bytes, size_t n)
{
    char *copy = malloc(n > 0 ? n : 1);
    assert(copy != NULL);
    if (n > 0)
        memcpy(copy, bytes, n);
    enum ph_http_progress progress = ph_http_response_feed(r, copy, n);
    free(copy);
    return progress;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    size_t header_bytes = data[0] < 128 ? 4096 : (size_t)data[0] - 127;
    size_t body_bytes = data[1] % 16 * (size_t)8;
    size_t body_read_bytes = data[1] / 16 * (size_t)16;
    uint32_t seed = data[2] * 2654435761u + 1;
    bool ends = data[3] & 1, again = data[3] & 2;
    data += 4;
    size -= 4;

    struct ph_http_response *whole =
        ph_http_response_new(header_bytes, body_bytes, body_read_bytes);
    struct ph_http_response *pieces =
        ph_http_response_new(header_bytes, body_bytes, body_read_bytes);
    if (again) { /* what was read before must not show */
        feed(pieces, data, size);
        ph_http_response_reset(pieces);
    }

    enum ph_http_progress by_whole = feed(whole, data, size);
    enum ph_http_progress by_pieces = feed(pieces, data, 0);
    for (size_t at = 0; at < size;) {
        seed = seed * 1664525u + 1013904223u;
        size_t n = 1 + (seed >> 24) % 16;
        n = n < size - at ? n : size - at;
        by_pieces = feed(pieces, data + at, n);
        at += n;
    }
    assert(by_whole == by_pieces);
    compare(whole, pieces);
    check(whole, by_whole, body_bytes);
    if (ends) {
        by_whole = ph_http_response_eof(whole);
        assert(by_whole == ph_http_response_eof(pieces));
        compare(whole, pieces);
        check(whole, by_whole, body_bytes);
    }
    ph_http_response_free(whole);
    ph_http_response_free(pieces);

    struct ph_str text = {(const char *)data, size};
    int64_t wait_s = ph_http_retry_after_s(text, INT64_C(1790000000000));
    assert(wait_s >= -1 && wait_s <= 7 * 86400);
    return 0;
}
