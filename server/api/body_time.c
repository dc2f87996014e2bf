#include "api/body_time.h"

#include "posthorn/clock.h"

int64_t ph_field_time(struct ph_call *call, struct ph_faults *faults, json_t *body,
                      const char *name, bool required, int64_t def)
{
    struct ph_str text = ph_field_str(call, faults, body, name, required, 0, 0, NULL);
    int64_t wall_ms;

    if (!text.ptr)
        return def;
    if (ph_time_parse(text, &wall_ms) == PH_OK)
        return wall_ms;
    ph_fault(call, faults, "body", name,
             "has to be an RFC 3339 date-time, e.g. 2026-11-24T09:30:00Z", "value_error.datetime");
    return def;
}
