#include "core/http_client_internal.h"

#include "posthorn/log.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

/* A session arrived: after the handshake with TLS 1.2, later and perhaps several times with TLS 1.3. The name was verified
 * before, and the session never leaves its origin, so that resuming it needs no new check. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct ph_connection *c = SSL_get_app_data(ssl);
    SSL_SESSION_free(c->origin->session);
    c->origin->session = session;
    return 1; /* ours now */
}

enum ph_err ph_tls_context_new(const char *ca_file, SSL_CTX **out)
{
    static const unsigned char alpn[] = "\x08http/1.1";
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL)
        return PH_ERR_CONFIG;
    int loaded = ca_file[0] != '\0' ? SSL_CTX_load_verify_file(ctx, ca_file)
                                    : SSL_CTX_set_default_verify_paths(ctx);
    if (loaded != 1) {
        ph_log(PH_LOG_ERROR, "certificate authorities cannot be read", ph_log_s("file", ca_file),
               ph_log_s("reason", ERR_reason_error_string(ERR_peek_last_error())));
        ERR_clear_error();
        SSL_CTX_free(ctx);
        return PH_ERR_CONFIG;
    }
    int ok = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
             SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) == 0;
    assert(ok);
    (void)ok;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* Many servers close without TLS's goodbye. What could be cut off so is the end of a body that nobody measured. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
    *out = ctx;
    return PH_OK;
}

static bool expect_server(SSL *ssl, const struct ph_http_origin *origin)
{
    if (origin->is_literal)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), origin->host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, origin->server_name) == 1 &&
           SSL_set_tlsext_host_name(ssl, origin->server_name) == 1;
}

SSL *ph_tls_new(struct ph_connection *c)
{
    SSL *ssl = SSL_new(c->client->tls);
    if (ssl == NULL || SSL_set_fd(ssl, c->watch.fd) != 1 || !expect_server(ssl, c->origin) ||
        (c->origin->identity != NULL && !ph_identity_use(c->origin->identity, ssl))) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_app_data(ssl, c);
    SSL_set_connect_state(ssl);
    if (c->origin->session != NULL)
        SSL_set_session(ssl, c->origin->session);
    return ssl;
}

void ph_tls_free(struct ph_connection *c)
{
    /* OpenSSL forbids to resume the session of a connection that was not shut down. One try, without waiting. */
    if (!SSL_in_init(c->ssl)) {
        if (c->broken)
            SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        else
            SSL_shutdown(c->ssl);
    }
    SSL_free(c->ssl);
    c->ssl = NULL;
    ERR_clear_error();
}

void ph_tls_explain(const SSL *ssl, int ssl_error, char *out, size_t n)
{
    long verified = SSL_get_verify_result(ssl);
    unsigned long code = ERR_peek_last_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;
    if (verified != X509_V_OK)
        snprintf(out, n, "certificate verify failed: %s", X509_verify_cert_error_string(verified));
    else if (ssl_error == SSL_ERROR_SSL && reason != NULL)
        snprintf(out, n, "TLS handshake failed: %s", reason);
    else
        snprintf(out, n, "TLS handshake failed: connection closed");
}
