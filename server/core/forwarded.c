#include "posthorn/forwarded.h"

#include "core/cidr.h"
#include "posthorn/arena.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct ph_forwarded {
    struct ph_cidr_list trusted;
};

struct address {
    uint8_t bytes[16];
    bool is_v6;
};

enum ph_err ph_forwarded_new(struct ph_str trusted, struct ph_buf *problems,
                             struct ph_forwarded **out)
{
    struct ph_forwarded *forwarded = ph_calloc(1, sizeof(*forwarded));
    enum ph_err err = ph_cidr_list_parse(trusted, problems, &forwarded->trusted);

    *out = forwarded;
    if (err != PH_OK) {
        ph_forwarded_free(forwarded);
        *out = NULL;
    }
    return err;
}

void ph_forwarded_free(struct ph_forwarded *forwarded)
{
    if (!forwarded)
        return;
    ph_cidr_list_free(&forwarded->trusted);
    free(forwarded);
}

/* A mapped IPv4 address is that address. */
static struct address plain(struct address a)
{
    const uint8_t *v4 = a.is_v6 ? ph_cidr_mapped_v4(a.bytes) : NULL;
    struct address mapped = {.is_v6 = false};

    if (!v4)
        return a;
    memcpy(mapped.bytes, v4, 4);
    return mapped;
}

static bool of_peer(const struct sockaddr *peer, struct address *out)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    *out = (struct address){.is_v6 = peer->sa_family == AF_INET6};
    if (peer->sa_family == AF_INET) {
        memcpy(&v4, peer, sizeof(v4));
        memcpy(out->bytes, &v4.sin_addr, 4);
    } else if (peer->sa_family == AF_INET6) {
        memcpy(&v6, peer, sizeof(v6));
        memcpy(out->bytes, v6.sin6_addr.s6_addr, 16);
    } else {
        return false;
    }
    *out = plain(*out);
    return true;
}

/* 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] or [2001:db8::1]:80. */
static bool of_text(struct ph_str text, struct address *out)
{
    char buf[PH_ADDRESS_MAX];
    struct ph_str host, rest = text;
    const char *colon = text.len ? memchr(text.ptr, ':', text.len) : NULL;

    if (text.len > 0 && text.ptr[0] == '[') {
        rest = (struct ph_str){text.ptr + 1, text.len - 1};
        (void)ph_str_split(&rest, ']', &host);
    } else if (colon && !memchr(colon + 1, ':', text.len - (size_t)(colon + 1 - text.ptr))) {
        host = (struct ph_str){text.ptr, (size_t)(colon - text.ptr)};
    } else {
        host = text;
    }
    if (host.len == 0 || host.len >= sizeof(buf) || memchr(host.ptr, '\0', host.len))
        return false;
    memcpy(buf, host.ptr, host.len);
    buf[host.len] = '\0';
    *out = (struct address){.is_v6 = memchr(host.ptr, ':', host.len) != NULL};
    if (inet_pton(out->is_v6 ? AF_INET6 : AF_INET, buf, out->bytes) != 1)
        return false;
    *out = plain(*out);
    return true;
}

static bool is_trusted(const struct ph_forwarded *forwarded, const struct address *a)
{
    return a->is_v6 ? ph_cidr_list_holds_v6(&forwarded->trusted, a->bytes)
                    : ph_cidr_list_holds_v4(&forwarded->trusted, a->bytes);
}

/* Cuts the last item of a list off. False: there is none. */
static bool take_last(struct ph_str *list, struct ph_str *item)
{
    size_t at = list->len;

    if (!list->ptr)
        return false;
    while (at > 0 && list->ptr[at - 1] != ',')
        at--;
    *item = ph_str_trim((struct ph_str){list->ptr + at, list->len - at});
    *list = at > 0 ? (struct ph_str){list->ptr, at - 1} : PH_STR_NONE;
    return true;
}

void ph_forwarded_client(const struct ph_forwarded *forwarded, const struct sockaddr *peer,
                         struct ph_str header, char out[PH_ADDRESS_MAX])
{
    struct address client, hop;
    struct ph_str item;

    out[0] = '\0';
    if (!of_peer(peer, &client))
        return;
    while (is_trusted(forwarded, &client) && take_last(&header, &item) && of_text(item, &hop))
        client = hop;
    if (!inet_ntop(client.is_v6 ? AF_INET6 : AF_INET, client.bytes, out, PH_ADDRESS_MAX))
        out[0] = '\0';
}
