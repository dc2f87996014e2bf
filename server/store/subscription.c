#include "posthorn/subscription.h"

#include "posthorn/endpoint_outbound.h"
#include "posthorn/log.h"
#include "posthorn/retry_read.h"
#include "sql.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Columns of both statements from the endpoint on. */
enum {
    COL_FIRST,
    COL_SECOND,
    COL_CONFIG_VERSION,
    COL_ENDPOINT,
    COL_VERSION,
    COL_DISABLED,
    COL_URL,
    COL_EVENT_TYPES,
    COL_CHANNELS,
    COL_HEADERS,
    COL_PAUSED,
    COL_QUEUED,
    COL_RETRY,
    COL_PROFILE,
    COL_HEADER_PREFIX,
    COL_SIGNATURE_HEADER,
    COL_MTLS,
    COL_OAUTH,
    COL_FILTER,
    COL_SECRET_ID,
    COL_SECRET,
    COL_SECRET_EXPIRES,
    COL_SECRET_KIND,
};

struct ph_subscriptions *ph_subscriptions_ref(struct ph_subscriptions *subscriptions)
{
    subscriptions->refs++;
    return subscriptions;
}

void ph_subscriptions_unref(struct ph_subscriptions *subscriptions)
{
    if (!subscriptions || --subscriptions->refs)
        return;
    for (size_t i = 0; i < subscriptions->n_endpoints; i++)
        ph_endpoint_config_unref(subscriptions->endpoints[i]);
    ph_arena_free(subscriptions->arena);
}

static struct ph_str copy_str(struct ph_arena *arena, struct ph_str s)
{
    return s.ptr ? (struct ph_str){ph_arena_copy(arena, s.ptr, s.len), s.len} : s;
}

static size_t copy_names(struct ph_arena *arena, const PGresult *res, int row, int col,
                         struct ph_str **out)
{
    size_t n = ph_db_str_array(arena, res, row, col, out);

    for (size_t i = 0; i < n; i++)
        (*out)[i] = copy_str(arena, (*out)[i]);
    return n;
}

/* A sealed value that does not open: the row is damaged or of another master key. The endpoint goes on without it. */
static void log_sealed(const struct ph_endpoint_config *config, const char *what)
{
    ph_log(PH_LOG_ERROR, "a sealed value of an endpoint does not open", ph_log_s("what", what),
           ph_log_id("endpoint", PH_ID_ENDPOINT, config->id));
}

static void read_headers(struct ph_endpoint_config *config, const struct ph_keyring *keyring,
                         struct ph_str sealed)
{
    struct ph_buf lines;
    const char *name;
    json_t *value, *headers;
    size_t len;

    if (!sealed.ptr)
        return;
    uint8_t *plain = ph_arena_alloc(config->arena, sealed.len + 1);
    if (ph_unseal(keyring, config->tenant, config->id, sealed, plain, &len) != PH_OK ||
        !(headers = json_loadb((const char *)plain, len, 0, NULL))) {
        log_sealed(config, "headers");
        return;
    }
    ph_buf_init(&lines, 1 << 20);
    json_object_foreach(headers, name, value)
        ph_buf_printf(&lines, "%s: %s\r\n", name, json_string_value(value));
    config->header_lines = copy_str(config->arena, ph_buf_str(&lines));
    ph_buf_free(&lines);
    json_decref(headers);
}

static void read_secret(struct ph_endpoint_config *config, const struct ph_keyring *keyring,
                        const PGresult *res, int row)
{
    struct ph_endpoint_secret *to = &config->secrets[config->n_secrets];
    struct ph_str sealed = ph_db_str(res, row, COL_SECRET);

    if (!sealed.ptr)
        return;
    if (sealed.len > sizeof to->secret.bytes + PH_SEAL_OVERHEAD ||
        ph_unseal(keyring, config->tenant, ph_db_id(res, row, COL_SECRET_ID), sealed,
                  to->secret.bytes, &to->secret.len) != PH_OK) {
        log_sealed(config, "secret");
        return;
    }
    to->secret.kind = (enum ph_secret_kind)ph_db_int(res, row, COL_SECRET_KIND);
    to->expires_ms =
        ph_db_is_null(res, row, COL_SECRET_EXPIRES) ? 0 : ph_db_time(res, row, COL_SECRET_EXPIRES);
    config->n_secrets++;
}

