#include "posthorn/ingest.h"

#include "posthorn/clock.h"
#include "posthorn/counts.h"
#include "posthorn/dispatcher.h"
#include "posthorn/log.h"

#include <assert.h>
#include <stdlib.h>

/* Payload bytes and deliveries after which a batch is full. */
#define BATCH_BYTES      (4 << 20)
#define BATCH_DELIVERIES 20000
/* Times that a message is matched or sent again before it is given up. */
#define TRIES_MAX     10
#define FIND_AGAIN_MS 200
/* Deliveries that join others which wait already are looked at after so long at the latest, or when they are so many: not one
 * batch at a time, but soon enough for an endpoint that only fell behind to catch up and leave PostgreSQL again. */
#define JOIN_MS   100
#define JOIN_MANY 50

struct item_list {
    struct ph_ingest_item *first, *last;
    size_t n;
};

struct ph_ingest {
    struct ph_loop *loop;
    struct ph_node *node;
    struct ph_db *db;
    struct ph_subscription_cache *cache;
    struct ph_payload_checker *checker;
    struct ph_message_batch *batch;
    bool for_stored;
    struct item_list waiting;      /* matched, not sent */
    struct ph_ingest_item **items; /* of the batch in flight, by index */
    int n_items;
    bool in_flight, flush_queued, stopping;
    size_t under_way; /* submitted and not done */
    size_t under_way_bytes, max_bytes;
    int64_t n_unclaimed; /* of the batch in flight */
    int64_t n_joined;    /* since a claim was last asked for at once */
    bool is_pressing;    /* one of these should be claimed at once */
    struct ph_task flush;
    struct ph_timer find_timer;
};

static void flush_soon(struct ph_ingest *ingest)
{
    if (ingest->in_flight || ingest->flush_queued)
        return;
    ingest->flush_queued = true;
    ph_loop_defer(ingest->loop, &ingest->flush);
}

static void list_add(struct item_list *list, struct ph_ingest_item *item)
{
    item->next = NULL;
    if (list->last)
        list->last->next = item;
    else
        list->first = item;
    list->last = item;
    list->n++;
}

static void list_add_front(struct item_list *list, struct ph_ingest_item *item)
{
    item->next = list->first;
    list->first = item;
    if (!list->last)
        list->last = item;
    list->n++;
}

static struct ph_ingest_item *list_take(struct item_list *list)
{
    struct ph_ingest_item *item = list->first;

    list->first = item->next;
    if (!list->first)
        list->last = NULL;
    list->n--;
    return item;
}

/* The deliveries of an item that was not stored. */
static void drop_jobs(struct ph_ingest *ingest, struct ph_ingest_item *item)
{
    struct ph_job *job;

    while ((job = ph_job_list_take(&item->jobs))) {
        ph_node_give_room(ingest->node, job->tenant, job->endpoint);
        ph_job_free(job);
    }
}

static void finish(struct ph_ingest_item *item, enum ph_err err)
{
    struct ph_ingest *ingest = item->ingest;
    struct ph_payload *payload = item->message.payload;
    struct ph_subscriptions *snapshot = item->snapshot;

    drop_jobs(ingest, item);
    ingest->under_way--;
    if (payload)
        ingest->under_way_bytes -= payload->len;
    item->on_done(item, err);
    ph_payload_unref(payload);
    ph_subscriptions_unref(snapshot);
}

static void reload(struct ph_ingest_item *item);

static void admit(struct ph_ingest_item *item)
{
    list_add(&item->ingest->waiting, item);
    flush_soon(item->ingest);
}

static void checked(struct ph_payload_check *check, enum ph_err err)
{
    struct ph_ingest_item *item = ph_container_of(check, struct ph_ingest_item, check);

    if (err == PH_OK)
        admit(item);
    else if (err == PH_ERR_CONFLICT)
        reload(item);
    else
        finish(item, err == PH_ERR_VALIDATION ? err : PH_ERR_UNAVAILABLE);
}

static struct ph_str json_of(const struct ph_ingest_item *item)
{
    const struct ph_payload *payload = item->message.payload;

