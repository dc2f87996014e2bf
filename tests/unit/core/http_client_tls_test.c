#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbound.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define OK       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define OK_CLOSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"

#define DAY_S 86400L

/* Certificates: an authority and what it signed */

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

static struct identity authority, good, wrong_name, wrong_address, expired, own_word;
static char ca_file[] = "/tmp/posthorn-test-ca-XXXXXX";

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* issuer NULL: signs itself. names: subjectAltName, NULL for an authority. */
static struct identity make(const struct identity *issuer, const char *names, long from_s,
                            long to_s)
{
    static long serial;
    struct identity id = {EVP_EC_gen("P-256"), X509_new()};
    assert_true(id.key != NULL && id.cert != NULL);
    const struct identity *by = issuer != NULL ? issuer : &id;
    X509_NAME *name = X509_get_subject_name(id.cert);
    X509_set_version(id.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(id.cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(id.cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), to_s);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)(names == NULL ? "test authority" : "leaf"),
                               -1, -1, 0);
    X509_set_issuer_name(id.cert, X509_get_subject_name(by->cert));
    X509_set_pubkey(id.cert, id.key);
    if (names != NULL)
        add_extension(id.cert, by->cert, NID_subject_alt_name, names);
    else
        add_extension(id.cert, by->cert, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(id.cert, by->key, EVP_sha256()) > 0);
    return id;
}

static void unmake(struct identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
}

static int make_all(void **state)
{
    (void)state;
    authority = make(NULL, NULL, -DAY_S, DAY_S);
    good = make(&authority, "DNS:localhost,IP:127.0.0.1", -DAY_S, DAY_S);
    wrong_name = make(&authority, "DNS:other.example,DNS:*.localhost", -DAY_S, DAY_S);
    wrong_address = make(&authority, "DNS:localhost,DNS:127.0.0.1,IP:127.0.0.2", -DAY_S, DAY_S);
    expired = make(&authority, "DNS:localhost,IP:127.0.0.1", -2 * DAY_S, -DAY_S);
    own_word = make(NULL, "DNS:localhost,IP:127.0.0.1", -DAY_S, DAY_S);
    int fd = mkstemp(ca_file);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, authority.cert), 1);
    assert_int_equal(fclose(f), 0);
    return 0;
}

static int unmake_all(void **state)
{
    (void)state;
    unlink(ca_file);
    unmake(&authority);
    unmake(&good);
    unmake(&wrong_name);
    unmake(&wrong_address);
    unmake(&expired);
    unmake(&own_word);
    return 0;
}

static char last_server_name[64];

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    (void)arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    snprintf(last_server_name, sizeof(last_server_name), "%s", name != NULL ? name : "(none)");
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *server_context(const struct identity *id, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    assert_non_null(ctx);
    assert_int_equal(SSL_CTX_set_min_proto_version(ctx, 0), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(ctx, version), 1);
    SSL_CTX_set_security_level(ctx, 0);
    assert_int_equal(SSL_CTX_use_certificate(ctx, id->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, id->key), 1);
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    return ctx;
}

/* A client, a TLS receiver and an origin of it */

struct bench {
    struct outbound *out;
    SSL_CTX *tls;
    struct receiver *receiver;
    struct ph_http_origin *origin;
    struct call call;
};

static struct bench *bench_new(const struct identity *id, int version, const char *host,
                               void (*script)(struct peer *), const char *answer)
{
    struct bench *b = ph_calloc(1, sizeof(*b));
    b->out = outbound_new("127.0.0.0/8,::1", &usual_limits, ca_file);
    b->tls = server_context(id, version);
    b->receiver = receiver_start(script, answer, b->tls);
    b->origin = outbound_open(b->out, "https", host, b->receiver->port);
    return b;
}

static void bench_free(struct bench *b)
{
    ph_http_origin_close(b->origin);
    outbound_free(b->out);
    receiver_stop(b->receiver);
    SSL_CTX_free(b->tls);
    assert_int_equal(ph_metric_get(out_connections), 0);
    free(b);
}

