/*
 * MessageIn, a message as a request says it. The hot path: it is scanned, not parsed, and the payload's bytes stay as they came.
 */
#ifndef POSTHORN_API_MESSAGE_IN_H
#define POSTHORN_API_MESSAGE_IN_H

#include "posthorn/api.h"
#include "posthorn/application.h"
#include "posthorn/ingest.h"
#include "posthorn/message.h"

/* Zero it first, but for is_broadcast. Slices live in the arena, but item.body, which may be a part of the text that was read. */
struct ph_message_in {
    struct ph_ingest_item item; /* ready to be submitted, but for on_done and the idempotency key */
    struct ph_message_view view; /* as it is answered; id and payload are known when it is stored */
    bool is_broadcast;           /* for every application: its bounds are wider */
    struct ph_application_change *application; /* to be made if it is missing; NULL: not */
};

#define PH_EVENT_ID_TAKEN "The application has a message with this eventId already."

/* What is wrong is added to the faults. */
void ph_api_read_message(struct ph_call *call, struct ph_faults *faults, struct ph_str json,
                         struct ph_message_in *in);

/* The fault of a text that ph_json_scan has refused. */
void ph_api_json_fault(struct ph_call *call, struct ph_faults *faults, enum ph_err err,
                       const struct ph_json_fault *json_fault);

/* What is wrong with the payload of a message that was refused by the schema of its event type, and what is told of one that was
 * taken all the same (absent: nothing). */
void ph_api_schema_fault(struct ph_call *call, struct ph_faults *faults,
                         const struct ph_ingest_item *item);
struct ph_str ph_api_schema_warning(struct ph_call *call, const struct ph_ingest_item *item);

/* What stands for the request's Idempotency-Key and the `number` of a message in it: same key, credential, path and number,
 * same id. False: it has no key. */
bool ph_api_idempotency_id(struct ph_call *call, uint32_t number, struct ph_id *out);

#endif
