#include "posthorn/clock.h"
#include "posthorn/http_server.h"
#include "posthorn/metrics.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define BODY_BYTES 4096

/* A request that is answered later. Lives in the request's arena. */
struct later {
    struct ph_timer timer;
    struct ph_request *request;
};

struct thread {
    struct ph_loop *loop;
    int index;
};

static struct ph_http_server *server;
static _Atomic int requests, threads_started, threads_stopped, waiting;
static _Atomic bool release; /* lets /held be answered */

static void answer_c(struct ph_request *r, int status, const char *text)
{
    ph_request_answer(r, status, "text/plain", ph_str_of(text));
}

static void on_later(struct ph_timer *timer)
{
    struct later *later = ph_container_of(timer, struct later, timer);

    answer_c(later->request, 200, "later");
}

static void on_held(struct ph_timer *timer)
{
    struct later *later = ph_container_of(timer, struct later, timer);
    struct ph_str name;

    if (!release) {
        ph_timer_set(later->request->loop, timer, ph_loop_now_ms(later->request->loop) + 5);
        return;
    }
    waiting--;
    name = ph_request_header(later->request, "x-name");
    ph_request_answer(later->request, 202, "text/plain", name.ptr ? name : PH_STR("held"));
}

static void answer_later(struct ph_request *r, void (*on_timer)(struct ph_timer *))
{
    struct later *later = ph_arena_new_of(r->arena, struct later);

    later->request = r;
    later->timer.on_timer = on_timer;
    ph_timer_set(r->loop, &later->timer, ph_loop_now_ms(r->loop) + 20);
}

static void on_request(struct ph_request *r)
{
    requests++;
    if (ph_str_eq_c(r->path, "/echo")) {
        ph_request_set_header(r, "x-query",
                              r->query.ptr ? ph_arena_copy(r->arena, r->query.ptr, r->query.len)
                                           : "none");
        ph_request_answer(r, 200, "application/octet-stream", r->body.ptr ? r->body : PH_STR(""));
    } else if (ph_str_eq_c(r->path, "/name")) {
        ph_request_answer(r, 200, "text/plain", ph_request_header(r, "x-name"));
    } else if (ph_str_eq_c(r->path, "/later")) {
        answer_later(r, on_later);
    } else if (ph_str_eq_c(r->path, "/held")) {
        const char *path = r->path.ptr, *body = r->body.ptr;
        waiting++;
        ph_request_keep(r);
        if (r->path.ptr == path || (body && r->body.ptr == body))
            abort(); /* not copied */
        answer_later(r, on_held);
    } else if (ph_str_eq_c(r->path, "/never")) {
        waiting++;
    } else if (ph_str_eq_c(r->path, "/empty")) {
        ph_request_answer(r, 204, NULL, PH_STR(""));
    } else {
        answer_c(r, 404, "what?");
    }
}

static void *on_thread_start(struct ph_loop *loop, int index, void *ctx)
{
    struct thread *thread = ph_calloc(1, sizeof(*thread));

    assert_ptr_equal(ctx, &requests);
    thread->loop = loop;
    thread->index = index;
    threads_started++;
    return thread;
}

static void on_thread_stop(void *thread)
{
    free(thread);
    threads_stopped++;
}

static void start_with(int threads, int64_t max_connections, int64_t idle_timeout_ms)
{
    struct ph_http_server_options options = {
        .listen = "127.0.0.1:0",
        .threads = threads,
        .max_connections = max_connections,
        .idle_timeout_ms = idle_timeout_ms,
        .body_bytes = BODY_BYTES,
        .on_thread_start = on_thread_start,
        .on_thread_stop = on_thread_stop,
        .on_request = on_request,
        .ctx = &requests,
    };
    struct ph_buf problems;

    requests = threads_started = threads_stopped = waiting = 0;
    release = false;
    ph_buf_init(&problems, 1024);
    assert_int_equal(ph_http_server_start(&options, &problems, &server), PH_OK);
    assert_int_equal(problems.len, 0);
    ph_buf_free(&problems);
}

static void stop(int64_t timeout_ms)
{
    ph_http_server_stop(server, timeout_ms);
    server = NULL;
}

static int port_of(void)
{
    return (int)strtol(strrchr(ph_http_server_address(server), ':') + 1, NULL, 10);
}

static int dial(void)
{
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port_of()),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval tv = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
    return fd;
}

