#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbound.h"

#include <poll.h>

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* A proxy on loopback, its target, and a client that goes through it. */

struct bench {
    struct outbound *out;
    struct receiver *proxy, *target;
    struct ph_proxy *settings;
    struct ph_http_origin *origin;
    struct call call;
};

static struct ph_proxy *proxy_of(const char *url, const char *no_proxy)
{
    struct ph_proxy *proxy = NULL;
    struct ph_buf problems;
    ph_buf_init(&problems, 4096);
    if (ph_proxy_new(ph_str_of(url), ph_str_of(no_proxy), &problems, &proxy) != PH_OK)
        fail_msg("%.*s", (int)problems.len, problems.ptr);
    ph_buf_free(&problems);
    return proxy;
}

/* scheme: with credentials, up to the proxy's host. host: of the target. */
static struct bench *bench_new(void (*script)(struct peer *), const char *answer,
                               const char *scheme, const char *host, const char *no_proxy,
                               const struct ph_http_limits *limits)
{
    struct bench *b = ph_calloc(1, sizeof(*b));
    char url[256];
    b->target = receiver_start(script_answer, OK, NULL);
    b->proxy = receiver_start(script, answer, NULL);
    snprintf(url, sizeof(url), "%s127.0.0.1:%u", scheme, b->proxy->port);
    b->settings = proxy_of(url, no_proxy);
    b->out = outbound_new("127.0.0.0/8,::1", limits, "");
    ph_http_client_use_proxy(b->out->client, b->settings);
    b->origin = outbound_open(b->out, "http", host, b->target->port);
    return b;
}

static void bench_free(struct bench *b)
{
    ph_http_origin_close(b->origin);
    outbound_free(b->out);
    receiver_stop(b->proxy);
    receiver_stop(b->target);
    ph_proxy_free(b->settings);
    assert_int_equal(ph_metric_get(out_connections), 0);
    free(b);
}

static void call_it(struct bench *b)
{
    call_once(&b->call, b->out, b->origin, "{}");
}

static int seen_proxy(struct bench *b)
{
    return atomic_load(&b->proxy->connections);
}

static int seen_target(struct bench *b)
{
    return atomic_load(&b->target->connections);
}

/* Proxies that work */

static int dial(uint32_t address, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = address, .sin_port = port};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void relay(int a, int b)
{
    struct pollfd fds[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
    char piece[4096];
    while (poll(fds, 2, -1) > 0) {
        for (int i = 0; i < 2; i++) {
            if (fds[i].revents == 0)
                continue;
            ssize_t n = recv(fds[i].fd, piece, sizeof(piece), 0);
            if (n <= 0 || send(fds[1 - i].fd, piece, (size_t)n, MSG_NOSIGNAL) != n)
                return;
        }
    }
}

/* "CONNECT 127.0.0.1:port": the target as asked for, or -1. */
static int dial_asked(const char *head)
{
    char address[64] = "";
    unsigned port = 0;
    struct in_addr in;
    if (sscanf(head, "CONNECT %63[0-9.]:%u HTTP/1.1\r\n", address, &port) != 2 ||
        inet_pton(AF_INET, address, &in) != 1)
        return -1;
    return dial(in.s_addr, htons((uint16_t)port));
}

static char last_head[2048];

/* Says receiver->answer and relays. */
static void script_connect(struct peer *p)
{
    if (!peer_read_head(p))
        return;
    memcpy(last_head, p->head, sizeof(last_head));
    int fd = dial_asked(p->head);
    if (fd < 0)
        return;
    if (peer_say(p, p->receiver->answer))
        relay(p->fd, fd);
    close(fd);
}

#define ESTABLISHED "HTTP/1.1 200 Connection established\r\n\r\n"

static void connect_asks_for_the_judged_address(void **state)
{
    (void)state;
    struct bench *b =
        bench_new(script_connect, ESTABLISHED, "http://", "localhost", "", &usual_limits);
    char want[128];
    call_it(b);
    assert_answer(&b->call, 200, "ok");
    snprintf(want, sizeof(want), "CONNECT 127.0.0.1:%u HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n\r\n",
             b->target->port, b->target->port);
    assert_string_equal(last_head, want);
    assert_non_null(strstr(b->target->peers[0]->head, "POST /hook HTTP/1.1\r\n"));
    bench_free(b);
}

static void tunnel_is_kept(void **state)
{
    (void)state;
    struct bench *b =
        bench_new(script_connect, ESTABLISHED, "http://", "127.0.0.1", "", &usual_limits);
    for (int i = 0; i < 5; i++) {
        call_it(b);
        assert_answer(&b->call, 200, "ok");
        assert_int_equal(b->call.http.reused, i > 0);
    }
    assert_int_equal(seen_proxy(b), 1);
    assert_int_equal(seen_target(b), 1);
    bench_free(b);
}

static void connect_answers_of_many_forms(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 200\r\nContent-Length: 0\r\nVia: x\r\n\r\n",
        "HTTP/1.1 204 Yes\n\n",
    };
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct bench *b =
            bench_new(script_connect, answers[i], "http://", "127.0.0.1", "", &usual_limits);
        call_it(b);
        assert_answer(&b->call, 200, "ok");
        bench_free(b);
    }
}

