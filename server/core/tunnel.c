#include "core/tunnel.h"

#include "core/proxy_internal.h"
#include "posthorn/arena.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX 8192 /* bytes of the head of an answer to CONNECT */

/* SOCKS5 */
#define VERSION          5
#define AUTH_VERSION     1
#define METHOD_NONE      0
#define METHOD_PASSWORD  2
#define METHOD_NO_COMMON 0xff
#define COMMAND_CONNECT  1
#define ADDRESS_V4       1
#define ADDRESS_NAME     3
#define ADDRESS_V6       4

/* What is waited for. */
enum step { STEP_CONNECT, STEP_METHOD, STEP_PASSWORD, STEP_REPLY, STEP_OVER };

struct ph_tunnel {
    const struct ph_proxy *proxy;
    struct ph_address to;
    enum step step;
    struct ph_buf out, in;
    size_t sent;
    char fault[96];
};

static enum ph_tunnel_state fail(struct ph_tunnel *t, const char *text)
{
    t->step = STEP_OVER;
    snprintf(t->fault, sizeof t->fault, "%s", text);
    return PH_TUNNEL_CLOSED;
}

static uint16_t port_of(const struct ph_tunnel *t)
{
    return ntohs(t->to.to.any.sa_family == AF_INET ? t->to.to.v4.sin_port : t->to.to.v6.sin6_port);
}

static void write_connect(struct ph_tunnel *t)
{
    const struct ph_proxy *proxy = t->proxy;
    char address[INET6_ADDRSTRLEN];
    bool is_v6 = t->to.to.any.sa_family == AF_INET6;
    const char *open = is_v6 ? "[" : "", *close = is_v6 ? "]" : "";

    ph_address_format(&t->to, address);
    ph_buf_printf(&t->out, "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n", open, address,
                  close, port_of(t), open, address, close, port_of(t));
    if (proxy->has_user) {
        char plain[2 * PH_PROXY_WORD_MAX + 1], coded[PH_BASE64_LEN(sizeof plain) + 1];
        memcpy(plain, proxy->user, proxy->user_len);
        plain[proxy->user_len] = ':';
        memcpy(plain + proxy->user_len + 1, proxy->password, proxy->password_len);
        ph_base64_encode(plain, proxy->user_len + 1 + proxy->password_len, coded);
        ph_buf_printf(&t->out, "Proxy-Authorization: Basic %s\r\n", coded);
    }
    ph_buf_add_c(&t->out, "\r\n");
}

static void write_methods(struct ph_tunnel *t)
{
    ph_buf_add_char(&t->out, VERSION);
    ph_buf_add_char(&t->out, t->proxy->has_user ? 2 : 1);
    ph_buf_add_char(&t->out, METHOD_NONE);
    if (t->proxy->has_user)
        ph_buf_add_char(&t->out, METHOD_PASSWORD);
}

static void write_password(struct ph_tunnel *t)
{
    const struct ph_proxy *proxy = t->proxy;

    ph_buf_add_char(&t->out, AUTH_VERSION);
    ph_buf_add_char(&t->out, (char)proxy->user_len);
    ph_buf_add(&t->out, proxy->user, proxy->user_len);
    ph_buf_add_char(&t->out, (char)proxy->password_len);
    ph_buf_add(&t->out, proxy->password, proxy->password_len);
}

static void write_request(struct ph_tunnel *t)
{
    bool is_v6 = t->to.to.any.sa_family == AF_INET6;
    uint16_t port = port_of(t);

    ph_buf_add_char(&t->out, VERSION);
    ph_buf_add_char(&t->out, COMMAND_CONNECT);
    ph_buf_add_char(&t->out, 0);
    ph_buf_add_char(&t->out, is_v6 ? ADDRESS_V6 : ADDRESS_V4);
    if (is_v6)
        ph_buf_add(&t->out, &t->to.to.v6.sin6_addr, 16);
    else
        ph_buf_add(&t->out, &t->to.to.v4.sin_addr, 4);
    ph_buf_add_char(&t->out, (char)(port >> 8));
    ph_buf_add_char(&t->out, (char)port);
}

