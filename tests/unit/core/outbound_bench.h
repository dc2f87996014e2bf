/* For tests of the outbound client: one with a receiver that a script plays. Include after cmocka. */
#ifndef POSTHORN_TESTS_OUTBOUND_BENCH_H
#define POSTHORN_TESTS_OUTBOUND_BENCH_H

#include "outbound.h"

#ifndef TEST_UNUSED
#define TEST_UNUSED __attribute__((unused))
#endif

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* A test's client and one receiver. */
struct bench {
    struct outbound *out;
    struct receiver *receiver;
    struct ph_http_origin *origin;
    struct call call;
};

TEST_UNUSED static struct bench *bench_new(void (*script)(struct peer *), const char *answer,
                                           const struct ph_http_limits *limits)
{
    struct bench *b = ph_calloc(1, sizeof(*b));
    b->out = outbound_new("127.0.0.0/8,::1", limits, "");
    b->receiver = receiver_start(script, answer, NULL);
    b->origin = outbound_open(b->out, "http", "127.0.0.1", b->receiver->port);
    return b;
}

TEST_UNUSED static void bench_free(struct bench *b)
{
    ph_http_origin_close(b->origin);
    outbound_free(b->out);
    receiver_stop(b->receiver);
    assert_int_equal(ph_metric_get(out_connections), 0);
    free(b);
}

TEST_UNUSED static void call_it(struct bench *b)
{
    call_once(&b->call, b->out, b->origin, "{}");
}

TEST_UNUSED static void assert_connections(struct bench *b, int n)
{
    assert_int_equal(atomic_load(&b->receiver->connections), n);
}

/* Echoes the request's body: what is sent arrives as it was. */
TEST_UNUSED static void script_echo(struct peer *p)
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

#endif
