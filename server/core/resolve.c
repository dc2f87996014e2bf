#include "core/resolve.h"

#include "posthorn/arena.h"

#include <ares.h>
#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>

#define TRIES 3 /* rounds over the name servers, each waits longer */

/* A socket of c-ares. Kept for reuse when c-ares closes it: it may do so inside the socket's own event. */
struct socket_watch {
    struct ph_watch watch; /* fd -1: free */
    struct ph_resolver *resolver;
    struct socket_watch *next;
};

struct ph_resolver {
    struct ph_loop *loop;
    ares_channel channel;
    struct ph_timer timer; /* c-ares's own time-outs */
    struct socket_watch *sockets;
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_status;

static void init_library(void)
{
    library_status = ares_library_init(ARES_LIB_INIT_ALL);
}

/* Sets the timer to when c-ares wants to be called next, after anything that may have changed that. */
static void arm_timer(struct ph_resolver *r)
{
    struct timeval tv;
    if (ares_timeout(r->channel, NULL, &tv) == NULL) {
        ph_timer_clear(r->loop, &r->timer);
        return;
    }
    uint64_t wait_ms = (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000 + 1;
    ph_timer_set(r->loop, &r->timer, ph_loop_now_ms(r->loop) + wait_ms);
}

static void on_timer(struct ph_timer *timer)
{
    struct ph_resolver *r = ph_container_of(timer, struct ph_resolver, timer);
    ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm_timer(r);
}

static void on_event(struct ph_watch *watch, uint32_t events)
{
    struct socket_watch *s = ph_container_of(watch, struct socket_watch, watch);
    struct ph_resolver *r = s->resolver;
    bool broken = events & (EPOLLERR | EPOLLHUP);
    bool readable = (events & EPOLLIN) || broken;
    bool writable = (events & EPOLLOUT) || (broken && (watch->events & EPOLLOUT));
    int fd = watch->fd;
    ares_process_fd(r->channel, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
    arm_timer(r);
}

static struct socket_watch *socket_watch_of(struct ph_resolver *r, int fd)
{
    for (struct socket_watch *s = r->sockets; s != NULL; s = s->next) {
        if (s->watch.fd == fd)
            return s;
    }
    return NULL;
}

/* c-ares tells what it wants to know of one of its sockets; neither: it is about to close it. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct ph_resolver *r = arg;
    struct socket_watch *s = socket_watch_of(r, fd);
    uint32_t events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
    if (s == NULL) {
        if (events == 0)
            return;
        s = socket_watch_of(r, -1);
        if (s == NULL) {
            s = ph_calloc(1, sizeof(*s));
            s->resolver = r;
            s->watch.on_event = on_event;
            s->next = r->sockets;
            r->sockets = s;
        }
        s->watch.fd = fd;
    }
    ph_loop_watch(r->loop, &s->watch, events);
    if (events == 0)
        s->watch.fd = -1;
}

enum ph_err ph_resolver_new(struct ph_loop *loop, int64_t timeout_ms, struct ph_resolver **out)
{
    pthread_once(&library_once, init_library);
    if (library_status != ARES_SUCCESS)
        return PH_ERR_CONFIG;
    struct ph_resolver *r = ph_calloc(1, sizeof(*r));
    r->loop = loop;
    r->timer.on_timer = on_timer;
    /* A name is what the URL says: no search list. */
    struct ares_options options = {
        .timeout = (int)timeout_ms,
        .tries = TRIES,
        .ndomains = 0,
        .lookups = (char[]){"fb"},
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = r,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
               ARES_OPT_SOCK_STATE_CB;
    if (ares_init_options(&r->channel, &options, mask) != ARES_SUCCESS) {
        free(r);
        return PH_ERR_CONFIG;
    }
    *out = r;
    return PH_OK;
}

enum ph_err ph_resolver_set_servers(struct ph_resolver *r, const char *servers)
{
    return ares_set_servers_ports_csv(r->channel, servers) == ARES_SUCCESS ? PH_OK : PH_ERR_CONFIG;
}

void ph_resolver_free(struct ph_resolver *r)
{
    if (r == NULL)
        return;
    ares_destroy(r->channel); /* ends lookups, closes sockets */
    ph_timer_clear(r->loop, &r->timer);
    while (r->sockets != NULL) {
        struct socket_watch *s = r->sockets;
        r->sockets = s->next;
        assert(s->watch.fd == -1);
        free(s);
    }
    free(r);
}

static const char *fault_of(int status)
{
    switch (status) {
    case ARES_ENOTFOUND:
        return "host name not found";
    case ARES_ENODATA:
        return "host name has no address";
    case ARES_EBADNAME:
        return "host name is not valid";
    case ARES_ETIMEOUT:
        return "host name lookup timed out";
    default:
        return "host name lookup failed";
    }
}

static void take_address(struct ph_lookup *lookup, const struct ares_addrinfo_node *node)
{
    struct ph_addresses *to = &lookup->addresses;
    if (to->n == PH_ADDRESSES_MAX)
        return;
    struct ph_address a = {.len = 0};
    if (node->ai_family == AF_INET && node->ai_addrlen >= sizeof(a.to.v4)) {
        a.len = sizeof(a.to.v4);
        memcpy(&a.to.v4, node->ai_addr, a.len);
        a.to.v4.sin_port = htons(lookup->port);
    } else if (node->ai_family == AF_INET6 && node->ai_addrlen >= sizeof(a.to.v6)) {
        a.len = sizeof(a.to.v6);
        memcpy(&a.to.v6, node->ai_addr, a.len);
        a.to.v6.sin6_port = htons(lookup->port);
    } else {
        return;
    }
    to->list[to->n++] = a;
}

static void on_addrinfo(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    (void)timeouts;
    struct ph_lookup *lookup = arg;
    lookup->addresses.n = 0;
    if (status == ARES_SUCCESS && info != NULL) {
        for (struct ares_addrinfo_node *n = info->nodes; n != NULL; n = n->ai_next)
            take_address(lookup, n);
        if (lookup->addresses.n == 0)
            status = ARES_ENODATA;
    }
    if (info != NULL)
        ares_freeaddrinfo(info);
    lookup->fault = status == ARES_SUCCESS ? NULL : fault_of(status);
    lookup->on_resolved(lookup);
}

void ph_resolve(struct ph_resolver *r, const char *host, struct ph_lookup *lookup)
{
    static const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC,
                                                     .ai_socktype = SOCK_STREAM};
    ares_getaddrinfo(r->channel, host, NULL, &hints, on_addrinfo, lookup);
    arm_timer(r);
}

bool ph_address_parse(const char *host, uint16_t port, struct ph_address *out)
{
    struct ph_address a;
    memset(&a, 0, sizeof(a));
    if (inet_pton(AF_INET, host, &a.to.v4.sin_addr) == 1) {
        a.len = sizeof(a.to.v4);
        a.to.v4.sin_family = AF_INET;
        a.to.v4.sin_port = htons(port);
    } else if (inet_pton(AF_INET6, host, &a.to.v6.sin6_addr) == 1) {
        a.len = sizeof(a.to.v6);
        a.to.v6.sin6_family = AF_INET6;
        a.to.v6.sin6_port = htons(port);
    } else {
        return false;
    }
    *out = a;
    return true;
}

void ph_address_format(const struct ph_address *address, char out[INET6_ADDRSTRLEN])
{
    const void *bytes = address->to.any.sa_family == AF_INET
                            ? (const void *)&address->to.v4.sin_addr
                            : (const void *)&address->to.v6.sin6_addr;
    if (inet_ntop(address->to.any.sa_family, bytes, out, INET6_ADDRSTRLEN) == NULL)
        out[0] = '\0';
}