    return item->message.json.ptr ? item->message.json
                                  : (struct ph_str){payload->bytes, payload->len};
}

/* The item has a snapshot: gives it its payload under that application, and, when its schema allows, a place in the queue.
 * What is stored was accepted. */
static void enqueue(struct ph_ingest_item *item, struct ph_subscriptions *snapshot)
{
    struct ph_payload *before = item->message.payload;
    const struct ph_event_type_rule *rule;

    ph_subscriptions_unref(item->snapshot);
    item->snapshot = snapshot;
    item->message.subscriptions = snapshot;
    if (!ph_id_eq(before->application, snapshot->application)) {
        item->message.payload =
            ph_payload_new(before->message, item->tenant, snapshot->application, before->event_type,
                           before->content_type, (struct ph_str){before->bytes, before->len});
        ph_payload_unref(before);
    }
    rule =
        item->ingest->for_stored ? NULL : ph_subscriptions_rule(snapshot, item->message.event_type);
    item->check.fault.text = NULL;
    if (!rule || rule->validation == PH_SCHEMA_OFF) {
        admit(item);
        return;
    }
    item->check = (struct ph_payload_check){
        .subscriptions = snapshot,
        .rule = rule,
        .json = json_of(item),
        .arena = item->arena,
        .on_done = checked,
    };
    ph_payload_checker_check(item->ingest->checker, &item->check);
}

static void snapshot_loaded(struct ph_subscription_waiter *waiter, enum ph_err err,
                            struct ph_subscriptions *loaded)
{
    struct ph_ingest_item *item = ph_container_of(waiter, struct ph_ingest_item, waiter);

    if (err == PH_OK)
        enqueue(item, loaded);
    else
        finish(item, err == PH_ERR_DB_LOST || err == PH_ERR_DB_RETRY ? PH_ERR_UNAVAILABLE : err);
}

/* Its snapshot is not the present one. */
static void reload(struct ph_ingest_item *item)
{
    struct ph_ingest *ingest = item->ingest;

    ph_subscription_cache_forget(ingest->cache, &item->snapshot->application);
    if (++item->tries > TRIES_MAX) {
        finish(item, PH_ERR_UNAVAILABLE);
        return;
    }
    item->waiter.on_loaded = snapshot_loaded;
    ph_subscription_cache_load(ingest->cache, item->tenant, item->application, &item->waiter);
}

bool ph_ingest_ready(const struct ph_ingest *ingest)
{
    return ph_db_ready(ingest->db);
}

struct ph_db *ph_ingest_db(struct ph_ingest *ingest)
{
    return ingest->db;
}

void ph_ingest_submit(struct ph_ingest *ingest, struct ph_ingest_item *item)
{
    struct ph_subscriptions *snapshot =
        ph_subscription_cache_get(ingest->cache, item->tenant, item->application);
    struct ph_id application = snapshot ? snapshot->application : (struct ph_id){{0}};

    item->ingest = ingest;
    ingest->under_way++;
    if (!ph_db_ready(ingest->db) ||
        ingest->under_way > (size_t)ingest->node->config->ingest_queue ||
        ingest->under_way_bytes + item->body.len > ingest->max_bytes) {
        ph_metric_add(ingest_overload, 1);
        ph_subscriptions_unref(snapshot);
        finish(item, PH_ERR_UNAVAILABLE);
        return;
    }
    ingest->under_way_bytes += item->body.len;
    item->message.payload = ph_payload_new(
        ingest->for_stored ? item->stored : ph_id_new(ph_clock_wall_ms()), item->tenant,
        application, item->message.event_type, item->message.content_type, item->body);
    if (snapshot) {
        enqueue(item, snapshot);
        return;
    }
    item->waiter.on_loaded = snapshot_loaded;
    ph_subscription_cache_load(ingest->cache, item->tenant, item->application, &item->waiter);
}

static void answer(struct ph_ingest_question *question, struct ph_subscriptions *snapshot)
{
    bool taken = false;

    for (size_t i = 0; i < snapshot->n_endpoints && !taken; i++)
        taken = !snapshot->endpoints[i]->disabled &&
                ph_endpoint_config_takes(snapshot->endpoints[i], question->event_type,
                                         question->channels, question->n_channels);
    ph_subscriptions_unref(snapshot);
    question->on_answer(question, PH_OK, taken);
}

