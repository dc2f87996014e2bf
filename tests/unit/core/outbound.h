/*
 * What the tests of the outbound client share: a client with its loop and guard, and calls that remember what came back.
 * Include behind cmocka.h.
 */
#ifndef POSTHORN_TESTS_OUTBOUND_H
#define POSTHORN_TESTS_OUTBOUND_H

#include "posthorn/arena.h"
#include "posthorn/clock.h"
#include "posthorn/http_client.h"
#include "posthorn/metrics.h"

#include "receiver.h"

/* Nothing here takes so long: a test that hangs fails. */
#define PATIENCE_MS 20000

struct outbound {
    struct ph_loop *loop;
    struct ph_guard *guard;
    struct ph_http_client *client;
};

struct call {
    struct ph_http_call http; /* first */
    struct outbound *out;
    int done; /* how often on_done was called */
    char head[512];
    char response[1024]; /* copy, NUL-terminated */
    size_t response_len;
    void (*then)(struct call *call);
};

static const struct ph_http_limits usual_limits = {
    .connect_ms = 10000,
    .total_ms = 10000,
    .header_bytes = 16384,
    .body_bytes = 512,
    .body_read_bytes = 65536,
    .idle_per_origin = 100,
    .idle_ms = 60000,
    .age_ms = 60000,
    .idle_total = 1000,
};

static inline struct outbound *outbound_new(const char *allow, const struct ph_http_limits *limits,
                                            const char *ca_file)
{
    struct outbound *out = ph_calloc(1, sizeof(*out));
    struct ph_buf problems;
    ph_buf_init(&problems, 1024);
    out->loop = ph_loop_new();
    assert_int_equal(ph_guard_new(ph_str_of(allow), &problems, &out->guard), PH_OK);
    assert_int_equal(ph_http_client_new(out->loop, out->guard, limits, ca_file, &out->client),
                     PH_OK);
    ph_buf_free(&problems);
    return out;
}

static inline void outbound_free(struct outbound *out)
{
    ph_http_client_free(out->client);
    ph_guard_free(out->guard);
    ph_loop_free(out->loop);
    free(out);
}

static inline struct ph_http_origin *outbound_open(struct outbound *out, const char *scheme,
                                                   const char *host, uint16_t port)
{
    struct ph_url url = {
        .tls = strcmp(scheme, "https") == 0,
        .host = ph_str_of(host),
        .host_is_ipv6 = strchr(host, ':') != NULL,
        .port = port,
        .target = PH_STR("/"),
    };
    return ph_http_origin_open(out->client, &url, NULL);
}

static inline void on_call_done(struct ph_http_call *http)
{
    struct call *call = (struct call *)http;
    call->done++;
    call->response_len = http->response.len;
    assert_true(http->response.len < sizeof(call->response));
    memcpy(call->response, http->response.ptr, http->response.len);
    call->response[http->response.len] = '\0';
    assert_true(http->duration_us >= 0);
    assert_true((http->err == PH_OK) == (http->error_text[0] == '\0'));
    assert_null(strstr(http->error_text, "127."));
    if (call->then != NULL)
        call->then(call);
}

/* Starts (again) a POST with this body, which must live on. */
static inline void call_start(struct call *call, struct outbound *out,
                              struct ph_http_origin *origin, struct ph_str body)
{
    int n = snprintf(call->head, sizeof(call->head),
                     "POST /hook HTTP/1.1\r\nHost: test\r\nContent-Length: %zu\r\n\r\n", body.len);
    call->out = out;
    call->http.origin = origin;
    call->http.head = (struct ph_str){call->head, (size_t)n};
    call->http.body = body;
    call->http.on_done = on_call_done;
    int done = call->done;
    ph_http_call_start(out->client, &call->http);
    assert_int_equal(call->done, done);
}

/* Steps the loop until *value has reached `least`. */
static inline void outbound_run(struct outbound *out, const int *value, int least)
{
    uint64_t end_ms = ph_clock_mono_ms() + PATIENCE_MS;
    while (*value < least) {
        ph_loop_step(out->loop, 50);
        if (ph_clock_mono_ms() > end_ms)
            fail_msg("%s", "nothing more happens");
    }
}

/* Steps the loop until the process has this many outbound connections. */
static inline void outbound_run_until_connections(struct outbound *out, int64_t n)
{
    uint64_t end_ms = ph_clock_mono_ms() + PATIENCE_MS;
    while (ph_metric_get(out_connections) != n) {
        ph_loop_step(out->loop, 50);
        if (ph_clock_mono_ms() > end_ms)
            fail_msg("%s", "the number of connections stays wrong");
    }
}

/* One call from start to end. */
static inline void call_once(struct call *call, struct outbound *out, struct ph_http_origin *origin,
                             const char *body)
{
    call->done = 0;
    call_start(call, out, origin, ph_str_of(body));
    outbound_run(out, &call->done, 1);
    assert_int_equal(call->done, 1);
}

static inline void assert_answer(const struct call *call, int status, const char *response)
{
    if (call->http.err != PH_OK)
        fail_msg("%s: %s", ph_err_code(call->http.err), call->http.error_text);
    assert_int_equal(call->http.status, status);
    assert_string_equal(call->response, response);
}

static inline void assert_failure(const struct call *call, enum ph_err err, const char *text)
{
    assert_string_equal(call->http.error_text, text);
    assert_string_equal(ph_err_code(call->http.err), ph_err_code(err));
}

#endif
