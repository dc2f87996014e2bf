/*
 * Inbound HTTP: libh2o listeners on a number of threads, HTTP/1.1 only, with bounds on connections, bodies and slow clients.
 *
 * Each thread has its own event loop (a ph_loop inside h2o's), its own SO_REUSEPORT listener, and a context that the
 * owner makes on that thread. A request belongs to its thread from on_request to ph_request_answer.
 */
#ifndef POSTHORN_HTTP_SERVER_H
#define POSTHORN_HTTP_SERVER_H

#include "posthorn/arena.h"
#include "posthorn/loop.h"
#include "posthorn/str.h"

#include <sys/socket.h>

/* One inbound request. Slices of head and body are valid until on_request returns; the arena until it is answered. */
struct ph_request {
    struct ph_arena *arena;
    struct ph_loop *loop;
    void *thread;         /* what on_thread_start returned */
    struct ph_str method; /* upper case */
    struct ph_str path;   /* as sent, not decoded, without the query */
    struct ph_str query;  /* behind the '?', not decoded; absent without one */
    struct ph_str body;
};

struct ph_http_server_options {
    const char *listen; /* ADDR:PORT; "[::1]:0" and port 0 are allowed */
    int threads;
    bool
        share_address; /* another server of this user may have it too: the old version, until it stops */
    int64_t max_connections;
    int64_t idle_timeout_ms;
    int64_t body_bytes;     /* a longer body is answered 413 */
    int64_t big_body_bytes; /* the same for requests that takes_big_body says yes to; may be 0 */
    bool (*takes_big_body)(struct ph_str method, struct ph_str path); /* any thread; may be NULL */
    void *(*on_thread_start)(struct ph_loop *loop, int index,
                             void *ctx);  /* on the new thread, before it accepts */
    void (*on_thread_stop)(void *thread); /* on the thread, after its last request */
    void (*on_request)(struct ph_request *request);
    void *ctx;
};

struct ph_http_server;

/* Binds, starts the threads and accepts. IO or CONFIG: a line in problems says why. */
PH_MUST_CHECK enum ph_err ph_http_server_start(const struct ph_http_server_options *options,
                                               struct ph_buf *problems,
                                               struct ph_http_server **out);
/* "127.0.0.1:8071" with the port that was really bound. */
const char *ph_http_server_address(const struct ph_http_server *server);
/* Where this process reaches it: that address, or the loopback's when it listens on all. */
void ph_http_server_own_address(const struct ph_http_server *server, struct sockaddr_storage *out);
/* The loop of a thread, for ph_loop_post from elsewhere. */
struct ph_loop *ph_http_server_loop(struct ph_http_server *server, int index);
/* The thread's context, to be used on that thread only. */
void *ph_http_server_thread(struct ph_http_server *server, int index);
int ph_http_server_threads(const struct ph_http_server *server);
/* Closes the listeners, lets requests under way finish up to timeout_ms, joins the threads and frees. Main thread only. */
void ph_http_server_stop(struct ph_http_server *server, int64_t timeout_ms);

/* Value of a header by its lower-case name; absent without. Only during on_request, or when the head was kept. */
struct ph_str ph_request_header(const struct ph_request *request, const char *lower_case_name);
/* The values of all headers of that name, joined by commas, in the arena. */
struct ph_str ph_request_headers(const struct ph_request *request, const char *lower_case_name);
/* Who is at the other end of the connection. False: the client has gone. */
bool ph_request_peer(const struct ph_request *request, struct sockaddr_storage *out);
/* The header at place i, when the head was kept; names are in lower case. False: there are no more. */
bool ph_request_header_at(const struct ph_request *request, size_t i, struct ph_str *name,
                          struct ph_str *value);
/* During on_request: copies head and body into the arena, so that they stay valid until the answer. */
void ph_request_keep(struct ph_request *request);

/* Adds a header to the answer; both strings are copied. */
void ph_request_set_header(struct ph_request *request, const char *name, const char *value);
/* Answers and gives the request up. The body is copied; content_type NULL sends none. Exactly once per request, then or later. */
void ph_request_answer(struct ph_request *request, int status, const char *content_type,
                       struct ph_str body);

/* An answer that goes on, as its owner writes it. On the request's thread, like all calls of a request. */
struct ph_stream;

/*
 * Begins to answer 200; the connection ends with the stream. on_end comes exactly once, when the client has gone, the server
 * stops, or ph_stream_end was called; the stream and the request are gone then. NULL: the client has gone already; the
 * request is still to be answered, as any.
 */
struct ph_stream *ph_request_stream(struct ph_request *request, const char *content_type,
                                    void (*on_end)(void *ctx), void *ctx);
/* Copies the bytes. False: they did not fit, for the client reads too slowly; nothing is written. One that reads nothing for
 * half a minute is cut off. */
bool ph_stream_write(struct ph_stream *stream, struct ph_str bytes);
/* What is written already is still sent. on_end comes later, or before this returns. */
void ph_stream_end(struct ph_stream *stream);

#endif
