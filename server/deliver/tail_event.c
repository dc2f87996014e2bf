/* What tail events say. */
#include "posthorn/clock.h"
#include "posthorn/json.h"
#include "posthorn/tail.h"

#include <stdlib.h>
#include <string.h>

/* PostgreSQL's notifications hold less than 8,000 bytes. */
#define EVENT_BYTES 7800
/* Of a tenant, on the way to the database. */
#define WAITING_MAX 1000

static struct ph_tail_slot *slot_of(const struct ph_tail *tail, struct ph_id tenant)
{
    uint64_t hash = ph_id_hash(tenant) | 1;

    for (size_t i = 0; i < PH_TAIL_PROBES; i++) {
        const struct ph_tail_slot *slot = &tail->slots[(hash + i * 7) % PH_TAIL_SLOTS];
        if (atomic_load_explicit(&slot->tenant, memory_order_relaxed) == hash)
            return (struct ph_tail_slot *)slot;
    }
    return NULL;
}

bool ph_tail_wants(const struct ph_tail *tail, struct ph_id tenant)
{
    const struct ph_tail_slot *slot = tail ? slot_of(tail, tenant) : NULL;

    return slot && atomic_load_explicit(&slot->until_ms, memory_order_relaxed) > ph_clock_mono_ms();
}

/* Begins the event's object. NULL: there is no room. */
static struct ph_tail_slot *begin(struct ph_tail *tail, struct ph_id tenant, struct ph_buf *buf,
                                  struct ph_json_writer *w, const char *type)
{
    struct ph_tail_slot *slot = slot_of(tail, tenant);

    if (!slot)
        return NULL;
    if (atomic_fetch_add(&slot->waiting, 1) >= WAITING_MAX) {
        atomic_fetch_sub(&slot->waiting, 1);
        atomic_fetch_add(&slot->dropped, 1);
        return NULL;
    }
    ph_buf_init(buf, EVENT_BYTES);
    ph_jw_init(w, buf);
    ph_jw_object_begin(w);
    ph_jw_key(w, "type");
    ph_jw_cstr(w, type);
    return slot;
}

static struct ph_tail_event *end(struct ph_tail *tail, struct ph_tail_slot *slot,
                                 struct ph_id tenant, struct ph_id application, struct ph_buf *buf,
                                 struct ph_json_writer *w)
{
    struct ph_tail_event *event = NULL;

    ph_jw_object_end(w);
    if (buf->overflow) {
        atomic_fetch_sub(&slot->waiting, 1);
        atomic_fetch_add(&slot->dropped, 1);
    } else {
        event = ph_malloc(sizeof *event + buf->len);
        *event = (struct ph_tail_event){.tail = tail,
                                        .slot = slot,
                                        .tenant = tenant,
                                        .application = application,
                                        .len = buf->len};
        memcpy(event->json, buf->ptr, buf->len);
    }
    ph_buf_free(buf);
    return event;
}

static void member_id(struct ph_json_writer *w, const char *key, enum ph_id_kind kind,
                      struct ph_id id)
{
    ph_jw_key(w, key);
    ph_jw_id(w, kind, id);
}

static void member_time(struct ph_json_writer *w, const char *key, int64_t wall_ms)
{
    ph_jw_key(w, key);
    if (wall_ms)
        ph_jw_time(w, wall_ms);
    else
        ph_jw_null(w);
}

static void member_names(struct ph_json_writer *w, const char *key, struct ph_str joined)
{
    struct ph_str name;

    ph_jw_key(w, key);
    if (!joined.len) {
        ph_jw_null(w);
        return;
    }
    ph_jw_array_begin(w);
    while (ph_str_split(&joined, ',', &name))
        ph_jw_str(w, name);
    ph_jw_array_end(w);
}

struct ph_tail_event *ph_tail_of_attempt(struct ph_tail *tail,
                                         const struct ph_tail_attempt *attempt)
{
    struct ph_buf buf;
    struct ph_json_writer w;
    struct ph_tail_slot *slot = begin(tail, attempt->tenant, &buf, &w, "attempt");

    if (!slot)
        return NULL;
    member_id(&w, "appId", PH_ID_APPLICATION, attempt->application);
    member_id(&w, "endpointId", PH_ID_ENDPOINT, attempt->endpoint);
    member_id(&w, "msgId", PH_ID_MESSAGE, attempt->message);
    ph_jw_key(&w, "eventType");
    ph_jw_str(&w, attempt->event_type);
    member_id(&w, "id", PH_ID_ATTEMPT, attempt->attempt);
    ph_jw_key(&w, "attemptNumber");
    ph_jw_i64(&w, attempt->number);
    ph_jw_key(&w, "statusText");
    ph_jw_cstr(&w, attempt->status);
    ph_jw_key(&w, "responseStatusCode");
    ph_jw_i64(&w, attempt->status_code);
    ph_jw_key(&w, "responseDurationMs");
    ph_jw_i64(&w, attempt->duration_ms);
    ph_jw_key(&w, "triggerType");
    ph_jw_i64(&w, attempt->is_manual);
    member_time(&w, "nextAttempt", attempt->next_ms);
    member_time(&w, "timestamp", ph_id_time_ms(attempt->attempt));
    return end(tail, slot, attempt->tenant, attempt->application, &buf, &w);
}

struct ph_tail_event *ph_tail_of_message(struct ph_tail *tail,
                                         const struct ph_tail_message *message)
{
    struct ph_buf buf;
    struct ph_json_writer w;
    struct ph_tail_slot *slot = begin(tail, message->tenant, &buf, &w, "message");

    if (!slot)
        return NULL;
    member_id(&w, "appId", PH_ID_APPLICATION, message->application);
    member_id(&w, "id", PH_ID_MESSAGE, message->message);
    ph_jw_key(&w, "eventId");
    ph_jw_str(&w, message->event_id);
    ph_jw_key(&w, "eventType");
    ph_jw_str(&w, message->event_type);
    member_names(&w, "channels", message->channels);
    member_names(&w, "tags", message->tags);
    member_time(&w, "deliverAt", message->deliver_ms);
    member_time(&w, "timestamp", ph_id_time_ms(message->message));
    return end(tail, slot, message->tenant, message->application, &buf, &w);
}

struct ph_tail_event *ph_tail_of_arrival(struct ph_tail *tail,
                                         const struct ph_tail_arrival *arrival)
{
    struct ph_buf buf;
    struct ph_json_writer w;
    struct ph_tail_slot *slot = begin(tail, arrival->tenant, &buf, &w, "arrival");

    if (!slot)
        return NULL;
    member_id(&w, "appId", PH_ID_APPLICATION, arrival->application);
    member_id(&w, "id", PH_ID_ARRIVAL, arrival->request);
    ph_jw_key(&w, "endpointId");
    if (ph_id_is_zero(arrival->endpoint))
        ph_jw_null(&w);
    else
        ph_jw_id(&w, PH_ID_ENDPOINT, arrival->endpoint);
    ph_jw_key(&w, "signature");
    ph_jw_str(&w, arrival->signature);
    ph_jw_key(&w, "responseStatusCode");
    ph_jw_i64(&w, arrival->status);
    member_time(&w, "timestamp", ph_id_time_ms(arrival->request));
    return end(tail, slot, arrival->tenant, arrival->application, &buf, &w);
}
