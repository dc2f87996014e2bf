/*
 * The outcome statement: what became of many deliveries, in one transaction: the delivery goes or gets its next due time,
 * the attempt is kept, the roll-up grows. Sending a batch again after a lost answer changes nothing twice.
 */
#ifndef POSTHORN_OUTCOME_BATCH_H
#define POSTHORN_OUTCOME_BATCH_H

#include "posthorn/db.h"
#include "posthorn/delivery.h"
#include "posthorn/message.h"

#define PH_TRIGGER_SCHEDULED 0
#define PH_TRIGGER_MANUAL    1
#define PH_HOLD_STOPPED      INT64_MAX
/* Failures of a delivery after which it is reported as failing. */
#define PH_FAILING_ATTEMPTS 4

struct ph_outcome {
    struct ph_id endpoint, message, tenant;
    int32_t node_id;
    bool done;       /* the delivery goes: fulfilled, given up or cancelled */
    int64_t next_ms; /* else: wall time when it is due again */
    int64_t
        hold_ms; /* wall time until when its endpoint is held; 0: not, PH_HOLD_STOPPED: while it is disabled or paused */
    int attempts_made; /* with this one */
    bool release;      /* its ordered endpoint may be served again, when hold_ms allows */
    bool has_attempt;  /* an attempt was made: the fields below are set */
    bool exhausted;    /* it was the last */
    struct ph_id attempt;
    bool is_manual;
    enum ph_message_status status;
    int status_code;
    int64_t duration_ms;
    struct ph_str url;
    struct ph_str response;
    struct ph_str signature; /* record of it: sign_profile.h */
    struct ph_str headers;   /* lines of the answer's; absent: none */
};

struct ph_outcome_batch;

struct ph_outcome_batch *ph_outcome_batch_new(size_t max_bytes);
void ph_outcome_batch_free(struct ph_outcome_batch *batch);
void ph_outcome_batch_clear(struct ph_outcome_batch *batch);
/* Copies everything. False: the batch is full, send it first. */
bool ph_outcome_batch_add(struct ph_outcome_batch *batch, const struct ph_outcome *outcome);
int ph_outcome_batch_count(const struct ph_outcome_batch *batch);
void ph_outcome_batch_store(struct ph_outcome_batch *batch, struct ph_db *db,
                            void (*on_done)(enum ph_err err, void *ctx), void *ctx);

#endif