static void read_style(struct ph_endpoint_config *config, const PGresult *res, int row)
{
    struct ph_sign_style *style = &config->style;

    if (ph_sign_profile_parse(ph_db_str(res, row, COL_PROFILE), &style->profile) != PH_OK) {
        ph_log(PH_LOG_ERROR, "an endpoint has an unknown signature profile; it gets standard",
               ph_log_id("endpoint", PH_ID_ENDPOINT, config->id));
        style->profile = PH_SIGN_STANDARD;
    }
    style->prefix = copy_str(config->arena, ph_db_str(res, row, COL_HEADER_PREFIX));
    style->header = ph_db_is_null(res, row, COL_SIGNATURE_HEADER)
                        ? PH_SIGNATURE_HEADER
                        : copy_str(config->arena, ph_db_str(res, row, COL_SIGNATURE_HEADER));
}

static void unref_identity(void *identity)
{
    ph_identity_unref(identity);
}

/* Without them nothing may be sent: not even a failed attempt would be right to go out unauthenticated. */
static void read_mtls(struct ph_endpoint_config *config, const struct ph_keyring *keyring,
                      struct ph_str sealed)
{
    json_t *value;
    const char *member, *reason;

    if (!sealed.ptr)
        return;
    value = ph_outbound_unseal(keyring, config->tenant, config->id, PH_OUTBOUND_MTLS, sealed);
    if (ph_identity_new(ph_str_of(json_string_value(json_object_get(value, "identity"))),
                        ph_str_of(json_string_value(json_object_get(value, "ca"))),
                        &config->identity, &member, &reason) == PH_OK) {
        ph_arena_defer(config->arena, unref_identity, config->identity);
    } else {
        log_sealed(config, "mtls");
        config->fault = "the client certificate of the endpoint cannot be read";
    }
    json_decref(value);
}

static void read_oauth(struct ph_endpoint_config *config, const struct ph_keyring *keyring,
                       struct ph_str sealed)
{
    json_t *value;
    const char *member, *reason;

    if (!sealed.ptr)
        return;
    value = ph_outbound_unseal(keyring, config->tenant, config->id, PH_OUTBOUND_OAUTH, sealed);
    config->oauth = ph_arena_new_of(config->arena, struct ph_oauth);
    if (ph_oauth_read(config->arena, value, config->oauth, &member, &reason) != PH_OK) {
        log_sealed(config, "oauth");
        config->oauth = NULL;
        config->fault = "the OAuth configuration of the endpoint cannot be read";
    }
    json_decref(value);
}

/* Reads one endpoint, which has rows from *row on, one for each secret. */
static struct ph_endpoint_config *read_endpoint(const struct ph_keyring *keyring,
                                                struct ph_id tenant, struct ph_id application,
                                                const PGresult *res, int *row)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_endpoint_config *config = ph_arena_new_of(arena, struct ph_endpoint_config);
    const char *reason;
    int first = *row, end = first + 1;

    atomic_init(&config->refs, 1);
    config->arena = arena;
    config->id = ph_db_id(res, first, COL_ENDPOINT);
    config->tenant = tenant;
    config->application = application;
    config->version = ph_db_int(res, first, COL_VERSION);
    config->disabled = ph_db_bool(res, first, COL_DISABLED);
    config->url_text = copy_str(arena, ph_db_str(res, first, COL_URL));
    config->polled = ph_str_eq(config->url_text, PH_POLLER_URL);
    if (config->polled) {
        config->fault = "the endpoint is polled: nothing is sent there";
    } else if (ph_url_parse(arena, config->url_text, &config->url, &reason) != PH_OK) {
        ph_log(PH_LOG_ERROR, "the URL of an endpoint is not valid; it is treated as disabled",
               ph_log_id("endpoint", PH_ID_ENDPOINT, config->id), ph_log_s("reason", reason));
        config->disabled = true;
    }
    config->n_event_types = copy_names(arena, res, first, COL_EVENT_TYPES, &config->event_types);
    config->paused = ph_db_bool(res, first, COL_PAUSED);
    config->queued = config->paused || ph_db_bool(res, first, COL_QUEUED);
    config->retry = ph_retry_read(res, first, COL_RETRY);
    if (config->retry)
        ph_arena_defer(arena, free, config->retry);
    config->n_channels = copy_names(arena, res, first, COL_CHANNELS, &config->channels);
    read_headers(config, keyring, ph_db_str(res, first, COL_HEADERS));
    read_style(config, res, first);
    read_mtls(config, keyring, ph_db_str(res, first, COL_MTLS));
    read_oauth(config, keyring, ph_db_str(res, first, COL_OAUTH));

    while (end < PQntuples(res) && ph_id_eq(ph_db_id(res, end, COL_ENDPOINT), config->id))
        end++;
    config->secrets = ph_arena_array_of(arena, struct ph_endpoint_secret, end - first);
    for (int i = first; i < end; i++)
        read_secret(config, keyring, res, i);
    *row = end;
    return config;
}

