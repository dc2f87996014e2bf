#include "http_server_internal.h"

#include "posthorn/clock.h"
#include "posthorn/log.h"
#include "posthorn/metrics.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_A_ROUND   16
#define ACCEPT_PAUSE_MS   100
#define BACKLOG           4096
#define READER_STALLED_MS 30000
#define WAIT_MAX_MS       10000
/* A body up to this much over the limit is read and answered; a longer one is refused before it is read. */
#define BODY_SLACK_BYTES (1024 * 1024)
#define LAST_STEPS       100
/* After the answer to what was under way: time for sockets that are shut down to be seen and freed. */
#define CLOSE_MS 500
/* Kept connections stay open so long after a stop, for requests that are on their way. */
#define CROSSING_MS 200

/* Connections */

static void on_close(void *data)
{
    struct connection *connection = data;

    ph_list_remove(&connection->link);
    atomic_fetch_sub_explicit(&connection->thread->server->n_connections, 1, memory_order_relaxed);
    ph_metric_add(http_connections, -1);
    free(connection);
}

static void add_connection(struct http_thread *thread, h2o_socket_t *sock)
{
    struct connection *connection = ph_calloc(1, sizeof(*connection));

    connection->thread = thread;
    connection->sock = sock;
    ph_list_add_last(&thread->connections, &connection->link);
    sock->on_close.cb = on_close;
    sock->on_close.data = connection;
    ph_metric_add(http_connections, 1);
    h2o_accept(&thread->accept, sock);
}

static void on_accept(h2o_socket_t *listener, const char *err);

static void on_accept_again(struct ph_timer *timer)
{
    struct http_thread *thread = ph_container_of(timer, struct http_thread, accept_again);

    if (thread->listener)
        h2o_socket_read_start(thread->listener, on_accept);
}

/* False: nobody waits any more, or we have no descriptor for him. */
static bool accept_some(struct http_thread *thread)
{
    struct ph_http_server *server = thread->server;

    for (int i = 0; i < ACCEPTS_A_ROUND; i++) {
        h2o_socket_t *sock = h2o_evloop_socket_accept(thread->listener);
        if (!sock) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                h2o_socket_read_stop(thread->listener);
                ph_timer_set(thread->loop, &thread->accept_again,
                             ph_loop_now_ms(thread->loop) + ACCEPT_PAUSE_MS);
            }
            return false;
        }
        if (atomic_fetch_add_explicit(&server->n_connections, 1, memory_order_relaxed) <
            server->options.max_connections) {
            add_connection(thread, sock);
        } else {
            atomic_fetch_sub_explicit(&server->n_connections, 1, memory_order_relaxed);
            h2o_socket_close(sock);
        }
    }
    return true;
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    if (!err)
        (void)accept_some(listener->data);
}

/* Threads */

static void on_nested(h2o_socket_t *sock, const char *err)
{
    struct http_thread *thread = sock->data;

    (void)err;
    ph_loop_step(thread->loop, 0);
}

static void run_round(struct http_thread *thread)
{
    int wait_ms = ph_loop_wait_ms(thread->loop);

    if (wait_ms < 0 || wait_ms > WAIT_MAX_MS)
        wait_ms = WAIT_MAX_MS;
    /* h2o waits before it calls back sockets that became pending outside of its round, as by an answer of the step below. */
    if (thread->h2o->_pending_as_client || thread->h2o->_pending_as_server)
        wait_ms = 0;
    (void)h2o_evloop_run(thread->h2o, wait_ms); /* -1 is EINTR: the next round does it */
    if (ph_loop_wait_ms(thread->loop) == 0)
        ph_loop_step(thread->loop, 0);
}

static void on_stop_timer(struct ph_timer *timer)
{
    (void)timer; /* ends the wait of the round */
}

/* Connections without a request under way are told to end; what has arrived already is still read and answered. */
static void shut_resting(struct http_thread *thread)
{
    for (struct ph_link *at = thread->connections.next; at != &thread->connections; at = at->next) {
        struct connection *c = ph_container_of(at, struct connection, link);
        if (!c->busy && c->bytes_at_rest == c->sock->bytes_read)
            shutdown(h2o_socket_get_fd(c->sock), SHUT_RD);
    }
}