static void connect_tells_user_and_password(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_connect, ESTABLISHED, "http://us%65r:p%40ss%3Aw@",
                                "127.0.0.1", "", &usual_limits);
    call_it(b);
    assert_answer(&b->call, 200, "ok");
    assert_non_null(strstr(last_head, "\r\nProxy-Authorization: Basic dXNlcjpwQHNzOnc=\r\n\r\n"));
    assert_null(strstr(b->target->peers[0]->head, "Authorization"));
    bench_free(b);
}

static bool read_n(struct peer *p, uint8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (peer_read(p, to + i, 1) != 1)
            return false;
    return true;
}

/* SOCKS5; answer: "user:password" that is asked for, NULL for none. Says its words byte by byte. */
static void script_socks(struct peer *p)
{
    const char *credentials = p->receiver->answer;
    uint8_t in[600], n;
    char got[600];
    if (!read_n(p, in, 2) || in[0] != 5 || !read_n(p, in + 2, in[1]))
        return;
    bool offers = memchr(in + 2, 2, in[1]) != NULL;
    if (credentials != NULL && !offers) {
        peer_write(p, "\5\xff", 2);
        return;
    }
    peer_write(p, "\5", 1);
    usleep(2000);
    peer_write(p, credentials != NULL ? "\2" : "\0", 1);
    if (credentials != NULL) {
        if (!read_n(p, in, 2) || in[0] != 1)
            return;
        n = in[1];
        if (!read_n(p, (uint8_t *)got, n) || !read_n(p, in, 1))
            return;
        got[n] = ':';
        if (!read_n(p, (uint8_t *)got + n + 1, in[0]))
            return;
        got[n + 1 + in[0]] = '\0';
        bool right = strcmp(got, credentials) == 0;
        peer_write(p, right ? "\1\0" : "\1\1", 2);
        if (!right)
            return;
    }
    if (!read_n(p, in, 10) || memcmp(in, "\5\1\0\1", 4) != 0)
        return;
    uint32_t address;
    uint16_t port;
    memcpy(&address, in + 4, 4);
    memcpy(&port, in + 8, 2);
    int fd = dial(address, port);
    if (fd < 0) {
        peer_write(p, "\5\5\0\1\0\0\0\0\0\0", 10);
        return;
    }
    peer_write(p, "\5\0\0\1", 4);
    usleep(2000);
    peer_write(p, "\0\0\0\0\0\0", 6);
    relay(p->fd, fd);
    close(fd);
}

static void socks_without_password(void **state)
{
    (void)state;
    static const char *const schemes[] = {"socks5://", "socks5://user:spare@"};
    for (size_t i = 0; i < 2; i++) {
        struct bench *b = bench_new(script_socks, NULL, schemes[i], "localhost", "", &usual_limits);
        for (int n = 0; n < 3; n++) {
            call_it(b);
            assert_answer(&b->call, 200, "ok");
        }
        assert_int_equal(seen_proxy(b), 1);
        bench_free(b);
    }
}

static void socks_with_password(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_socks, "user:p@ss", "socks5://user:p%40ss@", "127.0.0.1", "",
                                &usual_limits);
    call_it(b);
    assert_answer(&b->call, 200, "ok");
    bench_free(b);
}

/* Proxies that refuse */

static void fails(void (*script)(struct peer *), const char *answer, const char *scheme,
                  enum ph_err err, const char *text)
{
    struct bench *b = bench_new(script, answer, scheme, "127.0.0.1", "", &usual_limits);
    call_it(b);
    assert_failure(&b->call, err, text);
    assert_int_equal(b->call.http.status, 0);
    assert_int_equal(seen_target(b), 0);
    bench_free(b);
}

