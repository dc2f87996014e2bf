#include "http_server_internal.h"

#include <assert.h>
#include <sys/socket.h>

/* Bytes that may wait for a slow client, and how long it may read nothing. */
#define WAITING_MAX (64 * 1024)
#define STALLED_MS  30000

/* Lives in h2o's request pool, which may outlast it. */
struct ph_stream {
    h2o_generator_t super;
    struct inbound *inbound; /* NULL once ended */
    h2o_req_t *req;
    struct ph_buf waiting, flying;
    bool sending; /* h2o has `flying` */
    bool ending;
    uint64_t sent_ms; /* when h2o got it */
    void (*on_end)(void *ctx);
    void *ctx;
};

/* The request is over, whatever of it h2o still has. */
static void finish(struct ph_stream *stream)
{
    struct inbound *inbound = stream->inbound;

    if (!inbound)
        return;
    stream->inbound = NULL;
    if (inbound->req)
        inbound->ref->inbound = NULL;
    stream->on_end(stream->ctx);
    ph_http_give_back(inbound);
}

static void send_more(struct ph_stream *stream)
{
    struct ph_buf sent = stream->flying;
    h2o_iovec_t bytes;

    if (stream->waiting.len) {
        stream->flying = stream->waiting;
        stream->waiting = sent;
        ph_buf_clear(&stream->waiting);
        stream->sending = true;
        stream->sent_ms = ph_loop_now_ms(stream->inbound->thread->loop);
        bytes = h2o_iovec_init(stream->flying.ptr, stream->flying.len);
        h2o_send(stream->req, &bytes, 1, H2O_SEND_STATE_IN_PROGRESS);
    } else if (stream->ending) {
        h2o_req_t *req = stream->req;
        finish(stream);
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
    }
}

/* h2o has sent `flying`. */
static void on_proceed(h2o_generator_t *super, h2o_req_t *req)
{
    struct ph_stream *stream = (struct ph_stream *)super;

    stream->sending = false;
    if (stream->inbound)
        send_more(stream);
    else
        h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
}

static void on_gone(h2o_generator_t *super, h2o_req_t *req)
{
    (void)req;
    finish((struct ph_stream *)super);
}

static void on_dispose(void *p)
{
    struct ph_stream *stream = p;

    finish(stream);
    ph_buf_free(&stream->waiting);
    ph_buf_free(&stream->flying);
}

struct ph_stream *ph_request_stream(struct ph_request *request, const char *content_type,
                                    void (*on_end)(void *ctx), void *ctx)
{
    struct inbound *inbound = ph_container_of(request, struct inbound, pub);
    h2o_req_t *req = inbound->req;
    struct ph_stream *stream;

    if (!req)
        return NULL;
    ph_http_count(200);
    stream = h2o_mem_alloc_shared(&req->pool, sizeof(*stream), on_dispose);
    *stream = (struct ph_stream){.super = {on_proceed, on_gone}, .on_end = on_end, .ctx = ctx};
    stream->inbound = inbound;
    stream->req = req;
    ph_buf_init(&stream->waiting, WAITING_MAX);
    ph_buf_init(&stream->flying, WAITING_MAX);
    inbound->stream = stream;
    req->http1_is_persistent = 0;
    req->res.status = 200;
    req->res.reason = ph_http_reason(200);
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, content_type,
                   strlen(content_type));
    h2o_start_response(req, &stream->super);
    return stream;
}

/* Whether the client has read nothing of what it was sent for too long: then the connection ends. */
static bool cut_if_stalled(struct ph_stream *stream)
{
    h2o_conn_t *conn = stream->req->conn;

    if (!stream->sending ||
        ph_loop_now_ms(stream->inbound->thread->loop) < stream->sent_ms + STALLED_MS)
        return false;
    (void)shutdown(h2o_socket_get_fd(conn->callbacks->get_socket(conn)), SHUT_RDWR);
    return true;
}

bool ph_stream_write(struct ph_stream *stream, struct ph_str bytes)
{
    assert(stream->inbound && bytes.len);
    if (cut_if_stalled(stream) || stream->ending || stream->waiting.len + bytes.len > WAITING_MAX)
        return false;
    ph_buf_add(&stream->waiting, bytes.ptr, bytes.len);
    if (!stream->sending)
        send_more(stream);
    return true;
}

void ph_stream_end(struct ph_stream *stream)
{
    stream->ending = true;
    if (!stream->sending)
        send_more(stream);
}

void ph_http_streams_end(struct http_thread *thread, bool now)
{
    struct ph_link *next;

    for (struct ph_link *at = thread->inbounds.next; at != &thread->inbounds; at = next) {
        struct ph_stream *stream = ph_container_of(at, struct inbound, link)->stream;
        next = at->next;
        if (stream && now)
            finish(stream);
        else if (stream)
            ph_stream_end(stream);
    }
}
