#include "posthorn/jwt.h"

#include "core/jwt_part.h"

#include <sodium.h>
#include <string.h>

bool ph_jwt_well_formed(struct ph_str token)
{
    int dots = 0;

    if (token.len > PH_JWT_LEN_MAX)
        return false;
    for (size_t i = 0; i < token.len; i++)
        dots += token.ptr[i] == '.';
    return dots == 2;
}

static bool signature_ok(struct ph_str secret, struct ph_str signed_text, struct ph_str signature)
{
    uint8_t given[crypto_auth_hmacsha256_BYTES], right[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    size_t len;

    if (!ph_jwt_decode(signature, given, sizeof(given), &len) || len != sizeof(given))
        return false;
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret.ptr, secret.len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)signed_text.ptr, signed_text.len);
    crypto_auth_hmacsha256_final(&state, right);
    return sodium_memcmp(given, right, sizeof(right)) == 0;
}

/* Nothing that a token says of itself changes how it is checked. */
static bool header_ok(struct ph_str part)
{
    json_t *header = ph_jwt_object(part);
    bool ok = ph_str_eq_c(ph_jwt_text(header, "alg"), "HS256") && ph_jwt_header_ok(header);

    json_decref(header);
    return ok;
}

static bool times_ok(json_t *claims, int64_t now_ms, int64_t *expires_ms)
{
    int64_t not_before_ms, issued_ms;

    return ph_jwt_time(claims, "exp", 0, expires_ms) && *expires_ms > now_ms &&
           ph_jwt_time(claims, "nbf", 0, &not_before_ms) &&
           not_before_ms <= now_ms + PH_JWT_CLOCKS_DIFFER_MS &&
           ph_jwt_time(claims, "iat", 0, &issued_ms) &&
           issued_ms <= now_ms + PH_JWT_CLOCKS_DIFFER_MS;
}

static bool is_base62(struct ph_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
            return false;
    }
    return true;
}

static bool read_tenant(struct ph_str text, struct ph_jwt_claims *out)
{
    struct ph_str prefix = ph_str_of(ph_id_prefix(PH_ID_TENANT));

    if (ph_id_parse(PH_ID_TENANT, text, &out->tenant) == PH_OK)
        return !ph_id_is_zero(out->tenant);
    if (text.len != PH_JWT_FOREIGN_LEN || !ph_str_starts(text, prefix) ||
        !is_base62((struct ph_str){text.ptr + prefix.len, text.len - prefix.len}))
        return false;
    memcpy(out->foreign, text.ptr, text.len);
    return true;
}

static bool read_subject(json_t *claims, struct ph_jwt_claims *out)
{
    struct ph_str subject = ph_jwt_text(claims, "sub");

    if (!json_object_get(claims, "org"))
        return read_tenant(subject, out);
    return read_tenant(ph_jwt_text(claims, "org"), out) &&
           ph_id_parse(PH_ID_APPLICATION, subject, &out->application) == PH_OK &&
           !ph_id_is_zero(out->application);
}

enum ph_err ph_jwt_verify(struct ph_str secret, struct ph_str token, int64_t now_ms,
                          struct ph_jwt_claims *out)
{
    struct ph_jwt_claims claims = {0};
    struct ph_jwt_parts parts;
    json_t *object;
    bool ok;

    if (!ph_jwt_well_formed(token) || secret.len == 0 || !ph_jwt_split(token, &parts))
        return PH_ERR_AUTH;
    /* Nothing is read of what nobody has signed. */
    if (!signature_ok(secret, parts.signed_text, parts.signature) || !header_ok(parts.header))
        return PH_ERR_AUTH;
    object = ph_jwt_object(parts.payload);
    ok = object && times_ok(object, now_ms, &claims.expires_ms) && read_subject(object, &claims);
    json_decref(object);
    if (!ok)
        return PH_ERR_AUTH;
    *out = claims;
    return PH_OK;
}
