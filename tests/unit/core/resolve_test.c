#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/http_client_internal.h"
#include "core/resolve.h"
#include "outbound.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* A name server on loopback that knows the names of `zone` */

struct name_server {
    int fd;
    char address[32]; /* "127.0.0.1:port" */
    pthread_t thread;
    atomic_int queries;
};

static const struct {
    const char *name; /* in DNS form */
    enum { ANSWER, LATE, NOT_FOUND, SILENCE, TURNING, ANSWER_V6 } what;
    uint8_t n, v4[2][4]; /* TURNING: of the first answer, and of all others */
    uint8_t v6[16];      /* ANSWER_V6: of AAAA */
} zone[] = {
    {"\3two\4test", ANSWER, 2, {{127, 0, 0, 9}, {127, 0, 0, 1}}, {0}},
    {"\4slow\4test", LATE, 1, {{127, 0, 0, 1}}, {0}},
    {"\5mixed\4test", ANSWER, 2, {{10, 1, 2, 3}, {127, 0, 0, 1}}, {0}},
    {"\7private\4test", ANSWER, 1, {{192, 168, 0, 1}}, {0}},
    {"\5empty\4test", ANSWER, 0, {{0}}, {0}},
    {"\4none\4test", NOT_FOUND, 0, {{0}}, {0}},
    {"\6silent\4test", SILENCE, 0, {{0}}, {0}},
    {"\7turning\4test", TURNING, 1, {{127, 0, 0, 1}, {10, 1, 2, 3}}, {0}},
    {"\6mapped\4test", ANSWER_V6, 0, {{0}}, {[10] = 0xff, 0xff, 127, 0, 0, 1}},
    {"\5nat64\4test", ANSWER_V6, 0, {{0}}, {0, 0x64, 0xff, 0x9b, [12] = 127, 0, 0, 1}},
    {"\5local\4test", ANSWER_V6, 0, {{0}}, {[15] = 1}},
};

static atomic_int turns;

/* Appends a record with this address to the answer of which `end` bytes are written. */
static size_t add_record(uint8_t *msg, size_t end, const uint8_t *address, uint8_t len)
{
    uint8_t record[] = {0xc0, 12, 0, len == 16 ? 28 : 1, 0, 1, 0, 0, 0, 60, 0, len};
    memcpy(msg + end, record, sizeof(record));
    memcpy(msg + end + sizeof(record), address, len);
    return end + sizeof(record) + len;
}

/* Turns the query into its answer, in place. Returns its length, 0 to stay silent. */
static size_t answer_query(uint8_t *msg, size_t len)
{
    const size_t header = 12;
    const char *name = (const char *)msg + header;
    size_t end = header + strnlen(name, len - header) + 1 + 4; /* name, type, class */
    bool is_a = msg[end - 3] == 1;
    for (size_t i = 0; i < sizeof(zone) / sizeof(zone[0]); i++) {
        if (strcasecmp(name, zone[i].name) != 0)
            continue;
        if (zone[i].what == SILENCE)
            return 0;
        if (zone[i].what == LATE && is_a)
            usleep(600000);
        uint8_t n = is_a ? zone[i].n : zone[i].what == ANSWER_V6;
        msg[2] = 0x81;
        msg[3] = zone[i].what == NOT_FOUND ? 0x83 : 0x80;
        memset(msg + 6, 0, 6);
        msg[7] = n;
        if (zone[i].what == TURNING && is_a)
            return add_record(msg, end, zone[i].v4[atomic_fetch_add(&turns, 1) > 0], 4);
        if (n > 0 && !is_a)
            return add_record(msg, end, zone[i].v6, 16);
        for (uint8_t a = 0; a < n; a++)
            end = add_record(msg, end, zone[i].v4[a], 4);
        return end;
    }
    return 0;
}

static void *serve_names(void *arg)
{
    struct name_server *s = arg;
    for (;;) {
        uint8_t msg[512 + 64];
        struct sockaddr_in from;
        socklen_t from_len = sizeof(from);
        ssize_t n = recvfrom(s->fd, msg, 512, 0, (struct sockaddr *)&from, &from_len);
        if (n < 17)
            return NULL; /* a short datagram stops it */
        atomic_fetch_add(&s->queries, 1);
        size_t len = answer_query(msg, (size_t)n);
        if (len > 0)
            sendto(s->fd, msg, len, 0, (struct sockaddr *)&from, from_len);
    }
}

