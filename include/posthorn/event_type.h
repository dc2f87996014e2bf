/*
 * Event types: the named kinds of event of a tenant. Every function is for the loop that owns the db; store.h says how
 * callbacks and memory work. Strings given as arguments have to live until the callback.
 */
#ifndef POSTHORN_EVENT_TYPE_H
#define POSTHORN_EVENT_TYPE_H

#include "posthorn/retry_read.h"
#include "posthorn/store.h"

#define PH_EVENT_TYPE_CHARS_MAX       256
#define PH_EVENT_TYPE_GROUP_CHARS_MAX 256
/* Somebody without a token, who sees event types without a flag: an id that no token has. */
#define PH_EVENT_TYPE_VIEWER_ANYBODY ((struct ph_id){{0xff}})

struct ph_event_type {
    struct ph_id id;
    struct ph_str name;
    struct ph_str description;
    struct ph_str schemas; /* JSON object text, version to schema; absent: none, or not asked for */
    bool archived, deprecated;
    struct ph_str feature_flag; /* absent: none */
    int64_t created_ms, updated_ms;
    struct ph_retry_waits retry;
    struct ph_str group;             /* absent: none */
    struct ph_str schema_validation; /* off, warn or enforce */
    int64_t rules_version;           /* grows when what messages are checked against changes */
};

enum ph_event_type_set {
    PH_EVENT_TYPE_SET_DESCRIPTION = 1,
    PH_EVENT_TYPE_SET_SCHEMAS = 2,
    PH_EVENT_TYPE_SET_ARCHIVED = 4,
    PH_EVENT_TYPE_SET_DEPRECATED = 8,
    PH_EVENT_TYPE_SET_FEATURE_FLAG = 16,
    PH_EVENT_TYPE_SET_RETRY = 32,
    PH_EVENT_TYPE_SET_SCHEMA_VALIDATION = 64,
    PH_EVENT_TYPE_SET_GROUP = 128,
};

/* What a create, replace or patch writes. `set` says which members a patch changes; the others write all. */
struct ph_event_type_change {
    unsigned set; /* bits of enum ph_event_type_set */
    struct ph_str description;
    struct ph_str schemas; /* absent: none */
    bool archived, deprecated;
    struct ph_str feature_flag;
    struct ph_retry_waits retry;
    struct ph_str schema_validation;
    struct ph_str group;
    int64_t rules_version; /* patch: only if it has this one; 0: whatever it has */
};

/* Which part of the list is wanted; it is ordered by name. */
struct ph_event_type_list {
    int64_t limit;
    bool descending, backwards;
    struct ph_str from; /* name, exclusive; absent: from the start (backwards: from the end) */
    bool include_archived;
    bool with_content; /* with schemas */
    struct ph_id
        viewer; /* a token for one application, which sees what its feature flags allow; zero: all is seen */
};

/* type is NULL unless err is OK; created: it was not there (put). */
typedef void (*ph_event_type_done)(void *ctx, enum ph_err err, const struct ph_event_type *type,
                                   bool created);

/* types: n items in the list's order. */
typedef void (*ph_event_type_list_done)(void *ctx, enum ph_err err,
                                        const struct ph_event_type *types, size_t n, bool done);
void ph_event_type_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                        const struct ph_event_type_list *list, ph_event_type_list_done done,
                        void *ctx);

/* NOT_FOUND: the tenant has none of this name, or the viewer does not see it. Archived ones are found. */
void ph_event_type_get(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                       struct ph_id viewer, struct ph_str name, ph_event_type_done done, void *ctx);

/* EVENT_TYPE_EXISTS: there is one that is not archived; an archived one is revived with what `change` says. */
void ph_event_type_create(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                          struct ph_str name, const struct ph_event_type_change *change,
                          ph_event_type_done done, void *ctx);

/* Replaces all of it or makes it. */
void ph_event_type_put(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                       struct ph_str name, const struct ph_event_type_change *change,
                       ph_event_type_done done, void *ctx);

/* Changes what `set` names. NOT_FOUND: there is none, or none of that rules_version. */
void ph_event_type_patch(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                         struct ph_str name, const struct ph_event_type_change *change,
                         ph_event_type_done done, void *ctx);

/* Many of them, as a description elsewhere has them. */
struct ph_event_type_import {
    const struct ph_str *names;
    const struct ph_event_type_change
        *types; /* descriptions, schemas, deprecated, groups, feature flags; one a name */
    size_t n;
    bool archive_others;
    bool dry; /* nothing is written */
};
/* changed: indexes of those that are new or differ from what was there, ascending. Each name may be there once. */
typedef void (*ph_event_type_import_done)(void *ctx, enum ph_err err, const int32_t *changed,
                                          size_t n);
void ph_event_type_import(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                          const struct ph_event_type_import *import, ph_event_type_import_done done,
                          void *ctx);
/* Which of the names belong to types whose messages are checked against a schema. */
typedef void (*ph_event_type_names_done)(void *ctx, enum ph_err err, const struct ph_str *names,
                                         size_t n);
void ph_event_type_checked(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           const struct ph_str *names, size_t n, ph_event_type_names_done done,
                           void *ctx);

/* Archives it, or removes it for good. NOT_FOUND: there is none. */
void ph_event_type_delete(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                          struct ph_str name, bool expunge,
                          void (*done)(void *ctx, enum ph_err err), void *ctx);

/*
 * The schema that messages are checked against and examples are made of: of `schemas`, a JSON object of schemas by version,
 * that of the highest version; a version that is no number counts as 0, and of equal ones the last counts. Both absent: none.
 */
void ph_event_type_newest(struct ph_str schemas, struct ph_str *version, struct ph_str *schema);

#endif
