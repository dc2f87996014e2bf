#include "api/portal_settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN_BYTES_MAX 255
#define NAME_BYTES_MAX   256
#define URL_BYTES_MAX    2048
/* WCAG 2.1, 1.4.3: of text. */
#define CONTRAST_MIN 4.5
#define LIGHT_GROUND "#ffffff"
#define DARK_GROUND  "#14171c"

/* ---- origins ---- */

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

/* Lower case letters, digits, '-' and '.', and perhaps a port. Nothing in it can end a header or mean another source. */
static bool is_authority(struct ph_str s)
{
    struct ph_str rest = s, host;
    int64_t port;

    (void)ph_str_split(&rest, ':', &host);
    if (host.len == 0 || host.ptr[0] == '.' || host.ptr[0] == '-')
        return false;
    for (size_t i = 0; i < host.len; i++)
        if (!is_host_char(host.ptr[i]))
            return false;
    return !rest.ptr ||
           (rest.len <= 5 && ph_str_to_i64(rest, &port) == PH_OK && port >= 1 && port <= 65535);
}

static bool is_local(struct ph_str authority)
{
    struct ph_str host;

    (void)ph_str_split(&authority, ':', &host);
    return ph_str_eq_c(host, "localhost") || ph_str_eq_c(host, "127.0.0.1");
}

static bool strip(struct ph_str *s, const char *prefix)
{
    if (!ph_str_starts(*s, ph_str_of(prefix)))
        return false;
    *s = (struct ph_str){s->ptr + strlen(prefix), s->len - strlen(prefix)};
    return true;
}

static bool is_origin(struct ph_str s)
{
    if (s.len > ORIGIN_BYTES_MAX)
        return false;
    if (strip(&s, "https://"))
        return is_authority(s);
    return strip(&s, "http://") && is_authority(s) && is_local(s);
}

size_t ph_api_field_portal_origins(struct ph_call *call, struct ph_faults *faults, json_t *body,
                                   struct ph_str **out, bool *present)
{
    json_t *list = json_object_get(body, "portalOrigins"), *item;
    size_t i;

    *present = list != NULL;
    *out = ph_arena_array_of(call->req->arena, struct ph_str, PH_PORTAL_ORIGINS_MAX);
    if (!list || json_is_null(list))
        return 0;
    if (!json_is_array(list) || json_array_size(list) > PH_PORTAL_ORIGINS_MAX) {
        ph_fault(call, faults, "body", "portalOrigins", "has to be a list of at most 20 origins",
                 "type_error.list");
        return 0;
    }
    json_array_foreach(list, i, item)
    {
        (*out)[i] = (struct ph_str){json_string_value(item), json_string_length(item)};
        if (!json_is_string(item) || !is_origin((*out)[i])) {
            ph_fault(call, faults, "body", "portalOrigins",
                     ph_arena_printf(call->req->arena,
                                     "item %zu has to be like https://app.example.com: scheme, "
                                     "lower-case host, perhaps a port; http of localhost only",
                                     i),
                     "value_error.url");
            return 0;
        }
    }
    return json_array_size(list);
}

struct ph_str ph_api_origin_of(struct ph_str url)
{
    struct ph_str rest = url, authority;

    if (!strip(&rest, "https://"))
        return PH_STR_NONE;
    (void)ph_str_split(&rest, '/', &authority);
    return is_authority(authority)
               ? (struct ph_str){url.ptr, (size_t)(authority.ptr + authority.len - url.ptr)}
               : PH_STR_NONE;
}

/* ---- branding ---- */

