#include "core/http_client_internal.h"

#include "posthorn/arena.h"
#include "posthorn/metrics.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

static void on_event(struct ph_watch *watch, uint32_t events);
static void on_next_address(struct ph_timer *timer);

static void watch_for(struct ph_connection *c, uint32_t events)
{
    ph_loop_watch(c->client->loop, &c->watch, events);
}

static void drop_socket(struct ph_connection *c)
{
    if (c->watch.fd < 0)
        return;
    watch_for(c, 0);
    close(c->watch.fd);
    c->watch.fd = -1;
}

void ph_connection_close(struct ph_connection *c)
{
    struct ph_http_client *client = c->client;
    assert(c->exchange == NULL);
    if (c->state == PH_IDLE)
        ph_origin_forget_idle(c);
    ph_list_remove(&c->in_client); /* perhaps it waits for the proxy's address */
    ph_timer_clear(client->loop, &c->next_address);
    ph_tunnel_free(c->tunnel);
    if (c->ssl != NULL)
        ph_tls_free(c);
    drop_socket(c);
    ph_origin_unref(c->origin);
    client->n_connections--;
    ph_metric_add(out_connections, -1);
    if (client->n_spare_connections == PH_SPARE_MAX) {
        free(c);
        return;
    }
    client->n_spare_connections++;
    ph_list_add_first(&client->spare_connections, &c->in_client);
}

static void part(struct ph_connection *c, struct ph_exchange *x)
{
    c->exchange = NULL;
    x->connection = NULL;
}

/* Asking and reading */

static void answered(struct ph_connection *c)
{
    struct ph_exchange *x = c->exchange;
    bool keep = ph_http_response_keep_alive(x->response) && !c->broken &&
                x->sent == x->call->head.len + x->call->body.len;
    part(c, x);
    if (keep)
        ph_origin_keep(c);
    else
        ph_connection_close(c);
    ph_exchange_answered(x);
}

/* The other end went away. A kept connection may have been closed while the request was on its way: that says nothing about
 * the receiver, so a new one is tried, which is none that was kept: this happens once. */
static void lost(struct ph_connection *c, const char *text)
{
    struct ph_exchange *x = c->exchange;
    c->broken = true;
    if (!c->kept || ph_http_response_started(x->response)) {
        ph_exchange_fail(x, PH_ERR_OUT_RESET, "%s", text);
        return;
    }
    part(c, x);
    ph_connection_close(c);
    x->sent = 0;
    x->call->reused = false;
    ph_http_response_reset(x->response);
    ph_origin_connect(x);
}

enum { WOULD_BLOCK = -1, FAILED = -2 };

