#include "http_server_internal.h"

#include "posthorn/metrics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FREE_MAX       256
#define HEAD_BYTES_MAX (32 * 1024)

struct kept_header {
    struct ph_str name, value;
};

struct handler {
    h2o_handler_t super;
    struct ph_http_server *server;
};

struct refusal_filter {
    h2o_filter_t super;
    struct ph_http_server *server;
};

struct refusal_stream {
    h2o_ostream_t super;
    h2o_iovec_t body;
};

static struct inbound *take(struct http_thread *thread)
{
    struct inbound *inbound = thread->free;

    if (inbound) {
        thread->free = inbound->next_free;
        thread->n_free--;
    } else {
        inbound = ph_calloc(1, sizeof(*inbound));
        inbound->thread = thread;
        inbound->pub.arena = ph_arena_new();
        inbound->pub.loop = thread->loop;
    }
    inbound->pub.thread = thread->context;
    ph_list_add_last(&thread->inbounds, &inbound->link);
    return inbound;
}

static void drop(struct inbound *inbound)
{
    ph_arena_free(inbound->pub.arena);
    free(inbound);
}

void ph_http_give_back(struct inbound *inbound)
{
    struct http_thread *thread = inbound->thread;

    ph_list_remove(&inbound->link);
#ifdef PH_ARENA_MALLOC
    drop(inbound); /* use after the answer shows */
#else
    if (thread->n_free == FREE_MAX) {
        drop(inbound);
        return;
    }
    ph_arena_reset(inbound->pub.arena);
    inbound->req = NULL;
    inbound->stream = NULL;
    inbound->kept = NULL;
    inbound->n_kept = 0;
    inbound->next_free = thread->free;
    thread->free = inbound;
    thread->n_free++;
#endif
    (void)thread;
}

static void on_ref_dispose(void *p)
{
    struct request_ref *ref = p;

    if (ref->inbound)
        ref->inbound->req = NULL;
    ref->connection->busy = false;
    ref->connection->bytes_at_rest = ref->connection->sock->bytes_read;
}

const char *ph_http_reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 303:
        return "See Other";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 409:
        return "Conflict";
    case 413:
        return "Payload Too Large";
    case 422:
        return "Unprocessable Entity";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    default:
        return status < 400 ? "OK" : "Error";
    }
}

void ph_http_count(int status)
{
    ph_metric_add(http_requests, 1);
    if (status >= 500)
        ph_metric_add(http_server_errors, 1);
    else if (status >= 400)
        ph_metric_add(http_client_errors, 1);
}

static bool is_head(const h2o_req_t *req)
{
    return h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
}

static void add_unless_set(h2o_req_t *req, const h2o_token_t *token, const char *name, size_t len,
                           const char *value, size_t value_len)
{
    h2o_headers_t *headers = &req->res.headers;

    if ((token ? h2o_find_header(headers, token, -1)
               : h2o_find_header_by_str(headers, name, len, -1)) < 0)
        h2o_add_header_by_str(&req->pool, headers, name, len, token != NULL, NULL, value,
                              value_len);
}

/* What holds for every answer that says nothing else: it is what its type says, no cache keeps it, and no browser runs it or
 * shows it in a frame. */
static void add_safeguards(h2o_req_t *req)
{
    h2o_add_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("x-content-type-options"), 0,
                          NULL, H2O_STRLIT("nosniff"));
    add_unless_set(req, H2O_TOKEN_CACHE_CONTROL, H2O_STRLIT("cache-control"),
                   H2O_STRLIT("no-store"));
    add_unless_set(req, NULL, H2O_STRLIT("content-security-policy"),
                   H2O_STRLIT("default-src 'none'; frame-ancestors 'none'"));
    add_unless_set(req, NULL, H2O_STRLIT("referrer-policy"), H2O_STRLIT("no-referrer"));
}

static void answer_with(h2o_req_t *req, int status, const char *content_type, h2o_iovec_t body)
{
    static h2o_generator_t generator;

    req->res.status = status;
    req->res.reason = ph_http_reason(status);
    add_safeguards(req);
    if (content_type)
        h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, content_type,
                       strlen(content_type));
    if (status != 204)
        req->res.content_length = body.len;
    h2o_start_response(req, &generator);
    h2o_send(req, &body, body.len > 0 && !is_head(req), H2O_SEND_STATE_FINAL);
}

/* A target may name scheme and host too, as proxies are asked (RFC 9112, 3.2.2): what is behind them. */
static struct ph_str without_authority(struct ph_str path)
{
    const struct ph_str schemes[] = {PH_STR("http://"), PH_STR("https://")};

    for (size_t i = 0; i < 2; i++) {
        struct ph_str begin = {path.ptr, schemes[i].len};
        const char *slash;
        if (path.len < schemes[i].len || !ph_str_ieq(begin, schemes[i]))
            continue;
        slash = memchr(path.ptr + begin.len, '/', path.len - begin.len);
        return slash ? (struct ph_str){slash, path.len - (size_t)(slash - path.ptr)} : PH_STR("/");
    }
    return path;
}

