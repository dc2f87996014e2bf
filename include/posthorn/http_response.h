/*
 * Parser of HTTP/1.1 answers (RFC 9112), incremental and pure: feed it bytes as they come. Fuzzed.
 *
 * Strict where leniency could be turned against us: conflicting or malformed Content-Length, Content-Length with
 * Transfer-Encoding, any coding but chunked, an interim answer 101, and header blocks over the cap are refused.
 */
#ifndef POSTHORN_HTTP_RESPONSE_H
#define POSTHORN_HTTP_RESPONSE_H

#include "posthorn/str.h"

struct ph_http_response;

struct ph_http_response *ph_http_response_new(size_t header_bytes, size_t body_bytes,
                                              size_t body_read_bytes);
void ph_http_response_free(struct ph_http_response *response);
/* Ready for the next answer on the connection. */
void ph_http_response_reset(struct ph_http_response *response);

enum ph_http_progress {
    PH_HTTP_MORE,     /* needs more bytes */
    PH_HTTP_COMPLETE, /* answer complete, connection reusable if ph_http_response_keep_alive */
    PH_HTTP_INVALID,  /* not HTTP: see ph_http_response_fault */
};

/* Takes bytes read from the connection. Bytes behind a complete answer make the connection unusable (keep_alive false). */
enum ph_http_progress ph_http_response_feed(struct ph_http_response *response, const char *bytes,
                                            size_t n);
/* The connection ended: completes an answer that is delimited by the end, else INVALID or MORE (cut short). */
enum ph_http_progress ph_http_response_eof(struct ph_http_response *response);

int ph_http_response_status(
    const struct ph_http_response *response); /* 0 before the headers are complete */
struct ph_str ph_http_response_body(const struct ph_http_response *response);
/* Body had more than body_read_bytes: it counts as complete, the connection is not reusable. */
bool ph_http_response_truncated(const struct ph_http_response *response);
bool ph_http_response_keep_alive(const struct ph_http_response *response);
/* Value of the first header of that name (case ignored), PH_STR_NONE without. Valid until reset. */
struct ph_str ph_http_response_header(const struct ph_http_response *response, const char *name);
/* All header lines as they came, without the empty one; absent before they are complete. Valid until reset. */
struct ph_str ph_http_response_headers(const struct ph_http_response *response);
bool ph_http_response_started(const struct ph_http_response *response);      /* any byte has come */
const char *ph_http_response_fault(const struct ph_http_response *response); /* static sentence */

/* Seconds to wait by a Retry-After value (RFC 9110, 10.2.3): delta-seconds or HTTP date; -1 when malformed or absent. Capped at 7 days. */
int64_t ph_http_retry_after_s(struct ph_str value, int64_t now_wall_ms);

#endif
