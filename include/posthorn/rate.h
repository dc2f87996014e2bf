/*
 * How often something may happen: so many times a second, a second's worth at once. Any thread, without locks; a table of
 * them has a lock, which nobody takes who keeps what he got.
 */
#ifndef POSTHORN_RATE_H
#define POSTHORN_RATE_H

#include "posthorn/id.h"

#include <stdatomic.h>

/* Zero-initialised: nothing has happened. Times are of any monotonic clock, in nanoseconds. */
struct ph_rate {
    _Atomic int64_t spent_until_ns; /* what has happened is paid for at this time */
};

#define PH_RATE_MAX 1000000

struct ph_rate_state {
    int64_t left;        /* may happen now */
    int64_t full_in_ms;  /* until all of it is left */
    int64_t retry_in_ms; /* after a refusal: until it may happen once */
};

/* Whether it may happen now, and then it has. per_second: 1 to PH_RATE_MAX. */
bool ph_rate_take(struct ph_rate *rate, int32_t per_second, int64_t now_ns,
                  struct ph_rate_state *state);

/* Rates by id and class; they live as long as the table. */
#define PH_RATE_CLASSES 3
struct ph_rate_table;
struct ph_rate_table *ph_rate_table_new(void);
void ph_rate_table_free(struct ph_rate_table *table);
/* PH_RATE_CLASSES rates of this id. */
struct ph_rate *ph_rate_table_get(struct ph_rate_table *table, struct ph_id id);

#endif
