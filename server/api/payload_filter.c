#include "api/payload_filter.h"

#include "api/routes.h"
#include "posthorn/endpoint.h"
#include "posthorn/filter.h"

static struct ph_str keep(struct ph_call *call, struct ph_str text)
{
    return (struct ph_str){ph_arena_copy(call->req->arena, text.ptr, text.len), text.len};
}

/* NULL: it is refused, and the fault noted. */
static struct ph_filter *compile(struct ph_call *call, struct ph_faults *faults,
                                 struct ph_filters *filters, struct ph_str raw)
{
    struct ph_filter_fault fault;
    struct ph_filter *filter;

    if (ph_filters_add(filters, raw, &filter, &fault) == PH_OK)
        return filter;
    ph_fault_at(call, faults, "body", "filter", fault.where, fault.text, "value_error.filter");
    return NULL;
}

/* Numbers are to be compared as they were written, so it is the bytes that count. */
struct ph_str ph_api_field_filter(struct ph_call *call, struct ph_faults *faults, json_t *body,
                                  bool *present)
{
    struct ph_json_field field = {.name = "filter"};
    struct ph_json_fault fault;
    json_t *value = json_object_get(body, "filter");

    *present = value != NULL;
    if (!value || json_is_null(value))
        return PH_STR_NONE;
    if (ph_json_scan(call->req->body, &field, 1, &fault) != PH_OK ||
        !compile(call, faults, ph_filters_new(call->req->arena), field.raw)) {
        if (!faults->list)
            ph_fault(call, faults, "body", "filter", fault.text, "value_error.filter");
        return PH_STR_NONE;
    }
    return keep(call, field.raw);
}

/* ---- trying one out ---- */

struct test {
    struct ph_call *call;
    struct ph_str payload;
    struct ph_filters *filters;
    struct ph_filter *filter; /* NULL: the endpoint's */
};

static void answer(struct test *test)
{
    struct ph_call *call = test->call;
    struct ph_json_writer *w = ph_answer_writer(call, 16 * 1024);
    struct ph_filter_values *values =
        ph_filters_read(test->filters, call->req->arena, test->payload);

    ph_jw_object_begin(w);
    ph_jw_key(w, "matches");
    ph_jw_bool(w, !test->filter || ph_filter_matches(test->filter, values));
    ph_jw_key(w, "reason");
    ph_jw_cstr(w, test->filter ? ph_filter_reason(test->filter, values)
                               : "the endpoint has no filter");
    ph_jw_object_end(w);
    ph_answer_json(call, 200, w);
}

static void on_endpoint(void *ctx, enum ph_err err, const struct ph_endpoint *endpoint)
{
    struct test *test = ctx;
    struct ph_filter_fault fault;

    if (err == PH_OK && !test->filter && endpoint->filter.ptr &&
        ph_filters_add(test->filters, endpoint->filter, &test->filter, &fault) != PH_OK)
        err = PH_ERR_INTERNAL;
    if (err != PH_OK)
        ph_answer_error(test->call, err, NULL);
    else
        answer(test);
}

/* filter without or null: that of the endpoint. */
void ph_api_endpoint_filter_test(struct ph_call *call)
{
    struct ph_json_field fields[] = {{.name = "payload"}, {.name = "filter"}};
    struct test *test = ph_arena_new_of(call->req->arena, struct test);
    struct ph_endpoint_path path = {call->tenant, call->params[0], call->params[1]};
    struct ph_faults faults = {0};
    struct ph_json_fault fault;

    if (ph_json_scan(call->req->body, fields, 2, &fault) != PH_OK) {
        ph_fault(call, &faults, "body", NULL, "has to be a JSON object", "value_error.jsondecode");
        ph_faults_answer(call, &faults);
        return;
    }
    test->call = call;
    test->filters = ph_filters_new(call->req->arena);
    if (fields[0].kind != PH_JSON_OBJECT)
        ph_fault(call, &faults, "body", "payload", "has to be an object", "type_error.dict");
    if (fields[1].kind != PH_JSON_ABSENT && fields[1].kind != PH_JSON_NULL)
        test->filter = compile(call, &faults, test->filters, fields[1].raw);
    if (ph_faults_answer(call, &faults))
        return;
    test->payload = keep(call, fields[0].raw);
    ph_endpoint_get(call->api->db, call->req->arena, &path, on_endpoint, test);
}
