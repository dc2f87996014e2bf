/*
 * Subscriptions that one thread has at hand, by tenant and the id or uid that requests name the application with.
 * A snapshot may be stale: the ingest statement checks its version.
 */
#ifndef POSTHORN_SUBSCRIPTION_CACHE_H
#define POSTHORN_SUBSCRIPTION_CACHE_H

#include "posthorn/subscription.h"

struct ph_subscription_cache;

/* db: role posthorn_engine; keyring and db outlive the cache. */
struct ph_subscription_cache *ph_subscription_cache_new(struct ph_db *db,
                                                        const struct ph_keyring *keyring);
/* No load may be under way. */
void ph_subscription_cache_free(struct ph_subscription_cache *cache);

/* The snapshot with a reference of the caller's own, or NULL when it has to be loaded. */
struct ph_subscriptions *ph_subscription_cache_get(struct ph_subscription_cache *cache,
                                                   struct ph_id tenant, struct ph_str id_or_uid);

/* Somebody who waits for a load. Embedded in its owner. */
struct ph_subscription_waiter {
    /* OK with a snapshot of the callee's own, NOT_FOUND, or a database error; never before _load returns. */
    void (*on_loaded)(struct ph_subscription_waiter *waiter, enum ph_err err,
                      struct ph_subscriptions *loaded);
    struct ph_subscription_waiter *next;
};
/* Loads it once for all who ask meanwhile. id_or_uid is copied. */
void ph_subscription_cache_load(struct ph_subscription_cache *cache, struct ph_id tenant,
                                struct ph_str id_or_uid, struct ph_subscription_waiter *waiter);

/* Forgets an application's snapshots; NULL: all. */
void ph_subscription_cache_forget(struct ph_subscription_cache *cache,
                                  const struct ph_id *application);

#endif