static struct sockaddr_in loopback_of(int fd)
{
    struct sockaddr_in addr;
    socklen_t len = sizeof(addr);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    return addr;
}

static struct name_server *name_server_start(void)
{
    struct name_server *s = ph_calloc(1, sizeof(*s));
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    s->fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    addr = loopback_of(s->fd);
    snprintf(s->address, sizeof(s->address), "127.0.0.1:%d", ntohs(addr.sin_port));
    assert_int_equal(pthread_create(&s->thread, NULL, serve_names, s), 0);
    return s;
}

static void name_server_stop(struct name_server *s)
{
    struct sockaddr_in addr = loopback_of(s->fd);
    assert_int_equal(sendto(s->fd, "x", 1, 0, (struct sockaddr *)&addr, sizeof(addr)), 1);
    pthread_join(s->thread, NULL);
    close(s->fd);
    free(s);
}

/* Lookups */

struct lookup {
    struct ph_lookup ph; /* first */
    int done;
};

static void on_resolved(struct ph_lookup *ph)
{
    ((struct lookup *)ph)->done++;
}

struct bench {
    struct name_server *server;
    struct ph_loop *loop;
    struct ph_resolver *resolver;
};

static int bench_new(void **state)
{
    struct bench *b = ph_calloc(1, sizeof(*b));
    setenv("LOCALDOMAIN", "search.example", 1); /* the resolver's search list */
    b->server = name_server_start();
    b->loop = ph_loop_new();
    assert_int_equal(ph_resolver_new(b->loop, 100, &b->resolver), PH_OK);
    assert_int_equal(ph_resolver_set_servers(b->resolver, b->server->address), PH_OK);
    *state = b;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *b = *state;
    ph_resolver_free(b->resolver);
    ph_loop_free(b->loop);
    name_server_stop(b->server);
    free(b);
    return 0;
}

static void look_up(struct bench *b, struct lookup *l, const char *host)
{
    uint64_t end_ms = ph_clock_mono_ms() + PATIENCE_MS;
    *l = (struct lookup){.ph = {.port = 8071, .on_resolved = on_resolved}};
    ph_resolve(b->resolver, host, &l->ph);
    while (l->done == 0 && ph_clock_mono_ms() < end_ms)
        ph_loop_step(b->loop, 50);
    assert_int_equal(l->done, 1);
}

static void assert_address(const struct ph_address *a, const char *want)
{
    char text[INET6_ADDRSTRLEN];
    ph_address_format(a, text);
    assert_string_equal(text, want);
    assert_int_equal(a->to.v4.sin_port, htons(8071)); /* at the same place for IPv6 */
}

static void addresses_come_with_the_port(void **state)
{
    struct lookup l;
    for (int i = 0; i < 3; i++) { /* again: the sockets of before are gone */
        look_up(*state, &l, "two.test");
        assert_null(l.ph.fault);
        assert_int_equal(l.ph.addresses.n, 2);
        assert_address(&l.ph.addresses.list[0], "127.0.0.9");
        assert_address(&l.ph.addresses.list[1], "127.0.0.1");
    }
}

static void many_lookups_at_once(void **state)
{
    struct bench *b = *state;
    static struct lookup lookups[100];
    uint64_t end_ms = ph_clock_mono_ms() + PATIENCE_MS;
    int done = 0;
    for (size_t i = 0; i < 100; i++) {
        lookups[i] = (struct lookup){.ph = {.port = 8071, .on_resolved = on_resolved}};
        ph_resolve(b->resolver, i % 2 ? "two.test" : "none.test", &lookups[i].ph);
    }
    while (done < 100 && ph_clock_mono_ms() < end_ms) {
        ph_loop_step(b->loop, 50);
        done = 0;
        for (size_t i = 0; i < 100; i++)
            done += lookups[i].done;
    }
    assert_int_equal(done, 100);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(lookups[i].ph.fault == NULL, i % 2);
}

static void faults_are_told(void **state)
{
    struct lookup l;
    look_up(*state, &l, "none.test");
    assert_string_equal(l.ph.fault, "host name not found");
    look_up(*state, &l, "empty.test");
    assert_string_equal(l.ph.fault, "host name has no address");
    look_up(*state, &l, "silent.test");
    assert_string_equal(l.ph.fault, "host name lookup timed out");
}

