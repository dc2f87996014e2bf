#include "core/proxy_internal.h"

#include "posthorn/arena.h"
#include "posthorn/guard.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %XX into out. False: malformed, too long, or with a control character. */
static bool read_word(struct ph_str text, char out[PH_PROXY_WORD_MAX], size_t *len)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        int c = (unsigned char)text.ptr[i];
        if (c == '%') {
            if (text.len - i < 3 || hex_of(text.ptr[i + 1]) < 0 || hex_of(text.ptr[i + 2]) < 0)
                return false;
            c = hex_of(text.ptr[i + 1]) * 16 + hex_of(text.ptr[i + 2]);
            i += 2;
        }
        if (c < 0x20 || c == 0x7f || n == PH_PROXY_WORD_MAX)
            return false;
        out[n++] = (char)c;
    }
    *len = n;
    return true;
}

/* user:password; the user name must not be empty, nor hold a colon, which Basic cannot carry. */
static bool read_credentials(struct ph_proxy *proxy, struct ph_str text)
{
    struct ph_str user;

    (void)ph_str_split(&text, ':', &user);
    proxy->has_user = true;
    return read_word(user, proxy->user, &proxy->user_len) && proxy->user_len > 0 &&
           !memchr(proxy->user, ':', proxy->user_len) &&
           read_word(text.ptr ? text : PH_STR(""), proxy->password, &proxy->password_len);
}

/* The URL behind scheme and credentials; NULL, or what is wrong. */
static const char *read_place(struct ph_proxy *proxy, struct ph_str place)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_str text =
        ph_str_of(ph_arena_printf(arena, "http://%.*s", (int)place.len, place.ptr));
    const char *colon = memrchr(place.ptr, ':', place.len), *wrong = NULL;
    struct ph_url url;

    if (ph_url_parse(arena, text, &url, &wrong) == PH_OK) {
        if (!colon || memchr(colon, ']', (size_t)(place.ptr + place.len - colon)))
            wrong = "The port is missing.";
        else if (url.target.len > 1)
            wrong = "There must be nothing behind the port.";
        proxy->host = strndup(url.host.ptr, url.host.len);
        proxy->port = url.port;
    }
    ph_arena_free(arena);
    return wrong;
}

static const char *read_url(struct ph_proxy *proxy, struct ph_str url)
{
    const struct ph_str http = PH_STR("http://"), socks = PH_STR("socks5://");
    const char *at;

    proxy->is_socks = ph_str_starts(url, socks);
    if (!proxy->is_socks && !ph_str_starts(url, http))
        return "The URL has to begin with http:// or socks5://.";
    url.ptr += proxy->is_socks ? socks.len : http.len;
    url.len -= proxy->is_socks ? socks.len : http.len;
    if ((at = memrchr(url.ptr, '@', url.len)) != NULL) {
        size_t before = (size_t)(at - url.ptr);
        if (!read_credentials(proxy, (struct ph_str){url.ptr, before}))
            return "User name and password have to be percent-encoded, at most 255 bytes each, "
                   "without control characters.";
        url.ptr += before + 1;
        url.len -= before + 1;
    }
    return read_place(proxy, url);
}

static void add_range(struct ph_cidr **ranges, size_t *n, const struct ph_cidr *range)
{
    *ranges = ph_realloc(*ranges, (*n + 1) * sizeof **ranges);
    (*ranges)[(*n)++] = *range;
}

/* ".example.com", "*.example.com" and "example.com" are the same. */
static bool add_suffix(struct ph_proxy *proxy, struct ph_str text)
{
    char *copy;

    if (ph_str_starts(text, PH_STR("*"))) {
        text.ptr++;
        text.len--;
    }
    if (ph_str_starts(text, PH_STR("."))) {
        text.ptr++;
        text.len--;
    }
    if (text.len > 0 && text.ptr[text.len - 1] == '.')
        text.len--;
    if (text.len == 0)
        return false;
    copy = ph_malloc(text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        copy[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
        if (!(copy[i] >= 'a' && copy[i] <= 'z') && !(c >= '0' && c <= '9') && c != '-' &&
            c != '_' && c != '.') {
            free(copy);
            return false;
        }
    }
    copy[text.len] = '\0';
    proxy->suffixes =
        ph_realloc(proxy->suffixes, (proxy->n_suffixes + 1) * sizeof *proxy->suffixes);
    proxy->suffixes[proxy->n_suffixes++] = copy;
    return true;
}

/* Something that only an address or range can be. */
static bool is_numeric(struct ph_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!(text.ptr[i] >= '0' && text.ptr[i] <= '9') && text.ptr[i] != '.')
            return memchr(text.ptr, ':', text.len) || memchr(text.ptr, '/', text.len);
    return true;
}

