#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbound.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* A test's client and one receiver. */
struct bench {
    struct outbound *out;
    struct receiver *receiver;
    struct ph_http_origin *origin;
    struct call call;
};

static struct bench *bench_new(void (*script)(struct peer *), const char *answer,
                               const struct ph_http_limits *limits)
{
    struct bench *b = ph_calloc(1, sizeof(*b));
    b->out = outbound_new("127.0.0.0/8,::1", limits, "");
    b->receiver = receiver_start(script, answer, NULL);
    b->origin = outbound_open(b->out, "http", "127.0.0.1", b->receiver->port);
    return b;
}

static void bench_free(struct bench *b)
{
    ph_http_origin_close(b->origin);
    outbound_free(b->out);
    receiver_stop(b->receiver);
    assert_int_equal(ph_metric_get(out_connections), 0);
    free(b);
}

static void call_it(struct bench *b)
{
    call_once(&b->call, b->out, b->origin, "{}");
}

static void assert_connections(struct bench *b, int n)
{
    assert_int_equal(atomic_load(&b->receiver->connections), n);
}

/* Reuse */

/* Echoes the request's body: what is sent arrives as it was. */
static void script_echo(struct peer *p)
{
    char text[512], body[256];
    while (peer_read_head(p)) {
        size_t n = strtoul(strstr(p->head, "Content-Length: ") + 16, NULL, 10);
        size_t got = 0;
        while (got < n) {
            ssize_t r = peer_read(p, body + got, n - got);
            if (r <= 0)
                return;
            got += (size_t)r;
        }
        snprintf(text, sizeof(text), "HTTP/1.1 202 Accepted\r\nContent-Length: %zu\r\n\r\n%.*s", n,
                 (int)n, body);
        peer_say(p, text);
    }
}

static void kept_connection_is_reused(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_echo, NULL, &usual_limits);
    int64_t connects = ph_metric_get(out_connects);
    call_once(&b->call, b->out, b->origin, "first");
    assert_answer(&b->call, 202, "first");
    assert_false(b->call.http.reused);
    call_once(&b->call, b->out, b->origin, "second");
    assert_answer(&b->call, 202, "second");
    assert_true(b->call.http.reused);
    call_once(&b->call, b->out, b->origin, "");
    assert_answer(&b->call, 202, "");
    assert_true(b->call.http.reused);
    assert_connections(b, 1);
    assert_int_equal(ph_metric_get(out_connects) - connects, 1);
    assert_int_equal(ph_metric_get(out_connections), 1);
    bench_free(b);
}

static void start_next(struct call *call)
{
    if (call->done < 5)
        call_start(call, call->out, call->http.origin, PH_STR("again"));
}

static void next_call_from_on_done_uses_the_same_connection(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_answer, OK, &usual_limits);
    b->call.then = start_next;
    call_start(&b->call, b->out, b->origin, PH_STR("{}"));
    outbound_run(b->out, &b->call.done, 5);
    assert_answer(&b->call, 200, "ok");
    assert_connections(b, 1);
    bench_free(b);
}

static void same_host_and_port_share_an_origin(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_answer, OK, &usual_limits);
    struct ph_http_origin *same = outbound_open(b->out, "http", "127.0.0.1", b->receiver->port);
    struct ph_http_origin *tls = outbound_open(b->out, "https", "127.0.0.1", b->receiver->port);
    struct ph_http_origin *host = outbound_open(b->out, "http", "127.0.0.2", b->receiver->port);
    assert_ptr_equal(same, b->origin);
    assert_ptr_not_equal(tls, b->origin);
    assert_ptr_not_equal(host, b->origin);
    ph_http_origin_close(tls);
    ph_http_origin_close(host);
    call_it(b);
    ph_http_origin_close(same);
    call_it(b);
    assert_connections(b, 1);
    bench_free(b);
}

