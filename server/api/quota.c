#include "api/quota.h"

#include "posthorn/clock.h"

#define DAY_MS (24 * 3600 * 1000LL)

static enum ph_rate_class rate_of(enum ph_route_class class)
{
    switch (class) {
    case PH_CLASS_SEND:
        return PH_RATE_SEND;
    case PH_CLASS_WRITE:
    case PH_CLASS_SLOW:
        return PH_RATE_WRITE;
    default:
        return PH_RATE_READ;
    }
}

static void set_number(struct ph_call *call, const char *name, int64_t n)
{
    ph_request_set_header(call->req, name, ph_arena_printf(call->req->arena, "%lld", (long long)n));
}

static int64_t seconds(int64_t ms)
{
    return (ms + 999) / 1000;
}

/* False: too often. */
static bool take(struct ph_call *call, const struct ph_identity *identity)
{
    enum ph_rate_class class = rate_of(ph_route_class(call->route));
    int64_t limit = identity->standing.quotas.per_second[class];
    struct ph_rate_state state;
    bool may;

    if (limit <= 0)
        return true;
    may = ph_rate_take(&identity->rates[class], (int32_t)limit,
                       (int64_t)ph_loop_now_ms(call->api->loop) * 1000000, &state);
    set_number(call, "ratelimit-limit", limit);
    set_number(call, "ratelimit-remaining", state.left);
    set_number(call, "ratelimit-reset", seconds(state.full_in_ms));
    if (!may)
        set_number(call, "retry-after", seconds(state.retry_in_ms));
    return may;
}

bool ph_quota_admit(struct ph_call *call, const struct ph_identity *identity)
{
    const struct ph_standing *standing = &identity->standing;

    if (standing->suspended) {
        ph_answer_error(call, PH_ERR_SUSPENDED, NULL);
        return false;
    }
    if (!take(call, identity)) {
        ph_answer_error(call, PH_ERR_RATE_LIMITED, NULL);
        return false;
    }
    if (standing->quotas.messages_per_day >= 0 &&
        standing->messages_today >= standing->quotas.messages_per_day &&
        ph_route_class(call->route) == PH_CLASS_SEND) {
        set_number(call, "retry-after", seconds(DAY_MS - ph_clock_wall_ms() % DAY_MS));
        ph_answer_error(call, PH_ERR_MESSAGES_SPENT, NULL);
        return false;
    }
    return true;
}