static void script_say(struct peer *p)
{
    if (peer_read_head(p) && peer_say(p, p->receiver->answer))
        peer_wait_for_end(p);
}

static void script_say_and_close(struct peer *p)
{
    if (peer_read_head(p))
        peer_say(p, p->receiver->answer);
}

static void connect_refusals_are_told(void **state)
{
    (void)state;
    static const char asks[] = "HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\n\r\n";
    fails(script_say, "HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nno!", "http://",
          PH_ERR_OUT_CONNECT, "the proxy could not connect: it answered 403");
    fails(script_say, "HTTP/1.1 502 Bad\r\n\r\n", "http://", PH_ERR_OUT_CONNECT,
          "the proxy could not connect: it answered 502");
    fails(script_say, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", "http://",
          PH_ERR_OUT_CONNECT, "the proxy could not connect: it answered 302");
    fails(script_say, asks, "http://", PH_ERR_OUT_CONNECT,
          "the proxy asks for a user name and password");
    fails(script_say, asks, "http://user:wrong@", PH_ERR_OUT_CONNECT,
          "the proxy refused the user name or password");
}

static void connect_garbage_is_told(void **state)
{
    (void)state;
    static const char no_http[] = "the proxy's answer is not valid HTTP";
    fails(script_say, "SSH-2.0-x\r\n", "http://", PH_ERR_OUT_CONNECT, no_http);
    fails(script_say, "\5\1\2", "http://", PH_ERR_OUT_CONNECT, no_http);
    fails(script_say, "HTTP/1.1 2000 OK\r\n\r\n", "http://", PH_ERR_OUT_CONNECT, no_http);
    fails(script_say, "HTTP/1.1 x\r\n\r\n", "http://", PH_ERR_OUT_CONNECT, no_http);
    fails(script_say_and_close, "HTTP/1.1 200 OK\r\n", "http://", PH_ERR_OUT_CONNECT,
          "the proxy closed the connection");
    fails(script_say_and_close, "", "http://", PH_ERR_OUT_CONNECT,
          "the proxy closed the connection");
}

/* Words in advance would be read as the target's answer. */
static void answer_behind_the_proxys_is_not_believed(void **state)
{
    (void)state;
    fails(script_say, ESTABLISHED OK, "http://", PH_ERR_OUT_CONNECT,
          "the proxy sent more than its answer");
}

static void script_endless(struct peer *p)
{
    if (!peer_read_head(p) || !peer_say(p, "HTTP/1.1 200 OK\r\n"))
        return;
    while (peer_say(p, "X-Header: and so on, and so on, and so on\r\n"))
        continue;
}

static void endless_answer_is_cut(void **state)
{
    (void)state;
    fails(script_endless, NULL, "http://", PH_ERR_OUT_CONNECT, "the proxy's answer is too long");
}

/* After the greeting plays the bytes of `answer`, in hex; a space waits for the client's next word. */
static void script_socks_words(struct peer *p)
{
    uint8_t in[600];
    if (!read_n(p, in, 2) || !read_n(p, in + 2, in[1]))
        return;
    struct ph_str rest = ph_str_of(p->receiver->answer), word;
    while (ph_str_split(&rest, ' ', &word)) {
        uint8_t bytes[64];
        for (size_t i = 0; i < word.len / 2; i++) {
            unsigned byte = 0;
            if (sscanf(word.ptr + 2 * i, "%2x", &byte) != 1)
                return;
            bytes[i] = (uint8_t)byte;
        }
        if (!peer_write(p, (const char *)bytes, word.len / 2) ||
            (rest.ptr != NULL && recv(p->fd, in, sizeof(in), 0) <= 0))
            return;
    }
    peer_wait_for_end(p);
}

