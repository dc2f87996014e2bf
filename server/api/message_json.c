#include "api/message_json.h"

static void write_names(struct ph_json_writer *w, const char *key, const struct ph_str *v, size_t n)
{
    ph_jw_key(w, key);
    if (v == NULL || n == 0) {
        ph_jw_null(w);
        return;
    }
    ph_jw_array_begin(w);
    for (size_t i = 0; i < n; i++)
        ph_jw_str(w, v[i]);
    ph_jw_array_end(w);
}

/* Every byte of a text can become six, "\u0001". */
size_t ph_api_message_bytes(const struct ph_message_view *message)
{
    size_t texts = message->event_type.len + message->event_id.len + message->schema_warning.len;
    for (size_t i = 0; i < message->n_channels; i++)
        texts += message->channels[i].len + 1;
    for (size_t i = 0; i < message->n_tags; i++)
        texts += message->tags[i].len + 1;
    return PH_MESSAGE_JSON_OVERHEAD + 6 * texts + message->payload.len;
}

void ph_api_write_message_members(struct ph_json_writer *w, const struct ph_message_view *message)
{
    write_names(w, "channels", message->channels, message->n_channels);
    ph_jw_key(w, "eventId");
    ph_jw_str(w, message->event_id);
    ph_jw_key(w, "eventType");
    ph_jw_str(w, message->event_type);
    ph_jw_key(w, "id");
    ph_jw_id(w, PH_ID_MESSAGE, message->id);
    if (message->payload.ptr) {
        ph_jw_key(w, "payload");
        ph_jw_raw(w, message->payload);
    }
    ph_jw_key(w, "timestamp");
    ph_jw_time(w, ph_id_time_ms(message->id));
    if (message->deliver_ms) {
        ph_jw_key(w, "deliverAt");
        ph_jw_time(w, message->deliver_ms);
    }
    if (message->schema_warning.ptr) {
        ph_jw_key(w, "schemaWarning");
        ph_jw_str(w, message->schema_warning);
    }
    write_names(w, "tags", message->tags, message->n_tags);
}

void ph_api_write_message(struct ph_json_writer *w, const struct ph_message_view *message)
{
    ph_jw_object_begin(w);
    ph_api_write_message_members(w, message);
    ph_jw_object_end(w);
}

/* Published clients know no status but the first four: `state` says all. */
void ph_api_write_fate_members(struct ph_json_writer *w, const struct ph_message_fate *fate)
{
    enum ph_message_status status =
        fate->status > PH_STATUS_SENDING ? PH_STATUS_FAIL : fate->status;

    ph_jw_key(w, "attemptsMade");
    if (fate->is_owed)
        ph_jw_i64(w, fate->attempts);
    else
        ph_jw_null(w);
    ph_jw_key(w, "nextAttempt");
    if (fate->has_next)
        ph_jw_time(w, fate->next_ms);
    else
        ph_jw_null(w);
    ph_jw_key(w, "state");
    ph_jw_cstr(w, ph_message_status_text(fate->status));
    ph_jw_key(w, "status");
    ph_jw_i64(w, status);
    ph_jw_key(w, "statusText");
    ph_jw_cstr(w, ph_message_status_text(status));
}