static void search_list_is_not_used(void **state)
{
    struct bench *b = *state;
    struct lookup l;
    look_up(b, &l, "silent.test");
    int queries = atomic_load(&b->server->queries);
    look_up(b, &l, "none.test");
    assert_int_equal(atomic_load(&b->server->queries) - queries, 2); /* A and AAAA */
}

static void lookup_under_way_ends_with_the_resolver(void **state)
{
    struct bench *b = *state;
    struct lookup l = {.ph = {.port = 8071, .on_resolved = on_resolved}};
    ph_resolve(b->resolver, "silent.test", &l.ph);
    ph_loop_step(b->loop, 0);
    assert_int_equal(l.done, 0);
    ph_resolver_free(b->resolver);
    b->resolver = NULL;
    assert_int_equal(l.done, 1);
    assert_non_null(l.ph.fault);
}

static void literals_are_recognised(void **state)
{
    (void)state;
    struct ph_address a;
    assert_true(ph_address_parse("127.0.0.1", 8071, &a));
    assert_address(&a, "127.0.0.1");
    assert_true(ph_address_parse("2001:db8::1", 8071, &a));
    assert_address(&a, "2001:db8::1");
    static const char *const names[] = {"localhost",  "127.1",     "2130706433", "0x7f000001",
                                        "127.0.0.1.", "1.2.3.4.5", "",           "::g"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_false(ph_address_parse(names[i], 8071, &a));
}

/* The client with names */

static void use_names(struct outbound *out, struct name_server *s)
{
    assert_int_equal(ph_resolver_set_servers(out->client->resolver, s->address), PH_OK);
}

static void call_name(const char *allow, const char *host, const struct ph_http_limits *limits,
                      struct call *call, int *connections)
{
    struct name_server *s = name_server_start();
    struct receiver *r = receiver_start(script_answer, OK, NULL);
    struct outbound *out = outbound_new(allow, limits, "");
    use_names(out, s);
    struct ph_http_origin *o = outbound_open(out, "http", host, r->port);
    call_once(call, out, o, "{}");
    ph_http_origin_close(o);
    outbound_free(out);
    *connections = atomic_load(&r->connections);
    receiver_stop(r);
    name_server_stop(s);
}

static void next_address_is_tried_when_one_refuses(void **state)
{
    (void)state;
    struct call call = {.done = 0};
    int connections;
    call_name("127.0.0.0/8", "two.test", &usual_limits, &call, &connections);
    assert_answer(&call, 200, "ok");
    assert_int_equal(connections, 1);
}

/* Listens on 127.0.0.9 with a queue so full that SYNs are not answered. */
static int listen_deaf(uint16_t port, int fillers[8])
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, "127.0.0.9", &addr.sin_addr), 1);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 0), 0);
    for (size_t i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&addr, sizeof(addr));
    }
    return fd;
}

static void next_address_is_tried_when_one_is_deaf(void **state)
{
    (void)state;
    struct ph_http_limits limits = usual_limits;
    struct name_server *s = name_server_start();
    struct receiver *r = receiver_start(script_answer, OK, NULL);
    limits.connect_ms = 600;
    struct outbound *out = outbound_new("127.0.0.0/8", &limits, "");
    int fillers[8], fd = listen_deaf(r->port, fillers);
    use_names(out, s);
    struct ph_http_origin *o = outbound_open(out, "http", "two.test", r->port);
    struct call call = {.done = 0};
    call_once(&call, out, o, "{}");
    assert_answer(&call, 200, "ok");
    assert_int_equal(atomic_load(&r->connections), 1);
    ph_http_origin_close(o);
    outbound_free(out);
    for (size_t i = 0; i < 8; i++)
        close(fillers[i]);
    close(fd);
    receiver_stop(r);
    name_server_stop(s);
}

static void forbidden_addresses_of_an_answer_are_skipped(void **state)
{
    (void)state;
    struct call call = {.done = 0};
    int connections;
    call_name("127.0.0.1", "mixed.test", &usual_limits, &call, &connections);
    assert_answer(&call, 200, "ok");
    assert_int_equal(connections, 1);
}

