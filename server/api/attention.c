/* What somebody should look at. */
#include "posthorn/attention.h"

#include "api/routes.h"

/* JSON of an endpoint: a URL of 64 KiB, and a description, may have to be escaped. */
#define ROW_BYTES    (256 * 1024)
#define STATE_BYTES  256
#define ANSWER_BYTES 256

static void write_time(struct ph_json_writer *w, const char *key, int64_t wall_ms)
{
    ph_jw_key(w, key);
    if (wall_ms)
        ph_jw_time(w, wall_ms);
    else
        ph_jw_null(w);
}

static void write_reasons(struct ph_json_writer *w, const struct ph_attention *one)
{
    const struct {
        bool holds;
        const char *name;
    } reasons[] = {{one->disabled, "disabled"},
                   {one->failing, "failing"},
                   {one->overdue, "overdue"},
                   {one->unreliable, "unreliable"}};

    ph_jw_key(w, "reasons");
    ph_jw_array_begin(w);
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].holds)
            ph_jw_cstr(w, reasons[i].name);
    ph_jw_array_end(w);
}

static void write_endpoint(struct ph_json_writer *w, const struct ph_attention *one)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "endpointId");
    ph_jw_id(w, PH_ID_ENDPOINT, one->endpoint);
    ph_jw_key(w, "appId");
    ph_jw_id(w, PH_ID_APPLICATION, one->application);
    ph_jw_key(w, "appName");
    ph_jw_str(w, one->application_name);
    ph_jw_key(w, "url");
    ph_jw_str(w, one->url);
    ph_jw_key(w, "description");
    ph_jw_str(w, one->description);
    write_reasons(w, one);
    ph_jw_key(w, "disabledReason");
    ph_jw_str(w, one->disabled ? one->disabled_reason : PH_STR_NONE);
    write_time(w, "failingSince", one->failing_since_ms);
    write_time(w, "nextAttempt", one->disabled ? 0 : one->next_attempt_ms);
    write_time(w, "oldestDueAt", one->due_since_ms);
    ph_jw_key(w, "success");
    ph_jw_i64(w, one->success);
    ph_jw_key(w, "failure");
    ph_jw_i64(w, one->failure);
    ph_jw_object_end(w);
}

static void on_attention(void *ctx, enum ph_err err, const struct ph_attention *list, size_t n)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, ANSWER_BYTES + n * ROW_BYTES);
    ph_jw_object_begin(w);
    ph_jw_key(w, "data");
    ph_jw_array_begin(w);
    for (size_t i = 0; i < n; i++)
        write_endpoint(w, &list[i]);
    ph_jw_array_end(w);
    ph_jw_key(w, "capped");
    ph_jw_bool(w, n == PH_ATTENTION_MAX);
    ph_jw_object_end(w);
    ph_answer_json(ctx, 200, w);
}

void ph_api_stats_attention(struct ph_call *call)
{
    ph_attention_list(call->api->db, call->req->arena, call->tenant, on_attention, call);
}

/* ---- the applications of a list ---- */

static void write_number(struct ph_json_writer *w, const char *key, int64_t n)
{
    ph_jw_key(w, key);
    ph_jw_i64(w, n);
}

static void on_states(void *ctx, enum ph_err err, const struct ph_application_state *states,
                      size_t n)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, ANSWER_BYTES + n * STATE_BYTES);
    ph_jw_object_begin(w);
    ph_jw_key(w, "data");
    ph_jw_array_begin(w);
    for (size_t i = 0; i < n; i++) {
        ph_jw_object_begin(w);
        ph_jw_key(w, "appId");
        ph_jw_id(w, PH_ID_APPLICATION, states[i].id);
        write_number(w, "messages", states[i].messages);
        write_number(w, "success", states[i].success);
        write_number(w, "failure", states[i].failure);
        write_number(w, "endpoints", states[i].endpoints);
        write_number(w, "failing", states[i].failing);
        write_number(w, "disabled", states[i].disabled);
        ph_jw_object_end(w);
    }
    ph_jw_array_end(w);
    ph_jw_object_end(w);
    ph_answer_json(ctx, 200, w);
}

void ph_api_stats_applications(struct ph_call *call)
{
    struct ph_faults faults = {0};
    struct ph_str *names;
    size_t n = ph_query_list(call, "app_ids", &names);
    struct ph_id *ids;

    if (n == 0)
        ph_fault(call, &faults, "query", "app_ids", "field required", "value_error.missing");
    if (n > PH_QUERY_LIST_MAX) {
        ph_fault(call, &faults, "query", "app_ids", "has to have at most 64 ids",
                 "value_error.list.max_items");
        n = 0;
    }
    ids = ph_arena_array_of(call->req->arena, struct ph_id, n);
    for (size_t i = 0; i < n; i++)
        if (ph_id_parse(PH_ID_APPLICATION, names[i], &ids[i]) != PH_OK) {
            ph_fault(call, &faults, "query", "app_ids",
                     "every one has to be an id of an application", "value_error");
            break;
        }
    if (!ph_faults_answer(call, &faults))
        ph_application_states(call->api->db, call->req->arena, call->tenant, ids, n, on_states,
                              call);
}