static void origin_may_be_closed_while_its_call_runs(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_answer, OK, &usual_limits);
    struct call call = {.done = 0};
    struct ph_http_origin *o = outbound_open(b->out, "http", "localhost", b->receiver->port);
    call_start(&call, b->out, o, PH_STR("{}"));
    ph_http_origin_close(o);
    outbound_run(b->out, &call.done, 1);
    assert_answer(&call, 200, "ok");
    bench_free(b);
}

/* The first connection answers once and then goes away under the second request; the next ones are sound. */
static void script_stale(struct peer *p)
{
    if (!peer_read_request(p) || !peer_say(p, OK))
        return;
    if (p->index == 0) {
        if (p->receiver->answer != NULL)
            peer_reset_on_close(p);
        peer_read_head(p);
        return;
    }
    script_answer(p);
}

static void stale_connection_is_retried_on_a_new_one(void **state)
{
    (void)state;
    static const char *const modes[] = {NULL, "reset"};
    for (size_t i = 0; i < 2; i++) {
        struct bench *b = bench_new(script_stale, modes[i], &usual_limits);
        call_it(b);
        assert_answer(&b->call, 200, "ok");
        call_it(b);
        assert_answer(&b->call, 200, "ok");
        assert_false(b->call.http.reused);
        assert_connections(b, 2);
        bench_free(b);
    }
}

static void script_stale_for_ever(struct peer *p)
{
    if (p->index == 0 && (!peer_read_request(p) || !peer_say(p, OK)))
        return;
    peer_read_head(p);
}

/* Answers once, then tells a client that asks nothing that it waited too long, and resets. */
static void script_request_timeout(struct peer *p)
{
    if (!peer_read_request(p) || !peer_say(p, OK))
        return;
    if (p->index > 0) {
        script_answer(p);
        return;
    }
    usleep(20000);
    peer_say(p, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    peer_reset_on_close(p);
}

/* The loop does not see the end before the next call is started. */
static void words_from_before_the_request_are_no_answer(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_request_timeout, NULL, &usual_limits);
    call_it(b);
    assert_answer(&b->call, 200, "ok");
    usleep(100000);
    call_it(b);
    assert_answer(&b->call, 200, "ok");
    assert_false(b->call.http.reused);
    bench_free(b);
}

static void retry_happens_only_once(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_stale_for_ever, NULL, &usual_limits);
    call_it(b);
    call_it(b);
    assert_int_equal(b->call.http.err, PH_ERR_OUT_RESET);
    assert_connections(b, 2);
    bench_free(b);
}

/* Answers once, then begins an answer that stays a fragment. */
static void script_fragment_second(struct peer *p)
{
    if (peer_read_request(p) && peer_say(p, OK) && peer_read_request(p))
        peer_say(p, "HTTP/1.1 200 OK\r\nCont");
}

static void failure_after_the_first_byte_is_not_retried(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_fragment_second, NULL, &usual_limits);
    call_it(b);
    call_it(b);
    assert_failure(&b->call, PH_ERR_OUT_RESET, "connection closed before the answer was complete");
    assert_true(b->call.http.reused);
    assert_int_equal(b->call.http.status, 0);
    assert_connections(b, 1);
    bench_free(b);
}

static void script_hang_up(struct peer *p)
{
    peer_read_request(p);
}

static void new_connection_without_answer_is_not_retried(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_hang_up, NULL, &usual_limits);
    call_it(b);
    assert_failure(&b->call, PH_ERR_OUT_RESET, "connection closed without an answer");
    assert_connections(b, 1);
    bench_free(b);
}

static void script_junk_while_idle(struct peer *p)
{
    if (!peer_read_request(p) || !peer_say(p, OK))
        return;
    usleep(20000);
    peer_say(p, OK);
    peer_wait_for_end(p);
}

static void bytes_on_an_idle_connection_close_it(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_junk_while_idle, NULL, &usual_limits);
    call_it(b);
    assert_answer(&b->call, 200, "ok");
    outbound_run_until_connections(b->out, 0);
    bench_free(b);
}

