#include "posthorn/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define URL_BYTES_MAX   65536
#define HOST_BYTES_MAX  253
#define LABEL_BYTES_MAX 63

/* The slices of a URL as given. */
struct parts {
    bool tls;
    struct ph_str host; /* with the brackets of an IPv6 literal */
    struct ph_str port; /* absent when there is no colon */
    struct ph_str target;
};

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline bool is_letter(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

static inline bool is_hex(char c)
{
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

static struct ph_str slice(const char *from, const char *to)
{
    return (struct ph_str){from, (size_t)(to - from)};
}

/* The first byte of p..end that is in the set, or end. */
static const char *find_any(const char *p, const char *end, const char *set)
{
    while (p < end && (*p == '\0' || !strchr(set, *p)))
        p++;
    return p;
}

/* Cuts the URL up; NULL, or what is wrong. */
static const char *cut(struct ph_str text, struct parts *out)
{
    const char *p = text.ptr, *end = text.ptr + text.len;

    *out = (struct parts){.port = PH_STR_NONE};
    if (text.len >= 8 && ph_str_ieq(slice(p, p + 8), PH_STR("https://"))) {
        out->tls = true;
        p += 8;
    } else if (text.len >= 7 && ph_str_ieq(slice(p, p + 7), PH_STR("http://"))) {
        p += 7;
    } else {
        return "The URL has to begin with http:// or https://.";
    }

    const char *authority_end = find_any(p, end, "/?#");
    if (memchr(p, '@', (size_t)(authority_end - p)))
        return "The URL must not hold a user name or password.";
    const char *host_end;
    if (p < authority_end && *p == '[') {
        host_end = find_any(p, authority_end, "]");
        if (host_end == authority_end)
            return "The IPv6 address of the URL lacks its closing bracket.";
        host_end++;
        if (host_end < authority_end && *host_end != ':')
            return "Only a port may stand behind the IPv6 address of the URL.";
    } else {
        host_end = find_any(p, authority_end, ":");
    }
    out->host = slice(p, host_end);
    if (host_end < authority_end)
        out->port = slice(host_end + 1, authority_end);
    const char *fragment = find_any(authority_end, end, "#");
    if (find_any(fragment + (fragment < end), end, "#") != end)
        return "The URL holds a second '#'.";
    out->target = slice(authority_end, fragment);
    return NULL;
}

/* Path, query and fragment; NULL, or what is wrong. */
static const char *check_bytes(const char *p, const char *end)
{
    for (; p < end; p++) {
        if (*p == '%') {
            if (end - p < 3 || !is_hex(p[1]) || !is_hex(p[2]))
                return "A '%' of the URL is not followed by two hex digits.";
        } else if (!is_letter(*p) && !is_digit(*p) &&
                   (*p == '\0' || !strchr("-._~!$&'()*+,;=:@/?#", *p))) {
            return "The URL holds a character that has to be percent-encoded.";
        }
    }
    return NULL;
}

/* Whether lenient resolvers would read a label as a number: digits only, or 0x and hex digits. */
static bool is_number(struct ph_str label)
{
    size_t i = 0;
    if (label.len >= 2 && label.ptr[0] == '0' && lower(label.ptr[1]) == 'x') {
        for (i = 2; i < label.len && is_hex(label.ptr[i]); i++)
            ;
        return i == label.len;
    }
    while (i < label.len && is_digit(label.ptr[i]))
        i++;
    return i == label.len;
}

static bool is_address(int family, struct ph_str host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr addr;

    if (host.len >= sizeof(text) || memchr(host.ptr, '\0', host.len))
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(family, text, &addr) == 1;
}

/* A name or an IPv4 address; NULL, or what is wrong. */
static const char *check_name(struct ph_str host)
{
    struct ph_str rest = host, label = PH_STR_NONE;

    if (host.len == 0)
        return "The URL has no host.";
    if (host.len > HOST_BYTES_MAX)
        return "The host name of the URL is too long.";
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_' && c != '.')
            return "The host name of the URL may hold letters, digits, '-', '_' and '.' only.";
    }
    while (ph_str_split(&rest, '.', &label))
        if (label.len == 0 || label.len > LABEL_BYTES_MAX)
            return "The host name of the URL has a part that is empty or longer than 63.";
    if (is_number(label) && !is_address(AF_INET, host))
        return "The host of the URL looks like a number but is no IPv4 address in the usual form.";
    return NULL;
}

static const char *read_port(struct ph_str text, bool tls, uint16_t *out)
{
    static const char wrong[] = "The port of the URL has to be a number from 1 to 65535.";
    uint32_t port = 0;

    if (!text.ptr) {
        *out = tls ? 443 : 80;
        return NULL;
    }
    if (text.len == 0 || text.len > 5 || text.ptr[0] == '0')
        return wrong;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]))
            return wrong;
        port = port * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    if (port > UINT16_MAX)
        return wrong;
    *out = (uint16_t)port;
    return NULL;
}

static const char *parse(struct ph_arena *arena, struct ph_str text, struct ph_url *out)
{
    struct parts parts;
    const char *wrong;

    if (text.len > URL_BYTES_MAX)
        return "The URL is longer than 65536 bytes.";
    if (text.len == 0)
        return "The URL is empty.";
    if ((wrong = cut(text, &parts)))
        return wrong;

    struct ph_url url = {.tls = parts.tls};
    struct ph_str host = parts.host;
    if (host.len > 0 && host.ptr[0] == '[') {
        host = (struct ph_str){host.ptr + 1, host.len - 2};
        url.host_is_ipv6 = true;
        if (!is_address(AF_INET6, host))
            return "The brackets of the URL hold no IPv6 address.";
    } else if ((wrong = check_name(host))) {
        return wrong;
    }
    if ((wrong = read_port(parts.port, url.tls, &url.port)) ||
        (wrong = check_bytes(parts.target.ptr, text.ptr + text.len)))
        return wrong;

    char *name = ph_arena_copy(arena, host.ptr, host.len);
    for (size_t i = 0; i < host.len; i++)
        name[i] = lower(name[i]);
    url.host = (struct ph_str){name, host.len};

    bool has_path = parts.target.len > 0 && parts.target.ptr[0] == '/';
    char *target = ph_arena_alloc(arena, parts.target.len + 1);
    target[0] = '/';
    memcpy(target + !has_path, parts.target.ptr, parts.target.len);
    url.target = (struct ph_str){target, parts.target.len + !has_path};
    *out = url;
    return NULL;
}

enum ph_err ph_url_parse(struct ph_arena *arena, struct ph_str text, struct ph_url *out,
                         const char **reason)
{
    const char *wrong = parse(arena, text, out);
    if (!wrong)
        return PH_OK;
    *reason = wrong;
    return PH_ERR_OUT_URL;
}
