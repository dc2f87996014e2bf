/*
 * Checks of payloads against the schema of their event type, for those types that want it. Compiled schemas are kept; a
 * thread has one checker.
 */
#ifndef POSTHORN_PAYLOAD_CHECK_H
#define POSTHORN_PAYLOAD_CHECK_H

#include "posthorn/schema.h"
#include "posthorn/subscription.h"

struct ph_payload_checker;

/* db: role posthorn_engine, which outlives it. */
struct ph_payload_checker *ph_payload_checker_new(struct ph_db *db);
/* No check may be under way. */
void ph_payload_checker_free(struct ph_payload_checker *checker);

/* Embedded in its owner; slices stay valid until on_done. */
struct ph_payload_check {
    const struct ph_subscriptions *subscriptions;
    const struct ph_event_type_rule *rule; /* of these */
    struct ph_str json;
    struct ph_arena *arena;
    /*
     * OK: it matches, or, with fault.text set, does not, which is only to be told. VALIDATION: it is to be refused, for the
     * reason in `fault`. CONFLICT: the subscriptions are not the present ones. Else a database error.
     */
    void (*on_done)(struct ph_payload_check *check, enum ph_err err);
    struct ph_schema_fault fault;
    /* the checker's own */
    struct ph_payload_checker *checker;
    struct ph_payload_check *next;
};
/* on_done follows exactly once, perhaps before this returns. */
void ph_payload_checker_check(struct ph_payload_checker *checker, struct ph_payload_check *check);

#endif