static void end_of_an_idle_connection_closes_it(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_answer_and_close, OK, &usual_limits);
    call_it(b);
    outbound_run_until_connections(b->out, 0);
    call_it(b);
    assert_answer(&b->call, 200, "ok");
    assert_connections(b, 2);
    bench_free(b);
}

static void connection_close_is_obeyed(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_answer,
                                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                                &usual_limits);
    call_it(b);
    assert_answer(&b->call, 200, "");
    assert_int_equal(ph_metric_get(out_connections), 0);
    bench_free(b);
}

/* Idle caps */

#define CROWD 5

static void run_crowd(struct outbound *out, struct ph_http_origin **origins)
{
    struct call calls[CROWD];
    memset(calls, 0, sizeof(calls));
    for (int i = 0; i < CROWD; i++)
        call_start(&calls[i], out, origins[i], PH_STR("{}"));
    for (int i = 0; i < CROWD; i++) {
        outbound_run(out, &calls[i].done, 1);
        assert_answer(&calls[i], 200, "ok");
    }
}

static void idle_connections_of_an_origin_are_capped(void **state)
{
    (void)state;
    struct ph_http_limits limits = usual_limits;
    limits.idle_per_origin = 2;
    struct bench *b = bench_new(script_answer, OK, &limits);
    struct ph_http_origin *origins[CROWD] = {b->origin, b->origin, b->origin, b->origin, b->origin};
    run_crowd(b->out, origins);
    assert_connections(b, CROWD);
    assert_int_equal(ph_metric_get(out_connections), 2);
    bench_free(b);
}

static void idle_connections_of_all_origins_are_capped(void **state)
{
    (void)state;
    struct ph_http_limits limits = usual_limits;
    limits.idle_total = 3;
    struct bench *b = bench_new(script_answer, OK, &limits);
    struct ph_http_origin *origins[CROWD];
    for (int i = 0; i < CROWD; i++) {
        const char *host = i % 2 ? "127.0.0.1" : "localhost";
        origins[i] = outbound_open(b->out, "http", host, b->receiver->port);
    }
    run_crowd(b->out, origins);
    assert_int_equal(ph_metric_get(out_connections), 3);
    for (int i = 0; i < CROWD; i++)
        ph_http_origin_close(origins[i]);
    bench_free(b);
}

static void connection_is_not_kept_idle_for_ever(void **state)
{
    (void)state;
    struct ph_http_limits limits = usual_limits;
    limits.idle_ms = 10;
    struct bench *b = bench_new(script_answer, OK, &limits);
    call_it(b);
    assert_int_equal(ph_metric_get(out_connections), 1);
    outbound_run_until_connections(b->out, 0);
    bench_free(b);
}

static void connection_over_age_is_not_used(void **state)
{
    (void)state;
    struct ph_http_limits limits = usual_limits;
    limits.age_ms = 400;
    struct bench *b = bench_new(script_answer, OK, &limits);
    call_it(b);
    usleep(500000);
    call_it(b);
    assert_answer(&b->call, 200, "ok");
    assert_false(b->call.http.reused);
    assert_connections(b, 2);
    bench_free(b);
}

/* Answers */

static void answers_of_many_forms(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        int status;
        const char *response;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
         200, "abcde"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK, 200, "ok"},
        {"HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 70\r\n\r\n", 304, ""},
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", 302, ""},
        {"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", 500, "oops"},
        {"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end"},
        {"HTTP/1.1 200\r\n\r\n", 200, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench *b = bench_new(script_answer_and_close, rows[i].answer, &usual_limits);
        call_it(b);
        assert_answer(&b->call, rows[i].status, rows[i].response);
        assert_int_equal(b->call.http.retry_after_s, -1);
        bench_free(b);
    }
}