struct ph_tunnel *ph_tunnel_new(const struct ph_proxy *proxy, const struct ph_address *to)
{
    struct ph_tunnel *t = ph_calloc(1, sizeof *t);

    t->proxy = proxy;
    t->to = *to;
    ph_buf_init(&t->out, 4096);
    ph_buf_init(&t->in, ANSWER_MAX);
    t->step = proxy->is_socks ? STEP_METHOD : STEP_CONNECT;
    if (proxy->is_socks)
        write_methods(t);
    else
        write_connect(t);
    return t;
}

void ph_tunnel_free(struct ph_tunnel *t)
{
    if (!t)
        return;
    if (t->out.ptr)
        explicit_bzero(t->out.ptr, t->out.len); /* perhaps the password */
    ph_buf_free(&t->out);
    ph_buf_free(&t->in);
    free(t);
}

struct ph_str ph_tunnel_output(const struct ph_tunnel *t)
{
    return (struct ph_str){t->out.ptr + t->sent, t->out.len - t->sent};
}

void ph_tunnel_sent(struct ph_tunnel *t, size_t n)
{
    assert(n <= t->out.len - t->sent);
    t->sent += n;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.x NNN" and then a space or the end of the line; 0: it is none. */
static int status_of(struct ph_str head)
{
    const char *p = head.ptr;

    if (head.len < 13 || memcmp(p, "HTTP/1.", 7) != 0 || !is_digit(p[7]) || p[8] != ' ' ||
        !is_digit(p[9]) || !is_digit(p[10]) || !is_digit(p[11]) ||
        (p[12] != ' ' && p[12] != '\r' && p[12] != '\n'))
        return 0;
    return (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
}

/* Bytes of the head with the empty line at its end; 0: it is not complete. */
static size_t head_len(struct ph_str text)
{
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.ptr[i] != '\n')
            continue;
        if (text.ptr[i + 1] == '\n')
            return i + 2;
        if (text.ptr[i + 1] == '\r' && i + 2 < text.len && text.ptr[i + 2] == '\n')
            return i + 3;
    }
    return 0;
}

static enum ph_tunnel_state read_connect(struct ph_tunnel *t)
{
    struct ph_str text = ph_buf_str(&t->in);
    const struct ph_str word = PH_STR("HTTP/1.");
    size_t len = head_len(text);
    int status;

    if (memcmp(text.ptr, word.ptr, text.len < word.len ? text.len : word.len) != 0)
        return fail(t, "the proxy's answer is not valid HTTP");
    if (len == 0)
        return t->in.overflow ? fail(t, "the proxy's answer is too long") : PH_TUNNEL_MORE;
    status = status_of((struct ph_str){text.ptr, len});
    if (status < 100)
        return fail(t, "the proxy's answer is not valid HTTP");
    if (status == 407)
        return fail(t, t->proxy->has_user ? "the proxy refused the user name or password"
                                          : "the proxy asks for a user name and password");
    if (status < 200 || status > 299) {
        snprintf(t->fault, sizeof t->fault, "the proxy could not connect: it answered %d", status);
        t->step = STEP_OVER;
        return PH_TUNNEL_CLOSED;
    }
    if (text.len > len || t->in.overflow)
        return fail(t, "the proxy sent more than its answer");
    t->step = STEP_OVER;
    return PH_TUNNEL_OPEN;
}

/* The bytes of one answer are read: what is said next, and all that was said is answered. */
static void next(struct ph_tunnel *t, size_t used, enum step step)
{
    memmove(t->in.ptr, t->in.ptr + used, t->in.len - used);
    t->in.len -= used;
    t->step = step;
}

static enum ph_tunnel_state read_method(struct ph_tunnel *t)
{
    const uint8_t *in = (const uint8_t *)t->in.ptr;