/* What a name led to before says nothing of where it leads now: every new connection is judged by a new answer. */
static void answer_that_turns_to_a_forbidden_address_is_refused(void **state)
{
    (void)state;
    struct ph_http_limits limits = usual_limits;
    struct name_server *s = name_server_start();
    struct receiver *r = receiver_start(script_answer, OK, NULL);
    limits.age_ms = 200;
    struct outbound *out = outbound_new("127.0.0.0/8", &limits, "");
    use_names(out, s);
    atomic_store(&turns, 0);
    struct ph_http_origin *o = outbound_open(out, "http", "turning.test", r->port);
    struct call call = {.done = 0};
    call_once(&call, out, o, "{}");
    assert_answer(&call, 200, "ok");
    call_once(&call, out, o, "{}");
    assert_answer(&call, 200, "ok");
    assert_true(call.http.reused);
    uint64_t end_ms = ph_clock_mono_ms() + 250;
    while (ph_clock_mono_ms() < end_ms)
        ph_loop_step(out->loop, 50);
    call_once(&call, out, o, "{}");
    assert_failure(&call, PH_ERR_OUT_FORBIDDEN, "address not allowed");
    assert_int_equal(atomic_load(&r->connections), 1);
    ph_http_origin_close(o);
    outbound_free(out);
    receiver_stop(r);
    name_server_stop(s);
}