static void retry_after_is_read(void **state)
{
    (void)state;
    struct bench *b =
        bench_new(script_answer, "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
                  &usual_limits);
    call_it(b);
    assert_answer(&b->call, 429, "");
    assert_int_equal(b->call.http.retry_after_s, 7);
    bench_free(b);
}

static void body_cut_short_is_a_failure(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    };
    for (size_t i = 0; i < 2; i++) {
        struct bench *b = bench_new(script_answer_and_close, answers[i], &usual_limits);
        call_it(b);
        assert_failure(&b->call, PH_ERR_OUT_RESET,
                       "connection closed before the answer was complete");
        assert_int_equal(b->call.http.status, 200);
        assert_string_equal(b->call.response, "half");
        bench_free(b);
    }
}

static void garbage_is_refused(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_answer, "SSH-2.0-OpenSSH_9.2\r\n", &usual_limits);
    call_it(b);
    assert_failure(&b->call, PH_ERR_OUT_PROTOCOL,
                   "the answer is not valid HTTP: it does not begin with HTTP/1.0 or HTTP/1.1");
    assert_int_equal(ph_metric_get(out_connections), 0);
    bench_free(b);
}

static void script_endless_headers(struct peer *p)
{
    if (!peer_read_request(p) || !peer_say(p, "HTTP/1.1 200 OK\r\n"))
        return;
    for (int i = 0; i < 50000; i++) {
        if (!peer_say(p, "X-Filler: 0123456789\r\n"))
            return;
    }
}

static void a_megabyte_of_headers_is_refused(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_endless_headers, NULL, &usual_limits);
    call_it(b);
    assert_failure(&b->call, PH_ERR_OUT_PROTOCOL,
                   "the answer is not valid HTTP: its headers are too long");
    bench_free(b);
}

static void script_endless_body(struct peer *p)
{
    char piece[1024];
    memset(piece, 'z', sizeof(piece));
    if (!peer_read_request(p) || !peer_say(p, p->receiver->answer))
        return;
    while (peer_write(p, piece, sizeof(piece)))
        continue;
}

static void endless_body_is_cut_and_the_status_counts(void **state)
{
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
    };
    for (size_t i = 0; i < 3; i++) {
        struct bench *b = bench_new(script_endless_body, answers[i], &usual_limits);
        call_it(b);
        assert_int_equal(b->call.http.err, PH_OK);
        assert_int_equal(b->call.http.status, 200);
        assert_int_equal(b->call.response_len, usual_limits.body_bytes);
        assert_int_equal(ph_metric_get(out_connections), 0);
        bench_free(b);
    }
}

/* Sending */

#define LARGE_BYTES (4 << 20)

static void script_read_late(struct peer *p)
{
    char text[128], sum[16];
    usleep(100000);
    while (peer_read_request(p)) {
        snprintf(sum, sizeof(sum), "%08x", p->body_sum);
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%s", sum);
        peer_say(p, text);
    }
}

static void large_body_is_sent_in_parts(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_read_late, NULL, &usual_limits);
    char *body = ph_malloc(LARGE_BYTES), want[16];
    for (size_t i = 0; i < LARGE_BYTES; i++)
        body[i] = (char)(i * 7 + i / 251);
    snprintf(want, sizeof(want), "%08x", sum_add(0, body, LARGE_BYTES));
    for (int i = 0; i < 2; i++) {
        b->call.done = 0;
        call_start(&b->call, b->out, b->origin, (struct ph_str){body, LARGE_BYTES});
        outbound_run(b->out, &b->call.done, 1);
        assert_answer(&b->call, 200, want);
    }
    assert_connections(b, 1);
    free(body);
    bench_free(b);
}

/* More than the buffers on the way hold. */
#define HUGE_BYTES (32 << 20)