/* Bytes read into the client's scratch, 0 at the end, WOULD_BLOCK or FAILED with *fault. */
static ssize_t read_some(struct ph_connection *c, const char **fault)
{
    char *to = c->client->scratch;
    ssize_t n;
    *fault = "connection reset";
    if (c->ssl == NULL) {
        do {
            n = recv(c->watch.fd, to, PH_SCRATCH_BYTES, 0);
        } while (n < 0 && errno == EINTR);
        return n >= 0 ? n : errno == EAGAIN ? WOULD_BLOCK : FAILED;
    }
    ERR_clear_error();
    n = SSL_read(c->ssl, to, PH_SCRATCH_BYTES);
    if (n > 0)
        return n;
    switch (SSL_get_error(c->ssl, (int)n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return WOULD_BLOCK;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SSL:
        if (ERR_reason_error_string(ERR_peek_last_error()) != NULL)
            *fault = ERR_reason_error_string(ERR_peek_last_error());
        return FAILED;
    default:
        return FAILED;
    }
}

/* Reads what has come; the parser's limits bound how much that can be. False: the exchange is over or on another
 * connection, and this one must not be touched any more. */
static bool receive(struct ph_connection *c)
{
    for (;;) {
        const char *fault;
        ssize_t n = read_some(c, &fault);
        struct ph_http_response *response = c->exchange->response;
        if (n == WOULD_BLOCK)
            return true;
        if (n == FAILED) {
            lost(c, fault);
            return false;
        }
        enum ph_http_progress progress =
            n > 0 ? ph_http_response_feed(response, c->client->scratch, (size_t)n)
                  : ph_http_response_eof(response);
        if (progress == PH_HTTP_COMPLETE) {
            answered(c);
            return false;
        }
        if (progress == PH_HTTP_INVALID) {
            ph_exchange_fail(c->exchange, PH_ERR_OUT_PROTOCOL, "the answer is not valid HTTP: %s",
                             ph_http_response_fault(response));
            return false;
        }
        if (n == 0) {
            lost(c, ph_http_response_started(response)
                        ? "connection closed before the answer was complete"
                        : "connection closed without an answer");
            return false;
        }
        /* Nor does OpenSSL hold more: a read takes a whole record, and it does not read ahead. */
        if (n < PH_SCRATCH_BYTES)
            return true;
    }
}

static ssize_t write_plain(struct ph_connection *c, const struct ph_http_call *call, size_t sent)
{
    struct iovec parts[2];
    struct msghdr msg = {.msg_iov = parts};
    size_t in_body = sent;
    if (sent < call->head.len) {
        parts[msg.msg_iovlen++] =
            (struct iovec){(void *)(uintptr_t)(call->head.ptr + sent), call->head.len - sent};
        in_body = 0;
    } else {
        in_body -= call->head.len;
    }
    if (in_body < call->body.len)
        parts[msg.msg_iovlen++] =
            (struct iovec){(void *)(uintptr_t)(call->body.ptr + in_body), call->body.len - in_body};
    ssize_t n;
    do {
        n = sendmsg(c->watch.fd, &msg, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    return n >= 0 ? n : errno == EAGAIN ? WOULD_BLOCK : FAILED;
}

/* Head and body in one record if they fit. Called again after WOULD_BLOCK it offers the same bytes, as OpenSSL demands. */
static ssize_t write_tls(struct ph_connection *c, const struct ph_http_call *call, size_t sent)
{
    size_t left = call->head.len + call->body.len - sent;
    size_t n = left < PH_SCRATCH_BYTES ? left : PH_SCRATCH_BYTES;
    const char *from;
    if (sent >= call->head.len) {
        from = call->body.ptr + (sent - call->head.len);
    } else {
        size_t of_head = call->head.len - sent < n ? call->head.len - sent : n;
        memcpy(c->client->scratch, call->head.ptr + sent, of_head);
        if (n > of_head)
            memcpy(c->client->scratch + of_head, call->body.ptr, n - of_head);
        from = c->client->scratch;
    }
    ERR_clear_error();
    int rc = SSL_write(c->ssl, from, (int)n);
    if (rc > 0)
        return rc;
    int err = SSL_get_error(c->ssl, rc);
    return err == SSL_ERROR_WANT_WRITE || err == SSL_ERROR_WANT_READ ? WOULD_BLOCK : FAILED;
}

static void send_request(struct ph_connection *c)
{
    struct ph_exchange *x = c->exchange;
    const struct ph_http_call *call = x->call;
    while (x->sent < call->head.len + call->body.len) {
        ssize_t n = c->ssl != NULL ? write_tls(c, call, x->sent) : write_plain(c, call, x->sent);
        if (n == WOULD_BLOCK) {
            watch_for(c, EPOLLIN | EPOLLOUT);
            return;
        }
        if (n == FAILED) {
            /* The answer may have come before the door was shut, but not before anything was asked. */
            if (x->sent == 0 || receive(c))
                lost(c, "connection reset");
            return;
        }
        x->sent += (size_t)n;
    }
    watch_for(c, EPOLLIN);
}

void ph_connection_take(struct ph_connection *c, struct ph_exchange *x)
{
    ph_origin_forget_idle(c);
    c->state = PH_BUSY;
    c->exchange = x;
    x->connection = c;
    x->call->reused = true;
    send_request(c);
}

/* Connecting */

static void begin(struct ph_connection *c)
{
    ph_exchange_phase_ends(c->exchange);
    c->state = PH_BUSY;
    send_request(c);
}

static void handshake(struct ph_connection *c)
{
    ERR_clear_error();
    int rc = SSL_do_handshake(c->ssl);
    if (rc == 1) {
        begin(c);
        return;
    }
    int err = SSL_get_error(c->ssl, rc);
    if (err == SSL_ERROR_WANT_READ) {
        watch_for(c, EPOLLIN);
    } else if (err == SSL_ERROR_WANT_WRITE) {
        watch_for(c, EPOLLOUT);
    } else {
        char text[sizeof(c->exchange->call->error_text)];
        ph_tls_explain(c->ssl, err, text, sizeof(text));
        c->broken = true;
        ph_exchange_fail(c->exchange, PH_ERR_OUT_TLS, "%s", text);
    }
}

/* The other end is the target. */
static void connected(struct ph_connection *c)
{
    ph_timer_clear(c->client->loop, &c->next_address);
    ph_metric_add(out_connects, 1);
    c->born_ms = ph_loop_now_ms(c->client->loop);
    if (!c->origin->tls) {
        begin(c);
        return;
    }
    c->ssl = ph_tls_new(c);
    if (c->ssl == NULL) {
        ph_exchange_fail(c->exchange, PH_ERR_OUT_TLS, "the host name cannot be checked with TLS");
        return;
    }
    c->state = PH_HANDSHAKE;
    ph_exchange_phase_begins(c->exchange);
    handshake(c);
}

static const char *text_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "connection refused";
    case ETIMEDOUT:
        return "connection timed out";
    case ENETUNREACH:
    case EHOSTUNREACH:
        return "host unreachable";
    case ECONNRESET:
        return "connection reset";
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
        return "no free socket for a connection";
    default:
        return "connection failed";
    }
}

static void connect_failed(struct ph_connection *c, int error)
{
    enum ph_err err = error == ETIMEDOUT ? PH_ERR_OUT_TIMEOUT : PH_ERR_OUT_CONNECT;
    if (!c->by_proxy)
        ph_exchange_fail(c->exchange, err, "%s", text_of(error));
    else if (error == ECONNREFUSED)
        ph_exchange_fail(c->exchange, err, "the proxy refused the connection");
    else
        ph_exchange_fail(c->exchange, err, "the proxy cannot be reached: %s", text_of(error));
}

static int open_socket(struct ph_http_client *client, int family)
{
    for (;;) {
        int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd >= 0 || (errno != EMFILE && errno != ENFILE) || client->n_idle == 0)
            return fd;
        /* A connection nobody uses can give its descriptor. */
        ph_connection_close(ph_container_of(client->idle.next, struct ph_connection, in_client));
    }
}

