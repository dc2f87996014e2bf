#include "core/http_client_internal.h"

#include <string.h>

/* How long the addresses of the proxy's name are used before it is looked up again. */
#define KNOWN_MS 30000

static void on_resolved(struct ph_lookup *lookup)
{
    struct ph_http_client *client = ph_container_of(lookup, struct ph_http_client, proxy_lookup);
    struct ph_link waiting, *link;

    client->proxy_looking_up = false;
    client->proxy_known_until_ms =
        lookup->fault == NULL ? ph_loop_now_ms(client->loop) + KNOWN_MS : 0;
    ph_list_move_all(&client->proxy_waiting, &waiting);
    while ((link = ph_list_take_first(&waiting)) != NULL)
        ph_connection_go_on(ph_container_of(link, struct ph_connection, in_client), lookup->fault);
}

void ph_http_client_use_proxy(struct ph_http_client *client, const struct ph_proxy *proxy)
{
    struct ph_lookup *lookup = &client->proxy_lookup;

    client->proxy = proxy;
    if (proxy == NULL)
        return;
    lookup->port = ph_proxy_port(proxy);
    lookup->on_resolved = on_resolved;
    if (ph_address_parse(ph_proxy_host(proxy), lookup->port, &lookup->addresses.list[0])) {
        lookup->addresses.n = 1;
        client->proxy_known_until_ms = UINT64_MAX;
    }
}

const struct ph_address *ph_client_proxy_address(struct ph_connection *c, bool *waits)
{
    struct ph_http_client *client = c->client;
    const struct ph_addresses *known = &client->proxy_lookup.addresses;

    if (ph_loop_now_ms(client->loop) < client->proxy_known_until_ms)
        return c->proxy_address < known->n ? &known->list[c->proxy_address] : NULL;
    *waits = true;
    c->proxy_address = 0;
    ph_list_add_last(&client->proxy_waiting, &c->in_client);
    if (!client->proxy_looking_up) {
        client->proxy_looking_up = true;
        ph_resolve(client->resolver, ph_proxy_host(client->proxy), &client->proxy_lookup);
    }
    return NULL;
}