static void script_answer_early(struct peer *p)
{
    if (!peer_read_head(p))
        return;
    peer_say(p, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    usleep(100000);
    peer_wait_for_end(p);
}

static void answer_before_the_request_is_sent_counts(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_answer_early, NULL, &usual_limits);
    char *body = ph_calloc(1, HUGE_BYTES);
    call_start(&b->call, b->out, b->origin, (struct ph_str){body, HUGE_BYTES});
    outbound_run(b->out, &b->call.done, 1);
    assert_answer(&b->call, 413, "");
    assert_int_equal(ph_metric_get(out_connections), 0);
    free(body);
    bench_free(b);
}

/* Deadlines */

static void silence_ends_at_the_deadline(void **state)
{
    (void)state;
    struct ph_http_limits limits = usual_limits;
    limits.total_ms = 200;
    struct bench *b = bench_new(script_silence, NULL, &limits);
    call_it(b);
    assert_failure(&b->call, PH_ERR_OUT_TIMEOUT, "no answer within 200 ms");
    assert_int_equal(ph_metric_get(out_connections), 0);
    bench_free(b);
}

static void script_drip(struct peer *p)
{
    if (!peer_read_request(p) || !peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"))
        return;
    while (peer_say(p, "."))
        usleep(20000);
}

static void dripping_does_not_extend_the_deadline(void **state)
{
    (void)state;
    struct ph_http_limits limits = usual_limits;
    limits.total_ms = 1000;
    struct bench *b = bench_new(script_drip, NULL, &limits);
    call_it(b);
    assert_failure(&b->call, PH_ERR_OUT_TIMEOUT, "no complete answer within 1 s");
    assert_int_equal(b->call.http.status, 200);
    bench_free(b);
}

/* The deadline of a later call is not that of the first one. */
static void each_call_has_its_own_deadline(void **state)
{
    (void)state;
    struct ph_http_limits limits = usual_limits;
    limits.total_ms = 300;
    struct bench *b = bench_new(script_silence, NULL, &limits);
    struct call second = {.done = 0};
    call_start(&b->call, b->out, b->origin, PH_STR("{}"));
    usleep(150000);
    call_start(&second, b->out, b->origin, PH_STR("{}"));
    outbound_run(b->out, &b->call.done, 1);
    assert_int_equal(second.done, 0);
    outbound_run(b->out, &second.done, 1);
    assert_failure(&second, PH_ERR_OUT_TIMEOUT, "no answer within 300 ms");
    assert_true(second.http.duration_us >= 290000);
    bench_free(b);
}

/* A listener whose queue is full does not answer to SYNs. */
static void connecting_has_a_deadline(void **state)
{
    (void)state;
    struct ph_http_limits limits = usual_limits;
    limits.connect_ms = 200;
    struct outbound *out = outbound_new("127.0.0.0/8", &limits, "");
    uint16_t port;
    int fd = listen_on_loopback(&port), fillers[8];
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(listen(fd, 0), 0);
    for (size_t i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&addr, sizeof(addr));
    }
    struct ph_http_origin *o = outbound_open(out, "http", "127.0.0.1", port);
    struct call call = {.done = 0};
    call_once(&call, out, o, "{}");
    assert_failure(&call, PH_ERR_OUT_TIMEOUT, "connection timed out");
    ph_http_origin_close(o);
    outbound_free(out);
    for (size_t i = 0; i < 8; i++)
        close(fillers[i]);
    close(fd);
}

/* Where it goes */

static void refused_connection_is_told(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_answer, OK, &usual_limits);
    uint16_t port;
    close(listen_on_loopback(&port));
    struct ph_http_origin *literal = outbound_open(b->out, "http", "127.0.0.1", port);
    struct ph_http_origin *name = outbound_open(b->out, "http", "localhost", port);
    call_once(&b->call, b->out, literal, "{}");
    assert_failure(&b->call, PH_ERR_OUT_CONNECT, "connection refused");
    call_once(&b->call, b->out, name, "{}");
    assert_failure(&b->call, PH_ERR_OUT_CONNECT, "connection refused");
    ph_http_origin_close(literal);
    ph_http_origin_close(name);
    bench_free(b);
}

