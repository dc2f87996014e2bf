#include "api/retry_json.h"

#define WAITS_MAX 30

void ph_api_field_retry(struct ph_call *call, struct ph_faults *faults, json_t *body,
                        struct ph_retry_waits *out, bool *present)
{
    json_t *value = json_object_get(body, "retrySchedule"), *item;
    size_t i;

    *present = value != NULL;
    *out = (struct ph_retry_waits){.is_set = false};
    if (!value || json_is_null(value))
        return;
    if (!json_is_array(value)) {
        ph_fault(call, faults, "body", "retrySchedule", "has to be an array", "type_error.list");
        return;
    }
    if (json_array_size(value) > WAITS_MAX) {
        ph_fault(call, faults, "body", "retrySchedule", "has to have at most 30 items",
                 "value_error.list.max_items");
        return;
    }
    json_array_foreach(value, i, item)
    {
        if (!json_is_integer(item) || json_integer_value(item) < 0 ||
            json_integer_value(item) > PH_RETRY_WAIT_MAX_S) {
            ph_fault(call, faults, "body", "retrySchedule",
                     ph_arena_printf(call->req->arena,
                                     "item %zu has to be an integer from 0 to %d seconds", i,
                                     PH_RETRY_WAIT_MAX_S),
                     "value_error.number");
            return;
        }
        out->seconds[i] = (int32_t)json_integer_value(item);
    }
    out->n = json_array_size(value);
    out->is_set = true;
}

void ph_api_write_retry(struct ph_json_writer *w, const struct ph_retry_waits *waits)
{
    if (!waits->is_set) {
        ph_jw_null(w);
        return;
    }
    ph_jw_array_begin(w);
    for (size_t i = 0; i < waits->n; i++)
        ph_jw_i64(w, waits->seconds[i]);
    ph_jw_array_end(w);
}
