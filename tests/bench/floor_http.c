/*
 * Floor of ingest: a bare libh2o server, one thread, that answers every POST at once with 202.
 *
 * Prints "port N", serves until its standard input ends, then prints the CPU of one request: user and system time of this
 * process from the first request on.
 */
#include <h2o.h>
#include <h2o/http1.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

static h2o_globalconf_t config;
static h2o_context_t context;
static h2o_accept_ctx_t accept_context;
static struct rusage began;
static long requests;
static bool ended;

static double cpu_us(const struct rusage *r)
{
    return (double)(r->ru_utime.tv_sec + r->ru_stime.tv_sec) * 1e6 +
           (double)(r->ru_utime.tv_usec + r->ru_stime.tv_usec);
}

static int on_request(h2o_handler_t *self, h2o_req_t *req)
{
    static const char answer[] = "{\"id\":\"msg_000000000000000000000\"}";
    (void)self;
    if (requests++ == 0)
        getrusage(RUSAGE_SELF, &began);
    req->res.status = 202;
    req->res.reason = "Accepted";
    req->res.content_length = sizeof(answer) - 1;
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("application/json"));
    h2o_send_inline(req, answer, sizeof(answer) - 1);
    return 0;
}

static void on_accept(h2o_socket_t *listener, const char *err)
{
    h2o_socket_t *sock;
    if (err)
        return;
    while ((sock = h2o_evloop_socket_accept(listener)) != NULL)
        h2o_accept(&accept_context, sock);
}

static void on_stdin(h2o_socket_t *sock, const char *err)
{
    (void)sock;
    if (err)
        ended = true;
}

static int listen_any(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 1024) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        perror("floor_http");
        exit(1);
    }
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    h2o_config_init(&config);
    h2o_hostconf_t *host =
        h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    h2o_handler_t *handler = h2o_create_handler(path, sizeof(*handler));
    handler->on_req = on_request;

    h2o_context_init(&context, h2o_evloop_create(), &config);
    accept_context.ctx = &context;
    accept_context.hosts = config.hosts;
    h2o_socket_read_start(
        h2o_evloop_socket_create(context.loop, listen_any(), H2O_SOCKET_FLAG_DONT_READ), on_accept);
    h2o_socket_read_start(h2o_evloop_socket_create(context.loop, 0, 0), on_stdin);
    while (!ended)
        h2o_evloop_run(context.loop, INT32_MAX);

    struct rusage now;
    getrusage(RUSAGE_SELF, &now);
    printf("{\"requests\": %ld, \"cpu_us\": %.2f}\n", requests,
           requests > 0 ? (cpu_us(&now) - cpu_us(&began)) / (double)requests : 0);
    return 0;
}
