/*
 * Applications: a tenant's own customers. Every function is for the loop that owns the db; store.h says how callbacks and
 * memory work.
 */
#ifndef POSTHORN_APPLICATION_H
#define POSTHORN_APPLICATION_H

#include "posthorn/store.h"

#define PH_APPLICATION_THROTTLE_MAX 65535

struct ph_application {
    struct ph_id id;
    struct ph_str uid; /* absent: none */
    struct ph_str name;
    struct ph_str metadata; /* JSON object text */
    int64_t throttle_rate;  /* messages per second; -1: none */
    int64_t created_ms, updated_ms;
};

/* What a create, replace or patch writes. `set_` says which members a patch changes; a create and a replace write all. */
struct ph_application_change {
    bool set_uid, set_name, set_metadata, set_throttle_rate;
    struct ph_str uid; /* absent: none */
    struct ph_str name;
    struct ph_str metadata;
    int64_t throttle_rate; /* -1: none */
};

/* app is NULL unless err is OK. */
typedef void (*ph_application_done)(void *ctx, enum ph_err err, const struct ph_application *app);

/* NOT_FOUND: the tenant has none with this id or uid. */
void ph_application_get(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                        struct ph_str id_or_uid, ph_application_done done, void *ctx);

/*
 * The tenant's application of operational endpoints: role posthorn_api does not see it, so that no route of applications
 * finds it; others name it by this, which is no uid that anybody can give.
 */
#define PH_APPLICATION_INTERNAL PH_STR("%operational")
/* Makes it if it is not there. engine_db: role posthorn_engine. */
void ph_application_make_internal(struct ph_db *engine_db, struct ph_arena *arena,
                                  struct ph_id tenant, void (*done)(void *ctx, enum ph_err err),
                                  void *ctx);

/* apps: n items in the list's order. */
typedef void (*ph_application_list_done)(void *ctx, enum ph_err err,
                                         const struct ph_application *apps, size_t n,
                                         const struct ph_list_end *end);
/* search: a part of the name or uid, whatever the case; absent: all of them. */
void ph_application_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                         const struct ph_list *list, struct ph_str search,
                         ph_application_list_done done, void *ctx);

/* CONFLICT: the uid is taken. The strings of `change` have to live until `done`. */
void ph_application_create(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           const struct ph_application_change *change, ph_application_done done,
                           void *ctx);

/* Changes what `set_` names. NOT_FOUND, or CONFLICT: the uid is taken. Nodes that know the application by its uid or
 * throttle rate are notified when these change. */
void ph_application_update(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           struct ph_str id_or_uid, const struct ph_application_change *change,
                           ph_application_done done, void *ctx);

/* Deletes it with its endpoints and notifies the nodes. NOT_FOUND: there was none. */
void ph_application_delete(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           struct ph_str id_or_uid, void (*done)(void *ctx, enum ph_err err),
                           void *ctx);

#endif