static void socks_refusals_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *scheme, *words, *text;
    } cases[] = {
        {"socks5://", "05ff", "the proxy asks for a user name and password"},
        {"socks5://u:p@", "05ff", "the proxy accepts no user name and password"},
        {"socks5://u:p@", "0502 0101", "the proxy refused the user name or password"},
        {"socks5://", "0502", "the proxy's answer is not SOCKS5"},
        {"socks5://", "0505", "the proxy's answer is not SOCKS5"},
        {"socks5://", "04", "the proxy's answer is not SOCKS5"},
        {"socks5://", "485454502f", "the proxy's answer is not SOCKS5"},
        {"socks5://u:p@", "0502 0500", "the proxy's answer is not SOCKS5"},
        {"socks5://", "0500 0501", "the proxy could not connect"},
        {"socks5://", "0500 0502", "the proxy could not connect: not allowed by its rules"},
        {"socks5://", "0500 0503", "the proxy could not connect: network unreachable"},
        {"socks5://", "0500 0504", "the proxy could not connect: host unreachable"},
        {"socks5://", "0500 050500", "the proxy could not connect: connection refused"},
        {"socks5://", "0500 0506", "the proxy could not connect: it took too long"},
        {"socks5://", "0500 05ee", "the proxy could not connect"},
        {"socks5://", "0500 0400", "the proxy's answer is not SOCKS5"},
        {"socks5://", "0500 0500000700", "the proxy's answer is not SOCKS5"},
        {"socks5://", "05000500", "the proxy sent more than its answer"},
        {"socks5://", "0500 05000001000000000000ff", "the proxy sent more than its answer"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        fails(script_socks_words, cases[i].words, cases[i].scheme, PH_ERR_OUT_CONNECT,
              cases[i].text);
}

static void script_reset(struct peer *p)
{
    char first;
    peer_reset_on_close(p);
    (void)!peer_read(p, &first, 1);
}

static void lost_proxy_is_told(void **state)
{
    (void)state;
    fails(script_reset, NULL, "http://", PH_ERR_OUT_CONNECT, "the proxy closed the connection");
    fails(script_reset, NULL, "socks5://", PH_ERR_OUT_CONNECT, "the proxy closed the connection");
}

static void refusing_and_unknown_proxies_are_told(void **state)
{
    (void)state;
    uint16_t port;
    int fd = listen_on_loopback(&port);
    char url[64];
    close(fd);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
    static const char *const texts[] = {"the proxy refused the connection",
                                        "the proxy cannot be reached: host name not found"};
    static const enum ph_err errs[] = {PH_ERR_OUT_CONNECT, PH_ERR_OUT_DNS};
    for (size_t i = 0; i < 2; i++) {
        struct ph_proxy *proxy = proxy_of(i == 0 ? url : "socks5://nowhere.onion:1080", "");
        struct outbound *out = outbound_new("127.0.0.0/8", &usual_limits, "");
        ph_http_client_use_proxy(out->client, proxy);
        struct ph_http_origin *o = outbound_open(out, "http", "127.0.0.1", 80);
        struct call call = {.done = 0};
        call_once(&call, out, o, "{}");
        assert_failure(&call, errs[i], texts[i]);
        ph_http_origin_close(o);
        outbound_free(out);
        ph_proxy_free(proxy);
    }
}

static void silent_proxy_ends_at_the_deadline(void **state)
{
    (void)state;
    static const char *const schemes[] = {"http://", "socks5://"};
    struct ph_http_limits limits = usual_limits;
    limits.connect_ms = 150;
    for (size_t i = 0; i < 2; i++) {
        struct bench *b = bench_new(script_silence, NULL, schemes[i], "127.0.0.1", "", &limits);
        call_it(b);
        assert_failure(&b->call, PH_ERR_OUT_TIMEOUT, "the proxy did not answer in time");
        assert_in_range(b->call.http.duration_us, 140000, 5000000);
        bench_free(b);
    }
}

static void script_drip(struct peer *p)
{
    if (!peer_read_head(p) || !peer_say(p, "HTTP/1.1 200 OK\r\nX: "))
        return;
    while (peer_say(p, "x"))
        usleep(20000);
}

static void dripping_proxy_ends_at_the_deadline(void **state)
{
    (void)state;
    struct ph_http_limits limits = usual_limits;
    limits.connect_ms = 150;
    struct bench *b = bench_new(script_drip, NULL, "http://", "127.0.0.1", "", &limits);
    call_it(b);
    assert_failure(&b->call, PH_ERR_OUT_TIMEOUT, "the proxy did not answer in time");
    bench_free(b);
}

static void cancel_amid_the_tunnel(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_silence, NULL, "http://", "127.0.0.1", "", &usual_limits);
    call_start(&b->call, b->out, b->origin, PH_STR("{}"));
    outbound_run_until_connections(b->out, 1);
    ph_loop_step(b->out->loop, 20);
    ph_http_call_cancel(&b->call.http);
    outbound_run(b->out, &b->call.done, 1);
    assert_failure(&b->call, PH_ERR_OUT_CANCELLED, "cancelled");
    bench_free(b);
}