static void snapshot_for_question(struct ph_subscription_waiter *waiter, enum ph_err err,
                                  struct ph_subscriptions *loaded)
{
    struct ph_ingest_question *question =
        ph_container_of(waiter, struct ph_ingest_question, waiter);

    if (err == PH_OK)
        answer(question, loaded);
    else
        question->on_answer(question, err == PH_ERR_NOT_FOUND ? err : PH_ERR_UNAVAILABLE, false);
}

bool ph_ingest_ask(struct ph_ingest *ingest, struct ph_ingest_question *question)
{
    struct ph_subscriptions *snapshot =
        ph_subscription_cache_get(ingest->cache, question->tenant, question->application);

    if (snapshot) {
        answer(question, snapshot);
        return true;
    }
    question->waiter.on_loaded = snapshot_for_question;
    ph_subscription_cache_load(ingest->cache, question->tenant, question->application,
                               &question->waiter);
    return false;
}

/* This node when the delivery goes out from memory at once; 0 when it has to wait in the database. */
static int32_t owner_of(struct ph_node *node, const struct ph_endpoint_config *endpoint,
                        int32_t node_id)
{
    if (!node_id || endpoint->queued || ph_node_is_queued(node, endpoint->id))
        return 0;
    if (ph_node_take_room(node, endpoint->tenant, endpoint->id))
        return node_id;
    ph_node_set_queued(node, endpoint->id, true);
    return 0;
}

/* The job that the item has for an endpoint from a batch whose answer was lost; NULL: none. */
static const struct ph_job *job_for(const struct ph_ingest_item *item, struct ph_id endpoint)
{
    const struct ph_job *job = item->jobs.first;

    while (job && !ph_id_eq(job->endpoint, endpoint))
        job = job->next;
    return job;
}

/*
 * Adds the item to the batch with the deliveries that its endpoints are owed. One that was sent before and may yet be
 * stored by that (its connection was lost, perhaps not its server process) is sent as it was: its jobs have to be the rows.
 */
static void match(struct ph_ingest *ingest, struct ph_ingest_item *item, int32_t node_id)
{
    const struct ph_subscriptions *s = item->snapshot;
    struct ph_payload *payload = item->message.payload;
    struct ph_match as_seen = {
        .event_type = item->message.event_type,
        .channels = item->channels,
        .n_channels = item->n_channels,
        .json = json_of(item),
        .arena = item->arena,
    };

    if (!payload->retry)
        payload->retry = ph_subscriptions_retry(s, item->message.event_type);

    item->message.again = item->tries > 0;
    int index = ph_message_batch_add(ingest->batch, &item->message);
    ingest->items[index] = item;
    for (size_t i = 0; i < s->n_endpoints && !item->message.deliver_ms; i++) {
        struct ph_endpoint_config *endpoint = s->endpoints[i];
        if (!ph_subscriptions_takes(s, i, &as_seen))
            continue;
        if (endpoint->disabled) {
            ph_message_batch_add_skipped(ingest->batch, index, &item->message, endpoint->id);
            continue;
        }
        if (endpoint->polled) {
            ph_message_batch_add_polled(ingest->batch, index, &item->message, endpoint->id);
            continue;
        }
        const struct ph_job *job = item->in_doubt ? job_for(item, endpoint->id) : NULL;
        int32_t owner = job ? job->node_id : 0;
        bool joins_others = endpoint->paused ||
                            (!endpoint->queued && ph_node_is_queued(ingest->node, endpoint->id));
        if (!item->in_doubt)
            owner = owner_of(ingest->node, endpoint, node_id);
        ph_message_batch_add_delivery(ingest->batch, index, &item->message, endpoint->id, owner);
        if (job)
            continue;
        if (owner)
            ph_job_list_add(&item->jobs,
                            ph_job_new(item->message.payload, endpoint->id, endpoint, owner, 0));
        else
            ingest->n_unclaimed++;
        ingest->is_pressing = ingest->is_pressing || (!owner && !joins_others);
    }
}

