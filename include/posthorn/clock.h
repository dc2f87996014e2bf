/*
 * Clocks and their text form. Wall time is milliseconds since 1970 in UTC; intervals are measured on the monotonic clock.
 */
#ifndef POSTHORN_CLOCK_H
#define POSTHORN_CLOCK_H

#include "posthorn/err.h"
#include "posthorn/str.h"

#include <stdint.h>

int64_t ph_clock_wall_ms(void);
uint64_t ph_clock_mono_us(void);
uint64_t ph_clock_mono_ms(void);

/* RFC 3339 in UTC with milliseconds, e.g. "2026-11-24T09:30:00.250Z": always 24 characters for years 0000 to 9999. */
#define PH_TIME_LEN 24
/* Times outside of these years are written as the nearest one inside. */
void ph_time_format(int64_t wall_ms, char out[PH_TIME_LEN + 1]);
/* RFC 3339 date-time with any offset and fraction (digits past milliseconds are dropped). A leap second (23:59:60 in UTC) is
 * taken as the last millisecond before it. BAD_REQUEST: anything else, or a time outside the years 0000 to 9999. */
PH_MUST_CHECK enum ph_err ph_time_parse(struct ph_str s, int64_t *wall_ms);

#endif