static void forbidden_addresses_are_never_connected_to(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1",
                                        "10.0.0.1"};
    struct receiver *r = receiver_start(script_answer, OK, NULL);
    struct outbound *out = outbound_new("", &usual_limits, "");
    int64_t connects = ph_metric_get(out_connects);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct ph_http_origin *o = outbound_open(out, "http", hosts[i], r->port);
        struct call call = {.done = 0};
        call_once(&call, out, o, "{}");
        assert_failure(&call, PH_ERR_OUT_FORBIDDEN, "address not allowed");
        assert_int_equal(call.http.status, 0);
        ph_http_origin_close(o);
    }
    assert_int_equal(ph_metric_get(out_connects), connects);
    outbound_free(out);
    assert_int_equal(atomic_load(&r->connections), 0);
    receiver_stop(r);
}

static void name_from_the_hosts_file(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_answer, OK, &usual_limits);
    struct ph_http_origin *o = outbound_open(b->out, "http", "localhost", b->receiver->port);
    call_once(&b->call, b->out, o, "{}");
    assert_answer(&b->call, 200, "ok");
    ph_http_origin_close(o);
    bench_free(b);
}

static void unknown_name_is_told(void **state)
{
    (void)state;
    struct outbound *out = outbound_new("", &usual_limits, "");
    struct ph_http_origin *o = outbound_open(out, "http", "nowhere.onion", 80); /* RFC 7686 */
    struct call call = {.done = 0};
    call_once(&call, out, o, "{}");
    assert_failure(&call, PH_ERR_OUT_DNS, "host name not found");
    ph_http_origin_close(o);
    outbound_free(out);
}

/* Cancelling */

static void cancel_at_once(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    struct bench *b = bench_new(script_answer, OK, &usual_limits);
    for (size_t i = 0; i < 2; i++) {
        struct ph_http_origin *o = outbound_open(b->out, "http", hosts[i], b->receiver->port);
        b->call.done = 0;
        call_start(&b->call, b->out, o, PH_STR("{}"));
        ph_http_call_cancel(&b->call.http);
        ph_http_call_cancel(&b->call.http);
        outbound_run(b->out, &b->call.done, 1);
        assert_failure(&b->call, PH_ERR_OUT_CANCELLED, "cancelled");
        ph_http_call_cancel(&b->call.http);
        ph_loop_step(b->out->loop, 0);
        assert_int_equal(b->call.done, 1);
        ph_http_origin_close(o);
    }
    bench_free(b);
}

static void script_count_and_wait(struct peer *p)
{
    peer_read_request(p);
    peer_wait_for_end(p);
}

static void cancel_after_the_request_was_sent(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_count_and_wait, NULL, &usual_limits);
    call_start(&b->call, b->out, b->origin, PH_STR("{}"));
    uint64_t end_ms = ph_clock_mono_ms() + PATIENCE_MS;
    while (atomic_load(&b->receiver->requests) == 0 && ph_clock_mono_ms() < end_ms)
        ph_loop_step(b->out->loop, 10);
    assert_int_equal(b->call.done, 0);
    ph_http_call_cancel(&b->call.http);
    assert_int_equal(b->call.done, 0);
    outbound_run(b->out, &b->call.done, 1);
    assert_failure(&b->call, PH_ERR_OUT_CANCELLED, "cancelled");
    assert_int_equal(ph_metric_get(out_connections), 0);
    bench_free(b);
}

static void cancel_other(struct call *call)
{
    struct call *other = call + 1;
    ph_http_call_cancel(&other->http);
}

static void cancel_from_another_on_done(void **state)
{
    (void)state;
    struct bench *b = bench_new(script_silence, NULL, &usual_limits);
    struct call calls[2] = {{.then = cancel_other}, {.done = 0}};
    for (int i = 0; i < 2; i++)
        call_start(&calls[i], b->out, b->origin, PH_STR("{}"));
    ph_http_call_cancel(&calls[0].http);
    outbound_run(b->out, &calls[0].done, 1);
    outbound_run(b->out, &calls[1].done, 1);
    assert_failure(&calls[1], PH_ERR_OUT_CANCELLED, "cancelled");
    bench_free(b);
}

