#include "posthorn/subscription_cache.h"

#include "posthorn/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Entries kept; one more and all are forgotten, which costs a load each and no book-keeping. */
#define ENTRIES_MAX 50000

struct entry {
    struct ph_map_node by_name;        /* in cache->names */
    struct ph_map_node by_application; /* in cache->applications while `loaded` is set */
    struct ph_subscription_cache *cache;
    struct ph_id tenant;
    struct ph_str name;
    struct ph_subscriptions *loaded;
    struct ph_subscription_waiter *waiters; /* not NULL: a load is under way */
    struct ph_arena *load_arena;
    bool forgotten; /* while loading: in no map, and what arrives is not kept */
};

struct ph_subscription_cache {
    struct ph_db *db;
    const struct ph_keyring *keyring;
    struct ph_map names, applications;
};

struct ph_subscription_cache *ph_subscription_cache_new(struct ph_db *db,
                                                        const struct ph_keyring *keyring)
{
    struct ph_subscription_cache *cache = ph_calloc(1, sizeof *cache);

    cache->db = db;
    cache->keyring = keyring;
    return cache;
}

static uint64_t name_hash(struct ph_id tenant, struct ph_str name)
{
    return ph_str_hash(name) ^ ph_id_hash(tenant);
}

static struct entry *find(struct ph_subscription_cache *cache, struct ph_id tenant,
                          struct ph_str name)
{
    struct ph_map_node *node = ph_map_first(&cache->names, name_hash(tenant, name));

    for (; node; node = ph_map_next(node)) {
        struct entry *entry = ph_container_of(node, struct entry, by_name);
        if (ph_id_eq(entry->tenant, tenant) && ph_str_eq(entry->name, name))
            return entry;
    }
    return NULL;
}

static void free_entry(struct entry *entry)
{
    ph_subscriptions_unref(entry->loaded);
    free((char *)entry->name.ptr);
    free(entry);
}

/* An entry whose load is under way leaves the maps, so that the next request loads anew, and lives on until its own ends. */
static void forget(struct entry *entry)
{
    ph_map_remove(&entry->cache->names, &entry->by_name);
    if (entry->loaded)
        ph_map_remove(&entry->cache->applications, &entry->by_application);
    if (entry->waiters)
        entry->forgotten = true;
    else
        free_entry(entry);
}

static void forget_node(struct ph_map_node *node, void *ctx)
{
    (void)ctx;
    forget(ph_container_of(node, struct entry, by_name));
}

void ph_subscription_cache_forget(struct ph_subscription_cache *cache,
                                  const struct ph_id *application)
{
    if (!application) {
        ph_map_each(&cache->names, forget_node, NULL);
        return;
    }
    struct ph_map_node *node = ph_map_first(&cache->applications, ph_id_hash(*application));
    while (node) {
        struct entry *entry = ph_container_of(node, struct entry, by_application);
        node = ph_map_next(node);
        if (ph_id_eq(entry->loaded->application, *application))
            forget(entry);
    }
}

void ph_subscription_cache_free(struct ph_subscription_cache *cache)
{
    if (!cache)
        return;
    ph_subscription_cache_forget(cache, NULL);
    assert(cache->names.count == 0);
    ph_map_free(&cache->names);
    ph_map_free(&cache->applications);
    free(cache);
}

struct ph_subscriptions *ph_subscription_cache_get(struct ph_subscription_cache *cache,
                                                   struct ph_id tenant, struct ph_str id_or_uid)
{
    struct entry *entry = find(cache, tenant, id_or_uid);

    return entry && entry->loaded ? ph_subscriptions_ref(entry->loaded) : NULL;
}

static void loaded(enum ph_err err, struct ph_subscriptions *subscriptions, void *ctx)
{
    struct entry *entry = ctx;
    struct ph_subscription_waiter *waiter = entry->waiters;
    struct ph_arena *arena = entry->load_arena;

    entry->waiters = NULL;
    if (entry->forgotten) {
        free_entry(entry);
    } else if (err != PH_OK) {
        forget(entry);
    } else {
        entry->loaded = ph_subscriptions_ref(subscriptions);
        ph_map_add(&entry->cache->applications, &entry->by_application,
                   ph_id_hash(subscriptions->application));
    }
    while (waiter) {
        struct ph_subscription_waiter *next = waiter->next;
        waiter->on_loaded(waiter, err, err == PH_OK ? ph_subscriptions_ref(subscriptions) : NULL);
        waiter = next;
    }
    ph_subscriptions_unref(subscriptions);
    ph_arena_free(arena);
}

void ph_subscription_cache_load(struct ph_subscription_cache *cache, struct ph_id tenant,
                                struct ph_str id_or_uid, struct ph_subscription_waiter *waiter)
{
    struct entry *entry = find(cache, tenant, id_or_uid);

    waiter->next = NULL;
    if (entry && entry->waiters) {
        waiter->next = entry->waiters;
        entry->waiters = waiter;
        return;
    }
    if (entry)
        forget(entry);
    if (cache->names.count >= ENTRIES_MAX)
        ph_subscription_cache_forget(cache, NULL);
    entry = ph_calloc(1, sizeof *entry);
    entry->cache = cache;
    entry->tenant = tenant;
    entry->name = (struct ph_str){ph_malloc(id_or_uid.len + 1), id_or_uid.len};
    memcpy((char *)entry->name.ptr, id_or_uid.ptr, id_or_uid.len);
    entry->waiters = waiter;
    entry->load_arena = ph_arena_new();
    ph_map_add(&cache->names, &entry->by_name, name_hash(tenant, id_or_uid));
    ph_subscriptions_load(cache->db, entry->load_arena, cache->keyring, tenant, id_or_uid, loaded,
                          entry);
}