static void put(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static char in[65536];

/* Reads until the text has come so many times, or the other side closes. Returns how often it has. */
static int read_until(int fd, const char *text, int times)
{
    size_t len = 0;

    for (;;) {
        int n = 0;
        in[len] = '\0';
        for (const char *p = in; (p = strstr(p, text)); p++)
            n++;
        if (n >= times)
            return n;
        ssize_t got = recv(fd, in + len, sizeof(in) - 1 - len, 0);
        if (got <= 0)
            return n;
        len += (size_t)got;
    }
}

static bool closed_by_server(int fd)
{
    char c;

    ssize_t got = recv(fd, &c, 1, 0);

    return got == 0 || (got < 0 && errno != EAGAIN);
}

static void wait_for(_Atomic int *counter, int value)
{
    for (int i = 0; i < 1000 && *counter != value; i++)
        usleep(5000);
    assert_int_equal(*counter, value);
}

static void test_answers_with_length_and_keeps_the_connection(void **state)
{
    (void)state;
    start_with(1, 100, 5000);
    int fd = dial();
    for (int i = 0; i < 3; i++) {
        put(fd, "POST /echo?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
        assert_int_equal(read_until(fd, "hello", 1), 1);
        assert_non_null(strstr(in, "HTTP/1.1 200 OK\r\n"));
        assert_non_null(strcasestr(in, "\r\ncontent-length: 5\r\n"));
        assert_non_null(strcasestr(in, "\r\nx-query: a=1\r\n"));
        assert_null(strcasestr(in, "\r\nserver:"));
    }
    put(fd, "GET /empty HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(read_until(fd, "\r\n\r\n", 1), 1);
    assert_non_null(strstr(in, "HTTP/1.1 204 No Content\r\n"));
    assert_null(strcasestr(in, "content-length"));
    assert_null(strcasestr(in, "transfer-encoding"));
    put(fd, "GET /name HTTP/1.1\r\nHost: x\r\nX-Name: Ada\r\n\r\n");
    assert_int_equal(read_until(fd, "Ada", 1), 1);
    close(fd);
    stop(1000);
    assert_int_equal(requests, 5);
}

static void test_a_target_may_name_scheme_and_host(void **state)
{
    static const char *const targets[] = {"http://x/name", "HTTPS://x:1/name?a=//b", "//x/name",
                                          "http:/x/name", "http://x"};
    (void)state;
    start_with(1, 100, 5000);
    int fd = dial();
    for (int i = 0; i < 5; i++) {
        char request[128];
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\nX-Name: Ada\r\n\r\n",
                 targets[i]);
        put(fd, request);
        assert_int_equal(read_until(fd, i < 2 ? "Ada" : "what?", 1), 1);
    }
    close(fd);
    stop(1000);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    start_with(1, 100, 5000);
    int fd = dial();
    uint64_t begin = ph_clock_mono_ms();
    put(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n1st"
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n2nd");
    assert_int_equal(read_until(fd, "2nd", 1), 1);
    assert_true(strstr(in, "later") < strstr(in, "1st"));
    assert_true(strstr(in, "1st") < strstr(in, "2nd"));
    assert_in_range(ph_clock_mono_ms() - begin, 15, 1000); /* nothing waits for a timeout */
    close(fd);
    stop(1000);
}

static void test_a_chunked_body_arrives_whole(void **state)
{
    (void)state;
    start_with(1, 100, 5000);
    int fd = dial();
    put(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    put(fd, "3\r\ndef\r\n0\r\n\r\n");
    assert_int_equal(read_until(fd, "abcdef", 1), 1);
    close(fd);
    stop(1000);
}

static void post_of_length(int fd, size_t declared, size_t sent)
{
    char head[128];
    char *body = ph_calloc(1, sent + 1);

    memset(body, 'b', sent);
    snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
             declared);
    put(fd, head);
    put(fd, body);
    free(body);
}

static void test_a_body_over_the_limit_is_refused_with_json(void **state)
{
    (void)state;
    start_with(1, 100, 5000);
    int fd = dial();
    post_of_length(fd, BODY_BYTES, BODY_BYTES);
    assert_int_equal(read_until(fd, "bbbb\0", 1) > 0, 1);
    assert_non_null(strstr(in, "HTTP/1.1 200"));
    close(fd);

    fd = dial(); /* a little over: read, answered, and the connection goes on */
    post_of_length(fd, BODY_BYTES + 1, BODY_BYTES + 1);
    assert_int_equal(read_until(fd, "}", 1), 1);
    assert_non_null(strstr(in, "HTTP/1.1 413 "));
    assert_non_null(strcasestr(in, "\r\ncontent-type: application/json\r\n"));
    assert_non_null(strstr(in, "{\"code\":\"payload_too_large\",\"detail\":\""));
    put(fd, "GET /empty HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(read_until(fd, "\r\n\r\n", 1), 1);
    assert_non_null(strstr(in, " 204 "));
    close(fd);

    fd = dial(); /* far over: refused before it is read */
    post_of_length(fd, 100 * 1024 * 1024, 10);
    assert_int_equal(read_until(fd, "}", 1), 1);
    assert_non_null(strstr(in, "HTTP/1.1 413 "));
    assert_non_null(strcasestr(in, "\r\ncontent-type: application/json\r\n"));
    assert_non_null(strstr(in, "{\"code\":\"payload_too_large\",\"detail\":\""));
    assert_true(closed_by_server(fd));
    close(fd);
    stop(1000);
    assert_int_equal(requests, 2);
}

static void test_a_chunked_body_over_the_limit_is_refused(void **state)
{
    char chunk[BODY_BYTES + 1], size[32];

    (void)state;
    memset(chunk, 'b', BODY_BYTES);
    chunk[BODY_BYTES] = '\0';
    snprintf(size, sizeof(size), "%x\r\n", BODY_BYTES);
    start_with(1, 100, 5000);
    int fd = dial();
    put(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    put(fd, size);
    put(fd, chunk);
    put(fd, "\r\n1\r\nb\r\n0\r\n\r\n");
    assert_int_equal(read_until(fd, "}", 1), 1);
    assert_non_null(strstr(in, "HTTP/1.1 413 "));
    assert_non_null(strstr(in, "{\"code\":\"payload_too_large\",\"detail\":\""));
    close(fd);
    stop(1000);
    assert_int_equal(requests, 0);
}

static void test_a_body_that_waits_for_leave_gets_it(void **state)
{
    (void)state;
    start_with(1, 100, 5000);
    int fd = dial();
    put(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(read_until(fd, "\r\n\r\n", 1), 1);
    assert_non_null(strstr(in, "HTTP/1.1 100 "));
    put(fd, "hello");
    assert_int_equal(read_until(fd, "hello", 1), 1);
    assert_non_null(strstr(in, "HTTP/1.1 200 OK\r\n"));
    close(fd);
    stop(1000);
}

static void put_head(int fd, const char *path_end, int n_headers, int value_chars)
{
    char line[4096];

    put(fd, "GET /empty");
    put(fd, path_end);
    put(fd, " HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < n_headers; i++) {
        snprintf(line, sizeof(line), "x-%d: %0*d\r\n", i, value_chars, i);
        put(fd, line);
    }
    put(fd, "\r\n");
}

static void test_a_head_over_the_limit_is_refused_with_json(void **state)
{
    char query[32 * 1024 + 2];

    (void)state;
    memset(query, 'q', sizeof(query));
    query[0] = '?';
    query[sizeof(query) - 1] = '\0';
    start_with(1, 100, 5000);
    int fd = dial();
    put_head(fd, query, 0, 0);
    assert_int_equal(read_until(fd, "}", 1), 1);
    assert_non_null(strstr(in, "HTTP/1.1 431 Request Header Fields Too Large\r\n"));
    assert_non_null(strcasestr(in, "\r\ncontent-type: application/json\r\n"));
    assert_non_null(strstr(in, "{\"code\":\"head_too_large\",\"detail\":\""));
    put_head(fd, "", 17, 2000);
    assert_int_equal(read_until(fd, "}", 1), 1);
    assert_non_null(strstr(in, "HTTP/1.1 431 "));
    put_head(fd, "", 90, 300); /* the connection goes on */
    assert_int_equal(read_until(fd, "\r\n\r\n", 1), 1);
    assert_non_null(strstr(in, " 204 "));
    put_head(fd, "", 101, 1);
    assert_int_equal(read_until(fd, "\r\n\r\n", 1), 1);
    assert_non_null(strstr(in, "HTTP/1.1 400 "));
    assert_true(closed_by_server(fd));
    close(fd);
    stop(1000);
    assert_int_equal(requests, 1);
}

static void test_a_truncated_body_never_reaches_the_handler(void **state)
{
    (void)state;
    start_with(1, 100, 5000);
    int fd = dial();
    post_of_length(fd, 100, 50);
    close(fd);
    fd = dial();
    put(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    close(fd);
    fd = dial();
    put(fd, "GET /empty HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(read_until(fd, "\r\n\r\n", 1), 1);
    close(fd);
    stop(1000);
    assert_int_equal(requests, 1);
}

static void test_a_slow_client_is_closed_after_the_idle_timeout(void **state)
{
    (void)state;
    start_with(1, 100, 300);
    int idle = dial(), head = dial(), body = dial();
    uint64_t begin = ph_clock_mono_ms();
    post_of_length(body, 100, 1);
    put(head, "GET /em");
    for (int i = 0; i < 2; i++) { /* trickling does not help */
        usleep(100000);
        put(head, "p");
        put(body, "b");
    }
    assert_true(closed_by_server(idle));
    assert_true(closed_by_server(head));
    assert_true(closed_by_server(body));
    assert_in_range(ph_clock_mono_ms() - begin, 200, 3000);
    close(idle);
    close(head);
    close(body);
    stop(1000);
    assert_int_equal(requests, 0);
}

static void test_connections_over_the_cap_are_closed(void **state)
{
    (void)state;
    start_with(1, 2, 60000);
    int64_t open_before = ph_metric_get(http_connections);
    int a = dial(), b = dial();
    put(a, "GET /empty HTTP/1.1\r\nHost: x\r\n\r\n");
    put(b, "GET /empty HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(read_until(a, "\r\n\r\n", 1), 1);
    assert_int_equal(read_until(b, "\r\n\r\n", 1), 1);
    assert_int_equal(ph_metric_get(http_connections) - open_before, 2);
    int c = dial();
    assert_true(closed_by_server(c));
    close(c);
    close(a);
    for (int i = 0; i < 500 && ph_metric_get(http_connections) - open_before > 1; i++)
        usleep(5000);
    c = dial(); /* there is room again */
    put(c, "GET /empty HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(read_until(c, "\r\n\r\n", 1), 1);
    close(b);
    close(c);
    stop(1000);
}

static void test_a_client_that_left_before_the_answer_does_no_harm(void **state)
{
    (void)state;
    start_with(1, 100, 5000);
    int fd = dial();
    put(fd, "POST /held HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
    wait_for(&waiting, 1);
    struct linger reset = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    usleep(50000);
    release = true;
    wait_for(&waiting, 0);
    fd = dial();
    put(fd, "GET /empty HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(read_until(fd, "\r\n\r\n", 1), 1);
    close(fd);
    stop(1000);
}

static void test_a_kept_head_is_there_when_the_answer_comes_later(void **state)
{
    (void)state;
    start_with(1, 100, 5000);
    int fd = dial();
    put(fd, "GET /held HTTP/1.1\r\nHost: x\r\nX-Name: Grace\r\n\r\n");
    wait_for(&waiting, 1);
    release = true;
    assert_int_equal(read_until(fd, "Grace", 1), 1);
    close(fd);
    stop(1000);
}

static void *release_soon(void *arg)
{
    (void)arg;
    usleep(300000);
    release = true;
    return NULL;
}

static void test_stop_answers_what_is_under_way_and_closes_the_rest(void **state)
{
    pthread_t helper;

    (void)state;
    start_with(2, 100, 60000);
    int idle = dial(), busy = dial(), used = dial();
    put(used, "GET /empty HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(read_until(used, "\r\n\r\n", 1), 1);
    put(busy, "GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(&waiting, 1);
    assert_int_equal(pthread_create(&helper, NULL, release_soon, NULL), 0);
    uint64_t begin = ph_clock_mono_ms();
    stop(10000);
    assert_in_range(ph_clock_mono_ms() - begin, 200,
                    5000); /* neither the timeout nor the idle time */
    pthread_join(helper, NULL);
    assert_int_equal(read_until(busy, "held", 1), 1);
    assert_non_null(strcasestr(in, "\r\nconnection: close\r\n"));
    assert_true(closed_by_server(busy));
    assert_true(closed_by_server(idle));
    assert_true(closed_by_server(used));
    assert_int_equal(threads_started, 2);
    assert_int_equal(threads_stopped, 2);
    close(idle);
    close(busy);
    close(used);
}

static void *send_rest_soon(void *fd)
{
    usleep(200000);
    put(*(int *)fd, "bbb");
    return NULL;
}

static void test_stop_lets_a_request_that_is_arriving_finish(void **state)
{
    pthread_t helper;

    (void)state;
    start_with(1, 100, 60000);
    int fd = dial();
    post_of_length(fd, 5, 2);
    usleep(100000);
    assert_int_equal(pthread_create(&helper, NULL, send_rest_soon, &fd), 0);
    stop(5000);
    pthread_join(helper, NULL);
    assert_int_equal(read_until(fd, "bbbbb", 1), 1);
    assert_int_equal(requests, 1);
    close(fd);
}

static void test_stop_gives_up_after_its_timeout(void **state)
{
    (void)state;
    start_with(1, 100, 60000);
    int fd = dial();
    post_of_length(fd, 100, 10); /* never finished */
    usleep(100000);
    uint64_t begin = ph_clock_mono_ms();
    stop(300);
    assert_in_range(ph_clock_mono_ms() - begin, 250, 3000);
    assert_true(closed_by_server(fd));
    close(fd);
}

static void test_stop_answers_503_to_what_nobody_answered(void **state)
{
    (void)state;
    start_with(1, 100, 60000);
    int fd = dial();
    put(fd, "GET /never HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for(&waiting, 1);
    stop(100);
    assert_int_equal(read_until(fd, "\r\n\r\n", 1), 1);
    assert_non_null(strstr(in, "HTTP/1.1 503 "));
    assert_true(closed_by_server(fd));
    close(fd);
}

static void test_http2_is_not_spoken(void **state)
{
    (void)state;
    start_with(1, 100, 1000);
    int fd = dial();
    put(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    (void)read_until(fd, "never", 1);
    assert_null(memchr(in, 0x04, 16)); /* no SETTINGS frame */
    close(fd);
    fd = dial();
    put(fd, "GET /empty HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: "
            "h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n");
    assert_int_equal(read_until(fd, "\r\n\r\n", 1), 1);
    assert_non_null(strstr(in, "HTTP/1.1 204"));
    close(fd);
    stop(1000);
}

static void test_an_address_in_use_is_reported(void **state)
{
    struct ph_http_server_options options = {.threads = 1,
                                             .max_connections = 1,
                                             .idle_timeout_ms = 1000,
                                             .body_bytes = 1024,
                                             .on_request = on_request};
    struct ph_http_server *second;
    struct ph_buf problems;

    (void)state;
    start_with(1, 100, 1000);
    ph_buf_init(&problems, 1024);
    options.listen = ph_http_server_address(server);
    assert_int_equal(ph_http_server_start(&options, &problems, &second), PH_ERR_IO);
    assert_true(problems.len > 0);
    options.listen = "nowhere";
    assert_int_equal(ph_http_server_start(&options, &problems, &second), PH_ERR_CONFIG);
    ph_buf_free(&problems);
    stop(1000);
}

static void test_listens_on_ipv6(void **state)
{
    struct ph_http_server_options options = {.listen = "[::1]:0",
                                             .threads = 2,
                                             .max_connections = 1,
                                             .idle_timeout_ms = 1000,
                                             .body_bytes = 1024,
                                             .on_request = on_request};
    struct ph_buf problems;

    (void)state;
    ph_buf_init(&problems, 1024);
    if (ph_http_server_start(&options, &problems, &server) != PH_OK) {
        ph_buf_free(&problems);
        skip(); /* no IPv6 here */
    }
    assert_int_equal(strncmp(ph_http_server_address(server), "[::1]:", 6), 0);
    assert_int_equal(ph_http_server_threads(server), 2);
    ph_buf_free(&problems);
    stop(1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_with_length_and_keeps_the_connection),
        cmocka_unit_test(test_a_target_may_name_scheme_and_host),
        cmocka_unit_test(test_pipelined_requests_are_answered_in_order),
        cmocka_unit_test(test_a_chunked_body_arrives_whole),
        cmocka_unit_test(test_a_body_over_the_limit_is_refused_with_json),
        cmocka_unit_test(test_a_chunked_body_over_the_limit_is_refused),
        cmocka_unit_test(test_a_body_that_waits_for_leave_gets_it),
        cmocka_unit_test(test_a_head_over_the_limit_is_refused_with_json),
        cmocka_unit_test(test_a_truncated_body_never_reaches_the_handler),
        cmocka_unit_test(test_a_slow_client_is_closed_after_the_idle_timeout),
        cmocka_unit_test(test_connections_over_the_cap_are_closed),
        cmocka_unit_test(test_a_client_that_left_before_the_answer_does_no_harm),
        cmocka_unit_test(test_a_kept_head_is_there_when_the_answer_comes_later),
        cmocka_unit_test(test_stop_answers_what_is_under_way_and_closes_the_rest),
        cmocka_unit_test(test_stop_lets_a_request_that_is_arriving_finish),
        cmocka_unit_test(test_stop_gives_up_after_its_timeout),
        cmocka_unit_test(test_stop_answers_503_to_what_nobody_answered),
        cmocka_unit_test(test_http2_is_not_spoken),
        cmocka_unit_test(test_an_address_in_use_is_reported),
        cmocka_unit_test(test_listens_on_ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
