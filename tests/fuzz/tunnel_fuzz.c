/*
 * What a proxy answers, byte by byte and in two pieces. First byte: bit 0 SOCKS5 instead of CONNECT, bit 1 with user and
 * password; second byte: where the pieces are cut. For CONNECT the cut must not matter as long as nothing comes too much.
 */
#include "core/tunnel.h"

#include <arpa/inet.h>
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

static struct ph_proxy *proxy_of(const char *url)
{
    struct ph_proxy *proxy = NULL;
    struct ph_buf problems;

    ph_buf_init(&problems, 1024);
    must(ph_proxy_new(ph_str_of(url), PH_STR(""), &problems, &proxy) == PH_OK, "the URL is right");
    ph_buf_free(&problems);
    return proxy;
}

/* Takes what is to be sent, as if it had been. */
static void drain(struct ph_tunnel *tunnel)
{
    struct ph_str out = ph_tunnel_output(tunnel);

    must(out.len < 2048, "what is said is short");
    ph_tunnel_sent(tunnel, out.len);
}

/* Feeds in pieces of `step` bytes at most, the first of `first`; *used: how far it came. */
static enum ph_tunnel_state play(const struct ph_proxy *proxy, const char *bytes, size_t n,
                                 size_t first, size_t step, size_t *used)
{
    struct ph_address to;
    enum ph_tunnel_state state = PH_TUNNEL_MORE;
    struct ph_tunnel *tunnel;
    size_t at = 0;

    must(ph_address_parse("192.0.2.1", 443, &to), "an address");
    tunnel = ph_tunnel_new(proxy, &to);
    drain(tunnel);
    while (state == PH_TUNNEL_MORE && at < n) {
        size_t piece = at == 0 && first > 0 ? first : step;
        piece = piece < n - at ? piece : n - at;
        state = ph_tunnel_feed(tunnel, bytes + at, piece);
        at += piece;
        if (state == PH_TUNNEL_MORE)
            drain(tunnel);
    }
    must((state == PH_TUNNEL_CLOSED) == (ph_tunnel_fault(tunnel)[0] != '\0'),
         "a refusal has a reason, and nothing else has");
    ph_tunnel_free(tunnel);
    *used = at;
    return state;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ph_proxy *proxies[4];
    size_t bytewise, whole, cut;

    if (!proxies[0]) {
        proxies[0] = proxy_of("http://127.0.0.1:1");
        proxies[1] = proxy_of("socks5://127.0.0.1:1");
        proxies[2] = proxy_of("http://user:word@127.0.0.1:1");
        proxies[3] = proxy_of("socks5://user:word@127.0.0.1:1");
    }
    if (size < 3)
        return 0;
    const struct ph_proxy *proxy = proxies[data[0] & 3];
    const char *bytes = (const char *)data + 2;
    size_t n = size - 2;
    enum ph_tunnel_state one = play(proxy, bytes, n, 0, 1, &bytewise);
    enum ph_tunnel_state all = play(proxy, bytes, n, 0, n, &whole);
    enum ph_tunnel_state two = play(proxy, bytes, n, 1 + data[1] % n, n, &cut);
    if (data[0] & 1)
        return 0;
    if (one == PH_TUNNEL_MORE)
        must(all == one && two == one, "the cut does not matter to what is incomplete");
    if (one == PH_TUNNEL_OPEN && bytewise == n)
        must(all == one && two == one, "the cut does not matter to what is complete");
    if (one == PH_TUNNEL_OPEN && bytewise < n)
        must(all == PH_TUNNEL_CLOSED, "what comes too much is refused");
    return 0;
}