/* A proxy by name: all that wait for its address get it, and who does not wait any more is left alone. */
static void proxy_by_name_serves_all_who_wait(void **state)
{
    (void)state;
    struct bench *b =
        bench_new(script_connect, ESTABLISHED, "http://", "127.0.0.1", "", &usual_limits);
    char url[64];
    snprintf(url, sizeof(url), "http://localhost:%u", b->proxy->port);
    struct ph_proxy *by_name = proxy_of(url, "");
    struct call calls[4] = {{.done = 0}};
    ph_http_client_use_proxy(b->out->client, by_name);
    for (int i = 0; i < 4; i++)
        call_start(&calls[i], b->out, b->origin, PH_STR("{}"));
    ph_http_call_cancel(&calls[1].http);
    for (int i = 0; i < 4; i++)
        outbound_run(b->out, &calls[i].done, 1);
    for (int i = 0; i < 4; i++) {
        if (i == 1)
            assert_failure(&calls[i], PH_ERR_OUT_CANCELLED, "cancelled");
        else
            assert_answer(&calls[i], 200, "ok");
    }
    bench_free(b);
    ph_proxy_free(by_name);
}

/* The guard */

static void guard_judges_before_the_proxy_is_asked(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254",
                                        "::1"};
    struct receiver *r = receiver_start(script_say, ESTABLISHED, NULL);
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", r->port);
    struct ph_proxy *proxy = proxy_of(url, "");
    struct outbound *out = outbound_new("", &usual_limits, "");
    ph_http_client_use_proxy(out->client, proxy);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct ph_http_origin *o = outbound_open(out, "http", hosts[i], 80);
        struct call call = {.done = 0};
        call_once(&call, out, o, "{}");
        assert_failure(&call, PH_ERR_OUT_FORBIDDEN, "address not allowed");
        ph_http_origin_close(o);
    }
    assert_int_equal(atomic_load(&r->connections), 0);
    /* the proxy itself, which is on a forbidden address too, is asked for an allowed one */
    struct ph_http_origin *o = outbound_open(out, "http", "8.8.8.8", 80);
    struct call call = {.done = 0};
    call_start(&call, out, o, PH_STR("{}"));
    uint64_t end_ms = ph_clock_mono_ms() + PATIENCE_MS;
    while (atomic_load(&r->connections) == 0 && ph_clock_mono_ms() < end_ms)
        ph_loop_step(out->loop, 10);
    ph_http_call_cancel(&call.http);
    outbound_run(out, &call.done, 1);
    ph_http_origin_close(o);
    outbound_free(out);
    assert_int_equal(atomic_load(&r->connections), 1);
    receiver_stop(r);
    ph_proxy_free(proxy);
}

/* No proxy */

static void listed_hosts_are_reached_directly(void **state)
{
    (void)state;
    static const char *const lists[] = {"localhost", "other.test, .LOCALHOST.", "127.0.0.0/8",
                                        "::1, 127.0.0.1", "*.localhost"};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct bench *b =
            bench_new(script_connect, ESTABLISHED, "http://", "localhost", lists[i], &usual_limits);
        call_it(b);
        assert_answer(&b->call, 200, "ok");
        assert_int_equal(seen_proxy(b), 0);
        assert_int_equal(seen_target(b), 1);
        bench_free(b);
    }
}

static bool serves(const char *no_proxy, const char *host, const char *address)
{
    struct ph_proxy *proxy = proxy_of("http://p:1", no_proxy);
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1, result;
    if (!is_v4)
        assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
    result = ph_proxy_serves(proxy, host,
                             is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6);
    ph_proxy_free(proxy);
    return result;
}

static void no_proxy_list_is_read(void **state)
{
    (void)state;
    assert_true(serves("", "example.com", "8.8.8.8"));
    assert_false(serves("example.com", "example.com", "8.8.8.8"));
    assert_false(serves("example.com", "a.example.com.", "8.8.8.8"));
    assert_true(serves("example.com", "badexample.com", "8.8.8.8"));
    assert_true(serves("example.com", "example.com.evil.test", "8.8.8.8"));
    assert_false(serves("x, 8.8.0.0/16 ", "example.com", "8.8.8.8"));
    assert_true(serves("8.9.0.0/16", "example.com", "8.8.8.8"));
    assert_false(serves("8.8.0.0/16", "example.com", "::ffff:8.8.8.8"));
    assert_false(serves("2600::/12", "example.com", "2606::1"));
    assert_true(serves("2600::/12", "example.com", "8.8.8.8"));
}

