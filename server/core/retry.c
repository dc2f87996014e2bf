#include "posthorn/retry.h"

enum ph_err ph_retry_parse(struct ph_str text, int jitter_percent, struct ph_buf *problems,
                           struct ph_retry_schedule *out)
{
    struct ph_retry_schedule s = {.jitter_percent = jitter_percent};
    struct ph_str rest = text, part;

    if (ph_str_trim(text).len == 0)
        rest = PH_STR_NONE;
    while (ph_str_split(&rest, ',', &part)) {
        int64_t seconds;
        if (s.n_waits == PH_RETRY_WAITS_MAX) {
            ph_buf_printf(problems, "at most %d waits\n", PH_RETRY_WAITS_MAX);
            return PH_ERR_CONFIG;
        }
        if (ph_str_to_i64(ph_str_trim(part), &seconds) != PH_OK || seconds < 0 ||
            seconds > PH_RETRY_WAIT_MAX_S) {
            ph_buf_printf(problems, "'%.*s' is not a number of seconds from 0 to %d\n",
                          (int)part.len, part.ptr, PH_RETRY_WAIT_MAX_S);
            return PH_ERR_CONFIG;
        }
        s.wait_ms[s.n_waits++] = seconds * 1000;
    }
    *out = s;
    return PH_OK;
}

int64_t ph_retry_next_ms(const struct ph_retry_schedule *schedule, int attempts_made,
                         int64_t now_wall_ms, int64_t retry_after_s, uint32_t chance)
{
    if (attempts_made > schedule->n_waits)
        return -1;
    int64_t wait = schedule->wait_ms[attempts_made - 1];
    wait += (int64_t)((double)wait * schedule->jitter_percent / 100.0 *
                      ((double)chance / 4294967296.0));
    if (retry_after_s > PH_RETRY_AFTER_MAX_S)
        retry_after_s = PH_RETRY_AFTER_MAX_S;
    if (wait < retry_after_s * 1000)
        wait = retry_after_s * 1000;
    return now_wall_ms + wait;
}
