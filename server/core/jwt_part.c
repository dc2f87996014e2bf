#include "core/jwt_part.h"

#include "posthorn/arena.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 253402300799.0 /* the year 9999 */

bool ph_jwt_split(struct ph_str token, struct ph_jwt_parts *out)
{
    struct ph_str rest = token;

    if (!ph_str_split(&rest, '.', &out->header) || !ph_str_split(&rest, '.', &out->payload) ||
        !ph_str_split(&rest, '.', &out->signature) || rest.ptr)
        return false;
    out->signed_text = (struct ph_str){token.ptr, out->header.len + 1 + out->payload.len};
    return true;
}

bool ph_jwt_decode(struct ph_str text, uint8_t *out, size_t max, size_t *len)
{
    return sodium_base642bin(out, max, text.ptr, text.len, NULL, len, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}

json_t *ph_jwt_object(struct ph_str part)
{
    uint8_t *text = ph_malloc(part.len + 1);
    json_t *object = NULL;
    size_t len;

    if (ph_jwt_decode(part, text, part.len, &len))
        object = json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    if (json_is_object(object))
        return object;
    json_decref(object);
    return NULL;
}

bool ph_jwt_header_ok(const json_t *header)
{
    return !json_object_get(header, "crit") &&
           (!json_object_get(header, "typ") ||
            ph_str_ieq(ph_jwt_text(header, "typ"), PH_STR("jwt")));
}

bool ph_jwt_time(const json_t *claims, const char *name, int64_t def_ms, int64_t *out_ms)
{
    json_t *value = json_object_get(claims, name);
    double seconds = json_number_value(value);

    *out_ms = def_ms;
    if (!value)
        return true;
    if (!json_is_number(value) || !(seconds >= 0 && seconds <= SECONDS_MAX))
        return false;
    *out_ms = (int64_t)(seconds * 1000);
    return true;
}

struct ph_str ph_jwt_text(const json_t *claims, const char *name)
{
    json_t *value = json_object_get(claims, name);

    return (struct ph_str){json_string_value(value), json_string_length(value)};
}