/* One address that does not answer must not eat the time of those behind it. */
static void share_time(struct ph_connection *c)
{
    size_t left = c->n_addresses - c->address;
    if (c->by_proxy && c->state == PH_CONNECTING)
        left += c->client->proxy_lookup.addresses.n - c->proxy_address - 1;
    if (left < 2)
        return;
    uint64_t now_ms = ph_loop_now_ms(c->client->loop);
    uint64_t due_ms = c->exchange->phase_due_ms;
    uint64_t share_ms = due_ms > now_ms ? (due_ms - now_ms) / left : 0;
    ph_timer_set(c->client->loop, &c->next_address, now_ms + share_ms);
}

/* What was tried last has failed: on to the proxy's next address, or to the target's. */
static void skip(struct ph_connection *c)
{
    if (c->by_proxy && c->state == PH_CONNECTING &&
        ++c->proxy_address < c->client->proxy_lookup.addresses.n)
        return;
    c->proxy_address = 0;
    c->address++;
}

/* Connects to the next address that does not fail at once; `error`: why the last one failed. */
static void connect_on(struct ph_connection *c, int error)
{
    const struct ph_proxy *proxy = c->client->proxy;
    for (; c->address < c->n_addresses; skip(c)) {
        const struct ph_address *a = &c->addresses[c->address];
        int one = 1;
        bool waits = false;
        c->by_proxy = proxy != NULL && !c->origin->is_own &&
                      ph_proxy_serves(proxy, c->origin->host, &a->to.any);
        if (c->by_proxy)
            a = ph_client_proxy_address(c, &waits);
        if (waits)
            return;
        if (a == NULL)
            continue;
        int fd = open_socket(c->client, a->to.any.sa_family);
        if (fd < 0) {
            error = errno;
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (connect(fd, &a->to.any, a->len) == 0 || errno == EINPROGRESS) {
            c->watch.fd = fd;
            watch_for(c, EPOLLOUT);
            share_time(c);
            return;
        }
        error = errno;
        close(fd);
    }
    connect_failed(c, error);
}

void ph_connection_go_on(struct ph_connection *c, const char *fault)
{
    if (fault == NULL)
        connect_on(c, 0);
    else
        ph_exchange_fail(c->exchange, PH_ERR_OUT_DNS, "the proxy cannot be reached: %s", fault);
}

static void try_next_address(struct ph_connection *c, int error)
{
    ph_timer_clear(c->client->loop, &c->next_address);
    drop_socket(c);
    ph_tunnel_free(c->tunnel);
    c->tunnel = NULL;
    skip(c);
    c->state = PH_CONNECTING;
    connect_on(c, error);
}

static void on_next_address(struct ph_timer *timer)
{
    try_next_address(ph_container_of(timer, struct ph_connection, next_address), ETIMEDOUT);
}

/* The way through the proxy */

static void tunnel_failed(struct ph_connection *c, enum ph_err err, const char *text)
{
    if (c->address + 1 < c->n_addresses)
        try_next_address(c, ECONNREFUSED);
    else
        ph_exchange_fail(c->exchange, err, "%s", text);
}

/* Sends what there is to say. False: it could not all be sent now. */
static bool tell_proxy(struct ph_connection *c)
{
    struct ph_str out;
    while ((out = ph_tunnel_output(c->tunnel)).len > 0) {
        ssize_t n = send(c->watch.fd, out.ptr, out.len, MSG_NOSIGNAL);
        if (n >= 0) {
            ph_tunnel_sent(c->tunnel, (size_t)n);
        } else if (errno == EAGAIN) {
            watch_for(c, EPOLLIN | EPOLLOUT);
            return false;
        } else if (errno != EINTR) {
            break; /* reading tells why, or what the proxy had to say */
        }
    }
    watch_for(c, EPOLLIN);
    return true;
}

static void talk_to_proxy(struct ph_connection *c)
{
    for (;;) {
        (void)tell_proxy(c);
        const char *fault;
        ssize_t n = read_some(c, &fault);
        if (n == WOULD_BLOCK)
            return;
        if (n == FAILED || n == 0) {
            tunnel_failed(c, PH_ERR_OUT_CONNECT, "the proxy closed the connection");
            return;
        }
        switch (ph_tunnel_feed(c->tunnel, c->client->scratch, (size_t)n)) {
        case PH_TUNNEL_MORE:
            break;
        case PH_TUNNEL_CLOSED:
            tunnel_failed(c, PH_ERR_OUT_CONNECT, ph_tunnel_fault(c->tunnel));
            return;
        case PH_TUNNEL_OPEN:
            ph_tunnel_free(c->tunnel);
            c->tunnel = NULL;
            connected(c);
            return;
        }
    }
}

static void enter_tunnel(struct ph_connection *c)
{
    ph_timer_clear(c->client->loop, &c->next_address);
    c->state = PH_TUNNEL;
    c->tunnel = ph_tunnel_new(c->client->proxy, &c->addresses[c->address]);
    ph_exchange_phase_begins(c->exchange);
    share_time(c);
    talk_to_proxy(c);
}

static void on_connect_event(struct ph_connection *c)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(c->watch.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0)
        try_next_address(c, error);
    else if (c->by_proxy)
        enter_tunnel(c);
    else
        connected(c);
}