static bool is_visible(struct ph_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~' || strchr("\"'<>\\`", s.ptr[i]))
            return false;
    return true;
}

static bool is_base64(struct ph_str s)
{
    uint8_t *bytes = malloc(s.len + 1);
    size_t n;
    bool ok = bytes && s.len > 0 && ph_base64_decode(s, bytes, s.len, &n) == PH_OK;

    free(bytes);
    return ok;
}

static bool is_logo(struct ph_str s)
{
    if (s.len <= URL_BYTES_MAX && ph_api_origin_of(s).ptr)
        return is_visible(s);
    return s.len <= PH_PORTAL_LOGO_MAX &&
           (strip(&s, "data:image/png;base64,") || strip(&s, "data:image/jpeg;base64,") ||
            strip(&s, "data:image/gif;base64,") || strip(&s, "data:image/webp;base64,")) &&
           is_base64(s);
}

/* Relative luminance of "#rrggbb" (WCAG 2.1); negative: it is no colour. */
static double luminance(const char *colour)
{
    static const double weights[] = {0.2126, 0.7152, 0.0722};
    double sum = 0;

    if (strlen(colour) != 7 || colour[0] != '#' ||
        strspn(colour + 1, "0123456789abcdefABCDEF") != 6)
        return -1;
    for (int i = 0; i < 3; i++) {
        char hex[] = {colour[1 + 2 * i], colour[2 + 2 * i], '\0'};
        double c = (double)strtol(hex, NULL, 16) / 255;
        sum += weights[i] * (c <= 0.03928 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4));
    }
    return sum;
}

static const char *colour_fault(const char *colour, const char *ground)
{
    double a = colour ? luminance(colour) : -1, b = luminance(ground);

    if (a < 0)
        return "has to be like #1a2b3c";
    return (fmax(a, b) + 0.05) / (fmin(a, b) + 0.05) < CONTRAST_MIN
               ? "has too little contrast with the page: 4.5 to 1 is needed"
               : NULL;
}

/* What is wrong with a member; NULL: nothing. */
static const char *member_fault(const char *name, json_t *value)
{
    struct ph_str text = {json_string_value(value), json_string_length(value)};

    if (json_is_null(value))
        return NULL;
    if (strcmp(name, "name") == 0)
        return text.len > 0 && text.len <= NAME_BYTES_MAX ? NULL : "has to have 1 to 256 bytes";
    if (strcmp(name, "logo") == 0)
        return text.ptr && is_logo(text)
                   ? NULL
                   : "has to be an https URL, or a data URL with a PNG, JPEG, GIF "
                     "or WebP image of at most 32 KiB";
    if (strcmp(name, "accentLight") == 0)
        return colour_fault(text.ptr, LIGHT_GROUND);
    if (strcmp(name, "accentDark") == 0)
        return colour_fault(text.ptr, DARK_GROUND);
    return "is not known";
}

struct ph_str ph_api_field_portal_branding(struct ph_call *call, struct ph_faults *faults,
                                           json_t *body, bool *present)
{
    static const char *const members[] = {"accentDark", "accentLight", "logo", "name"};
    json_t *branding = json_object_get(body, "portalBranding"), *value;
    struct ph_json_writer *w;
    const char *name;
    bool ok = true;

    *present = branding != NULL;
    if (!branding || json_is_null(branding))
        return PH_STR_NONE;
    if (!json_is_object(branding)) {
        ph_fault(call, faults, "body", "portalBranding", "has to be an object", "type_error.dict");
        return PH_STR_NONE;
    }
    json_object_foreach(branding, name, value)
    {
        const char *fault = member_fault(name, value);
        if (!fault)
            continue;
        ok = false;
        ph_fault_at(call, faults, "body", "portalBranding",
                    ph_arena_printf(call->req->arena, "/%.64s", name), fault, "value_error");
    }
    if (!ok)
        return PH_STR_NONE;
    w = ph_answer_writer(call, PH_PORTAL_BRANDING_MAX);
    ph_jw_object_begin(w);
    for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
        value = json_object_get(branding, members[i]);
        ph_jw_key(w, members[i]);
        ph_jw_str(w, (struct ph_str){json_string_value(value), json_string_length(value)});
    }
    ph_jw_object_end(w);
    return ph_buf_str(w->buf);
}
