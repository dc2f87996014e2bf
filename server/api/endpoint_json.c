#include "api/endpoint_json.h"

#include "api/retry_json.h"
#include "posthorn/subscription.h"

static void write_names(struct ph_json_writer *w, const char *key, const struct ph_str *v, size_t n)
{
    ph_jw_key(w, key);
    if (n == 0) {
        ph_jw_null(w);
        return;
    }
    ph_jw_array_begin(w);
    for (size_t i = 0; i < n; i++)
        ph_jw_str(w, v[i]);
    ph_jw_array_end(w);
}

static void write_rate(struct ph_json_writer *w, const struct ph_endpoint *endpoint)
{
    ph_jw_key(w, "throttleRate");
    if (endpoint->throttle_rate < 0)
        ph_jw_null(w);
    else
        ph_jw_i64(w, endpoint->throttle_rate);
}

void ph_api_write_endpoint_members(struct ph_json_writer *w, const struct ph_endpoint *endpoint)
{
    write_names(w, "channels", endpoint->channels, endpoint->n_channels);
    ph_jw_key(w, "createdAt");
    ph_jw_time(w, endpoint->created_ms);
    ph_jw_key(w, "description");
    ph_jw_str(w, endpoint->description);
    ph_jw_key(w, "disabled");
    ph_jw_bool(w, endpoint->disabled);
    ph_jw_key(w, "disabledReason");
    ph_jw_str(w, endpoint->disabled_reason);
    write_names(w, "eventTypes", endpoint->event_types, endpoint->n_event_types);
    ph_jw_key(w, "failingSince");
    if (endpoint->failing)
        ph_jw_time(w, endpoint->failing_since_ms);
    else
        ph_jw_null(w);
    ph_jw_key(w, "filter");
    if (endpoint->filter.ptr)
        ph_jw_raw(w, endpoint->filter);
    else
        ph_jw_null(w);
    ph_jw_key(w, "id");
    ph_jw_id(w, PH_ID_ENDPOINT, endpoint->id);
    ph_jw_key(w, "metadata");
    ph_jw_raw(w, endpoint->metadata);
    ph_jw_key(w, "ordering");
    ph_jw_str(w, endpoint->ordered ? PH_STR("fifo") : PH_STR_NONE);
    ph_jw_key(w, "paused");
    ph_jw_bool(w, endpoint->paused);
    ph_jw_key(w, "retrySchedule");
    ph_api_write_retry(w, &endpoint->retry);
    ph_jw_key(w, "signatureHeader");
    ph_jw_str(w, endpoint->signature_header);
    ph_jw_key(w, "signatureProfile");
    ph_jw_str(w, endpoint->signature_profile);
    write_rate(w, endpoint);
    if (ph_str_eq(endpoint->url, PH_POLLER_URL)) {
        ph_jw_key(w, "type");
        ph_jw_cstr(w, "poller");
    }
    ph_jw_key(w, "uid");
    ph_jw_str(w, endpoint->uid);
    ph_jw_key(w, "updatedAt");
    ph_jw_time(w, endpoint->updated_ms);
    ph_jw_key(w, "url");
    ph_jw_str(w, endpoint->url);
}

void ph_api_write_operational_members(struct ph_json_writer *w, const struct ph_endpoint *endpoint)
{
    ph_jw_key(w, "createdAt");
    ph_jw_time(w, endpoint->created_ms);
    ph_jw_key(w, "description");
    ph_jw_str(w, endpoint->description);
    ph_jw_key(w, "disabled");
    ph_jw_bool(w, endpoint->disabled);
    write_names(w, "eventTypes", endpoint->event_types, endpoint->n_event_types);
    ph_jw_key(w, "id");
    ph_jw_id(w, PH_ID_ENDPOINT, endpoint->id);
    ph_jw_key(w, "metadata");
    ph_jw_raw(w, endpoint->metadata);
    write_rate(w, endpoint);
    ph_jw_key(w, "uid");
    ph_jw_str(w, endpoint->uid);
    ph_jw_key(w, "updatedAt");
    ph_jw_time(w, endpoint->updated_ms);
    ph_jw_key(w, "url");
    ph_jw_str(w, endpoint->url);
}

struct ph_db *ph_api_endpoint_db(const struct ph_call *call)
{
    return call->is_operational ? call->api->engine_db : call->api->db;
}