static struct ph_connection *connection_new(struct ph_http_client *client)
{
    struct ph_connection *c;
    struct ph_link *link = ph_list_take_first(&client->spare_connections);
    if (link != NULL) {
        client->n_spare_connections--;
        c = ph_container_of(link, struct ph_connection, in_client);
    } else {
        c = ph_malloc(sizeof(*c));
    }
    memset(c, 0, offsetof(struct ph_connection, addresses));
    c->client = client;
    c->watch.fd = -1;
    c->watch.on_event = on_event;
    c->next_address.on_timer = on_next_address;
    client->n_connections++;
    ph_metric_add(out_connections, 1);
    return c;
}

void ph_connection_open(struct ph_exchange *x, const struct ph_address *addresses, size_t n)
{
    struct ph_connection *c = connection_new(x->client);
    assert(n > 0 && n <= PH_ADDRESSES_MAX);
    ph_origin_ref(x->origin);
    c->origin = x->origin;
    c->exchange = x;
    x->connection = c;
    c->state = PH_CONNECTING;
    c->n_addresses = n;
    memcpy(c->addresses, addresses, n * sizeof(addresses[0]));
    connect_on(c, 0);
}

/* Events */

/* Nothing is expected while idle but TLS's own messages: anything else ends the connection. */
static void on_idle_event(struct ph_connection *c)
{
    const char *fault;
    ssize_t n = read_some(c, &fault);
    if (n == WOULD_BLOCK)
        return;
    if (n == FAILED)
        c->broken = true;
    ph_connection_close(c);
}

static void on_event(struct ph_watch *watch, uint32_t events)
{
    struct ph_connection *c = ph_container_of(watch, struct ph_connection, watch);
    switch (c->state) {
    case PH_CONNECTING:
        on_connect_event(c);
        break;
    case PH_TUNNEL:
        talk_to_proxy(c);
        break;
    case PH_HANDSHAKE:
        handshake(c);
        break;
    case PH_BUSY:
        if ((events & ~(uint32_t)EPOLLOUT) != 0 && !receive(c))
            break;
        if (events & EPOLLOUT)
            send_request(c);
        break;
    case PH_IDLE:
        on_idle_event(c);
        break;
    }
}