static void stored(enum ph_err err, const int *rejected, const enum ph_rejection *why,
                   size_t n_rejected, void *ctx);

static void flush(struct ph_task *task)
{
    struct ph_ingest *ingest = ph_container_of(task, struct ph_ingest, flush);
    int32_t node_id = atomic_load(&ingest->node->id);
    bool alone = false;

    ingest->flush_queued = false;
    if (ingest->in_flight || !ingest->waiting.first)
        return;
    ph_message_batch_clear(ingest->batch);
    ingest->n_unclaimed = 0;
    ingest->is_pressing = false;
    while (ingest->waiting.first && !alone &&
           ph_message_batch_count(ingest->batch) < ingest->node->config->ingest_rows &&
           ph_message_batch_deliveries(ingest->batch) < BATCH_DELIVERIES &&
           ph_message_batch_bytes(ingest->batch) < BATCH_BYTES) {
        alone = ingest->waiting.first->alone;
        if (alone && ph_message_batch_count(ingest->batch))
            break;
        match(ingest, list_take(&ingest->waiting), node_id);
    }
    ingest->n_items = ph_message_batch_count(ingest->batch);
    ingest->in_flight = true;
    if (ingest->for_stored)
        ph_message_batch_match(ingest->batch, ingest->db, stored, ingest);
    else
        ph_message_batch_store(ingest->batch, ingest->db, stored, ingest);
}

/* One for later is counted when it is matched, one that an SQL client has sent likewise. */
static void count(const struct ph_ingest_item *item)
{
    const struct ph_payload *payload = item->message.payload;

    if (!item->message.deliver_ms)
        ph_counts_message(item->ingest->node->counts, &(struct ph_counted){
                                                          .tenant = payload->tenant,
                                                          .application = payload->application,
                                                          .event_type = item->message.event_type,
                                                          .wall_ms = ph_clock_wall_ms(),
                                                      });
}

/* Somebody watches the tenant. */
static void tell(const struct ph_ingest_item *item)
{
    const struct ph_new_message *message = &item->message;
    struct ph_tail_event *event =
        ph_tail_of_message(item->ingest->node->tail,
                           &(struct ph_tail_message){.tenant = item->tenant,
                                                     .application = message->payload->application,
                                                     .message = message->payload->message,
                                                     .event_type = message->event_type,
                                                     .event_id = message->event_id,
                                                     .channels = message->channels,
                                                     .tags = message->tags,
                                                     .deliver_ms = message->deliver_ms});

    if (event)
        ph_tail_tell(event);
}

static void accept_item(struct ph_ingest_item *item, struct ph_job_list *jobs)
{
    struct ph_job *job;

    while ((job = ph_job_list_take(&item->jobs)))
        ph_job_list_add(jobs, job);
    if (item->ingest->for_stored)
        ph_metric_add(messages_matched, 1);
    else
        ph_metric_add(ingest_messages, 1);
    count(item);
    if (ph_tail_wants(item->ingest->node->tail, item->tenant))
        tell(item);
    finish(item, PH_OK);
}

/* Puts the batch's items, but for those with leave_out[index], back in front of the queue, to be matched and sent again. */
static void requeue(struct ph_ingest *ingest, const bool *leave_out, bool alone)
{
    for (int i = ingest->n_items - 1; i >= 0; i--) {
        struct ph_ingest_item *item = ingest->items[i];
        if (leave_out && leave_out[i])
            continue;
        if (!item->in_doubt)
            drop_jobs(ingest, item);
        item->alone = item->alone || alone;
        if (++item->tries > TRIES_MAX)
            finish(item, PH_ERR_UNAVAILABLE);
        else
            list_add_front(&ingest->waiting, item);
    }
}

static void key_found(enum ph_err err, struct ph_id message, void *ctx)
{
    struct ph_ingest_item *item = ctx;

    if (err == PH_OK)
        item->replay_of = message;
    finish(item, err == PH_OK || err == PH_ERR_NOT_FOUND ? PH_ERR_CONFLICT : PH_ERR_UNAVAILABLE);
}