/* Settings */

static void settings_that_are_wrong_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *url, *no_proxy, *text;
    } cases[] = {
        {"ftp://x:1", "", "POSTHORN_PROXY: The URL has to begin with http:// or socks5://.\n"},
        {"https://x:1", "", "POSTHORN_PROXY: The URL has to begin with http:// or socks5://.\n"},
        {"http://x", "", "POSTHORN_PROXY: The port is missing.\n"},
        {"http://[::1]", "", "POSTHORN_PROXY: The port is missing.\n"},
        {"http://x:1/path", "", "POSTHORN_PROXY: There must be nothing behind the port.\n"},
        {"http://x:70000", "",
         "POSTHORN_PROXY: The port of the URL has to be a number from 1 to 65535.\n"},
        {"http://:1", "", "POSTHORN_PROXY: The URL has no host.\n"},
        {"http://u%zz:p@x:1", "",
         "POSTHORN_PROXY: User name and password have to be percent-encoded, at most 255 bytes "
         "each, without control characters.\n"},
        {"http://u%0d%0a:p@x:1", "",
         "POSTHORN_PROXY: User name and password have to be percent-encoded, at most 255 bytes "
         "each, without control characters.\n"},
        {"http://:p@x:1", "",
         "POSTHORN_PROXY: User name and password have to be percent-encoded, at most 255 bytes "
         "each, without control characters.\n"},
        {"", "10.0.0.0/33",
         "POSTHORN_NO_PROXY: \"10.0.0.0/33\": the number behind '/' has to be 0 to 32 for IPv4, 0 "
         "to 128 for IPv6\n"},
        {"", "a,b c", "POSTHORN_NO_PROXY: \"b c\": not a host suffix, address or CIDR range\n"},
        {"", "a,,b", "POSTHORN_NO_PROXY: \"\": not an address or CIDR range\n"},
        {"", "*", "POSTHORN_NO_PROXY: \"*\": not a host suffix, address or CIDR range\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ph_proxy *proxy = NULL;
        struct ph_buf problems;
        ph_buf_init(&problems, 4096);
        assert_int_equal(
            ph_proxy_new(ph_str_of(cases[i].url), ph_str_of(cases[i].no_proxy), &problems, &proxy),
            PH_ERR_CONFIG);
        ph_buf_add_char(&problems, '\0');
        assert_string_equal(problems.ptr, cases[i].text);
        assert_null(proxy);
        ph_buf_free(&problems);
    }
    assert_null(proxy_of("", "a,10.0.0.0/8"));
    struct ph_proxy *proxy = proxy_of("socks5://u:p@[::1]:1080", "");
    assert_string_equal(ph_proxy_host(proxy), "::1");
    assert_int_equal(ph_proxy_port(proxy), 1080);
    ph_proxy_free(proxy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect_asks_for_the_judged_address),
        cmocka_unit_test(tunnel_is_kept),
        cmocka_unit_test(connect_answers_of_many_forms),
        cmocka_unit_test(connect_tells_user_and_password),
        cmocka_unit_test(socks_without_password),
        cmocka_unit_test(socks_with_password),
        cmocka_unit_test(connect_refusals_are_told),
        cmocka_unit_test(connect_garbage_is_told),
        cmocka_unit_test(answer_behind_the_proxys_is_not_believed),
        cmocka_unit_test(endless_answer_is_cut),
        cmocka_unit_test(socks_refusals_are_told),
        cmocka_unit_test(lost_proxy_is_told),
        cmocka_unit_test(refusing_and_unknown_proxies_are_told),
        cmocka_unit_test(silent_proxy_ends_at_the_deadline),
        cmocka_unit_test(dripping_proxy_ends_at_the_deadline),
        cmocka_unit_test(cancel_amid_the_tunnel),
        cmocka_unit_test(proxy_by_name_serves_all_who_wait),
        cmocka_unit_test(guard_judges_before_the_proxy_is_asked),
        cmocka_unit_test(listed_hosts_are_reached_directly),
        cmocka_unit_test(no_proxy_list_is_read),
        cmocka_unit_test(settings_that_are_wrong_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
