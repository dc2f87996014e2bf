/*
 * Ids: UUIDv7 (RFC 9562) in the database, prefix + 22 characters of base62 on the wire. The key carries its time, so the
 * wire form sorts like the key and retention can drop whole days.
 */
#ifndef POSTHORN_ID_H
#define POSTHORN_ID_H

#include "posthorn/err.h"
#include "posthorn/str.h"

#include <stdint.h>

struct ph_id {
    uint8_t b[16];
};

enum ph_id_kind {
    PH_ID_TENANT,      /* org_    */
    PH_ID_APPLICATION, /* app_    */
    PH_ID_ENDPOINT,    /* ep_     */
    PH_ID_MESSAGE,     /* msg_    */
    PH_ID_ATTEMPT,     /* atmpt_  */
    PH_ID_EVENT_TYPE,  /* evtype_ */
    PH_ID_TASK,        /* qtask_  */
    PH_ID_API_KEY,     /* key_    */
    PH_ID_PORTAL,      /* portal_ */
    PH_ID_AUDIT,       /* audit_  */
    PH_ID_ARRIVAL,     /* inreq_  */
    PH_ID_USER,        /* usr_    */
    PH_ID_SESSION,     /* sess_   */
    PH_ID_INVITATION,  /* inv_    */
    PH_ID_KINDS
};

#define PH_ID_BASE62_LEN 22
#define PH_ID_WIRE_MAX   32 /* longest prefix + 22 + NUL fits */

/* A new id for the given wall time; any thread. Ids made by one thread within one millisecond ascend. */
struct ph_id ph_id_new(int64_t wall_ms);
/* A bound below every id of a wall time and above all earlier ones, the same as SQL's uuid_floor: for partitions and for
 * `before` / `after`. Times that no key can carry give the nearest bound. */
struct ph_id ph_id_floor(int64_t wall_ms);
int64_t ph_id_time_ms(struct ph_id id);
int ph_id_compare(struct ph_id a, struct ph_id b);
bool ph_id_eq(struct ph_id a, struct ph_id b);
bool ph_id_is_zero(struct ph_id id);
uint64_t
ph_id_hash(struct ph_id id); /* for tables in memory; keyed with a per-process random key */

/* Writes prefix + base62 and a NUL; returns the number of characters. */
size_t ph_id_format(enum ph_id_kind kind, struct ph_id id, char out[PH_ID_WIRE_MAX]);
/* BAD_REQUEST: another prefix, length or alphabet, or a value over 128 bits. */
PH_MUST_CHECK enum ph_err ph_id_parse(enum ph_id_kind kind, struct ph_str s, struct ph_id *out);
/* As PostgreSQL writes it. BAD_REQUEST: it is no such text. */
PH_MUST_CHECK enum ph_err ph_id_parse_uuid(const char *text, struct ph_id *out);
/* The prefix with its underscore, e.g. "app_". */
const char *ph_id_prefix(enum ph_id_kind kind);

#endif
