#include "core/http_client_internal.h"

#include "posthorn/arena.h"
#include "posthorn/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP_MS 1000

static void on_resolved(struct ph_lookup *lookup);

static uint64_t hash_of(const struct ph_url *url)
{
    return ph_str_hash(url->host) * 31 + url->port * UINT64_C(2) + url->tls;
}

static struct ph_http_origin *find(struct ph_http_client *client, const struct ph_url *url,
                                   const struct ph_identity *identity)
{
    struct ph_map_node *node = ph_map_first(&client->origins, hash_of(url));
    for (; node != NULL; node = ph_map_next(node)) {
        struct ph_http_origin *o = ph_container_of(node, struct ph_http_origin, node);
        if (o->tls == url->tls && o->port == url->port && ph_str_eq_c(url->host, o->host) &&
            ph_identity_eq(o->identity, identity))
            return o;
    }
    return NULL;
}

static char *copy_c(struct ph_str s)
{
    char *copy = ph_malloc(s.len + 1);
    memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

struct ph_http_origin *ph_http_origin_open(struct ph_http_client *client, const struct ph_url *url,
                                           struct ph_identity *identity)
{
    if (!url->tls)
        identity = NULL;
    struct ph_http_origin *o = find(client, url, identity);
    if (o != NULL) {
        o->refs++;
        return o;
    }
    o = ph_calloc(1, sizeof(*o));
    o->client = client;
    o->refs = 1;
    o->tls = url->tls;
    o->port = url->port;
    o->identity = ph_identity_ref(identity);
    o->host = copy_c(url->host);
    struct ph_str name = url->host;
    if (name.len > 1 && name.ptr[name.len - 1] == '.')
        name.len--;
    o->server_name = copy_c(name);
    o->is_literal = ph_address_parse(o->host, o->port, &o->literal);
    o->lookup.port = o->port;
    o->lookup.on_resolved = on_resolved;
    ph_list_init(&o->idle);
    ph_list_init(&o->waiting);
    ph_map_add(&client->origins, &o->node, hash_of(url));
    return o;
}

struct ph_http_origin *ph_http_origin_open_own(struct ph_http_client *client,
                                               const struct sockaddr_storage *address)
{
    /* No URL has such a host. */
    struct ph_url url = {.host = PH_STR("@own")};
    struct ph_http_origin *o = ph_http_origin_open(client, &url, NULL);

    o->is_own = o->is_literal = true;
    memcpy(&o->literal.to, address, sizeof(o->literal.to));
    o->literal.len =
        address->ss_family == AF_INET ? sizeof(o->literal.to.v4) : sizeof(o->literal.to.v6);
    return o;
}

void ph_origin_ref(struct ph_http_origin *o)
{
    o->refs++;
}

void ph_origin_unref(struct ph_http_origin *o)
{
    assert(o->refs > 0);
    if (--o->refs > 0)
        return;
    assert(o->n_idle == 0 && ph_list_is_empty(&o->waiting));
    ph_map_remove(&o->client->origins, &o->node);
    SSL_SESSION_free(o->session);
    ph_identity_unref(o->identity);
    free(o->host);
    free(o->server_name);
    free(o);
}

/* Its idle connections stay until their time is over, and it with them: it may be opened again soon. */
void ph_http_origin_close(struct ph_http_origin *o)
{
    ph_origin_unref(o);
}

/* New connections */

/* Connects to those of the addresses that the guard allows. */
static void connect_allowed(struct ph_exchange *x, const struct ph_address *all, size_t n)
{
    struct ph_address allowed[PH_ADDRESSES_MAX];
    size_t n_allowed = 0;
    assert(n <= PH_ADDRESSES_MAX);
    for (size_t i = 0; i < n; i++) {
        if (x->origin->is_own || ph_guard_allows(x->client->guard, &all[i].to.any)) {
            allowed[n_allowed++] = all[i];
            continue;
        }
        char text[INET6_ADDRSTRLEN];
        ph_address_format(&all[i], text);
        ph_log(PH_LOG_WARN, "address not allowed", ph_log_s("host", x->origin->host),
               ph_log_s("address", text));
    }
    if (n_allowed > 0)
        ph_connection_open(x, allowed, n_allowed);
    else
        ph_exchange_fail(x, PH_ERR_OUT_FORBIDDEN, "address not allowed");
}

static void on_resolved(struct ph_lookup *lookup)
{
    struct ph_http_origin *o = ph_container_of(lookup, struct ph_http_origin, lookup);
    struct ph_link *link;
    o->looking_up = false;
    while ((link = ph_list_take_first(&o->waiting)) != NULL) {
        struct ph_exchange *x = ph_container_of(link, struct ph_exchange, link);
        if (lookup->fault != NULL)
            ph_exchange_fail(x, PH_ERR_OUT_DNS, "%s", lookup->fault);
        else
            connect_allowed(x, lookup->addresses.list, lookup->addresses.n);
    }
    ph_origin_unref(o);
}

void ph_origin_connect(struct ph_exchange *x)
{
    struct ph_http_origin *o = x->origin;
    ph_exchange_phase_begins(x);
    if (o->is_literal) {
        connect_allowed(x, &o->literal, 1);
        return;
    }
    ph_list_add_last(&o->waiting, &x->link);
    if (o->looking_up)
        return;
    o->looking_up = true;
    ph_origin_ref(o);
    ph_resolve(x->client->resolver, o->host, &o->lookup);
}

/* Idle connections */

void ph_origin_forget_idle(struct ph_connection *c)
{
    assert(c->state == PH_IDLE);
    ph_list_remove(&c->in_origin);
    ph_list_remove(&c->in_client);
    c->origin->n_idle--;
    c->client->n_idle--;
}

static bool is_over_age(const struct ph_connection *c, uint64_t now_ms)
{
    return now_ms - c->born_ms >= (uint64_t)c->client->limits.age_ms;
}

void ph_origin_dispatch(struct ph_exchange *x)
{
    struct ph_http_origin *o = x->origin;
    uint64_t now_ms = ph_loop_now_ms(x->client->loop);
    while (!ph_list_is_empty(&o->idle)) {
        struct ph_connection *c = ph_container_of(o->idle.next, struct ph_connection, in_origin);
        if (!is_over_age(c, now_ms)) {
            ph_connection_take(c, x);
            return;
        }
        ph_connection_close(c);
    }
    ph_origin_connect(x);
}

void ph_origin_keep(struct ph_connection *c)
{
    struct ph_http_client *client = c->client;
    struct ph_http_origin *o = c->origin;
    uint64_t now_ms = ph_loop_now_ms(client->loop);
    const struct ph_http_limits *limits = &client->limits;
    if (limits->idle_per_origin == 0 || limits->idle_total == 0 || is_over_age(c, now_ms)) {
        ph_connection_close(c);
        return;
    }
    /* The newcomer is the freshest: the oldest makes room. */
    if (o->n_idle >= limits->idle_per_origin)
        ph_connection_close(ph_container_of(o->idle.prev, struct ph_connection, in_origin));
    if (client->n_idle >= limits->idle_total)
        ph_connection_close(ph_container_of(client->idle.next, struct ph_connection, in_client));
    c->state = PH_IDLE;
    c->kept = true;
    c->idle_since_ms = now_ms;
    ph_list_add_first(&o->idle, &c->in_origin);
    ph_list_add_last(&client->idle, &c->in_client);
    o->n_idle++;
    client->n_idle++;
    if (!ph_timer_is_set(&client->sweep))
        ph_timer_set(client->loop, &client->sweep, now_ms + SWEEP_MS);
}

void ph_client_sweep(struct ph_http_client *client, bool all)
{
    uint64_t now_ms = ph_loop_now_ms(client->loop);
    struct ph_link *link = client->idle.next;
    while (link != &client->idle) {
        struct ph_connection *c = ph_container_of(link, struct ph_connection, in_client);
        link = link->next;
        if (all || now_ms - c->idle_since_ms >= (uint64_t)client->limits.idle_ms ||
            is_over_age(c, now_ms))
            ph_connection_close(c);
    }
    if (client->n_idle > 0)
        ph_timer_set(client->loop, &client->sweep, now_ms + SWEEP_MS);
    else
        ph_timer_clear(client->loop, &client->sweep);
}
