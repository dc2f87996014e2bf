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

/* Client certificates */

/* Certificate and key of either, as PEM text to be freed; either may be NULL. */
static struct ph_str pem_of(X509 *cert, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    if (cert != NULL)
        assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    if (key != NULL)
        assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &text);
    char *copy = ph_malloc((size_t)len);
    memcpy(copy, text, (size_t)len);
    BIO_free(bio);
    return (struct ph_str){copy, (size_t)len};
}

static void free_pem(struct ph_str pem)
{
    free((void *)(uintptr_t)pem.ptr);
}

/* ca NULL: none of its own. */
static struct ph_identity *identity_of(const struct identity *id, X509 *ca)
{
    struct ph_str pem = pem_of(id->cert, id->key);
    struct ph_str ca_pem = ca != NULL ? pem_of(ca, NULL) : PH_STR_NONE;
    const char *member, *reason;
    struct ph_identity *identity = NULL;
    if (ph_identity_new(pem, ca_pem, &identity, &member, &reason) != PH_OK)
        fail_msg("%s %s", member, reason);
    free_pem(pem);
    free_pem(ca_pem);
    return identity;
}

static struct ph_http_origin *open_as(struct bench *b, const char *host,
                                      struct ph_identity *identity)
{
    struct ph_url url = {.tls = true, .host = ph_str_of(host), .port = b->receiver->port};
    return ph_http_origin_open(b->out->client, &url, identity);
}

/* The receiver wants certificates of the authority. */
static void demand(struct bench *b)
{
    X509_STORE_add_cert(SSL_CTX_get_cert_store(b->tls), authority.cert);
    SSL_CTX_set_verify(b->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_session_id_context(b->tls, (const unsigned char *)"test", 4);
}

static void client_certificate_is_shown(void **state)
{
    (void)state;
    struct ph_identity *known = identity_of(&good, NULL), *stranger = identity_of(&own_word, NULL);
    for (size_t i = 0; i < 2; i++) {
        struct bench *b = bench_new(&good, versions[i], "localhost", script_answer, OK_CLOSE);
        struct ph_http_origin *as_known = open_as(b, "localhost", known);
        struct ph_http_origin *as_stranger = open_as(b, "localhost", stranger);
        demand(b);
        for (int n = 0; n < 3; n++) { /* resumed sessions too */
            call_once(&b->call, b->out, as_known, "{}");
            assert_answer(&b->call, 200, "ok");
        }
        call_once(&b->call, b->out, as_stranger, "{}");
        assert_int_not_equal(b->call.http.err, PH_OK);
        call_it(b); /* nobody in particular */
        assert_int_not_equal(b->call.http.err, PH_OK);
        assert_int_equal(atomic_load(&b->receiver->requests), 3);
        ph_http_origin_close(as_known);
        ph_http_origin_close(as_stranger);
        bench_free(b);
    }
    ph_identity_unref(known);
    ph_identity_unref(stranger);
}

static void own_authorities_replace_the_clients(void **state)
{
    (void)state;
    struct ph_identity *identity = identity_of(&good, own_word.cert);
    const struct identity *const servers[] = {&own_word, &good};
    for (size_t i = 0; i < 2; i++) {
        struct bench *b = bench_new(servers[i], TLS1_3_VERSION, "localhost", script_answer, OK);
        struct ph_http_origin *o = open_as(b, "localhost", identity);
        call_once(&b->call, b->out, o, "{}");
        if (i == 0)
            assert_answer(&b->call, 200, "ok");
        else
            assert_failure(&b->call, PH_ERR_OUT_TLS,
                           "certificate verify failed: unable to get local issuer certificate");
        ph_http_origin_close(o);
        bench_free(b);
    }
    ph_identity_unref(identity);
}

static void other_identities_are_other_origins(void **state)
{
    (void)state;
    struct bench *b = bench_new(&good, TLS1_3_VERSION, "localhost", script_answer, OK);
    struct ph_identity *ids[] = {NULL, identity_of(&good, NULL), identity_of(&good, NULL),
                                 identity_of(&own_word, NULL), identity_of(&good, authority.cert)};
    struct ph_http_origin *origins[5];
    for (size_t i = 0; i < 5; i++)
        origins[i] = open_as(b, "localhost", ids[i]);
    assert_ptr_equal(origins[0], b->origin);
    assert_ptr_equal(origins[1], origins[2]); /* the same texts */
    assert_ptr_not_equal(origins[0], origins[1]);
    assert_ptr_not_equal(origins[1], origins[3]);
    assert_ptr_not_equal(origins[1], origins[4]);
    for (size_t i = 0; i < 5; i++) {
        ph_http_origin_close(origins[i]);
        ph_identity_unref(ids[i]);
    }
    bench_free(b);
}

static void refused(struct ph_str pem, struct ph_str ca, const char *member, const char *reason)
{
    struct ph_identity *identity = NULL;
    const char *what, *why;
    assert_int_equal(ph_identity_new(pem, ca, &identity, &what, &why), PH_ERR_VALIDATION);
    assert_null(identity);
    assert_string_equal(what, member);
    assert_string_equal(why, reason);
}

static void identity_that_cannot_work_is_refused(void **state)
{
    (void)state;
    struct ph_str cert = pem_of(good.cert, NULL), key = pem_of(NULL, good.key);
    struct ph_str foreign = pem_of(good.cert, expired.key), both = pem_of(good.cert, good.key);
    static const char no_cert[] = "has to hold a certificate in PEM form";
    refused(PH_STR_NONE, PH_STR_NONE, "identity", no_cert);
    refused(PH_STR("x"), PH_STR_NONE, "identity", no_cert);
    refused(key, PH_STR_NONE, "identity", no_cert);
    refused(cert, PH_STR_NONE, "identity", "has to hold a private key in PEM form");
    refused(foreign, PH_STR_NONE, "identity",
            "the private key is not that of the first certificate");
    refused(both, PH_STR(""), "ca", no_cert);
    refused(both, key, "ca", no_cert);
    free_pem(cert);
    free_pem(key);
    free_pem(foreign);
    free_pem(both);
}

static void identity_tells_subject_and_end(void **state)
{
    (void)state;
    struct ph_arena *arena = ph_arena_new();
    struct ph_identity *identity = identity_of(&expired, NULL);
    int64_t end_ms = ph_identity_not_after_ms(identity), now_ms = ph_clock_wall_ms();
    assert_true(ph_str_eq_c(ph_identity_subject(identity, arena), "CN=leaf"));
    assert_in_range(now_ms - end_ms, DAY_S * 1000 - 1000, DAY_S * 1000 + 60000);
    ph_identity_unref(identity);
    ph_identity_unref(NULL);
    ph_arena_free(arena);
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
        cmocka_unit_test(client_certificate_is_shown),
        cmocka_unit_test(own_authorities_replace_the_clients),
        cmocka_unit_test(other_identities_are_other_origins),
        cmocka_unit_test(identity_that_cannot_work_is_refused),
        cmocka_unit_test(identity_tells_subject_and_end),
    };
    return cmocka_run_group_tests(tests, make_all, unmake_all);
}
