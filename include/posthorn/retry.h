/*
 * Retry schedule: when a failed delivery is tried again. Pure: time and chance are inputs.
 */
#ifndef POSTHORN_RETRY_H
#define POSTHORN_RETRY_H

#include "posthorn/err.h"
#include "posthorn/str.h"

#include <stdint.h>

#define PH_RETRY_WAITS_MAX  32
#define PH_RETRY_WAIT_MAX_S (30 * 86400)
/* Longest that an endpoint may ask for by Retry-After. */
#define PH_RETRY_AFTER_MAX_S 86400

struct ph_retry_schedule {
    int n_waits; /* attempts = n_waits + 1 */
    int64_t wait_ms[PH_RETRY_WAITS_MAX];
    int jitter_percent; /* each wait is up to this much longer */
};

/* "5,300,1800": seconds between one attempt and the next; "" for a single attempt. CONFIG: a line in problems. */
PH_MUST_CHECK enum ph_err ph_retry_parse(struct ph_str text, int jitter_percent,
                                         struct ph_buf *problems, struct ph_retry_schedule *out);

/*
 * When the next attempt is due after `attempts_made` (1 or more) have failed, or -1 when the schedule is exhausted.
 * chance: uniformly random 32 bits. retry_after_s: what the endpoint asked for, -1 for nothing; it can only delay.
 */
int64_t ph_retry_next_ms(const struct ph_retry_schedule *schedule, int attempts_made,
                         int64_t now_wall_ms, int64_t retry_after_s, uint32_t chance);

#endif
