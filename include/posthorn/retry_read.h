/*
 * Retry schedules as the database holds them: integer[] of seconds.
 */
#ifndef POSTHORN_RETRY_READ_H
#define POSTHORN_RETRY_READ_H

#include "posthorn/db.h"
#include "posthorn/retry.h"

/* The schedule of a column, from malloc; NULL when the column is NULL. Waits past PH_RETRY_WAITS_MAX are left out, and
 * those out of range are cut to it: the interface checks what it writes. Without jitter: that is the instance's. */
struct ph_retry_schedule *ph_retry_read(const PGresult *res, int row, int col);

/* A retry schedule as a column or member of its own: seconds between one attempt and the next. */
struct ph_retry_waits {
    bool is_set; /* else: inherited */
    size_t n;
    int32_t seconds[PH_RETRY_WAITS_MAX];
};
void ph_retry_waits_read(const PGresult *res, int row, int col, struct ph_retry_waits *out);
/* As a text parameter, for  string_to_array($1, ',')::integer[]. */
void ph_retry_waits_add(struct ph_db_req *req, const struct ph_retry_waits *waits);

#endif
