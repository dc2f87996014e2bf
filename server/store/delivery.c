#include "posthorn/delivery.h"

#include "posthorn/metrics.h"

#include <stdlib.h>
#include <string.h>

struct ph_payload *ph_payload_new(struct ph_id message, struct ph_id tenant,
                                  struct ph_id application, struct ph_str event_type,
                                  struct ph_str content_type, struct ph_str bytes)
{
    if (!content_type.ptr)
        content_type = PH_STR("application/json");
    struct ph_payload *payload =
        ph_malloc(sizeof *payload + bytes.len + event_type.len + content_type.len);
    char *texts = payload->bytes + bytes.len;

    atomic_init(&payload->refs, 1);
    payload->message = message;
    payload->tenant = tenant;
    payload->application = application;
    payload->wire_id_len = ph_id_format(PH_ID_MESSAGE, message, payload->wire_id);
    payload->len = bytes.len;
    payload->retry = NULL;
    if (bytes.len)
        memcpy(payload->bytes, bytes.ptr, bytes.len);
    if (event_type.len)
        memcpy(texts, event_type.ptr, event_type.len);
    payload->event_type = (struct ph_str){texts, event_type.len};
    memcpy(texts + event_type.len, content_type.ptr, content_type.len);
    payload->content_type = (struct ph_str){texts + event_type.len, content_type.len};
    ph_metric_add(payload_bytes_memory, (int64_t)bytes.len);
    return payload;
}

struct ph_payload *ph_payload_ref(struct ph_payload *payload)
{
    atomic_fetch_add_explicit(&payload->refs, 1, memory_order_relaxed);
    return payload;
}

void ph_payload_unref(struct ph_payload *payload)
{
    if (payload && atomic_fetch_sub_explicit(&payload->refs, 1, memory_order_acq_rel) == 1) {
        ph_metric_add(payload_bytes_memory, -(int64_t)payload->len);
        free(payload->retry);
        free(payload);
    }
}

struct ph_endpoint_config *ph_endpoint_config_ref(struct ph_endpoint_config *config)
{
    atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
    return config;
}

void ph_endpoint_config_unref(struct ph_endpoint_config *config)
{
    if (config && atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) == 1) {
        for (size_t i = 0; i < config->n_secrets; i++)
            ph_secret_wipe(&config->secrets[i].secret);
        ph_arena_free(config->arena);
    }
}

static bool contains(const struct ph_str *names, size_t n, struct ph_str name)
{
    for (size_t i = 0; i < n; i++)
        if (ph_str_eq(names[i], name))
            return true;
    return false;
}

bool ph_endpoint_config_takes(const struct ph_endpoint_config *config, struct ph_str event_type,
                              const struct ph_str *channels, size_t n_channels)
{
    if (config->n_event_types && !contains(config->event_types, config->n_event_types, event_type))
        return false;
    if (!config->n_channels)
        return true;
    for (size_t i = 0; i < n_channels; i++)
        if (contains(config->channels, config->n_channels, channels[i]))
            return true;
    return false;
}

struct ph_job *ph_job_new(struct ph_payload *payload, struct ph_id endpoint,
                          struct ph_endpoint_config *config, int32_t node_id, int attempts_made)
{
    struct ph_job *job = ph_malloc(sizeof *job);

    *job = (struct ph_job){
        .payload = ph_payload_ref(payload),
        .endpoint = endpoint,
        .tenant = payload->tenant,
        .config = config ? ph_endpoint_config_ref(config) : NULL,
        .node_id = node_id,
        .attempts_made = attempts_made,
    };
    return job;
}

void ph_job_drop_payload(struct ph_job *job)
{
    ph_payload_unref(job->payload);
    job->payload = NULL;
}

void ph_job_free(struct ph_job *job)
{
    ph_payload_unref(job->payload);
    ph_endpoint_config_unref(job->config);
    free(job);
}

void ph_job_list_add(struct ph_job_list *list, struct ph_job *job)
{
    job->next = NULL;
    if (list->last)
        list->last->next = job;
    else
        list->first = job;
    list->last = job;
    list->n++;
}

void ph_job_list_add_front(struct ph_job_list *list, struct ph_job *job)
{
    job->next = list->first;
    list->first = job;
    if (!list->last)
        list->last = job;
    list->n++;
}

struct ph_job *ph_job_list_take(struct ph_job_list *list)
{
    struct ph_job *job = list->first;

    if (!job)
        return NULL;
    list->first = job->next;
    if (!list->first)
        list->last = NULL;
    list->n--;
    job->next = NULL;
    return job;
}