/* Path and query of a request, apart. */
static void cut_path(const h2o_req_t *req, struct ph_str *path, struct ph_str *query)
{
    h2o_iovec_t whole = req->input.path;

    *path = (struct ph_str){whole.base, whole.len};
    *query = PH_STR_NONE;
    if (req->input.query_at != SIZE_MAX) {
        path->len = req->input.query_at;
        *query = (struct ph_str){whole.base + req->input.query_at + 1,
                                 whole.len - req->input.query_at - 1};
    }
    *path = without_authority(*path);
}

static bool is_too_large(const struct ph_http_server *server, const h2o_req_t *req)
{
    const struct ph_http_server_options *options = &server->options;
    struct ph_str path, query;

    if (req->entity.len <= (size_t)options->body_bytes)
        return false;
    cut_path(req, &path, &query);
    return req->entity.len > (size_t)options->big_body_bytes || !options->takes_big_body ||
           !options->takes_big_body((struct ph_str){req->input.method.base, req->input.method.len},
                                    path);
}

/* h2o itself takes 100 headers and 400 kB. */
static bool head_is_too_large(const h2o_req_t *req)
{
    size_t bytes = req->input.path.len;

    for (size_t i = 0; i < req->headers.size; i++)
        bytes += req->headers.entries[i].name->len + req->headers.entries[i].value.len;
    return bytes > HEAD_BYTES_MAX;
}

static int on_req(h2o_handler_t *super, h2o_req_t *req)
{
    struct ph_http_server *server = ((struct handler *)super)->server;
    struct http_thread *thread = ph_container_of(req->conn->ctx, struct http_thread, ctx);
    struct connection *connection = req->conn->callbacks->get_socket(req->conn)->on_close.data;
    struct inbound *inbound;

    if (is_too_large(server, req)) {
        ph_http_count(413);
        answer_with(req, 413, "application/json", server->too_large);
        return 0;
    }
    if (head_is_too_large(req)) {
        ph_http_count(431);
        answer_with(req, 431, "application/json", server->head_too_large);
        return 0;
    }
    inbound = take(thread);
    inbound->req = req;
    inbound->ref = h2o_mem_alloc_shared(&req->pool, sizeof(*inbound->ref), on_ref_dispose);
    inbound->ref->inbound = inbound;
    inbound->ref->connection = connection;
    connection->busy = true;
    inbound->pub.method = (struct ph_str){req->input.method.base, req->input.method.len};
    cut_path(req, &inbound->pub.path, &inbound->pub.query);
    inbound->pub.body = (struct ph_str){req->entity.base, req->entity.len};
    server->options.on_request(&inbound->pub);
    return 0;
}

static struct ph_str find_kept(const struct inbound *inbound, struct ph_str name)
{
    for (size_t i = 0; i < inbound->n_kept; i++)
        if (ph_str_eq(inbound->kept[i].name, name))
            return inbound->kept[i].value;
    return PH_STR_NONE;
}

struct ph_str ph_request_header(const struct ph_request *request, const char *lower_case_name)
{
    const struct inbound *inbound = ph_container_of(request, struct inbound, pub);
    struct ph_str name = ph_str_of(lower_case_name);
    const h2o_token_t *token;
    ssize_t at;

    if (inbound->kept)
        return find_kept(inbound, name);
    assert(inbound->req);
    token = h2o_lookup_token(name.ptr, name.len);
    at = token ? h2o_find_header(&inbound->req->headers, token, -1)
               : h2o_find_header_by_str(&inbound->req->headers, name.ptr, name.len, -1);
    if (at < 0)
        return PH_STR_NONE;
    return (struct ph_str){inbound->req->headers.entries[at].value.base,
                           inbound->req->headers.entries[at].value.len};
}

struct ph_str ph_request_headers(const struct ph_request *request, const char *lower_case_name)
{
    const struct inbound *inbound = ph_container_of(request, struct inbound, pub);
    struct ph_str name = ph_str_of(lower_case_name), all = PH_STR_NONE;
    size_t n = inbound->kept ? inbound->n_kept : inbound->req->headers.size;

    for (size_t i = 0; i < n; i++) {
        struct kept_header h;
        if (inbound->kept) {
            h = inbound->kept[i];
        } else {
            const h2o_header_t *raw = &inbound->req->headers.entries[i];
            h.name = (struct ph_str){raw->name->base, raw->name->len};
            h.value = (struct ph_str){raw->value.base, raw->value.len};
        }
        if (!ph_str_eq(h.name, name))
            continue;
        all = !all.ptr ? h.value
                       : ph_str_of(ph_arena_printf(request->arena, "%.*s,%.*s", (int)all.len,
                                                   all.ptr, (int)h.value.len, h.value.ptr));
    }
    return all;
}

bool ph_request_peer(const struct ph_request *request, struct sockaddr_storage *out)
{
    const struct inbound *inbound = ph_container_of(request, struct inbound, pub);
    h2o_conn_t *conn = inbound->req ? inbound->req->conn : NULL;

    return conn && conn->callbacks->get_peername(conn, (struct sockaddr *)out) > 0;
}

