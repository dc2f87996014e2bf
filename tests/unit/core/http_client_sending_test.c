#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbound_bench.h"

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
