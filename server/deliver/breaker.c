#include "posthorn/breaker.h"

int ph_breaker_window(const struct ph_breaker *breaker, int concurrency)
{
    return breaker->window && breaker->window < concurrency ? breaker->window : concurrency;
}

bool ph_breaker_success(struct ph_breaker *breaker, int concurrency)
{
    bool recovering = breaker->window != 0;

    breaker->failures = 0;
    breaker->probe_ms = 0;
    breaker->open_until_ms = 0;
    breaker->window *= 2;
    if (breaker->window >= concurrency)
        breaker->window = 0;
    return recovering;
}

bool ph_breaker_failure(struct ph_breaker *breaker, int threshold, int64_t now_wall_ms,
                        uint32_t chance)
{
    if (threshold == 0 || (++breaker->failures < threshold && !breaker->window))
        return false;
    breaker->window = 1;
    /* attempts that were under way when it opened say nothing new */
    if (now_wall_ms < breaker->open_until_ms)
        return true;
    breaker->probe_ms = breaker->probe_ms ? breaker->probe_ms * 2 : PH_BREAKER_PROBE_MS;
    if (breaker->probe_ms > PH_BREAKER_PROBE_MAX_MS)
        breaker->probe_ms = PH_BREAKER_PROBE_MAX_MS;
    breaker->open_until_ms =
        now_wall_ms + breaker->probe_ms +
        (int64_t)((double)breaker->probe_ms / 5 * ((double)chance / 4294967296.0));
    return true;
}