struct load {
    struct ph_db_req req;
    struct ph_db_req rules;
    struct ph_subscriptions *loaded;
    const struct ph_keyring *keyring;
    struct ph_id tenant;
    struct ph_arena *arena;
    struct ph_db *db;
    void (*on_subscriptions)(enum ph_err err, struct ph_subscriptions *loaded, void *ctx);
    void (*on_configs)(enum ph_err err, struct ph_endpoint_config **configs, void *ctx);
    const struct ph_id *ids;
    size_t n_ids;
    struct ph_db_array array;
    void *ctx;
};

/* One that does not compile lets nothing go out: it was checked when it was set, by another version. */
static void read_filter(struct ph_subscriptions *s, const PGresult *res, int row, size_t endpoint)
{
    struct ph_str json = ph_db_str(res, row, COL_FILTER);
    struct ph_filter_fault fault;

    if (!json.ptr)
        return;
    if (!s->filters) {
        s->filters = ph_filters_new(s->arena);
        s->filter_of = ph_arena_array_of(s->arena, struct ph_filter *, PQntuples(res));
    }
    if (ph_filters_add(s->filters, json, &s->filter_of[endpoint], &fault) != PH_OK) {
        ph_log(PH_LOG_ERROR, "a filter is not valid; its endpoint is treated as disabled",
               ph_log_id("endpoint", PH_ID_ENDPOINT, s->endpoints[endpoint]->id),
               ph_log_s("reason", fault.text));
        s->filter_of[endpoint] = NULL;
        s->endpoints[endpoint]->disabled = true;
    }
}

static struct ph_subscriptions *read_subscriptions(struct load *load, const PGresult *res)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_subscriptions *s = ph_arena_new_of(arena, struct ph_subscriptions);
    int n = PQntuples(res);

    s->refs = 1;
    s->arena = arena;
    s->application = ph_db_id(res, 0, COL_FIRST);
    s->tenant = load->tenant;
    s->uid = copy_str(arena, ph_db_str(res, 0, COL_SECOND));
    s->config_version = ph_db_int(res, 0, COL_CONFIG_VERSION);
    s->endpoints = ph_arena_array_of(arena, struct ph_endpoint_config *, n);
    for (int row = 0; row < n && !ph_db_is_null(res, row, COL_ENDPOINT); s->n_endpoints++) {
        int first = row;
        s->endpoints[s->n_endpoints] =
            read_endpoint(load->keyring, s->tenant, s->application, res, &row);
        read_filter(s, res, first, s->n_endpoints);
    }
    return s;
}

static enum ph_schema_validation validation_of(struct ph_str name)
{
    return ph_str_eq(name, PH_STR("enforce")) ? PH_SCHEMA_ENFORCE
           : ph_str_eq(name, PH_STR("warn"))  ? PH_SCHEMA_WARN
                                              : PH_SCHEMA_OFF;
}

static struct ph_retry_schedule *read_retry(struct ph_arena *arena, const PGresult *res, int row)
{
    struct ph_retry_schedule *schedule = ph_retry_read(res, row, 1);

    if (schedule)
        ph_arena_defer(arena, free, schedule);
    return schedule;
}