/* made_before: by the idempotency key; zero: not known. */
static void reject(struct ph_ingest *ingest, struct ph_ingest_item *item, enum ph_rejection why,
                   struct ph_id made_before)
{
    drop_jobs(ingest, item);
    item->in_doubt = false;
    switch (why) {
    case PH_REJECTED_STALE:
        reload(item);
        return;
    case PH_REJECTED_KEY:
        if (!ph_id_is_zero(made_before))
            key_found(PH_OK, made_before, item);
        else
            ph_idempotency_find(ingest->db, item->arena, item->tenant,
                                item->message.idempotency_key, key_found, item);
        return;
    case PH_REJECTED_EVENT_ID:
    case PH_REJECTED_MATCHED:
        finish(item, PH_ERR_CONFLICT);
        return;
    }
}

/* Has the dispatcher claim what was stored without an owner. */
static void look_for(struct ph_ingest *ingest)
{
    bool at_once;

    ingest->n_joined += ingest->n_unclaimed;
    at_once = ingest->is_pressing || ingest->n_joined >= JOIN_MANY;
    if (at_once)
        ingest->n_joined = 0;
    ph_dispatcher_nudge(ingest->node->dispatcher, at_once ? 0 : ph_clock_wall_ms() + JOIN_MS);
}

static void accept_batch(struct ph_ingest *ingest, const int *rejected,
                         const enum ph_rejection *why, size_t n_rejected)
{
    struct ph_job_list jobs = {NULL, NULL, 0};
    size_t r = 0;

    ph_metric_add(ingest_batches, 1);
    for (int i = 0; i < ingest->n_items; i++) {
        if (r < n_rejected && rejected[r] == i) {
            reject(ingest, ingest->items[i], why[r],
                   ph_message_batch_made_before(ingest->batch, r));
            r++;
        } else {
            accept_item(ingest->items[i], &jobs);
        }
    }
    assert(r == n_rejected);
    if (jobs.first)
        ph_node_hand_over(ingest->node, &jobs);
    if (ingest->n_unclaimed) {
        ph_metric_add(deliveries_overflow, ingest->n_unclaimed);
        look_for(ingest);
    }
}

static void find(struct ph_ingest *ingest);

/*
 * The batch was sent and its answer lost, or a message of it is there already because that had happened before. Those that
 * are in the database were stored whole, with their deliveries claimed under the identity that their jobs carry. One that is
 * gone without them was matched by somebody else.
 */
static void found_matched(enum ph_err err, const bool *known, const bool *gone, void *ctx)
{
    struct ph_ingest *ingest = ctx;
    struct ph_job_list jobs = {NULL, NULL, 0};

    if (err != PH_OK && !ingest->stopping) {
        ph_timer_set(ingest->loop, &ingest->find_timer,
                     ph_loop_now_ms(ingest->loop) + FIND_AGAIN_MS);
        return;
    }
    for (int i = 0; i < ingest->n_items; i++) {
        ingest->items[i]->in_doubt = !gone[i];
        if (known[i])
            accept_item(ingest->items[i], &jobs);
        else if (gone[i])
            finish(ingest->items[i], PH_ERR_CONFLICT);
    }
    if (jobs.first)
        ph_node_hand_over(ingest->node, &jobs);
    ingest->in_flight = false;
    requeue(ingest, gone, false);
    flush_soon(ingest);
}

static void found(enum ph_err err, const bool *known, void *ctx)
{
    found_matched(err, known, known, ctx);
}

/* Whether some had been sent before, so that it may have been that which matched them. */
static bool matched_in_doubt(const struct ph_ingest *ingest, const int *rejected,
                             const enum ph_rejection *why, size_t n_rejected)
{
    for (size_t i = 0; i < n_rejected; i++)
        if (why[i] == PH_REJECTED_MATCHED && ingest->items[rejected[i]]->in_doubt)
            return true;
    return false;
}

static void find_again(struct ph_timer *timer)
{
    find(ph_container_of(timer, struct ph_ingest, find_timer));
}

static void finish_batch(struct ph_ingest *ingest, enum ph_err err)
{
    ingest->in_flight = false;
    for (int i = 0; i < ingest->n_items; i++)
        finish(ingest->items[i], err);
}