static void shut_all(struct http_thread *thread)
{
    for (struct ph_link *at = thread->connections.next; at != &thread->connections; at = at->next)
        shutdown(h2o_socket_get_fd(ph_container_of(at, struct connection, link)->sock), SHUT_RDWR);
}

static void on_stop(struct ph_task *task)
{
    struct http_thread *thread = ph_container_of(task, struct http_thread, stop);

    while (accept_some(thread)) /* who is connected already gets an answer */
        ;
    h2o_socket_close(thread->listener);
    thread->listener = NULL;
    ph_timer_clear(thread->loop, &thread->accept_again);
    thread->stopping = true;
    thread->stop_by_ms = ph_loop_now_ms(thread->loop) + (uint64_t)thread->server->stop_timeout_ms;
    ph_http_streams_end(thread, false);
    thread->ctx.shutdown_requested =
        1; /* h2o_context_request_shutdown also starts a timer for HTTP/2 */
}

/* Runs rounds until there is no connection or the time is up. */
static void run_out(struct http_thread *thread, uint64_t until_ms)
{
    while (!ph_list_is_empty(&thread->connections) && ph_loop_now_ms(thread->loop) < until_ms) {
        ph_timer_set(thread->loop, &thread->stop_timer, until_ms);
        run_round(thread);
    }
    ph_timer_clear(thread->loop, &thread->stop_timer);
}

static void set_up(struct http_thread *thread)
{
    thread->h2o = h2o_evloop_create();
    h2o_context_init(&thread->ctx, thread->h2o, &thread->server->config);
    thread->accept.ctx = &thread->ctx;
    thread->accept.hosts = thread->server->config.hosts;
    thread->nested = h2o_evloop_socket_create(thread->h2o, dup(ph_loop_fd(thread->loop)),
                                              H2O_SOCKET_FLAG_DONT_READ);
    thread->nested->data = thread;
    h2o_socket_read_start(thread->nested, on_nested);
    if (thread->server->options.on_thread_start)
        thread->context = thread->server->options.on_thread_start(thread->loop, thread->index,
                                                                  thread->server->options.ctx);
    thread->listener =
        h2o_evloop_socket_create(thread->h2o, thread->listen_fd, H2O_SOCKET_FLAG_DONT_READ);
    thread->listen_fd = -1;
    thread->listener->data = thread;
    h2o_socket_read_start(thread->listener, on_accept);
}