static void read_rules(struct ph_subscriptions *s, const PGresult *res)
{
    s->rules = ph_arena_array_of(s->arena, struct ph_event_type_rule, PQntuples(res));
    for (int row = 0; row < PQntuples(res); row++) {
        if (ph_db_is_null(res, row, 0)) {
            s->tenant_retry = read_retry(s->arena, res, row);
            continue;
        }
        s->rules[s->n_rules++] = (struct ph_event_type_rule){
            .event_type = copy_str(s->arena, ph_db_str(res, row, 0)),
            .retry = read_retry(s->arena, res, row),
            .validation = validation_of(ph_db_str(res, row, 2)),
            .id = ph_db_id(res, row, 3),
            .version = ph_db_int(res, row, 4),
        };
    }
}

static void rules_loaded(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct load *load = ph_container_of(req, struct load, rules);

    if (err == PH_OK) {
        read_rules(load->loaded, res);
        load->on_subscriptions(PH_OK, load->loaded, load->ctx);
        return;
    }
    ph_subscriptions_unref(load->loaded);
    load->on_subscriptions(err, NULL, load->ctx);
}

/* The rules come after the version that says whether they are current: later ones do no harm, earlier ones would stay. */
static void subscriptions_loaded(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct load *load = ph_container_of(req, struct load, req);

    if (err == PH_OK && !PQntuples(res))
        err = PH_ERR_NOT_FOUND;
    if (err != PH_OK) {
        load->on_subscriptions(err, NULL, load->ctx);
        return;
    }
    load->loaded = read_subscriptions(load, res);
    ph_db_req_init(&load->rules, &ph_sql_event_type_rules_load, load->arena, rules_loaded);
    ph_db_add_id(&load->rules, load->tenant);
    ph_db_send(load->db, &load->rules);
}

bool ph_subscriptions_takes(const struct ph_subscriptions *s, size_t endpoint,
                            struct ph_match *match)
{
    const struct ph_filter *filter = s->filters ? s->filter_of[endpoint] : NULL;

    if (!ph_endpoint_config_takes(s->endpoints[endpoint], match->event_type, match->channels,
                                  match->n_channels))
        return false;
    if (!filter)
        return true;
    if (!match->values)
        match->values = ph_filters_read(s->filters, match->arena, match->json);
    return ph_filter_matches(filter, match->values);
}

static int compare_rule(const void *name, const void *rule)
{
    const struct ph_str *a = name, *b = &((const struct ph_event_type_rule *)rule)->event_type;
    int order = memcmp(a->ptr, b->ptr, a->len < b->len ? a->len : b->len);

    return order ? order : a->len < b->len ? -1 : a->len > b->len;
}

const struct ph_event_type_rule *ph_subscriptions_rule(const struct ph_subscriptions *s,
                                                       struct ph_str event_type)
{
    return s->n_rules ? bsearch(&event_type, s->rules, s->n_rules, sizeof *s->rules, compare_rule)
                      : NULL;
}

struct ph_retry_schedule *ph_subscriptions_retry(const struct ph_subscriptions *s,
                                                 struct ph_str event_type)
{
    const struct ph_event_type_rule *rule = ph_subscriptions_rule(s, event_type);
    const struct ph_retry_schedule *found = rule && rule->retry ? rule->retry : s->tenant_retry;
    struct ph_retry_schedule *copy;

    if (!found)
        return NULL;
    copy = ph_malloc(sizeof *copy);
    *copy = *found;
    return copy;
}

void ph_subscriptions_load(
    struct ph_db *db, struct ph_arena *arena, const struct ph_keyring *keyring, struct ph_id tenant,
    struct ph_str id_or_uid,
    void (*on_loaded)(enum ph_err err, struct ph_subscriptions *loaded, void *ctx), void *ctx)
{
    struct load *load = ph_arena_new_of(arena, struct load);
    struct ph_id id;

    load->keyring = keyring;
    load->tenant = tenant;
    load->arena = arena;
    load->db = db;
    load->on_subscriptions = on_loaded;
    load->ctx = ctx;
    ph_db_req_init(&load->req, &ph_sql_subscriptions_load, arena, subscriptions_loaded);
    ph_db_add_id(&load->req, tenant);
    if (ph_id_parse(PH_ID_APPLICATION, id_or_uid, &id) == PH_OK)
        ph_db_add_id(&load->req, id);
    else
        ph_db_add_null(&load->req);
    ph_db_add_str(&load->req, id_or_uid);
    ph_db_send(db, &load->req);
}

