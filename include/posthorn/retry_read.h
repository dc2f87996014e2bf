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

#endif
