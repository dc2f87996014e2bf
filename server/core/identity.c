#include "posthorn/identity.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHAIN_MAX       10
#define AUTHORITIES_MAX 100

struct ph_identity {
    atomic_int refs;
    uint8_t digest[32];
    X509 *cert;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
    X509_STORE *authorities; /* NULL: the client's */
};

static int no_password(char *buf, int size, int rwflag, void *ctx)
{
    (void)buf, (void)size, (void)rwflag, (void)ctx;
    return -1;
}

static BIO *reader(struct ph_str text)
{
    BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    if (bio == NULL)
        abort();
    return bio;
}

static const char *read_key(struct ph_identity *identity, struct ph_str pem)
{
    BIO *bio = reader(pem);

    identity->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (identity->key != NULL)
        return NULL;
    if (memmem(pem.ptr, pem.len, "ENCRYPTED", 9) != NULL)
        return "the private key is protected by a password; it has to be given without";
    return "has to hold a private key in PEM form";
}

static const char *read_certificates(struct ph_identity *identity, struct ph_str pem)
{
    BIO *bio = reader(pem);
    X509 *cert;
    const char *wrong = NULL;

    identity->cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
    identity->chain = sk_X509_new_null();
    while (identity->cert != NULL && wrong == NULL &&
           (cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
        if (sk_X509_num(identity->chain) == CHAIN_MAX) {
            wrong = "may hold at most 11 certificates";
            X509_free(cert);
        } else {
            sk_X509_push(identity->chain, cert);
        }
    }
    BIO_free(bio);
    return identity->cert == NULL ? "has to hold a certificate in PEM form" : wrong;
}

/* What TLS itself would say of them, such as a key that is too short. */
static const char *try_out(const struct ph_identity *identity)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    bool ok;

    if (ctx == NULL)
        abort();
    if (X509_check_private_key(identity->cert, identity->key) != 1) {
        SSL_CTX_free(ctx);
        return "the private key is not that of the first certificate";
    }
    ok = SSL_CTX_use_cert_and_key(ctx, identity->cert, identity->key, identity->chain, 1) == 1;
    SSL_CTX_free(ctx);
    return ok ? NULL : "the certificate or its key is too weak for TLS";
}

static const char *read_authorities(struct ph_identity *identity, struct ph_str ca)
{
    BIO *bio = reader(ca);
    X509 *cert;
    const char *wrong = NULL;
    int n = 0;

    identity->authorities = X509_STORE_new();
    while (wrong == NULL && (cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
        if (++n > AUTHORITIES_MAX)
            wrong = "may hold at most 100 certificates";
        else if (X509_STORE_add_cert(identity->authorities, cert) != 1)
            wrong = "holds a certificate that cannot be read";
        X509_free(cert);
    }
    BIO_free(bio);
    return n == 0 ? "has to hold a certificate in PEM form" : wrong;
}

static void digest(struct ph_identity *identity, struct ph_str pem, struct ph_str ca)
{
    crypto_generichash_state state;
    uint64_t len = pem.len;

    crypto_generichash_init(&state, NULL, 0, sizeof identity->digest);
    crypto_generichash_update(&state, (const uint8_t *)&len, sizeof len);
    crypto_generichash_update(&state, (const uint8_t *)pem.ptr, pem.len);
    if (ca.ptr)
        crypto_generichash_update(&state, (const uint8_t *)ca.ptr, ca.len);
    crypto_generichash_final(&state, identity->digest, sizeof identity->digest);
}

static void destroy(struct ph_identity *identity)
{
    X509_free(identity->cert);
    EVP_PKEY_free(identity->key);
    sk_X509_pop_free(identity->chain, X509_free);
    X509_STORE_free(identity->authorities);
    free(identity);
}

enum ph_err ph_identity_new(struct ph_str pem, struct ph_str ca, struct ph_identity **out,
                            const char **member, const char **reason)
{
    struct ph_identity *identity = ph_calloc(1, sizeof *identity);
    const char *wrong = NULL;

    if (sodium_init() < 0)
        abort();
    atomic_init(&identity->refs, 1);
    *member = "identity";
    if (!pem.ptr)
        pem = PH_STR("");
    if (pem.len > PH_IDENTITY_PEM_MAX || ca.len > PH_IDENTITY_PEM_MAX)
        wrong = "is longer than 65536 bytes";
    if (!wrong)
        wrong = read_certificates(identity, pem);
    if (!wrong)
        wrong = read_key(identity, pem);
    if (!wrong)
        wrong = try_out(identity);
    if (!wrong && ca.ptr) {
        *member = "ca";
        wrong = read_authorities(identity, ca);
    }
    ERR_clear_error();
    if (wrong) {
        destroy(identity);
        *reason = wrong;
        return PH_ERR_VALIDATION;
    }
    digest(identity, pem, ca);
    *out = identity;
    return PH_OK;
}

struct ph_identity *ph_identity_ref(struct ph_identity *identity)
{
    if (identity)
        atomic_fetch_add(&identity->refs, 1);
    return identity;
}

void ph_identity_unref(struct ph_identity *identity)
{
    if (identity && atomic_fetch_sub(&identity->refs, 1) == 1)
        destroy(identity);
}

bool ph_identity_eq(const struct ph_identity *a, const struct ph_identity *b)
{
    if (a == b)
        return true;
    return a && b && memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

struct ph_str ph_identity_subject(const struct ph_identity *identity, struct ph_arena *arena)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;

    if (bio == NULL)
        abort();
    X509_NAME_print_ex(bio, X509_get_subject_name(identity->cert), 0, XN_FLAG_RFC2253);
    long len = BIO_get_mem_data(bio, &text);
    struct ph_str subject = {ph_arena_copy(arena, text, (size_t)len), (size_t)len};
    BIO_free(bio);
    return subject;
}

int64_t ph_identity_not_after_ms(const struct ph_identity *identity)
{
    struct tm tm;

    memset(&tm, 0, sizeof tm);
    if (ASN1_TIME_to_tm(X509_get0_notAfter(identity->cert), &tm) != 1)
        return 0;
    return (int64_t)timegm(&tm) * 1000;
}

bool ph_identity_use(const struct ph_identity *identity, struct ssl_st *ssl)
{
    return SSL_use_cert_and_key(ssl, identity->cert, identity->key, identity->chain, 1) == 1 &&
           (!identity->authorities || SSL_set1_verify_cert_store(ssl, identity->authorities) == 1);
}
