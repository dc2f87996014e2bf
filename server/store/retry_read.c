#include "posthorn/retry_read.h"

struct ph_retry_schedule *ph_retry_read(const PGresult *res, int row, int col)
{
    struct ph_retry_schedule *schedule;
    int32_t seconds[PH_RETRY_WAITS_MAX];
    size_t n;

    if (ph_db_is_null(res, row, col))
        return NULL;
    n = ph_db_int_array(res, row, col, seconds, PH_RETRY_WAITS_MAX);
    schedule = ph_calloc(1, sizeof *schedule);
    schedule->n_waits = n < PH_RETRY_WAITS_MAX ? (int)n : PH_RETRY_WAITS_MAX;
    for (int i = 0; i < schedule->n_waits; i++) {
        int64_t wait_s = seconds[i] < 0 ? 0 : seconds[i];
        schedule->wait_ms[i] = 1000 * (wait_s < PH_RETRY_WAIT_MAX_S ? wait_s : PH_RETRY_WAIT_MAX_S);
    }
    return schedule;
}

void ph_retry_waits_read(const PGresult *res, int row, int col, struct ph_retry_waits *out)
{
    out->is_set = !ph_db_is_null(res, row, col);
    out->n = ph_db_int_array(res, row, col, out->seconds, PH_RETRY_WAITS_MAX);
    if (out->n > PH_RETRY_WAITS_MAX)
        out->n = PH_RETRY_WAITS_MAX;
}

void ph_retry_waits_add(struct ph_db_req *req, const struct ph_retry_waits *waits)
{
    struct ph_buf text;

    if (!waits->is_set) {
        ph_db_add_null(req);
        return;
    }
    ph_buf_init(&text, 1024);
    for (size_t i = 0; i < waits->n; i++) {
        if (i)
            ph_buf_add_char(&text, ',');
        ph_buf_add_i64(&text, waits->seconds[i]);
    }
    ph_db_add_str(req, waits->n ? ph_buf_str(&text) : PH_STR(""));
    ph_buf_free(&text);
}