static enum ph_err read_direct(struct ph_proxy *proxy, struct ph_str list, struct ph_buf *problems)
{
    struct ph_str rest = ph_str_trim(list), part;
    enum ph_err err = PH_OK;

    if (rest.len == 0)
        rest = PH_STR_NONE;
    while (ph_str_split(&rest, ',', &part)) {
        struct ph_cidr range;
        bool is_v6 = false;
        part = ph_str_trim(part);
        const char *wrong = ph_cidr_parse(part, &range, &is_v6);
        if (!wrong && is_v6) {
            add_range(&proxy->direct_v6, &proxy->n_v6, &range);
        } else if (!wrong) {
            add_range(&proxy->direct_v4, &proxy->n_v4, &range);
        } else if (is_numeric(part) || !add_suffix(proxy, part)) {
            ph_buf_printf(problems, "POSTHORN_NO_PROXY: \"%.*s\": %s\n", (int)part.len, part.ptr,
                          is_numeric(part) ? wrong : "not a host suffix, address or CIDR range");
            err = PH_ERR_CONFIG;
        }
    }
    return err;
}

enum ph_err ph_proxy_new(struct ph_str url, struct ph_str no_proxy, struct ph_buf *problems,
                         struct ph_proxy **out)
{
    struct ph_proxy *proxy = ph_calloc(1, sizeof *proxy);
    enum ph_err err = read_direct(proxy, no_proxy, problems);
    const char *wrong = url.len > 0 ? read_url(proxy, url) : NULL;

    if (wrong) { /* the URL itself may hold a password */
        ph_buf_printf(problems, "POSTHORN_PROXY: %s\n", wrong);
        err = PH_ERR_CONFIG;
    }
    if (err != PH_OK || url.len == 0) {
        ph_proxy_free(proxy);
        proxy = NULL;
    }
    if (err == PH_OK)
        *out = proxy;
    return err;
}

void ph_proxy_free(struct ph_proxy *proxy)
{
    if (!proxy)
        return;
    for (size_t i = 0; i < proxy->n_suffixes; i++)
        free(proxy->suffixes[i]);
    free(proxy->suffixes);
    free(proxy->direct_v4);
    free(proxy->direct_v6);
    free(proxy->host);
    explicit_bzero(proxy->password, sizeof proxy->password);
    free(proxy);
}

static bool has_suffix(const struct ph_proxy *proxy, const char *host)
{
    size_t len = strlen(host);

    if (len > 0 && host[len - 1] == '.')
        len--;
    for (size_t i = 0; i < proxy->n_suffixes; i++) {
        size_t n = strlen(proxy->suffixes[i]);
        if (len >= n && memcmp(host + len - n, proxy->suffixes[i], n) == 0 &&
            (len == n || host[len - n - 1] == '.'))
            return true;
    }
    return false;
}

static bool is_direct_address(const struct ph_proxy *proxy, const struct sockaddr *addr)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (addr->sa_family == AF_INET) {
        memcpy(&v4, addr, sizeof v4);
        return ph_cidr_any_holds(proxy->direct_v4, proxy->n_v4, (const uint8_t *)&v4.sin_addr);
    }
    memcpy(&v6, addr, sizeof v6);
    const uint8_t *mapped = ph_cidr_mapped_v4(v6.sin6_addr.s6_addr);
    return mapped ? ph_cidr_any_holds(proxy->direct_v4, proxy->n_v4, mapped)
                  : ph_cidr_any_holds(proxy->direct_v6, proxy->n_v6, v6.sin6_addr.s6_addr);
}

bool ph_proxy_serves(const struct ph_proxy *proxy, const char *host, const struct sockaddr *addr)
{
    return !has_suffix(proxy, host) && !is_direct_address(proxy, addr);
}

const char *ph_proxy_host(const struct ph_proxy *proxy)
{
    return proxy->host;
}

uint16_t ph_proxy_port(const struct ph_proxy *proxy)
{
    return proxy->port;
}