static void configs_loaded(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct load *load = ph_container_of(req, struct load, req);
    struct ph_endpoint_config **configs = NULL;

    ph_db_array_free(&load->array);
    if (err == PH_OK) {
        configs = ph_arena_array_of(load->arena, struct ph_endpoint_config *, load->n_ids);
        for (int row = 0; row < PQntuples(res);) {
            struct ph_endpoint_config *config =
                read_endpoint(load->keyring, ph_db_id(res, row, COL_SECOND),
                              ph_db_id(res, row, COL_FIRST), res, &row);
            for (size_t i = 0; i < load->n_ids; i++)
                if (!configs[i] && ph_id_eq(load->ids[i], config->id))
                    configs[i] = ph_endpoint_config_ref(config);
            ph_endpoint_config_unref(config);
        }
    }
    load->on_configs(err, configs, load->ctx);
}

void ph_endpoint_configs_load(struct ph_db *db, struct ph_arena *arena,
                              const struct ph_keyring *keyring, const struct ph_id *ids, size_t n,
                              void (*on_loaded)(enum ph_err err,
                                                struct ph_endpoint_config **configs, void *ctx),
                              void *ctx)
{
    struct load *load = ph_arena_new_of(arena, struct load);

    load->keyring = keyring;
    load->arena = arena;
    load->on_configs = on_loaded;
    load->ctx = ctx;
    load->ids = (const struct ph_id *)ph_arena_copy(arena, ids, n * sizeof *ids);
    load->n_ids = n;
    ph_db_array_init(&load->array, PH_DB_UUIDS, 64 + n * 24);
    for (size_t i = 0; i < n; i++)
        ph_db_array_id(&load->array, ids[i]);
    ph_db_req_init(&load->req, &ph_sql_endpoint_configs_load, arena, configs_loaded);
    ph_db_add_array(&load->req, &load->array);
    ph_db_send(db, &load->req);
}

struct question {
    struct ph_db_req req;
    int64_t version;
    void (*on_known)(bool is_current, void *ctx);
    void (*on_schemas)(enum ph_err err, struct ph_str schemas, void *ctx);
    void *ctx;
};

static struct question *ask(struct ph_arena *arena, const struct ph_stmt *stmt, struct ph_id tenant,
                            struct ph_id id, int64_t version,
                            void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct question *q = ph_arena_new_of(arena, struct question);

    q->version = version;
    q->ctx = ctx;
    ph_db_req_init(&q->req, stmt, arena, on_done);
    ph_db_add_id(&q->req, tenant);
    ph_db_add_id(&q->req, id);
    return q;
}

static void version_known(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct question *q = ph_container_of(req, struct question, req);

    q->on_known(err == PH_OK && PQntuples(res) && ph_db_int(res, 0, 0) == q->version, q->ctx);
}

void ph_subscriptions_confirm(struct ph_db *db, struct ph_arena *arena,
                              const struct ph_subscriptions *s,
                              void (*on_known)(bool is_current, void *ctx), void *ctx)
{
    struct question *q = ask(arena, &ph_sql_application_version, s->tenant, s->application,
                             s->config_version, version_known, ctx);

    q->on_known = on_known;
    ph_db_send(db, &q->req);
}

static void schemas_known(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct question *q = ph_container_of(req, struct question, req);

    if (err == PH_OK && (!PQntuples(res) || ph_db_int(res, 0, 1) != q->version))
        err = PH_ERR_NOT_FOUND;
    q->on_schemas(err, err == PH_OK ? ph_db_str(res, 0, 0) : PH_STR_NONE, q->ctx);
}

void ph_event_type_schemas_load(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                                const struct ph_event_type_rule *rule,
                                void (*on_loaded)(enum ph_err err, struct ph_str schemas,
                                                  void *ctx),
                                void *ctx)
{
    struct question *q = ask(arena, &ph_sql_event_type_schemas_load, tenant, rule->id,
                             rule->version, schemas_known, ctx);

    q->on_schemas = on_loaded;
    ph_db_send(db, &q->req);
}
