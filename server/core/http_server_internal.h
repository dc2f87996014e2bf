/* What http_server.c (threads and connections) and http_server_request.c (requests and answers) share. */
#ifndef POSTHORN_HTTP_SERVER_INTERNAL_H
#define POSTHORN_HTTP_SERVER_INTERNAL_H

#include "list.h"

#include "posthorn/http_server.h"

#include <h2o.h>
#include <pthread.h>

/* An inbound connection; made when it is accepted, freed when h2o closes its socket. */
struct connection {
    struct ph_link link; /* in thread->connections */
    struct http_thread *thread;
    h2o_socket_t *sock;
    size_t
        bytes_at_rest; /* sock->bytes_read when the last request ended: more means that a request is arriving */
    bool busy; /* a request is with the handler or its answer is being sent */
};

/* Lives in h2o's request pool and is told when the request ends there. */
struct request_ref {
    struct inbound *inbound; /* NULL once answered */
    struct connection *connection;
};

/* A request from on_request to its answer. Its memory is used again. */
struct inbound {
    struct ph_request pub;
    struct ph_link link; /* in thread->inbounds */
    struct http_thread *thread;
    h2o_req_t *req; /* NULL: h2o has given it up; the answer goes nowhere */
    struct request_ref *ref;
    struct kept_header *kept; /* n_kept of them, when the head was kept */
    size_t n_kept;
    struct ph_stream *stream; /* the answer, when it is one */
    struct inbound *next_free;
};

struct http_thread {
    struct ph_http_server *server;
    int index;
    pthread_t id;
    bool started;
    struct ph_loop *loop;
    h2o_loop_t *h2o;
    h2o_context_t ctx;
    h2o_accept_ctx_t accept;
    int listen_fd;          /* until h2o owns it */
    h2o_socket_t *listener; /* NULL once closed */
    h2o_socket_t *nested;   /* wakes h2o when the ph_loop has work */
    void *context;          /* the owner's */
    struct ph_link connections;
    struct ph_link inbounds;
    struct inbound *free;
    int n_free;
    struct ph_timer accept_again;
    struct ph_task stop;
    bool stopping;
    uint64_t stop_by_ms;
    struct ph_timer stop_timer;
};

struct ph_http_server {
    struct ph_http_server_options options;
    char address[128];
    struct sockaddr_storage bound;
    h2o_globalconf_t config;
    h2o_iovec_t too_large, head_too_large, bad_request; /* bodies of refusals by us and by h2o */
    struct http_thread *threads;
    int n_threads;
    int64_t stop_timeout_ms;
    _Atomic int64_t n_connections;
    pthread_mutex_t lock;
    pthread_cond_t ready;
    int n_ready;
};

/* Of http_server_request.c: the status's words, counting an answer, and the end of a request. */
const char *ph_http_reason(int status);
void ph_http_count(int status);
void ph_http_give_back(struct inbound *inbound);

/* Ends all streams of the thread; now: at once, though the client has not got everything. */
void ph_http_streams_end(struct http_thread *thread, bool now);

/* Registers the handler of every path and the filter for h2o's own errors. */
void ph_http_request_register(struct ph_http_server *server, h2o_hostconf_t *host);
/* Answers 503 to what has not been answered. */
void ph_http_request_abandon(struct http_thread *thread);
void ph_http_request_free_all(struct http_thread *thread);

#endif
