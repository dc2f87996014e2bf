/*
 * Breaker of one endpoint: after a row of failures it opens, and one probe goes out now and then; the first success lets
 * the number of attempts at once grow again from one. Pure: time and chance are inputs.
 */
#ifndef POSTHORN_BREAKER_H
#define POSTHORN_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

/* Wait before the first probe, doubled after each that fails. */
#define PH_BREAKER_PROBE_MS     5000
#define PH_BREAKER_PROBE_MAX_MS 300000

/* Zero-initialised is closed. */
struct ph_breaker {
    int failures;          /* in a row */
    int window;            /* attempts at once while it recovers; 0: no limit of its own */
    int64_t probe_ms;      /* wait of the last opening */
    int64_t open_until_ms; /* wall time of the next probe */
};

/* Attempts at once that it lets through of the `concurrency` that the endpoint may have. */
int ph_breaker_window(const struct ph_breaker *breaker, int concurrency);
/* An attempt succeeded. True: it was recovering. */
bool ph_breaker_success(struct ph_breaker *breaker, int concurrency);
/* An attempt failed; `threshold` of them in a row open it, 0: never. True: it is open now, until open_until_ms. chance: uniformly random, spreads probes by a fifth. */
bool ph_breaker_failure(struct ph_breaker *breaker, int threshold, int64_t now_wall_ms,
                        uint32_t chance);

#endif