/* Only what is allowed of a mixed answer is asked of a proxy, and the proxy is not asked to look up names. */
static void proxy_is_asked_for_allowed_addresses_only(void **state)
{
    (void)state;
    struct name_server *s = name_server_start();
    struct receiver *r =
        receiver_start(script_answer, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", NULL);
    struct outbound *out = outbound_new("127.0.0.1", &usual_limits, "");
    struct ph_proxy *proxy = NULL;
    struct ph_buf problems;
    char url[64], want[64];
    ph_buf_init(&problems, 1024);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", r->port);
    assert_int_equal(ph_proxy_new(ph_str_of(url), PH_STR(""), &problems, &proxy), PH_OK);
    ph_http_client_use_proxy(out->client, proxy);
    use_names(out, s);
    struct ph_http_origin *o = outbound_open(out, "https", "mixed.test", 443);
    struct call call = {.done = 0};
    call_once(&call, out, o, "{}");
    assert_failure(&call, PH_ERR_OUT_CONNECT, "the proxy could not connect: it answered 403");
    ph_http_origin_close(o);
    outbound_free(out);
    assert_int_equal(atomic_load(&r->connections), 1);
    snprintf(want, sizeof(want), "CONNECT 127.0.0.1:443 HTTP/1.1\r\n");
    assert_memory_equal(r->peers[0]->head, want, strlen(want));
    receiver_stop(r);
    name_server_stop(s);
    ph_proxy_free(proxy);
    ph_buf_free(&problems);
}

/* Every address of two is asked of the proxy, until one is let through. */
static void proxy_is_asked_for_the_next_address(void **state)
{
    (void)state;
    struct name_server *s = name_server_start();
    struct receiver *r =
        receiver_start(script_answer, "HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", NULL);
    struct outbound *out = outbound_new("127.0.0.0/8", &usual_limits, "");
    struct ph_proxy *proxy = NULL;
    struct ph_buf problems;
    char url[64];
    ph_buf_init(&problems, 1024);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", r->port);
    assert_int_equal(ph_proxy_new(ph_str_of(url), PH_STR(""), &problems, &proxy), PH_OK);
    ph_http_client_use_proxy(out->client, proxy);
    use_names(out, s);
    struct ph_http_origin *o = outbound_open(out, "http", "two.test", 80);
    struct call call = {.done = 0};
    call_once(&call, out, o, "{}");
    assert_failure(&call, PH_ERR_OUT_CONNECT, "the proxy could not connect: it answered 502");
    ph_http_origin_close(o);
    outbound_free(out);
    assert_int_equal(atomic_load(&r->connections), 2);
    assert_memory_equal(r->peers[0]->head, "CONNECT 127.0.0.9:80 ", 21);
    assert_memory_equal(r->peers[1]->head, "CONNECT 127.0.0.1:80 ", 21);
    receiver_stop(r);
    name_server_stop(s);
    ph_proxy_free(proxy);
    ph_buf_free(&problems);
}

/* A client behind the proxy with this name, which is at the receiver's port. */
struct behind {
    struct name_server *s;
    struct receiver *r;
    struct outbound *out;
    struct ph_proxy *proxy;
    struct ph_http_origin *o;
};

static struct behind behind_new(const char *name, const struct ph_http_limits *limits)
{
    struct behind b = {.s = name_server_start(),
                       .r = receiver_start(script_answer, "HTTP/1.1 418 No\r\n\r\n", NULL),
                       .out = outbound_new("127.0.0.0/8", limits, "")};
    struct ph_buf problems;
    char url[64];
    ph_buf_init(&problems, 1024);
    snprintf(url, sizeof(url), "http://%s:%u", name, b.r->port);
    assert_int_equal(ph_proxy_new(ph_str_of(url), PH_STR(""), &problems, &b.proxy), PH_OK);
    ph_http_client_use_proxy(b.out->client, b.proxy);
    use_names(b.out, b.s);
    b.o = outbound_open(b.out, "http", "127.0.0.1", 80);
    ph_buf_free(&problems);
    return b;
}

static void behind_free(struct behind *b)
{
    ph_http_origin_close(b->o);
    outbound_free(b->out);
    receiver_stop(b->r);
    name_server_stop(b->s);
    ph_proxy_free(b->proxy);
    assert_int_equal(ph_metric_get(out_connections), 0);
}

static const char refused_by_proxy[] = "the proxy could not connect: it answered 418";

/* One of those who wait for the proxy's address goes away. */
static void call_is_cancelled_amid_the_lookup_of_the_proxy(void **state)
{
    (void)state;
    struct behind b = behind_new("slow.test", &usual_limits);
    struct call calls[3] = {{.done = 0}, {.done = 0}, {.done = 0}};
    for (int i = 0; i < 3; i++)
        call_start(&calls[i], b.out, b.o, PH_STR("{}"));
    ph_loop_step(b.out->loop, 20);
    ph_http_call_cancel(&calls[1].http);
    for (int i = 0; i < 3; i++)
        outbound_run(b.out, &calls[i].done, 1);
    assert_failure(&calls[0], PH_ERR_OUT_CONNECT, refused_by_proxy);
    assert_failure(&calls[1], PH_ERR_OUT_CANCELLED, "cancelled");
    assert_failure(&calls[2], PH_ERR_OUT_CONNECT, refused_by_proxy);
    assert_int_equal(atomic_load(&b.s->queries), 2); /* A and AAAA, once for all */
    struct call later = {.done = 0};
    call_once(&later, b.out, b.o, "{}");
    assert_failure(&later, PH_ERR_OUT_CONNECT, refused_by_proxy);
    assert_int_equal(atomic_load(&b.s->queries), 2); /* it is known now */
    behind_free(&b);
}

static void lookup_of_the_proxy_has_a_deadline(void **state)
{
    (void)state;
    struct ph_http_limits limits = usual_limits;
    limits.connect_ms = 150;
    struct behind b = behind_new("silent.test", &limits);
    struct call call = {.done = 0};
    call_once(&call, b.out, b.o, "{}");
    assert_failure(&call, PH_ERR_OUT_TIMEOUT,
                   "the proxy cannot be reached: host name lookup timed out");
    behind_free(&b); /* amid the lookup */
}

static void next_address_of_the_proxy_is_tried(void **state)
{
    (void)state;
    struct behind b = behind_new("two.test", &usual_limits);
    struct call call = {.done = 0};
    call_once(&call, b.out, b.o, "{}");
    assert_failure(&call, PH_ERR_OUT_CONNECT, refused_by_proxy);
    assert_int_equal(atomic_load(&b.r->connections), 1);
    behind_free(&b);
}

static void answer_with_forbidden_addresses_only_is_refused(void **state)
{
    (void)state;
    static const char *const hosts[] = {"two.test",    "mixed.test", "private.test",
                                        "mapped.test", "nat64.test", "local.test"};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct call call = {.done = 0};
        int connections;
        call_name("", hosts[i], &usual_limits, &call, &connections);
        assert_failure(&call, PH_ERR_OUT_FORBIDDEN, "address not allowed");
        assert_int_equal(connections, 0);
    }
}

static void lookup_is_part_of_the_connect_deadline(void **state)
{
    (void)state;
    struct ph_http_limits limits = usual_limits;
    struct call call = {.done = 0};
    int connections;
    limits.connect_ms = 150;
    call_name("", "silent.test", &limits, &call, &connections);
    assert_failure(&call, PH_ERR_OUT_DNS, "host name lookup timed out");
}

