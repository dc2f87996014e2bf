#include "posthorn/jwk.h"

#include "core/jwt_part.h"
#include "posthorn/arena.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#define RSA_BITS_MIN       2048
#define RSA_BYTES_MAX      1024 /* 8192 bits: a longer one costs too much */
#define EXPONENT_BYTES_MAX 4
#define P256_BYTES         32
#define ED25519_BYTES      32

enum kind { RSA_KEY, P256_KEY, ED25519_KEY };
enum algorithm { RS256, PS256, ES256, EDDSA, ALGORITHMS };

static const struct {
    const char *name;
    enum kind kind;
} algorithms[ALGORITHMS] = {
    [RS256] = {"RS256", RSA_KEY},
    [PS256] = {"PS256", RSA_KEY},
    [ES256] = {"ES256", P256_KEY},
    [EDDSA] = {"EdDSA", ED25519_KEY},
};

struct key {
    enum kind kind;
    struct ph_buf kid; /* empty: it has none */
    enum algorithm only;
    EVP_PKEY *pkey;
};

struct ph_jwk_set {
    size_t n;
    struct key keys[PH_JWK_KEYS_MAX];
};

/* ALGORITHMS: none of ours. */
static enum algorithm algorithm_of(struct ph_str name)
{
    int i = 0;

    while (i < ALGORITHMS && !ph_str_eq_c(name, algorithms[i].name))
        i++;
    return (enum algorithm)i;
}

/* ---- reading keys ---- */

static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *builder)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (!params || !ctx)
        abort();
    if (EVP_PKEY_fromdata_init(ctx) <= 0 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return pkey;
}

static bool is_good_point(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    bool good = ctx && EVP_PKEY_public_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return good;
}

static EVP_PKEY *read_rsa(const json_t *jwk)
{
    uint8_t n[RSA_BYTES_MAX], e[EXPONENT_BYTES_MAX];
    size_t n_len, e_len;
    OSSL_PARAM_BLD *builder;
    BIGNUM *modulus, *exponent;
    EVP_PKEY *pkey = NULL;

    if (!ph_jwt_decode(ph_jwt_text(jwk, "n"), n, sizeof n, &n_len) ||
        !ph_jwt_decode(ph_jwt_text(jwk, "e"), e, sizeof e, &e_len) || e_len == 0)
        return NULL;
    builder = OSSL_PARAM_BLD_new();
    modulus = BN_bin2bn(n, (int)n_len, NULL);
    exponent = BN_bin2bn(e, (int)e_len, NULL);
    if (!builder || !modulus || !exponent)
        abort();
    if (BN_num_bits(modulus) >= RSA_BITS_MIN && BN_is_odd(modulus) && BN_is_odd(exponent) &&
        !BN_is_one(exponent) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        pkey = make_key("RSA", builder);
    BN_free(modulus);
    BN_free(exponent);
    OSSL_PARAM_BLD_free(builder);
    return pkey;
}

static EVP_PKEY *read_p256(const json_t *jwk)
{
    uint8_t point[1 + 2 * P256_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
    size_t x_len, y_len;
    OSSL_PARAM_BLD *builder;
    EVP_PKEY *pkey = NULL;

    if (!ph_str_eq_c(ph_jwt_text(jwk, "crv"), "P-256") ||
        !ph_jwt_decode(ph_jwt_text(jwk, "x"), point + 1, P256_BYTES, &x_len) ||
        !ph_jwt_decode(ph_jwt_text(jwk, "y"), point + 1 + P256_BYTES, P256_BYTES, &y_len) ||
        x_len != P256_BYTES || y_len != P256_BYTES)
        return NULL;
    builder = OSSL_PARAM_BLD_new();
    if (!builder)
        abort();
    if (OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ==
            1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point) ==
            1)
        pkey = make_key("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    if (pkey && !is_good_point(pkey)) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    return pkey;
}

static EVP_PKEY *read_ed25519(const json_t *jwk)
{
    uint8_t x[ED25519_BYTES];
    size_t len;

    if (!ph_str_eq_c(ph_jwt_text(jwk, "crv"), "Ed25519") ||
        !ph_jwt_decode(ph_jwt_text(jwk, "x"), x, sizeof x, &len) || len != sizeof x)
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, sizeof x);
}

/* Whether it says that it is for signatures, or nothing. */
static bool is_for_signatures(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use"), *ops = json_object_get(jwk, "key_ops"), *op;
    bool verifies = !ops;
    size_t i;

    json_array_foreach(ops, i, op)
    {
        const char *name = json_string_value(op);
        verifies = verifies || (name && strcmp(name, "verify") == 0);
    }
    return verifies && (!use || ph_str_eq_c(ph_jwt_text(jwk, "use"), "sig"));
}

/* False: left out. */
static bool read_key(const json_t *jwk, struct key *out)
{
    struct ph_str type = ph_jwt_text(jwk, "kty"), kid = ph_jwt_text(jwk, "kid");
    struct key key = {.only = ALGORITHMS};

    if (!is_for_signatures(jwk) || (json_object_get(jwk, "kid") && !kid.ptr))
        return false;
    key.kind = ph_str_eq_c(type, "RSA")  ? RSA_KEY
               : ph_str_eq_c(type, "EC") ? P256_KEY
                                         : ED25519_KEY;
    if (json_object_get(jwk, "alg")) {
        key.only = algorithm_of(ph_jwt_text(jwk, "alg"));
        if (key.only == ALGORITHMS || algorithms[key.only].kind != key.kind)
            return false;
    }
    if (key.kind == RSA_KEY)
        key.pkey = read_rsa(jwk);
    else if (key.kind == P256_KEY)
        key.pkey = read_p256(jwk);
    else if (ph_str_eq_c(type, "OKP"))
        key.pkey = read_ed25519(jwk);
    if (!key.pkey)
        return false;
    ph_buf_init(&key.kid, PH_JWK_TOKEN_MAX);
    ph_buf_add_str(&key.kid, kid.ptr ? kid : PH_STR(""));
    *out = key;
    return true;
}

enum ph_err ph_jwk_set_read(struct ph_str json, struct ph_jwk_set **out, const char **reason)
{
    json_t *root = json_loadb(json.ptr ? json.ptr : "", json.len, JSON_REJECT_DUPLICATES, NULL);
    json_t *list = json_object_get(root, "keys"), *jwk;
    struct ph_jwk_set *set = ph_calloc(1, sizeof *set);
    size_t i;

    json_array_foreach(list, i, jwk)
    {
        if (set->n < PH_JWK_KEYS_MAX && read_key(jwk, &set->keys[set->n]))
            set->n++;
    }
    *reason = json_is_array(list) ? "it holds no key that can be used" : "it is no set of keys";
    json_decref(root);
    ERR_clear_error();
    if (set->n == 0) {
        ph_jwk_set_free(set);
        return PH_ERR_VALIDATION;
    }
    *out = set;
    return PH_OK;
}

void ph_jwk_set_free(struct ph_jwk_set *set)
{
    for (size_t i = 0; set && i < set->n; i++) {
        EVP_PKEY_free(set->keys[i].pkey);
        ph_buf_free(&set->keys[i].kid);
    }
    free(set);
}

/* ---- signatures ---- */

/* r and s, one behind the other, as OpenSSL wants them. The caller frees *out with OPENSSL_free. */
static int to_der(const uint8_t *pair, uint8_t **out)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(pair, P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(pair + P256_BYTES, P256_BYTES, NULL);
    int len;

    if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1)
        abort();
    *out = NULL;
    len = i2d_ECDSA_SIG(sig, out);
    ECDSA_SIG_free(sig);
    return len;
}