static void call_it(struct bench *b)
{
    call_once(&b->call, b->out, b->origin, "{}");
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void good_certificate_is_accepted_and_the_connection_kept(void **state)
{
    (void)state;
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    for (size_t i = 0; i < 4; i++) {
        struct bench *b = bench_new(&good, versions[i / 2], hosts[i % 2], script_answer, OK);
        for (int n = 0; n < 3; n++) {
            call_it(b);
            assert_answer(&b->call, 200, "ok");
            assert_int_equal(b->call.http.reused, n > 0);
        }
        assert_int_equal(atomic_load(&b->receiver->connections), 1);
        bench_free(b);
        assert_string_equal(last_server_name, i % 2 ? "(none)" : "localhost");
    }
}

static void assert_refused(const struct identity *id, const char *host, const char *why)
{
    for (size_t i = 0; i < 2; i++) {
        struct bench *b = bench_new(id, versions[i], host, script_answer, OK);
        char text[160];
        snprintf(text, sizeof(text), "certificate verify failed: %s", why);
        call_it(b);
        assert_failure(&b->call, PH_ERR_OUT_TLS, text);
        assert_int_equal(b->call.http.status, 0);
        bench_free(b);
    }
}

static void wrong_name_is_refused(void **state)
{
    (void)state;
    assert_refused(&wrong_name, "localhost", "hostname mismatch");
}

static void wrong_address_is_refused(void **state)
{
    (void)state;
    assert_refused(&wrong_address, "127.0.0.1", "IP address mismatch");
}

static void expired_certificate_is_refused(void **state)
{
    (void)state;
    assert_refused(&expired, "localhost", "certificate has expired");
}

static void self_signed_certificate_is_refused(void **state)
{
    (void)state;
    assert_refused(&own_word, "localhost", "self-signed certificate");
}

static void unknown_authority_is_refused(void **state)
{
    (void)state;
    struct outbound *out = outbound_new("127.0.0.0/8", &usual_limits, "");
    SSL_CTX *tls = server_context(&good, TLS1_3_VERSION);
    struct receiver *r = receiver_start(script_answer, OK, tls);
    struct ph_http_origin *o = outbound_open(out, "https", "localhost", r->port);
    struct call call = {.done = 0};
    call_once(&call, out, o, "{}");
    assert_failure(&call, PH_ERR_OUT_TLS,
                   "certificate verify failed: unable to get local issuer certificate");
    ph_http_origin_close(o);
    outbound_free(out);
    receiver_stop(r);
    SSL_CTX_free(tls);
}

static void old_tls_is_refused(void **state)
{
    (void)state;
    struct bench *b = bench_new(&good, TLS1_1_VERSION, "localhost", script_answer, OK);
    call_it(b);
    assert_int_equal(b->call.http.err, PH_ERR_OUT_TLS);
    assert_ptr_equal(strstr(b->call.http.error_text, "TLS handshake failed: "),
                     b->call.http.error_text);
    bench_free(b);
}

static void session_is_resumed_on_a_new_connection(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench *b =
            bench_new(&good, versions[i], "localhost", script_answer_and_close, OK_CLOSE);
        for (int n = 0; n < 3; n++) {
            call_it(b);
            assert_answer(&b->call, 200, "ok");
            assert_false(b->call.http.reused);
        }
        assert_int_equal(atomic_load(&b->receiver->connections), 3);
        assert_int_equal(atomic_load(&b->receiver->resumed), 2);
        bench_free(b);
    }
}

/* Answers once and goes away under the second request. */
static void script_stale(struct peer *p)
{
    if (peer_read_request(p) && peer_say(p, OK) && p->index == 0)
        peer_read_head(p);
    else
        script_answer(p);
}

static void stale_connection_is_retried_on_a_new_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bench *b = bench_new(&good, versions[i], "localhost", script_stale, NULL);
        call_it(b);
        call_it(b);
        assert_answer(&b->call, 200, "ok");
        assert_false(b->call.http.reused);
        assert_int_equal(atomic_load(&b->receiver->connections), 2);
        bench_free(b);
    }
}

#define LARGE_BYTES (3 << 20)

static void script_sum(struct peer *p)
{
    char text[128];
    usleep(100000);
    while (peer_read_request(p)) {
        snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%08x",
                 p->body_sum);
        peer_say(p, text);
    }
}

static void large_body_is_sent_in_records(void **state)
{
    (void)state;
    struct bench *b = bench_new(&good, TLS1_3_VERSION, "localhost", script_sum, NULL);
    char *body = ph_malloc(LARGE_BYTES), want[16];
    for (size_t i = 0; i < LARGE_BYTES; i++)
        body[i] = (char)(i * 7 + i / 251);
    snprintf(want, sizeof(want), "%08x", sum_add(0, body, LARGE_BYTES));
    call_start(&b->call, b->out, b->origin, (struct ph_str){body, LARGE_BYTES});
    outbound_run(b->out, &b->call.done, 1);
    assert_answer(&b->call, 200, want);
    free(body);
    bench_free(b);
}