static void tear_down(struct http_thread *thread)
{
    if (thread->server->options.on_thread_stop)
        thread->server->options.on_thread_stop(thread->context);
    for (int i = 0; i < LAST_STEPS && ph_loop_wait_ms(thread->loop) == 0; i++)
        ph_loop_step(thread->loop, 0); /* what the owner deferred */
    ph_http_request_abandon(thread);
    shut_all(thread);
    run_out(thread, ph_loop_now_ms(thread->loop) + CLOSE_MS);
    ph_http_request_free_all(thread);
    h2o_socket_close(thread->nested);
    if (!ph_list_is_empty(&thread->connections)) {
        ph_log(PH_LOG_WARN, "connections left open at stop", ph_log_i("thread", thread->index));
        return;
    }
    h2o_context_dispose(&thread->ctx);
    h2o_evloop_destroy(thread->h2o);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void *run(void *arg)
{
    struct http_thread *thread = arg;
    struct ph_http_server *server = thread->server;

    set_up(thread);
    pthread_mutex_lock(&server->lock);
    server->n_ready++;
    pthread_cond_signal(&server->ready);
    pthread_mutex_unlock(&server->lock);
    while (!thread->stopping)
        run_round(thread);
    /* A request that crosses with the stop is answered, and told that the connection ends. */
    run_out(thread, least(thread->stop_by_ms, ph_loop_now_ms(thread->loop) + CROSSING_MS));
    shut_resting(thread);
    run_out(thread, thread->stop_by_ms);
    tear_down(thread);
    return NULL;
}

/* Start */

static int open_listener(const struct addrinfo *ai, bool shared)
{
    int on = 1, stalled_ms = READER_STALLED_MS;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    /* TCP_USER_TIMEOUT: accepted sockets inherit it */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        (!shared || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0) &&
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stalled_ms, sizeof(stalled_ms)) == 0 &&
        bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static bool has_port(const struct addrinfo *ai)
{
    if (ai->ai_family == AF_INET6)
        return ((const struct sockaddr_in6 *)(const void *)ai->ai_addr)->sin6_port != 0;
    return ((const struct sockaddr_in *)(const void *)ai->ai_addr)->sin_port != 0;
}

/* One listener a thread. Unless it is to be shared, the address is first bound alone: SO_REUSEPORT would let two servers
 * share it unnoticed. */
static bool bind_all(struct ph_http_server *server, struct addrinfo *ai)
{
    struct sockaddr_storage bound = {0};

    if (has_port(ai) && !server->options.share_address) {
        int fd = open_listener(ai, false);
        if (fd < 0)
            return false;
        close(fd);
    }
    for (int i = 0; i < server->n_threads; i++) {
        int fd = open_listener(ai, true);
        if (fd < 0)
            return false;
        server->threads[i].listen_fd = fd;
        socklen_t len = sizeof(bound);
        if (getsockname(fd, (struct sockaddr *)&bound, &len) != 0)
            return false;
        memcpy(ai->ai_addr, &bound, len); /* port 0: the others take the port that the first got */
    }
    server->bound = bound;
    return true;
}

static void name_address(struct ph_http_server *server, const struct addrinfo *ai)
{
    char host[64] = "", port[16] = "";
    struct ph_buf text;

    (void)getnameinfo(ai->ai_addr, ai->ai_addrlen, host, sizeof(host), port, sizeof(port),
                      NI_NUMERICHOST | NI_NUMERICSERV);
    ph_buf_init(&text, sizeof(server->address) - 1);
    ph_buf_printf(&text, ai->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    memcpy(server->address, text.ptr, text.len);
    ph_buf_free(&text);
}

/* "ADDR:PORT", "[ADDR]:PORT" or ":PORT". */
static enum ph_err resolve(const char *listen_on, struct ph_buf *problems, struct addrinfo **out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    const char *colon = strrchr(listen_on, ':');
    char *host;
    int64_t port;
    int rc;

    /* getaddrinfo takes larger numbers and cuts them off */
    if (!colon || ph_str_to_i64(ph_str_of(colon + 1), &port) != PH_OK || port < 0 || port > 65535) {
        ph_buf_printf(problems, "listen address %s: has to be ADDRESS:PORT\n", listen_on);
        return PH_ERR_CONFIG;
    }
    host = ph_strdup(listen_on);
    host[colon - listen_on] = '\0';
    if (host[0] == '[' && colon > listen_on + 1 && colon[-1] == ']') {
        host[colon - listen_on - 1] = '\0';
        rc = getaddrinfo(host + 1, colon + 1, &hints, out);
    } else {
        rc = getaddrinfo(host[0] ? host : NULL, colon + 1, &hints, out);
    }
    free(host);
    if (rc == 0)
        return PH_OK;
    ph_buf_printf(problems, "listen address %s: %s\n", listen_on, gai_strerror(rc));
    return PH_ERR_CONFIG;
}

static h2o_iovec_t refusal(enum ph_err err)
{
    struct ph_buf text;

    ph_buf_init(&text, 512);
    ph_buf_printf(&text, "{\"code\":\"%s\",\"detail\":\"%s\"}", ph_err_code(err), ph_err_text(err));
    return h2o_iovec_init(text.ptr, text.len); /* the server owns it */
}

static void configure(struct ph_http_server *server)
{
    int64_t big_bytes = server->options.big_body_bytes, body_bytes = server->options.body_bytes;
    int64_t most = big_bytes > body_bytes ? big_bytes : body_bytes;
    int64_t slack = most < BODY_SLACK_BYTES ? most : BODY_SLACK_BYTES;

    h2o_config_init(&server->config);
    server->config.server_name = h2o_iovec_init("", 0);
    server->config.max_request_entity_size = (size_t)(most + slack);
    server->config.http1.req_timeout = (uint64_t)server->options.idle_timeout_ms;
    server->config.http1.upgrade_to_http2 = 0;
    server->too_large = refusal(PH_ERR_TOO_LARGE);
    server->head_too_large = refusal(PH_ERR_HEAD_TOO_LARGE);
    server->bad_request = refusal(PH_ERR_BAD_REQUEST);
    ph_http_request_register(
        server,
        h2o_config_register_host(&server->config, h2o_iovec_init(H2O_STRLIT("default")), 65535));
}

static void start_thread(struct http_thread *thread)
{
    sigset_t all, before;

    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    if (pthread_create(&thread->id, NULL, run, thread) != 0)
        abort();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static struct ph_http_server *server_new(const struct ph_http_server_options *options)
{
    struct ph_http_server *server = ph_calloc(1, sizeof(*server));

    server->options = *options;
    server->n_threads = options->threads;
    server->threads = ph_calloc((size_t)options->threads, sizeof(*server->threads));
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->ready, NULL);
    for (int i = 0; i < server->n_threads; i++) {
        struct http_thread *thread = &server->threads[i];
        thread->server = server;
        thread->index = i;
        thread->listen_fd = -1;
        thread->loop = ph_loop_new();
        thread->accept_again.on_timer = on_accept_again;
        thread->stop_timer.on_timer = on_stop_timer;
        thread->stop.run = on_stop;
        ph_list_init(&thread->connections);
        ph_list_init(&thread->inbounds);
    }
    return server;
}

static void server_free(struct ph_http_server *server)
{
    for (int i = 0; i < server->n_threads; i++) {
        if (server->threads[i].listen_fd >= 0)
            close(server->threads[i].listen_fd);
        ph_loop_free(server->threads[i].loop);
    }
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->ready);
    free(server->too_large.base);
    free(server->head_too_large.base);
    free(server->bad_request.base);
    free(server->threads);
    free(server);
}

enum ph_err ph_http_server_start(const struct ph_http_server_options *options,
                                 struct ph_buf *problems, struct ph_http_server **out)
{
    struct ph_http_server *server;
    struct addrinfo *ai;
    enum ph_err err;

    assert(options->threads > 0 && options->on_request);
    err = resolve(options->listen, problems, &ai);
    if (err != PH_OK)
        return err;
    server = server_new(options);
    if (!bind_all(server, ai)) {
        ph_buf_printf(problems, "listen address %s: %s\n", options->listen, strerror(errno));
        freeaddrinfo(ai);
        server_free(server);
        return PH_ERR_IO;
    }
    name_address(server, ai);
    freeaddrinfo(ai);
    configure(server);
    for (int i = 0; i < server->n_threads; i++)
        start_thread(&server->threads[i]);
    pthread_mutex_lock(&server->lock);
    while (server->n_ready < server->n_threads)
        pthread_cond_wait(&server->ready, &server->lock);
    pthread_mutex_unlock(&server->lock);
    *out = server;
    return PH_OK;
}

const char *ph_http_server_address(const struct ph_http_server *server)
{
    return server->address;
}

void ph_http_server_own_address(const struct ph_http_server *server, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;

    *out = server->bound;
    if (out->ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY))
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (out->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
        v6->sin6_addr = in6addr_loopback;
}

struct ph_loop *ph_http_server_loop(struct ph_http_server *server, int index)
{
    return server->threads[index].loop;
}

void *ph_http_server_thread(struct ph_http_server *server, int index)
{
    return server->threads[index].context;
}

int ph_http_server_threads(const struct ph_http_server *server)
{
    return server->n_threads;
}

void ph_http_server_stop(struct ph_http_server *server, int64_t timeout_ms)
{
    server->stop_timeout_ms = timeout_ms;
    for (int i = 0; i < server->n_threads; i++)
        ph_loop_post(server->threads[i].loop, &server->threads[i].stop);
    for (int i = 0; i < server->n_threads; i++)
        pthread_join(server->threads[i].id, NULL);
    h2o_config_dispose(&server->config);
    server_free(server);
}
