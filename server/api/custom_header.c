#include "api/custom_header.h"

#include <string.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* tchar of RFC 9110, 5.6.2 */
static bool token_char(char c)
{
    return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool starts(struct ph_str name, const char *prefix)
{
    struct ph_str head = {name.ptr, strlen(prefix)};

    return name.len >= head.len && ph_str_ieq(head, ph_str_of(prefix));
}

const char *ph_custom_header_name_fault(struct ph_str name)
{
    static const char *const refused[] = {"accept-encoding",   "connection", "expect",    "host",
                                          "http2-settings",    "keep-alive", "te",        "trailer",
                                          "transfer-encoding", "upgrade",    "user-agent"};
    static const char *const refused_prefixes[] = {"content-", "proxy-", "svix-", "webhook-"};

    if (name.len == 0)
        return "a header name must not be empty";
    if (name.len > PH_CUSTOM_HEADER_NAME_BYTES_MAX)
        return "a header name has at most 256 characters";
    for (size_t i = 0; i < name.len; i++)
        if (!token_char(name.ptr[i]))
            return "a header name has only letters, digits and !#$%&'*+-.^_`|~";
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (ph_str_ieq(name, ph_str_of(refused[i])))
            return "this header is set by the server or belongs to the connection";
    for (size_t i = 0; i < sizeof refused_prefixes / sizeof *refused_prefixes; i++)
        if (starts(name, refused_prefixes[i]))
            return "this header is set by the server or belongs to the connection";
    return NULL;
}

const char *ph_custom_header_value_fault(struct ph_str value)
{
    if (value.len > PH_CUSTOM_HEADER_VALUE_BYTES_MAX)
        return "a header value has at most 4096 bytes";
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.ptr[i] < 0x20 || value.ptr[i] == 0x7f)
            return "a header value must not have control characters";
    if (value.len > 0 && (value.ptr[0] == ' ' || value.ptr[value.len - 1] == ' '))
        return "a header value must not begin or end with a space";
    return NULL;
}

static bool contains(struct ph_str name, const char *part)
{
    for (size_t i = 0; i < name.len; i++)
        if (starts((struct ph_str){name.ptr + i, name.len - i}, part))
            return true;
    return false;
}

bool ph_custom_header_is_sensitive(struct ph_str name)
{
    static const char *const parts[] = {"auth",       "token",     "secret",     "passw",
                                        "api-key",    "apikey",    "api_key",    "cookie",
                                        "credential", "session",   "access-key", "access_key",
                                        "private",    "signature", "bearer"};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (contains(name, parts[i]))
            return true;
    return ph_str_ieq(name, PH_STR("key")) || ph_str_ieq(name, PH_STR("x-key"));
}
