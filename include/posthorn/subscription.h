/*
 * Subscriptions: an application with its endpoints as one immutable snapshot, which ingest matches messages against.
 */
#ifndef POSTHORN_SUBSCRIPTION_H
#define POSTHORN_SUBSCRIPTION_H

#include "posthorn/db.h"
#include "posthorn/delivery.h"
#include "posthorn/filter.h"
#include "posthorn/seal.h"

enum ph_schema_validation { PH_SCHEMA_OFF, PH_SCHEMA_WARN, PH_SCHEMA_ENFORCE };

/* What holds for messages of an event type. */
/* In place of the URL of an endpoint whose messages are fetched: a poller. */
#define PH_POLLER_URL PH_STR("poller:")

struct ph_event_type_rule {
    struct ph_str event_type;
    struct ph_retry_schedule *retry; /* NULL: the tenant's */
    enum ph_schema_validation validation;
    struct ph_id id;
    int64_t version; /* of what they are checked against */
};

/* Counted by reference within one thread. */
struct ph_subscriptions {
    int refs;
    struct ph_arena *arena;
    struct ph_id application, tenant;
    struct ph_str uid; /* absent when it has none */
    int64_t config_version;
    size_t n_endpoints;
    struct ph_endpoint_config **endpoints;
    struct ph_filters *filters;             /* NULL: no endpoint has one */
    struct ph_filter **filter_of;           /* one an endpoint, NULL: none; with `filters` only */
    size_t n_rules;                         /* event types that have any */
    struct ph_event_type_rule *rules;       /* by name */
    struct ph_retry_schedule *tenant_retry; /* NULL: the instance's */
};
struct ph_subscriptions *ph_subscriptions_ref(struct ph_subscriptions *subscriptions);
void ph_subscriptions_unref(struct ph_subscriptions *subscriptions); /* NULL is allowed */
/* A message, as endpoints look at it. */
struct ph_match {
    struct ph_str event_type;
    const struct ph_str *channels;
    size_t n_channels;
    struct ph_str json; /* the payload, valid JSON */
    struct ph_arena *arena;
    struct ph_filter_values *values; /* NULL at first: read when the first filter asks */
};
/* Whether it is for the endpoint with this index. */
bool ph_subscriptions_takes(const struct ph_subscriptions *subscriptions, size_t endpoint,
                            struct ph_match *match);
/* The rule for messages of this type; NULL: none. */
const struct ph_event_type_rule *ph_subscriptions_rule(const struct ph_subscriptions *subscriptions,
                                                       struct ph_str event_type);
/* The retry schedule of messages of this type, from malloc; NULL: the instance's. */
struct ph_retry_schedule *ph_subscriptions_retry(const struct ph_subscriptions *subscriptions,
                                                 struct ph_str event_type);

/*
 * Loads the snapshot of the tenant's application with this id or uid (id wins). db: role posthorn_engine.
 * on_loaded: OK with a snapshot that the callee owns; NOT_FOUND; or a database error.
 */
void ph_subscriptions_load(
    struct ph_db *db, struct ph_arena *arena, const struct ph_keyring *keyring, struct ph_id tenant,
    struct ph_str id_or_uid,
    void (*on_loaded)(enum ph_err err, struct ph_subscriptions *loaded, void *ctx), void *ctx);

/* Whether nothing of the application has changed since the snapshot was made; false: or it is not known. */
void ph_subscriptions_confirm(struct ph_db *db, struct ph_arena *arena,
                              const struct ph_subscriptions *subscriptions,
                              void (*on_known)(bool is_current, void *ctx), void *ctx);

/* The schemas of the event type that a rule is of; absent: it has none. NOT_FOUND: the rule is not the present one. */
void ph_event_type_schemas_load(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                                const struct ph_event_type_rule *rule,
                                void (*on_loaded)(enum ph_err err, struct ph_str schemas,
                                                  void *ctx),
                                void *ctx);

/*
 * Loads the configurations of some endpoints. configs[i] is that of ids[i], owned by the callee, NULL when it is gone.
 * The ids are copied.
 */
void ph_endpoint_configs_load(struct ph_db *db, struct ph_arena *arena,
                              const struct ph_keyring *keyring, const struct ph_id *ids, size_t n,
                              void (*on_loaded)(enum ph_err err,
                                                struct ph_endpoint_config **configs, void *ctx),
                              void *ctx);

#endif