/* Load */

#define LANES      50
#define CALLS_LOAD 1000

static int load_done, load_started;

static void load_next(struct call *call)
{
    assert_answer(call, 202, "load");
    load_done++;
    if (load_started < CALLS_LOAD) {
        load_started++;
        call_start(call, call->out, call->http.origin, PH_STR("load"));
    }
}

static void a_thousand_calls_on_fifty_connections(void **state)
{
    (void)state;
    static struct call calls[LANES];
    struct bench *b = bench_new(script_echo, NULL, &usual_limits);
    for (int i = 0; i < LANES; i++) {
        calls[i].then = load_next;
        load_started++;
        call_start(&calls[i], b->out, b->origin, PH_STR("load"));
    }
    outbound_run(b->out, &load_done, CALLS_LOAD);
    assert_int_equal(load_done, CALLS_LOAD);
    assert_connections(b, LANES);
    bench_free(b);
}

static void certificate_file_that_is_missing_is_told(void **state)
{
    (void)state;
    struct ph_loop *loop = ph_loop_new();
    struct ph_http_client *client = NULL;
    assert_int_equal(ph_http_client_new(loop, NULL, &usual_limits, "no/such/file.pem", &client),
                     PH_ERR_CONFIG);
    assert_null(client);
    ph_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_connection_is_reused),
        cmocka_unit_test(next_call_from_on_done_uses_the_same_connection),
        cmocka_unit_test(same_host_and_port_share_an_origin),
        cmocka_unit_test(origin_may_be_closed_while_its_call_runs),
        cmocka_unit_test(stale_connection_is_retried_on_a_new_one),
        cmocka_unit_test(words_from_before_the_request_are_no_answer),
        cmocka_unit_test(retry_happens_only_once),
        cmocka_unit_test(failure_after_the_first_byte_is_not_retried),
        cmocka_unit_test(new_connection_without_answer_is_not_retried),
        cmocka_unit_test(bytes_on_an_idle_connection_close_it),
        cmocka_unit_test(end_of_an_idle_connection_closes_it),
        cmocka_unit_test(connection_close_is_obeyed),
        cmocka_unit_test(idle_connections_of_an_origin_are_capped),
        cmocka_unit_test(idle_connections_of_all_origins_are_capped),
        cmocka_unit_test(connection_is_not_kept_idle_for_ever),
        cmocka_unit_test(connection_over_age_is_not_used),
        cmocka_unit_test(answers_of_many_forms),
        cmocka_unit_test(retry_after_is_read),
        cmocka_unit_test(body_cut_short_is_a_failure),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(a_megabyte_of_headers_is_refused),
        cmocka_unit_test(endless_body_is_cut_and_the_status_counts),
        cmocka_unit_test(large_body_is_sent_in_parts),
        cmocka_unit_test(answer_before_the_request_is_sent_counts),
        cmocka_unit_test(silence_ends_at_the_deadline),
        cmocka_unit_test(dripping_does_not_extend_the_deadline),
        cmocka_unit_test(each_call_has_its_own_deadline),
        cmocka_unit_test(connecting_has_a_deadline),
        cmocka_unit_test(refused_connection_is_told),
        cmocka_unit_test(forbidden_addresses_are_never_connected_to),
        cmocka_unit_test(name_from_the_hosts_file),
        cmocka_unit_test(unknown_name_is_told),
        cmocka_unit_test(cancel_at_once),
        cmocka_unit_test(cancel_after_the_request_was_sent),
        cmocka_unit_test(cancel_from_another_on_done),
        cmocka_unit_test(a_thousand_calls_on_fifty_connections),
        cmocka_unit_test(certificate_file_that_is_missing_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
