#include "courier_internal.h"

#include "posthorn/request_head.h"

#include <stdlib.h>

#define TARGET_IDLE_MS 120000
#define HEAD_BYTES_MAX (256 * 1024)

struct target *courier_find_target(struct ph_courier *courier, struct ph_id id)
{
    struct ph_map_node *node = ph_map_first(&courier->targets, ph_id_hash(id));

    for (; node; node = ph_map_next(node)) {
        struct target *target = ph_container_of(node, struct target, by_id);
        if (ph_id_eq(target->id, id))
            return target;
    }
    return NULL;
}

static struct tenant_load *tenant_load(struct ph_courier *courier, struct ph_id id)
{
    struct ph_map_node *node = ph_map_first(&courier->tenants, ph_id_hash(id));
    struct tenant_load *load;

    for (; node; node = ph_map_next(node)) {
        load = ph_container_of(node, struct tenant_load, by_id);
        if (ph_id_eq(load->id, id))
            return load;
    }
    load = ph_calloc(1, sizeof *load);
    load->id = id;
    ph_map_add(&courier->tenants, &load->by_id, ph_id_hash(id));
    return load;
}

struct target *courier_target(struct ph_courier *courier, const struct ph_job *job)
{
    struct target *target = courier_find_target(courier, job->endpoint);

    if (target)
        return target;
    target = ph_calloc(1, sizeof *target);
    target->courier = courier;
    target->id = job->endpoint;
    target->tenant = tenant_load(courier, job->tenant);
    target->tenant->targets++;
    target->idle_since_ms = ph_loop_now_ms(courier->loop);
    ph_buf_init(&target->head, HEAD_BYTES_MAX);
    ph_map_add(&courier->targets, &target->by_id, ph_id_hash(target->id));
    return target;
}

static void clear_config(struct target *target)
{
    for (int i = 0; i < target->n_signers; i++)
        ph_signer_free(target->signers[i]);
    target->n_signers = 0;
    if (target->origin)
        ph_http_origin_close(target->origin);
    target->origin = NULL;
    courier_token_unref(target->token);
    target->token = NULL;
    ph_endpoint_config_unref(target->config);
    target->config = NULL;
}

static struct ph_http_origin *open_origin(struct ph_courier *courier,
                                          const struct ph_endpoint_config *config)
{
    if (ph_node_has_inbox(courier->node, config->url_text))
        return ph_http_origin_open_own(courier->http, &courier->node->address);
    return ph_http_origin_open(courier->http, &config->url, config->identity);
}

void courier_target_apply(struct target *target, struct ph_endpoint_config *config)
{
    if (target->config && target->config->version >= config->version)
        return;
    ph_endpoint_config_ref(config);
    clear_config(target);
    target->config = config;
    target->gone = false;
    if (config->disabled)
        return;
    target->origin = open_origin(target->courier, config);
    for (size_t i = 0; i < config->n_secrets && target->n_signers < SIGNERS_MAX; i++) {
        target->signer_expires_ms[target->n_signers] = config->secrets[i].expires_ms;
        target->signers[target->n_signers++] =
            ph_sign_profile_signer(config->style.profile, &config->secrets[i].secret);
    }
    ph_buf_clear(&target->head);
    ph_request_head_begin(&target->head, &config->url, &config->style, config->header_lines,
                          config->oauth != NULL);
}

static void loaded(enum ph_err err, struct ph_endpoint_config **configs, void *ctx)
{
    struct target *target = ctx;
    struct ph_courier *courier = target->courier;

    target->loading = false;
    if (err == PH_OK) {
        target->stale = target->reload;
        target->reload = false;
        if (configs[0]) {
            courier_target_apply(target, configs[0]);
            ph_endpoint_config_unref(configs[0]);
        } else {
            clear_config(target);
            target->gone = true;
        }
    }
    ph_arena_free(target->load_arena);
    target->load_arena = NULL;
    if (err == PH_OK) /* else the sweep tries again */
        courier_serve(target);
    else
        courier_end_trials(target, PH_ERR_UNAVAILABLE);
    courier_check_stopped(courier);
}

void courier_target_load(struct target *target)
{
    target->loading = true;
    target->load_arena = ph_arena_new();
    ph_endpoint_configs_load(target->courier->db, target->load_arena,
                             target->courier->node->keyring, &target->id, 1, loaded, target);
}

void courier_target_free(struct target *target)
{
    ph_map_remove(&target->courier->targets, &target->by_id);
    if (--target->tenant->targets == 0) {
        ph_map_remove(&target->courier->tenants, &target->tenant->by_id);
        free(target->tenant);
    }
    clear_config(target);
    ph_buf_free(&target->head);
    ph_arena_free(target->load_arena);
    free(target);
}

static void sweep_node(struct ph_map_node *node, void *ctx)
{
    struct target *target = ph_container_of(node, struct target, by_id);
    uint64_t now_ms = *(uint64_t *)ctx;

    if (target->queue.first || target->in_flight || target->trials_in_flight ||
        target->trials.first || target->loading || target->is_ready)
        target->idle_since_ms = now_ms;
    else if (now_ms - target->idle_since_ms > TARGET_IDLE_MS)
        courier_target_free(target);
}

void courier_sweep_targets(struct ph_courier *courier)
{
    uint64_t now_ms = ph_loop_now_ms(courier->loop);

    ph_map_each(&courier->targets, sweep_node, &now_ms);
}