static void script_late_garbage(struct peer *p)
{
    usleep(600000);
    peer_say(p, "220 smtp.example ESMTP\r\n");
    peer_wait_for_end(p);
}

static void handshake_has_a_deadline_beside_that_of_connecting(void **state)
{
    (void)state;
    struct ph_http_limits limits = usual_limits;
    struct name_server *s = name_server_start();
    struct receiver *r = receiver_start(script_late_garbage, NULL, NULL);
    limits.connect_ms = 1000;
    struct outbound *out = outbound_new("127.0.0.0/8", &limits, "");
    use_names(out, s);
    struct ph_http_origin *o = outbound_open(out, "https", "slow.test", r->port);
    struct call call = {.done = 0};
    call_once(&call, out, o, "{}");
    assert_failure(&call, PH_ERR_OUT_TLS, "TLS handshake failed: wrong version number");
    ph_http_origin_close(o);
    outbound_free(out);
    receiver_stop(r);
    name_server_stop(s);
}

/* Calls that start together ask once; one that is cancelled meanwhile does not disturb the others. */
static void calls_share_a_lookup(void **state)
{
    (void)state;
    struct name_server *s = name_server_start();
    struct receiver *r = receiver_start(script_answer, OK, NULL);
    struct outbound *out = outbound_new("127.0.0.0/8", &usual_limits, "");
    use_names(out, s);
    struct ph_http_origin *o = outbound_open(out, "http", "two.test", r->port);
    struct call calls[4];
    memset(calls, 0, sizeof(calls));
    for (size_t i = 0; i < 4; i++)
        call_start(&calls[i], out, o, PH_STR("{}"));
    ph_http_call_cancel(&calls[1].http);
    for (size_t i = 0; i < 4; i++)
        outbound_run(out, &calls[i].done, 1);
    assert_failure(&calls[1], PH_ERR_OUT_CANCELLED, "cancelled");
    assert_answer(&calls[0], 200, "ok");
    assert_answer(&calls[3], 200, "ok");
    assert_int_equal(atomic_load(&s->queries), 2);
    ph_http_origin_close(o);
    outbound_free(out);
    receiver_stop(r);
    name_server_stop(s);
}

/* The client goes while a lookup is under way whose call was cancelled. */
static void client_ends_before_its_lookup(void **state)
{
    (void)state;
    struct name_server *s = name_server_start();
    struct outbound *out = outbound_new("", &usual_limits, "");
    use_names(out, s);
    struct ph_http_origin *o = outbound_open(out, "http", "silent.test", 80);
    struct call call = {.done = 0};
    call_start(&call, out, o, PH_STR("{}"));
    ph_http_call_cancel(&call.http);
    outbound_run(out, &call.done, 1);
    ph_http_origin_close(o);
    outbound_free(out);
    name_server_stop(s);
}

int main(void)
{
#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, bench_new, bench_free)
    const struct CMUnitTest tests[] = {
        WITH_BENCH(addresses_come_with_the_port),
        WITH_BENCH(many_lookups_at_once),
        WITH_BENCH(faults_are_told),
        WITH_BENCH(search_list_is_not_used),
        WITH_BENCH(lookup_under_way_ends_with_the_resolver),
        cmocka_unit_test(literals_are_recognised),
        cmocka_unit_test(next_address_is_tried_when_one_refuses),
        cmocka_unit_test(next_address_is_tried_when_one_is_deaf),
        cmocka_unit_test(forbidden_addresses_of_an_answer_are_skipped),
        cmocka_unit_test(answer_with_forbidden_addresses_only_is_refused),
        cmocka_unit_test(answer_that_turns_to_a_forbidden_address_is_refused),
        cmocka_unit_test(proxy_is_asked_for_allowed_addresses_only),
        cmocka_unit_test(proxy_is_asked_for_the_next_address),
        cmocka_unit_test(call_is_cancelled_amid_the_lookup_of_the_proxy),
        cmocka_unit_test(lookup_of_the_proxy_has_a_deadline),
        cmocka_unit_test(next_address_of_the_proxy_is_tried),
        cmocka_unit_test(lookup_is_part_of_the_connect_deadline),
        cmocka_unit_test(handshake_has_a_deadline_beside_that_of_connecting),
        cmocka_unit_test(calls_share_a_lookup),
        cmocka_unit_test(client_ends_before_its_lookup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