    if (in[0] != VERSION)
        return fail(t, "the proxy's answer is not SOCKS5");
    if (t->in.len < 2)
        return PH_TUNNEL_MORE;
    if (in[1] == METHOD_NO_COMMON)
        return fail(t, t->proxy->has_user ? "the proxy accepts no user name and password"
                                          : "the proxy asks for a user name and password");
    if (in[1] == METHOD_NONE) {
        write_request(t);
        next(t, 2, STEP_REPLY);
    } else if (in[1] == METHOD_PASSWORD && t->proxy->has_user) {
        write_password(t);
        next(t, 2, STEP_PASSWORD);
    } else {
        return fail(t, "the proxy's answer is not SOCKS5");
    }
    return PH_TUNNEL_MORE;
}

static enum ph_tunnel_state read_password(struct ph_tunnel *t)
{
    const uint8_t *in = (const uint8_t *)t->in.ptr;

    if (in[0] != AUTH_VERSION)
        return fail(t, "the proxy's answer is not SOCKS5");
    if (t->in.len < 2)
        return PH_TUNNEL_MORE;
    if (in[1] != 0)
        return fail(t, "the proxy refused the user name or password");
    write_request(t);
    next(t, 2, STEP_REPLY);
    return PH_TUNNEL_MORE;
}

static const char *reply_text(uint8_t code)
{
    static const char *const texts[] = {
        [1] = "the proxy could not connect",
        [2] = "the proxy could not connect: not allowed by its rules",
        [3] = "the proxy could not connect: network unreachable",
        [4] = "the proxy could not connect: host unreachable",
        [5] = "the proxy could not connect: connection refused",
        [6] = "the proxy could not connect: it took too long",
        [7] = "the proxy could not connect: it does not support the command",
        [8] = "the proxy could not connect: it does not support the kind of address",
    };
    return code < sizeof texts / sizeof *texts ? texts[code] : texts[1];
}

static enum ph_tunnel_state read_reply(struct ph_tunnel *t)
{
    const uint8_t *in = (const uint8_t *)t->in.ptr;
    size_t len = 4, have = t->in.len;

    if (in[0] != VERSION)
        return fail(t, "the proxy's answer is not SOCKS5");
    if (have >= 2 && in[1] != 0)
        return fail(t, reply_text(in[1]));
    if (have < 5)
        return PH_TUNNEL_MORE;
    switch (in[3]) { /* the address it connects from: of no interest */
    case ADDRESS_V4:
        len += 4 + 2;
        break;
    case ADDRESS_V6:
        len += 16 + 2;
        break;
    case ADDRESS_NAME:
        len += 1 + (size_t)in[4] + 2;
        break;
    default:
        return fail(t, "the proxy's answer is not SOCKS5");
    }
    if (have < len)
        return PH_TUNNEL_MORE;
    if (have > len)
        return fail(t, "the proxy sent more than its answer");
    t->step = STEP_OVER;
    return PH_TUNNEL_OPEN;
}

enum ph_tunnel_state ph_tunnel_feed(struct ph_tunnel *t, const char *bytes, size_t n)
{
    size_t room = t->in.max_bytes - t->in.len;

    assert(t->step != STEP_OVER);
    ph_buf_add(&t->in, bytes, n < room ? n : room);
    t->in.overflow |= n > room;
    for (;;) {
        enum ph_tunnel_state state = PH_TUNNEL_MORE;
        enum step step = t->step;
        if (t->in.len == 0)
            return PH_TUNNEL_MORE;
        if (step == STEP_CONNECT)
            state = read_connect(t);
        else if (step == STEP_METHOD)
            state = read_method(t);
        else if (step == STEP_PASSWORD)
            state = read_password(t);
        else
            state = read_reply(t);
        if (state != PH_TUNNEL_MORE || t->step == step)
            return state;
        if (t->in.len > 0) /* it answers what it was not asked yet */
            return fail(t, "the proxy sent more than its answer");
    }
}

const char *ph_tunnel_fault(const struct ph_tunnel *t)
{
    return t->fault;
}