static bool check(const struct key *key, enum algorithm algorithm, struct ph_str text,
                  const uint8_t *signature, size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    bool ok;

    if (!ctx)
        abort();
    ok = EVP_DigestVerifyInit(ctx, &pctx, algorithm == EDDSA ? NULL : EVP_sha256(), NULL,
                              key->pkey) == 1;
    if (ok && algorithm == PS256)
        ok = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1;
    ok = ok && EVP_DigestVerify(ctx, signature, len, (const uint8_t *)text.ptr, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

static bool signature_ok(const struct key *key, enum algorithm algorithm,
                         const struct ph_jwt_parts *parts)
{
    uint8_t signature[RSA_BYTES_MAX], *der;
    size_t len;
    int der_len;
    bool ok;

    if (!ph_jwt_decode(parts->signature, signature, sizeof signature, &len))
        return false;
    if (algorithm != ES256)
        return check(key, algorithm, parts->signed_text, signature, len);
    if (len != 2 * P256_BYTES)
        return false;
    der_len = to_der(signature, &der);
    ok = der_len > 0 && check(key, algorithm, parts->signed_text, der, (size_t)der_len);
    OPENSSL_free(der);
    return ok;
}

static bool fits(const struct key *key, enum algorithm algorithm, struct ph_str kid)
{
    return key->kind == algorithms[algorithm].kind &&
           (key->only == ALGORITHMS || key->only == algorithm) &&
           (!kid.ptr || ph_str_eq(kid, ph_buf_str(&key->kid)));
}

static enum ph_err find_signer(const struct ph_jwk_set *set, const json_t *header,
                               const struct ph_jwt_parts *parts)
{
    enum algorithm algorithm = algorithm_of(ph_jwt_text(header, "alg"));
    struct ph_str kid = ph_jwt_text(header, "kid");
    enum ph_err err = PH_ERR_NOT_FOUND;

    if (algorithm == ALGORITHMS || !ph_jwt_header_ok(header) ||
        (json_object_get(header, "kid") && !kid.ptr))
        return PH_ERR_AUTH;
    for (size_t i = 0; i < set->n && err != PH_OK; i++)
        if (fits(&set->keys[i], algorithm, kid))
            err = signature_ok(&set->keys[i], algorithm, parts) ? PH_OK : PH_ERR_AUTH;
    return err;
}

enum ph_err ph_jwk_verify(const struct ph_jwk_set *set, struct ph_str token, json_t **claims)
{
    struct ph_jwt_parts parts;
    json_t *header, *object;
    enum ph_err err;

    if (token.len > PH_JWK_TOKEN_MAX || !ph_jwt_split(token, &parts))
        return PH_ERR_AUTH;
    header = ph_jwt_object(parts.header);
    err = header ? find_signer(set, header, &parts) : PH_ERR_AUTH;
    json_decref(header);
    ERR_clear_error();
    if (err != PH_OK)
        return err;
    object = ph_jwt_object(parts.payload);
    if (!object)
        return PH_ERR_AUTH;
    *claims = object;
    return PH_OK;
}
