#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbound_bench.h"

/* Reuse */

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