static void find(struct ph_ingest *ingest)
{
    if (ingest->stopping) {
        finish_batch(ingest, PH_ERR_UNAVAILABLE);
        return;
    }
    if (ingest->for_stored)
        ph_message_batch_find_matched(ingest->batch, ingest->db, found_matched, ingest);
    else
        ph_message_batch_find(ingest->batch, ingest->db, found, ingest);
}

static void stored(enum ph_err err, const int *rejected, const enum ph_rejection *why,
                   size_t n_rejected, void *ctx)
{
    struct ph_ingest *ingest = ctx;

    switch (err) {
    case PH_OK:
        if (matched_in_doubt(ingest, rejected, why, n_rejected)) {
            find(ingest);
            return;
        }
        ingest->in_flight = false;
        accept_batch(ingest, rejected, why, n_rejected);
        break;
    case PH_ERR_DB_LOST:
    case PH_ERR_CONFLICT:
        find(ingest); /* stays in flight until it is known */
        return;
    case PH_ERR_DB_RETRY:
        ingest->in_flight = false;
        requeue(ingest, NULL, false);
        break;
    case PH_ERR_UNAVAILABLE:
        finish_batch(ingest, PH_ERR_UNAVAILABLE);
        break;
    default:
        if (ingest->n_items == 1) {
            finish_batch(ingest, PH_ERR_INTERNAL);
        } else {
            ingest->in_flight = false;
            requeue(ingest, NULL, true);
        }
        break;
    }
    flush_soon(ingest);
}

struct ph_ingest *ph_ingest_new(struct ph_loop *loop, struct ph_node *node, bool for_stored)
{
    struct ph_ingest *ingest = ph_calloc(1, sizeof *ingest);
    struct ph_db_options options = {
        .conninfo = node->config->database_url,
        .role = PH_DB_ENGINE,
        .connections = 1,
        .max_waiting = 100000,
        .name = for_stored ? "matcher" : "ingest",
    };

    ingest->loop = loop;
    ingest->node = node;
    ingest->for_stored = for_stored;
    ingest->db = ph_db_new(loop, &options);
    ingest->cache = ph_subscription_cache_new(ingest->db, node->keyring);
    ingest->checker = ph_payload_checker_new(ingest->db);
    ingest->batch = ph_message_batch_new((size_t)BATCH_BYTES +
                                         2 * (size_t)node->config->body_bytes + (1 << 20));
    ingest->items = ph_calloc((size_t)node->config->ingest_rows, sizeof *ingest->items);
    ingest->max_bytes = (size_t)node->config->memory_bytes;
    ingest->flush.run = flush;
    ingest->find_timer.on_timer = find_again;
    return ingest;
}

void ph_ingest_free(struct ph_ingest *ingest)
{
    if (!ingest)
        return;
    ingest->stopping = true;
    ph_db_free(ingest->db);
    if (ph_timer_is_set(&ingest->find_timer)) {
        ph_timer_clear(ingest->loop, &ingest->find_timer);
        finish_batch(ingest, PH_ERR_UNAVAILABLE);
    }
    while (ingest->waiting.first)
        finish(list_take(&ingest->waiting), PH_ERR_UNAVAILABLE);
    ph_subscription_cache_free(ingest->cache);
    ph_payload_checker_free(ingest->checker);
    ph_message_batch_free(ingest->batch);
    free(ingest->items);
    free(ingest);
}

struct change {
    struct ph_task task;
    struct ph_ingest *ingest;
    bool all;
    struct ph_id application;
};

static void apply_change(struct ph_task *task)
{
    struct change *change = ph_container_of(task, struct change, task);

    ph_subscription_cache_forget(change->ingest->cache, change->all ? NULL : &change->application);
    free(change);
}

void ph_ingest_application_changed(struct ph_ingest *ingest, const struct ph_id *application)
{
    struct change *change = ph_calloc(1, sizeof *change);

    change->task.run = apply_change;
    change->ingest = ingest;
    change->all = application == NULL;
    if (application)
        change->application = *application;
    ph_loop_post(ingest->loop, &change->task);
}
