/*
 * The audit log: who did what to which object, from where, when. An entry is written in the transaction of what it tells
 * of. Requests of the interface that change something are seen to by api/once.h; whoever changes something elsewhere adds its
 * entry itself.
 *
 * db: role api, or engine for an entry of no tenant. store.h says how callbacks and memory work.
 */
#ifndef POSTHORN_AUDIT_H
#define POSTHORN_AUDIT_H

#include "posthorn/credential.h"
#include "posthorn/store.h"

#define PH_AUDIT_FIELDS_MAX 32
#define PH_AUDIT_FIELD_MAX  64  /* bytes; names that are longer are left out */
#define PH_AUDIT_TEXT_MAX   256 /* bytes of a user agent or a name */

struct ph_audit_entry {
    struct ph_id id;          /* when it is read */
    struct ph_id tenant;      /* the environment acted in; zero: none */
    struct ph_str actor_kind; /* ph_audit_actor_kind, or "member", "operator", "command-line" */
    struct ph_id actor;       /* of a key or token of the tenant: its name is looked up */
    struct ph_str actor_id;   /* as the interface shows it; absent: has none */
    struct ph_str actor_name; /* absent: looked up, or has none */
    struct ph_str action;     /* "endpoint.create": the operation's name in the OpenAPI document */
    struct ph_str object_kind;
    struct ph_str object_id;   /* absent: none */
    struct ph_str application; /* its id; absent: none */
    struct ph_str *fields;     /* names of what was set, at most PH_AUDIT_FIELDS_MAX; no values */
    size_t n_fields;
    struct ph_str address, user_agent; /* absent: unknown */
};

/* "api-key", "portal", "jwt", "poller", "operator". */
const char *ph_audit_actor_kind(enum ph_credential_kind kind);

/* The text itself, cut to max_bytes at the end of a character; absent when it is not UTF-8 or has control characters. */
struct ph_str ph_audit_text(struct ph_str text, size_t max_bytes);

/* entry: copied. */
void ph_audit_add(struct ph_db *db, struct ph_arena *arena, const struct ph_audit_entry *entry,
                  void (*done)(void *ctx, enum ph_err err), void *ctx);

/* Of an application and an endpoint of it, those ids that a path gives as uids, before they change; else zero. `within`: the
 * application's id when it is not given as a uid. */
void ph_audit_find_objects(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           struct ph_str application_uid, struct ph_str endpoint_uid,
                           struct ph_id within,
                           void (*done)(void *ctx, enum ph_err err, struct ph_id application,
                                        struct ph_id endpoint),
                           void *ctx);

/* Absent: any. An object that is an application stands for all that belongs to it. */
struct ph_audit_filter {
    struct ph_str object, actor, action;
    struct ph_id after, before; /* zero: no bound */
};
typedef void (*ph_audit_list_done)(void *ctx, enum ph_err err, const struct ph_audit_entry *entries,
                                   size_t n, const struct ph_list_end *end);
void ph_audit_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                   const struct ph_list *list, const struct ph_audit_filter *filter,
                   ph_audit_list_done done, void *ctx);

#endif
