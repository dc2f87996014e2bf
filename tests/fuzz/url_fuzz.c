/*
 * URL parser and the guard's allow list. What the parser accepts has to be safe to put into a request head, and has to mean
 * the same when it is put together and parsed again.
 */
#include "posthorn/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

static void check_host(struct ph_arena *arena, const struct ph_url *url)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    static const char ipv6[] = "abcdef0123456789:.";
    const char *allowed = url->host_is_ipv6 ? ipv6 : name;
    const char *host = ph_arena_copy(arena, url->host.ptr, url->host.len);
    struct in6_addr addr;
    struct in_addr strict, loose;

    must(url->host.len > 0, "there is a host");
    must(strspn(host, allowed) == url->host.len, "the host holds plain characters");
    if (url->host_is_ipv6)
        must(inet_pton(AF_INET6, host, &addr) == 1, "brackets hold an address");
    /* inet_aton takes every numeric form that some resolver takes. */
    else if (inet_aton(host, &loose))
        must(inet_pton(AF_INET, host, &strict) == 1 && strict.s_addr == loose.s_addr,
             "a number means the same for everybody");
}

static void check_target(struct ph_str target)
{
    must(target.len > 0 && target.ptr[0] == '/', "the target is a path");
    for (size_t i = 0; i < target.len; i++)
        must(target.ptr[i] > 0x20 && target.ptr[i] < 0x7f && target.ptr[i] != '\\' &&
                 target.ptr[i] != '#',
             "the target holds printable characters");
}

static void parse_again(struct ph_arena *arena, const struct ph_url *url)
{
    struct ph_url again;
    const char *reason;
    bool v6 = url->host_is_ipv6;
    char *text = ph_arena_printf(arena, "%s://%s%.*s%s:%u%.*s", url->tls ? "https" : "http",
                                 v6 ? "[" : "", (int)url->host.len, url->host.ptr, v6 ? "]" : "",
                                 (unsigned)url->port, (int)url->target.len, url->target.ptr);

    if (strlen(text) > 65536)
        return;
    must(ph_url_parse(arena, ph_str_of(text), &again, &reason) == PH_OK, "the parts make a URL");
    must(again.tls == url->tls && again.port == url->port && again.host_is_ipv6 == v6 &&
             ph_str_eq(again.host, url->host) && ph_str_eq(again.target, url->target),
         "the parts mean the same again");
}

static void try_allow_list(struct ph_str text)
{
    struct ph_buf problems;
    struct ph_guard *guard;
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in public = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x08080808)};

    ph_buf_init(&problems, 1 << 20);
    enum ph_err err = ph_guard_new(text, &problems, &guard);
    must((err == PH_OK) == (problems.len == 0), "a refused list is explained");
    if (err == PH_OK) {
        must(ph_guard_allows(guard, (const struct sockaddr *)&public), "a list closes nothing");
        must(!ph_guard_allows(guard, (const struct sockaddr *)&loopback) ||
                 memchr(text.ptr, '.', text.len),
             "a list without an IPv4 range opens no IPv4 address");
        ph_guard_free(guard);
    }
    ph_buf_free(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_str text = {(const char *)data, size};
    const char *reason = NULL;
    struct ph_url url;

    if (ph_url_parse(arena, text, &url, &reason) == PH_OK) {
        must(url.port > 0, "there is a port");
        check_host(arena, &url);
        check_target(url.target);
        parse_again(arena, &url);
    } else {
        must(reason && *reason, "a refused URL is explained");
    }
    try_allow_list(text);
    ph_arena_free(arena);
    return 0;
}
