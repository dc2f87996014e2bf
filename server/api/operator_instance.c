/* The operator's view of the instance: its nodes, and what it owes. */
#include "posthorn/instance.h"

#include "api/routes.h"

#define NODES_BYTES (1024 * 1024)
#define QUEUE_BYTES 4096

static void write_node(struct ph_json_writer *w, const struct ph_instance_node *node)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "alive");
    ph_jw_bool(w, node->is_alive);
    ph_jw_key(w, "deliveriesInMemory");
    ph_jw_i64(w, node->deliveries);
    ph_jw_key(w, "id");
    ph_jw_i64(w, node->id);
    ph_jw_key(w, "name");
    ph_jw_str(w, node->name);
    ph_jw_key(w, "payloadBytesInMemory");
    ph_jw_i64(w, node->payload_bytes);
    ph_jw_key(w, "reportedAt");
    if (node->reported_ms)
        ph_jw_time(w, node->reported_ms);
    else
        ph_jw_null(w);
    ph_jw_key(w, "startedAt");
    ph_jw_time(w, node->started_ms);
    ph_jw_object_end(w);
}

static void on_nodes(void *ctx, enum ph_err err, const struct ph_instance_node *nodes, size_t n)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, NODES_BYTES);
    ph_jw_object_begin(w);
    ph_jw_key(w, "data");
    ph_jw_array_begin(w);
    for (size_t i = 0; i < n; i++)
        write_node(w, &nodes[i]);
    ph_jw_array_end(w);
    ph_jw_object_end(w);
    ph_answer_json(ctx, 200, w);
}

void ph_api_admin_node_list(struct ph_call *call)
{
    ph_instance_get_nodes(call->api->engine_db, call->req->arena, on_nodes, call);
}

static void write_counts(struct ph_json_writer *w, const struct ph_instance_queue *queue)
{
    const struct {
        const char *name;
        int64_t count;
    } counts[] = {
        {"deliveriesDue", queue->due},
        {"deliveriesWaiting", queue->waiting},
        {"endpointsBroken", queue->endpoints_broken},
        {"endpointsDue", queue->endpoints_due},
        {"endpointsFailing", queue->endpoints_failing},
        {"endpointsHeld", queue->endpoints_held},
        {"endpointsPaused", queue->endpoints_paused},
        {"messagesPlanned", queue->planned},
        {"messagesUnmatched", queue->unmatched},
        {"tasksRunning", queue->tasks},
        {"tenantsLeaving", queue->tenants_leaving},
    };

    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        ph_jw_key(w, counts[i].name);
        ph_jw_i64(w, counts[i].count);
    }
}

static void on_queue(void *ctx, enum ph_err err, const struct ph_instance_queue *queue)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, QUEUE_BYTES);
    ph_jw_object_begin(w);
    ph_jw_key(w, "countedTo");
    ph_jw_i64(w, PH_INSTANCE_COUNT_MAX);
    write_counts(w, queue);
    ph_jw_key(w, "deliveriesEstimate");
    if (queue->estimate < 0)
        ph_jw_null(w);
    else
        ph_jw_i64(w, queue->estimate);
    ph_jw_key(w, "oldestDueAt");
    if (queue->oldest_due_ms)
        ph_jw_time(w, queue->oldest_due_ms);
    else
        ph_jw_null(w);
    ph_jw_object_end(w);
    ph_answer_json(ctx, 200, w);
}

void ph_api_admin_queue_get(struct ph_call *call)
{
    ph_instance_get_queue(call->api->engine_db, call->req->arena, on_queue, call);
}
