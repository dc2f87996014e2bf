#include "posthorn/jwt.h"

#include <jansson.h>
#include <sodium.h>
#include <string.h>

#define CLOCKS_DIFFER_MS 60000
#define SECONDS_MAX      253402300799.0 /* the year 9999 */

bool ph_jwt_well_formed(struct ph_str token)
{
    int dots = 0;

    if (token.len > PH_JWT_LEN_MAX)
        return false;
    for (size_t i = 0; i < token.len; i++)
        dots += token.ptr[i] == '.';
    return dots == 2;
}

/* base64url without padding, and no other spelling of the same bytes. */
static bool decode(struct ph_str text, uint8_t *out, size_t max, size_t *len)
{
    return sodium_base642bin(out, max, text.ptr, text.len, NULL, len, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}

static bool signature_ok(struct ph_str secret, struct ph_str signed_text, struct ph_str signature)
{
    uint8_t given[crypto_auth_hmacsha256_BYTES], right[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    size_t len;

    if (!decode(signature, given, sizeof(given), &len) || len != sizeof(given))
        return false;
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)secret.ptr, secret.len);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)signed_text.ptr, signed_text.len);
    crypto_auth_hmacsha256_final(&state, right);
    return sodium_memcmp(given, right, sizeof(right)) == 0;
}

/* A JSON object of one part. NULL: it is none. */
static json_t *decode_object(struct ph_str part)
{
    uint8_t text[PH_JWT_LEN_MAX];
    size_t len;
    json_t *object;

    if (!decode(part, text, sizeof(text), &len))
        return NULL;
    object = json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(object))
        return object;
    json_decref(object);
    return NULL;
}

/* Nothing that a token says of itself changes how it is checked. */
static bool header_ok(struct ph_str part)
{
    json_t *header = decode_object(part);
    json_t *type = json_object_get(header, "typ");
    const char *alg = json_string_value(json_object_get(header, "alg"));
    bool ok = alg && strcmp(alg, "HS256") == 0 && !json_object_get(header, "crit") &&
              (!type || (json_is_string(type) &&
                         ph_str_ieq(ph_str_of(json_string_value(type)), PH_STR("jwt"))));

    json_decref(header);
    return ok;
}

/* A time in seconds, perhaps with a fraction. Absent: def. */
static bool read_time(json_t *claims, const char *name, int64_t def_ms, int64_t *out)
{
    json_t *value = json_object_get(claims, name);
    double seconds = json_number_value(value);

    *out = def_ms;
    if (!value)
        return true;
    if (!json_is_number(value) || !(seconds >= 0 && seconds <= SECONDS_MAX))
        return false;
    *out = (int64_t)(seconds * 1000);
    return true;
}

static bool times_ok(json_t *claims, int64_t now_ms, int64_t *expires_ms)
{
    int64_t not_before_ms, issued_ms;

    return read_time(claims, "exp", 0, expires_ms) && *expires_ms > now_ms &&
           read_time(claims, "nbf", 0, &not_before_ms) &&
           not_before_ms <= now_ms + CLOCKS_DIFFER_MS && read_time(claims, "iat", 0, &issued_ms) &&
           issued_ms <= now_ms + CLOCKS_DIFFER_MS;
}

static struct ph_str text_of(json_t *claims, const char *name)
{
    json_t *value = json_object_get(claims, name);

    return (struct ph_str){json_string_value(value), json_string_length(value)};
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
    struct ph_str subject = text_of(claims, "sub");

    if (!json_object_get(claims, "org"))
        return read_tenant(subject, out);
    return read_tenant(text_of(claims, "org"), out) &&
           ph_id_parse(PH_ID_APPLICATION, subject, &out->application) == PH_OK &&
           !ph_id_is_zero(out->application);
}

enum ph_err ph_jwt_verify(struct ph_str secret, struct ph_str token, int64_t now_ms,
                          struct ph_jwt_claims *out)
{
    struct ph_jwt_claims claims = {0};
    struct ph_str rest = token, header, payload, signature;
    json_t *object;
    bool ok;

    if (!ph_jwt_well_formed(token) || secret.len == 0 || !ph_str_split(&rest, '.', &header) ||
        !ph_str_split(&rest, '.', &payload) || !ph_str_split(&rest, '.', &signature))
        return PH_ERR_AUTH;
    /* Nothing is read of what nobody has signed. */
    if (!signature_ok(secret, (struct ph_str){token.ptr, header.len + 1 + payload.len},
                      signature) ||
        !header_ok(header))
        return PH_ERR_AUTH;
    object = decode_object(payload);
    ok = object && times_ok(object, now_ms, &claims.expires_ms) && read_subject(object, &claims);
    json_decref(object);
    if (!ok)
        return PH_ERR_AUTH;
    *out = claims;
    return PH_OK;
}
