/*
 * The part of picohttpparser that libh2o-evloop exports (its version 2.2.5 ships no header for it). Layouts are those of
 * that library: tests/unit/core/http_response_test.c fails when they do not fit.
 */
#ifndef POSTHORN_CORE_PICOHTTPPARSER_API_H
#define POSTHORN_CORE_PICOHTTPPARSER_API_H

#include <stddef.h>
#include <sys/types.h>

/* name NULL: the value continues the one before (an obsolete folded line). */
struct phr_header {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};

/* Zero it first, then set consume_trailer. */
struct phr_chunked_decoder {
    size_t bytes_left_in_chunk;
    char consume_trailer;
    char hex_count;
    char state;
};

/* *num_headers: room on entry, number found on return. Returns bytes consumed, -1 malformed, -2 incomplete. */
int phr_parse_headers(const char *buf, size_t len, struct phr_header *headers, size_t *num_headers,
                      size_t last_len);
/* Decodes in place; *len becomes the decoded length. Returns the bytes left over behind the end, -1 malformed, -2 more. */
ssize_t phr_decode_chunked(struct phr_chunked_decoder *decoder, char *buf, size_t *len);

#endif