bool ph_request_header_at(const struct ph_request *request, size_t i, struct ph_str *name,
                          struct ph_str *value)
{
    const struct inbound *inbound = ph_container_of(request, struct inbound, pub);

    if (i >= inbound->n_kept)
        return false;
    *name = inbound->kept[i].name;
    *value = inbound->kept[i].value;
    return true;
}

static struct ph_str copy(struct ph_arena *arena, struct ph_str s)
{
    return s.ptr ? (struct ph_str){ph_arena_copy(arena, s.ptr, s.len), s.len} : s;
}

void ph_request_keep(struct ph_request *request)
{
    struct inbound *inbound = ph_container_of(request, struct inbound, pub);
    struct ph_arena *arena = request->arena;
    const h2o_headers_t *headers;

    if (inbound->kept)
        return;
    headers = &inbound->req->headers;
    request->method = copy(arena, request->method);
    request->path = copy(arena, request->path);
    request->query = copy(arena, request->query);
    request->body = copy(arena, request->body);
    inbound->kept = ph_arena_array_of(arena, struct kept_header, headers->size);
    inbound->n_kept = headers->size;
    for (size_t i = 0; i < headers->size; i++) {
        const h2o_header_t *h = &headers->entries[i];
        inbound->kept[i].name = copy(arena, (struct ph_str){h->name->base, h->name->len});
        inbound->kept[i].value = copy(arena, (struct ph_str){h->value.base, h->value.len});
    }
}

void ph_request_set_header(struct ph_request *request, const char *name, const char *value)
{
    struct inbound *inbound = ph_container_of(request, struct inbound, pub);
    h2o_iovec_t name_copy, value_copy;

    if (!inbound->req)
        return;
    name_copy = h2o_strdup(&inbound->req->pool, name, strlen(name));
    value_copy = h2o_strdup(&inbound->req->pool, value, strlen(value));
    h2o_add_header_by_str(&inbound->req->pool, &inbound->req->res.headers, name_copy.base,
                          name_copy.len, 1, NULL, value_copy.base, value_copy.len);
}

void ph_request_answer(struct ph_request *request, int status, const char *content_type,
                       struct ph_str body)
{
    struct inbound *inbound = ph_container_of(request, struct inbound, pub);
    h2o_req_t *req = inbound->req;

    ph_http_count(status);
    if (req) {
        h2o_iovec_t copied = h2o_strdup(&req->pool, body.ptr, body.len);
        inbound->ref->inbound = NULL;
        if (inbound->thread->stopping)
            req->http1_is_persistent = 0;
        ph_http_give_back(inbound);
        answer_with(req, status, content_type, copied);
    } else {
        ph_http_give_back(inbound);
    }
}

void ph_http_request_abandon(struct http_thread *thread)
{
    ph_http_streams_end(thread, true);
    while (!ph_list_is_empty(&thread->inbounds)) {
        struct inbound *inbound = ph_container_of(thread->inbounds.next, struct inbound, link);
        ph_request_set_header(&inbound->pub, "retry-after", "1");
        ph_request_answer(
            &inbound->pub, 503, "application/json",
            PH_STR("{\"code\":\"unavailable\",\"detail\":\"The server is stopping.\"}"));
    }
}

void ph_http_request_free_all(struct http_thread *thread)
{
    struct inbound *next;

    for (struct inbound *inbound = thread->free; inbound; inbound = next) {
        next = inbound->next_free;
        drop(inbound);
    }
    thread->free = NULL;
}

/* h2o's own refusals are plain text; ours are JSON. */
static void send_refusal(h2o_ostream_t *super, h2o_req_t *req, h2o_iovec_t *bufs, size_t n,
                         h2o_send_state_t state)
{
    struct refusal_stream *stream = (struct refusal_stream *)super;

    if (n > 0)
        bufs = &stream->body;
    h2o_ostream_send_next(super, req, bufs, n > 0, state);
}

static void on_refusal(h2o_filter_t *super, h2o_req_t *req, h2o_ostream_t **slot)
{
    struct ph_http_server *server = ((struct refusal_filter *)super)->server;
    struct refusal_stream *stream =
        (struct refusal_stream *)h2o_add_ostream(req, sizeof(*stream), slot);

    ph_http_count(req->res.status);
    stream->super.do_send = send_refusal;
    stream->body = req->res.status == 413 ? server->too_large : server->bad_request;
    req->res.content_length = stream->body.len;
    h2o_set_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE,
                   H2O_STRLIT("application/json"), 1);
    slot = &stream->super.next;
    h2o_setup_next_ostream(req, slot);
}

void ph_http_request_register(struct ph_http_server *server, h2o_hostconf_t *host)
{
    struct handler *handler = (struct handler *)h2o_create_handler(
        h2o_config_register_path(host, "/", 0), sizeof(*handler));
    struct refusal_filter *filter =
        (struct refusal_filter *)h2o_create_filter(&host->fallback_path, sizeof(*filter));

    handler->super.on_req = on_req;
    handler->server = server;
    filter->super.on_setup_ostream = on_refusal;
    filter->server = server;
}
