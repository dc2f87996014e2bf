#include "api/filters.h"

#include "api/body_time.h"
#include "posthorn/clock.h"

#define BODY_EVENT_TYPES_MAX 1000

int64_t ph_query_time(struct ph_call *call, struct ph_faults *faults, const char *name, int64_t def)
{
    struct ph_str text = ph_query(call, name);
    int64_t wall_ms;

    if (!text.ptr)
        return def;
    if (ph_time_parse(text, &wall_ms) == PH_OK)
        return wall_ms;
    ph_fault(call, faults, "query", name,
             "has to be an RFC 3339 date-time, e.g. 2026-11-24T09:30:00Z", "value_error.datetime");
    return def;
}

/* The smallest id of a time; zero, which is no bound, without one (INT64_MIN). Ids begin after 1970. */
static struct ph_id bound_of(int64_t wall_ms)
{
    if (wall_ms == INT64_MIN)
        return (struct ph_id){0};
    return ph_id_floor(wall_ms > 0 ? wall_ms : 1);
}

struct ph_id ph_query_bound(struct ph_call *call, struct ph_faults *faults, const char *name)
{
    return bound_of(ph_query_time(call, faults, name, INT64_MIN));
}

static struct ph_str query_name(struct ph_call *call, struct ph_faults *faults, const char *name,
                                size_t max_chars)
{
    struct ph_str value = ph_query(call, name);

    if (value.ptr && !ph_name_ok(value, max_chars)) {
        ph_fault(
            call, faults, "query", name,
            ph_arena_printf(call->req->arena, "has to be 1 to %zu of a-z A-Z 0-9 - _ .", max_chars),
            "value_error.str.regex");
        return PH_STR_NONE;
    }
    return value;
}

size_t ph_query_event_types(struct ph_call *call, struct ph_faults *faults,
                            const struct ph_str **out)
{
    struct ph_str *names;
    size_t n = ph_query_list(call, "event_types", &names);

    if (n > PH_QUERY_LIST_MAX) {
        ph_fault(call, faults, "query", "event_types", "has to have at most 64 names",
                 "value_error.list.max_items");
        n = 0;
    }
    for (size_t i = 0; i < n; i++)
        if (!ph_name_ok(names[i], PH_EVENT_TYPE_CHARS_MAX)) {
            ph_fault(call, faults, "query", "event_types",
                     "every name has to be 1 to 256 of a-z A-Z 0-9 - _ .", "value_error.str.regex");
            break;
        }
    *out = n ? names : NULL;
    return n;
}

static int query_number(struct ph_call *call, struct ph_faults *faults, const char *name,
                        const int64_t *allowed, size_t n, const char *msg)
{
    struct ph_str text = ph_query(call, name);
    int64_t value;

    if (!text.ptr)
        return PH_ATTEMPT_ANY;
    if (ph_str_to_i64(text, &value) == PH_OK)
        for (size_t i = 0; i < n; i++)
            if (allowed[i] == value)
                return (int)value;
    ph_fault(call, faults, "query", name, msg, "type_error.enum");
    return PH_ATTEMPT_ANY;
}

int ph_query_delivery_status(struct ph_call *call, struct ph_faults *faults)
{
    static const int64_t allowed[] = {PH_STATUS_SUCCESS, PH_STATUS_PENDING,  PH_STATUS_FAIL,
                                      PH_STATUS_SENDING, PH_STATUS_CANCELED, PH_STATUS_SKIPPED};

    return query_number(call, faults, "status", allowed, sizeof allowed / sizeof *allowed,
                        "has to be 0 (success), 1 (pending), 2 (fail), 3 (sending), 4 (canceled) "
                        "or 5 (skipped)");
}

int ph_query_status(struct ph_call *call, struct ph_faults *faults)
{
    static const int64_t allowed[] = {PH_STATUS_SUCCESS, PH_STATUS_PENDING, PH_STATUS_FAIL,
                                      PH_STATUS_SENDING};

    return query_number(call, faults, "status", allowed, sizeof allowed / sizeof *allowed,
                        "has to be 0 (success), 1 (pending), 2 (fail) or 3 (sending)");
}

void ph_query_message_filter(struct ph_call *call, struct ph_faults *faults,
                             struct ph_message_filter *filter)
{
    filter->after = ph_query_bound(call, faults, "after");
    filter->before = ph_query_bound(call, faults, "before");
    filter->channel = query_name(call, faults, "channel", PH_MESSAGE_NAME_CHARS_MAX);
    filter->tag = query_name(call, faults, "tag", PH_MESSAGE_NAME_CHARS_MAX);
    filter->n_event_types = ph_query_event_types(call, faults, &filter->event_types);
}

static struct ph_str body_name(struct ph_call *call, struct ph_faults *faults, json_t *body,
                               const char *name)
{
    struct ph_str value = ph_field_str(call, faults, body, name, false, 0, 0, NULL);

    if (value.ptr && !ph_name_ok(value, PH_MESSAGE_NAME_CHARS_MAX))
        ph_fault(call, faults, "body", name, "has to be 1 to 128 of a-z A-Z 0-9 - _ .",
                 "value_error.str.regex");
    return value;
}

void ph_body_message_filter(struct ph_call *call, struct ph_faults *faults, json_t *body,
                            struct ph_message_filter *filter)
{
    struct ph_str *event_types;

    filter->after = bound_of(ph_field_time(call, faults, body, "after", false, INT64_MIN));
    filter->before = bound_of(ph_field_time(call, faults, body, "before", false, INT64_MIN));
    filter->channel = body_name(call, faults, body, "channel");
    filter->tag = body_name(call, faults, body, "tag");
    filter->n_event_types = ph_field_names(call, faults, body, "event_types", BODY_EVENT_TYPES_MAX,
                                           PH_EVENT_TYPE_CHARS_MAX, &event_types, NULL);
    filter->event_types = filter->n_event_types ? event_types : NULL;
    filter->with_content = ph_field_bool(call, faults, body, "with_content", true, NULL);
}

void ph_query_attempt_filter(struct ph_call *call, struct ph_faults *faults,
                             struct ph_attempt_filter *filter)
{
    static const int64_t classes[] = {0, 100, 200, 300, 400, 500};

    filter->after = ph_query_bound(call, faults, "after");
    filter->before = ph_query_bound(call, faults, "before");
    filter->channel = query_name(call, faults, "channel", PH_MESSAGE_NAME_CHARS_MAX);
    filter->tag = query_name(call, faults, "tag", PH_MESSAGE_NAME_CHARS_MAX);
    filter->n_event_types = ph_query_event_types(call, faults, &filter->event_types);
    filter->status = ph_query_status(call, faults);
    filter->status_code_class =
        query_number(call, faults, "status_code_class", classes, sizeof classes / sizeof *classes,
                     "has to be 0 (no answer), 100, 200, 300, 400 or 500");
    filter->endpoint = query_name(call, faults, "endpoint_id", 256);
}