/* An answer larger than a record: what OpenSSL holds back is read without a further event. */
static void script_large_answer(struct peer *p)
{
    static char body[60000];
    memset(body, 'a', sizeof(body));
    while (peer_read_request(p)) {
        peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n");
        peer_write(p, body, sizeof(body));
    }
}

static void answer_of_several_records(void **state)
{
    (void)state;
    struct bench *b = bench_new(&good, TLS1_3_VERSION, "localhost", script_large_answer, NULL);
    for (int n = 0; n < 2; n++) {
        call_it(b);
        assert_int_equal(b->call.http.err, PH_OK);
        assert_int_equal(b->call.response_len, usual_limits.body_bytes);
        assert_int_equal(b->call.http.reused, n > 0);
    }
    bench_free(b);
}

/* What is not TLS, and what is nothing at all */

static void script_garbage(struct peer *p)
{
    peer_say(p, "220 smtp.example ESMTP\r\n");
    peer_wait_for_end(p);
}

static void script_hang_up(struct peer *p)
{
    char piece[16];
    (void)!peer_read(p, piece, sizeof(piece));
}

static void call_plain_receiver(struct call *call, void (*script)(struct peer *),
                                const struct ph_http_limits *limits)
{
    struct outbound *out = outbound_new("127.0.0.0/8", limits, ca_file);
    struct receiver *r = receiver_start(script, NULL, NULL);
    struct ph_http_origin *o = outbound_open(out, "https", "localhost", r->port);
    call_once(call, out, o, "{}");
    ph_http_origin_close(o);
    outbound_free(out);
    receiver_stop(r);
}

static void garbage_instead_of_tls(void **state)
{
    (void)state;
    struct call call = {.done = 0};
    call_plain_receiver(&call, script_garbage, &usual_limits);
    assert_failure(&call, PH_ERR_OUT_TLS, "TLS handshake failed: wrong version number");
}

static void end_instead_of_tls(void **state)
{
    (void)state;
    struct call call = {.done = 0};
    call_plain_receiver(&call, script_hang_up, &usual_limits);
    assert_failure(&call, PH_ERR_OUT_TLS, "TLS handshake failed: connection closed");
}

static void handshake_has_a_deadline_of_its_own(void **state)
{
    (void)state;
    struct ph_http_limits limits = usual_limits;
    struct call call = {.done = 0};
    limits.connect_ms = 200;
    call_plain_receiver(&call, script_silence, &limits);
    assert_failure(&call, PH_ERR_OUT_TIMEOUT, "TLS handshake timed out");
}

static void cancel_amid_the_handshake(void **state)
{
    (void)state;
    struct outbound *out = outbound_new("127.0.0.0/8", &usual_limits, ca_file);
    struct receiver *r = receiver_start(script_silence, NULL, NULL);
    struct ph_http_origin *o = outbound_open(out, "https", "127.0.0.1", r->port);
    struct call call = {.done = 0};
    call_start(&call, out, o, PH_STR("{}"));
    uint64_t end_ms = ph_clock_mono_ms() + PATIENCE_MS;
    while (atomic_load(&r->connections) == 0 && ph_clock_mono_ms() < end_ms)
        ph_loop_step(out->loop, 10);
    ph_http_call_cancel(&call.http);
    outbound_run(out, &call.done, 1);
    assert_failure(&call, PH_ERR_OUT_CANCELLED, "cancelled");
    ph_http_origin_close(o);
    outbound_free(out);
    receiver_stop(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_certificate_is_accepted_and_the_connection_kept),
        cmocka_unit_test(wrong_name_is_refused),
        cmocka_unit_test(wrong_address_is_refused),
        cmocka_unit_test(expired_certificate_is_refused),
        cmocka_unit_test(self_signed_certificate_is_refused),
        cmocka_unit_test(unknown_authority_is_refused),
        cmocka_unit_test(old_tls_is_refused),
        cmocka_unit_test(session_is_resumed_on_a_new_connection),
        cmocka_unit_test(stale_connection_is_retried_on_a_new_one),
        cmocka_unit_test(large_body_is_sent_in_records),
        cmocka_unit_test(answer_of_several_records),
        cmocka_unit_test(garbage_instead_of_tls),
        cmocka_unit_test(end_instead_of_tls),
        cmocka_unit_test(handshake_has_a_deadline_of_its_own),
        cmocka_unit_test(cancel_amid_the_handshake),
    };
    return cmocka_run_group_tests(tests, make_all, unmake_all);
}
