#include "posthorn/subscription.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

static struct ph_keyring *keyring;

static struct ph_keyring *new_keyring(uint32_t key_id)
{
    uint8_t wrapped[PH_WRAPPED_BYTES];
    struct ph_keyring *made;

    assert_int_equal(ph_keyring_new(PH_STR("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), &made),
                     PH_OK);
    ph_keyring_make_key(made, key_id, wrapped);
    assert_int_equal(
        ph_keyring_add_key(made, key_id, (struct ph_str){(char *)wrapped, sizeof wrapped}), PH_OK);
    return made;
}

/* The text of a value sealed for a row, as bytea input. */
static const char *sealed_text(const struct ph_keyring *with, struct ph_id tenant, struct ph_id row,
                               struct ph_str plain)
{
    static char text[1024];
    uint8_t sealed[400];

    assert_true(plain.len + PH_SEAL_OVERHEAD <= sizeof sealed);
    ph_seal(with, tenant, row, plain, sealed);
    memcpy(text, "\\x", 2);
    ph_hex_encode(sealed, plain.len + PH_SEAL_OVERHEAD, text + 2);
    return text;
}

/* expires: SQL, "NULL" for the current secret. The secret's bytes are all `byte`. */
static void add_secret(const struct tenant *tenant, int endpoint, char byte, const char *expires)
{
    struct ph_id id = new_id();
    char bytes[32];

    memset(bytes, byte, sizeof bytes);
    run_sql(admin,
            "INSERT INTO endpoint_secrets (id, tenant_id, endpoint_id, sealed, expires_at) VALUES "
            "('%s', '%s', '%s', '%s', %s)",
            uuid_text(id), uuid_text(tenant->id), uuid_text(tenant->endpoints[endpoint]),
            sealed_text(keyring, tenant->id, id, (struct ph_str){bytes, sizeof bytes}), expires);
}

static void set_headers(const struct tenant *tenant, int endpoint, struct ph_str json)
{
    run_sql(admin, "UPDATE endpoints SET headers_sealed = '%s' WHERE id = '%s'",
            sealed_text(keyring, tenant->id, tenant->endpoints[endpoint], json),
            uuid_text(tenant->endpoints[endpoint]));
}

struct answer {
    bool done;
    enum ph_err err;
    struct ph_subscriptions *loaded;
    struct ph_endpoint_config *configs[8];
    size_t n;
};

static void on_loaded(enum ph_err err, struct ph_subscriptions *loaded, void *ctx)
{
    struct answer *answer = ctx;

    assert_false(answer->done);
    assert_true((loaded != NULL) == (err == PH_OK));
    *answer = (struct answer){.done = true, .err = err, .loaded = loaded};
}

static struct answer load(const struct tenant *tenant, struct ph_str id_or_uid)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};

    ph_subscriptions_load(db, arena, keyring, tenant->id, id_or_uid, on_loaded, &answer);
    assert_false(answer.done);
    wait_until(&answer.done, "load");
    ph_arena_free(arena);
    return answer;
}

static struct answer load_id(const struct tenant *tenant, struct ph_id application)
{
    char wire[PH_ID_WIRE_MAX];
    size_t len = ph_id_format(PH_ID_APPLICATION, application, wire);

    return load(tenant, (struct ph_str){wire, len});
}

static void on_configs(enum ph_err err, struct ph_endpoint_config **configs, void *ctx)
{
    struct answer *answer = ctx;

    assert_false(answer->done);
    answer->done = true;
    answer->err = err;
    for (size_t i = 0; i < answer->n; i++)
        answer->configs[i] = configs[i];
}

static struct answer load_configs(const struct ph_id *ids, size_t n)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {.n = n};
    struct ph_id copy[8] = {{{0}}};

    memcpy(copy, ids, n * sizeof *ids);
    ph_endpoint_configs_load(db, arena, keyring, copy, n, on_configs, &answer);
    memset(copy, 0, sizeof copy); /* the ids are copied */
    wait_until(&answer.done, "load");
    assert_int_equal(answer.err, PH_OK);
    ph_arena_free(arena);
    return answer;
}

static void unref_configs(struct answer *answer)
{
    for (size_t i = 0; i < answer->n; i++)
        ph_endpoint_config_unref(answer->configs[i]);
}

static void an_application_is_loaded_by_id_or_uid_within_its_tenant(void **state)
{
    struct tenant *tenants[] = {&red, &blue};
    (void)state;

    for (int i = 0; i < 4; i++) {
        struct tenant *tenant = tenants[i % 2];
        struct answer answer = i < 2 ? load(tenant, PH_STR("app"))
                                     : load_id(tenant, tenant->subscriptions.application);
        assert_int_equal(answer.err, PH_OK);
        struct ph_subscriptions *s = answer.loaded;
        assert_int_equal(s->refs, 1);
        assert_true(ph_id_eq(s->application, tenant->subscriptions.application));
        assert_true(ph_id_eq(s->tenant, tenant->id));
        assert_true(ph_str_eq_c(s->uid, "app"));
        assert_int_equal(s->config_version, 1);
        assert_int_equal(s->n_endpoints, ENDPOINTS);
        for (int e = 0; e < ENDPOINTS; e++) {
            assert_true(ph_id_eq(s->endpoints[e]->id, tenant->endpoints[e]));
            assert_true(ph_id_eq(s->endpoints[e]->tenant, tenant->id));
            assert_true(ph_id_eq(s->endpoints[e]->application, tenant->subscriptions.application));
        }
        ph_subscriptions_unref(s);
    }
    assert_int_equal(load_id(&red, blue.subscriptions.application).err, PH_ERR_NOT_FOUND);
    assert_int_equal(load(&red, PH_STR("nobody")).err, PH_ERR_NOT_FOUND);
    assert_int_equal(load_id(&red, new_id()).err, PH_ERR_NOT_FOUND);
}

/* A uid may look like an id. */
static void an_id_wins_over_a_uid(void **state)
{
    struct ph_id other = new_id();
    char wire[PH_ID_WIRE_MAX];
    (void)state;

    ph_id_format(PH_ID_APPLICATION, red.subscriptions.application, wire);
    run_sql(
        admin,
        "INSERT INTO applications (id, tenant_id, uid, name) VALUES ('%s', '%s', '%s', 'other')",
        uuid_text(other), uuid_text(red.id), wire);
    struct answer answer = load(&red, ph_str_of(wire));
    assert_int_equal(answer.err, PH_OK);
    assert_true(ph_id_eq(answer.loaded->application, red.subscriptions.application));
    ph_subscriptions_unref(answer.loaded);

    run_sql(admin, "DELETE FROM applications WHERE id = '%s'",
            uuid_text(red.subscriptions.application));
    answer = load(&red, ph_str_of(wire));
    assert_int_equal(answer.err, PH_OK);
    assert_true(ph_id_eq(answer.loaded->application, other));
    ph_subscriptions_unref(answer.loaded);
}

static void an_application_without_endpoints_or_uid_is_a_snapshot_too(void **state)
{
    (void)state;

    run_sql(admin, "DELETE FROM endpoints WHERE tenant_id = '%s'", uuid_text(red.id));
    run_sql(admin, "UPDATE applications SET uid = NULL, config_version = 9000000000");
    struct answer answer = load_id(&red, red.subscriptions.application);
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.loaded->n_endpoints, 0);
    assert_null(answer.loaded->uid.ptr);
    assert_true(answer.loaded->config_version == INT64_C(9000000000));
    ph_subscriptions_unref(answer.loaded);
}

static void check_full(const struct ph_endpoint_config *config)
{
    assert_true(ph_id_eq(config->id, red.endpoints[0]));
    assert_true(ph_id_eq(config->tenant, red.id));
    assert_true(ph_id_eq(config->application, red.subscriptions.application));
    assert_int_equal(config->version, 6); /* the endpoint's 5 and the tenant's 1 */
    assert_true(config->disabled);
    assert_true(ph_str_eq_c(config->url_text, "https://red.example:8443/hook?x=1"));
    assert_true(config->url.tls);
    assert_true(ph_str_eq_c(config->url.host, "red.example"));
    assert_int_equal(config->url.port, 8443);
    assert_true(ph_str_eq_c(config->url.target, "/hook?x=1"));
    assert_int_equal(config->n_event_types, 2);
    assert_true(ph_str_eq_c(config->event_types[0], "a.b"));
    assert_true(ph_str_eq_c(config->event_types[1], "c"));
    assert_int_equal(config->n_channels, 1);
    assert_true(ph_str_eq_c(config->channels[0], "west"));
    assert_true(ph_str_eq_c(config->header_lines, "X-One: 1\r\nX-Two: b c\r\n"));
    assert_int_equal(config->n_secrets, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(config->secrets[i].secret.len, 32);
        assert_int_equal(config->secrets[i].secret.bytes[31], "CBA"[i]);
    }
    assert_int_equal(config->secrets[0].expires_ms, 0);
    assert_true(config->secrets[1].expires_ms > config->secrets[2].expires_ms);
    assert_in_range(config->secrets[2].expires_ms - ph_clock_wall_ms(), 3000000, 3600000);
}

static void fill_endpoint(void)
{
    run_sql(admin,
            "UPDATE endpoints SET version = 5, disabled = true, url = "
            "'https://red.example:8443/hook?x=1', "
            "event_types = '{a.b,c}', channels = '{west}' WHERE id = '%s'",
            uuid_text(red.endpoints[0]));
    set_headers(&red, 0, PH_STR("{\"X-One\":\"1\",\"X-Two\":\"b c\"}"));
    add_secret(&red, 0, 'A', "now() + interval '1 hour'");
    add_secret(&red, 0, 'B', "now() + interval '2 hours'");
    add_secret(&red, 0, 'C', "NULL");
    add_secret(&red, 0, 'D', "now() - interval '1 second'");
    add_secret(&red, 1, 'E', "NULL");
    add_secret(&blue, 0, 'F', "NULL");
}

static void
an_endpoint_comes_with_filters_headers_and_valid_secrets_the_current_one_first(void **state)
{
    struct answer answer;
    (void)state;

    fill_endpoint();
    answer = load(&red, PH_STR("app"));
    assert_int_equal(answer.err, PH_OK);
    assert_int_equal(answer.loaded->n_endpoints, ENDPOINTS);
    check_full(answer.loaded->endpoints[0]);
    assert_int_equal(answer.loaded->endpoints[1]->n_secrets, 1);
    assert_int_equal(answer.loaded->endpoints[1]->secrets[0].secret.bytes[0], 'E');
    assert_int_equal(answer.loaded->endpoints[1]->header_lines.len, 0);
    assert_false(answer.loaded->endpoints[1]->disabled);
    assert_int_equal(answer.loaded->endpoints[2]->n_secrets, 0);
    assert_int_equal(answer.loaded->endpoints[2]->n_event_types, 0);
    assert_int_equal(answer.loaded->endpoints[2]->n_channels, 0);
    ph_subscriptions_unref(answer.loaded);
}

static void check_style(const struct ph_endpoint_config *config, enum ph_sign_profile profile,
                        const char *prefix, const char *header)
{
    assert_int_equal(config->style.profile, profile);
    assert_true(ph_str_eq_c(config->style.prefix, prefix));
    assert_true(ph_str_eq_c(config->style.header, header));
}

static void the_style_is_the_endpoint_s_else_the_tenant_s_and_grows_the_version(void **state)
{
    struct answer answer;
    int64_t before;
    (void)state;

    answer = load_configs(red.endpoints, 2);
    check_style(answer.configs[0], PH_SIGN_STANDARD, "webhook", "X-Signature");
    before = answer.configs[1]->version;
    unref_configs(&answer);

    run_sql(admin,
            "UPDATE tenants SET version = version + 1, header_prefix = 'svix', signature_profile = "
            "'hmac-hex', signature_header = 'X-Red' WHERE id = '%s'",
            uuid_text(red.id));
    run_sql(admin,
            "UPDATE endpoints SET signature_profile = 'stripe', signature_header = 'X-Own' "
            "WHERE id = '%s'",
            uuid_text(red.endpoints[0]));
    answer = load_configs(red.endpoints, 2);
    check_style(answer.configs[0], PH_SIGN_STRIPE, "svix", "X-Own");
    check_style(answer.configs[1], PH_SIGN_HMAC_HEX, "svix", "X-Red");
    assert_true(answer.configs[1]->version == before + 1);
    unref_configs(&answer);

    answer = load(&red, PH_STR("app"));
    check_style(answer.loaded->endpoints[0], PH_SIGN_STRIPE, "svix", "X-Own");
    check_style(answer.loaded->endpoints[1], PH_SIGN_HMAC_HEX, "svix", "X-Red");
    assert_true(answer.loaded->endpoints[1]->version == before + 1);
    ph_subscriptions_unref(answer.loaded);
    answer = load(&blue, PH_STR("app"));
    check_style(answer.loaded->endpoints[0], PH_SIGN_STANDARD, "webhook", "X-Signature");
    ph_subscriptions_unref(answer.loaded);
}

static void secrets_come_with_their_kind(void **state)
{
    struct answer answer;
    (void)state;

    add_secret(&red, 0, 'A', "now() + interval '1 hour'");
    run_sql(admin, "UPDATE endpoint_secrets SET kind = 2");
    add_secret(&red, 0, 'B', "NULL");
    answer = load_configs(red.endpoints, 1);
    assert_int_equal(answer.configs[0]->n_secrets, 2);
    assert_int_equal(answer.configs[0]->secrets[0].secret.kind, PH_SECRET_HMAC);
    assert_int_equal(answer.configs[0]->secrets[1].secret.kind, PH_SECRET_TEXT);
    unref_configs(&answer);
}

static void check_waits(const struct ph_retry_schedule *schedule, int n, int64_t first_ms)
{
    assert_non_null(schedule);
    assert_int_equal(schedule->n_waits, n);
    if (n)
        assert_true(schedule->wait_ms[0] == first_ms);
}

static void an_endpoint_comes_with_its_own_retry_schedule(void **state)
{
    struct answer answer;
    (void)state;

    run_sql(admin, "UPDATE endpoints SET retry_schedule = '{5,60,-1,99999999}' WHERE id = '%s'",
            uuid_text(red.endpoints[0]));
    run_sql(admin, "UPDATE endpoints SET retry_schedule = '{}' WHERE id = '%s'",
            uuid_text(red.endpoints[1]));
    answer = load_configs(red.endpoints, 3);
    check_waits(answer.configs[0]->retry, 4, 5000);
    assert_true(answer.configs[0]->retry->wait_ms[1] == 60000);
    assert_true(answer.configs[0]->retry->wait_ms[2] == 0); /* cut to what there may be */
    assert_true(answer.configs[0]->retry->wait_ms[3] == INT64_C(1000) * PH_RETRY_WAIT_MAX_S);
    check_waits(answer.configs[1]->retry, 0, 0);
    assert_null(answer.configs[2]->retry);
    unref_configs(&answer);
    answer = load(&red, PH_STR("app"));
    check_waits(answer.loaded->endpoints[0]->retry, 4, 5000);
    assert_null(answer.loaded->endpoints[2]->retry);
    ph_subscriptions_unref(answer.loaded);
}

static void check_retry(const struct ph_subscriptions *s, const char *type, int n, int64_t first_ms)
{
    struct ph_retry_schedule *schedule = ph_subscriptions_retry(s, ph_str_of(type));

    check_waits(schedule, n, first_ms);
    free(schedule);
}

static void a_message_s_retry_schedule_is_its_type_s_else_its_tenant_s(void **state)
{
    struct answer answer;
    (void)state;

    for (int i = 0; i < 3; i++)
        run_sql(admin,
                "INSERT INTO event_types (id, tenant_id, name, description, retry_schedule) VALUES "
                "('%s', '%s', '%s', '', %s)",
                uuid_text(new_id()), uuid_text(i == 2 ? blue.id : red.id),
                i == 1 ? "plain" : "invoice.paid",
                i == 1   ? "NULL"
                : i == 2 ? "'{99,98}'"
                         : "'{7,8,9}'");
    answer = load(&red, PH_STR("app"));
    check_retry(answer.loaded, "invoice.paid", 3, 7000);
    assert_null(ph_subscriptions_retry(answer.loaded, PH_STR("plain")));
    assert_null(ph_subscriptions_retry(answer.loaded, PH_STR("invoice")));
    ph_subscriptions_unref(answer.loaded);

    run_sql(admin, "UPDATE tenants SET retry_schedule = '{60}' WHERE id = '%s'", uuid_text(red.id));
    answer = load(&red, PH_STR("app"));
    check_retry(answer.loaded, "invoice.paid", 3, 7000);
    check_retry(answer.loaded, "plain", 1, 60000);
    check_retry(answer.loaded, "unknown", 1, 60000);
    ph_subscriptions_unref(answer.loaded);
    answer = load(&blue, PH_STR("app"));
    check_retry(answer.loaded, "invoice.paid", 2, 99000);
    assert_null(ph_subscriptions_retry(answer.loaded, PH_STR("unknown")));
    ph_subscriptions_unref(answer.loaded);
}

/* What is ordered, throttled or paused is served by claims only. */
static bool takes(const struct ph_subscriptions *s, size_t endpoint, const char *json)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_match match = {.event_type = PH_STR("a.b"), .json = ph_str_of(json), .arena = arena};
    bool answer = ph_subscriptions_takes(s, endpoint, &match);

    ph_arena_free(arena);
    return answer;
}

static void a_filter_looks_at_the_payload_of_messages_that_pass_all_else(void **state)
{
    struct answer answer;
    (void)state;

    run_sql(admin,
            "UPDATE endpoints SET filter = '{\"path\":\"n\",\"op\":\"gt\",\"value\":1}' WHERE id = "
            "'%s'",
            uuid_text(red.endpoints[0]));
    run_sql(admin,
            "UPDATE endpoints SET event_types = '{other}', filter = "
            "'{\"path\":\"n\",\"op\":\"exists\"}' WHERE id = '%s'",
            uuid_text(red.endpoints[1]));
    answer = load(&red, PH_STR("app"));
    assert_true(takes(answer.loaded, 0, "{\"n\":2}"));
    assert_false(takes(answer.loaded, 0, "{\"n\":1}"));
    assert_false(takes(answer.loaded, 1, "{\"n\":2}"));
    assert_true(takes(answer.loaded, 2, "{\"n\":1}"));
    ph_subscriptions_unref(answer.loaded);
}

static void an_endpoint_whose_filter_is_not_valid_counts_as_disabled(void **state)
{
    struct answer answer;
    (void)state;

    run_sql(admin, "UPDATE endpoints SET filter = '{\"path\":5,\"op\":\"eq\"}' WHERE id = '%s'",
            uuid_text(red.endpoints[0]));
    answer = load(&red, PH_STR("app"));
    assert_true(answer.loaded->endpoints[0]->disabled);
    assert_true(takes(answer.loaded, 0, "{}")); /* what it would take is skipped */
    assert_false(answer.loaded->endpoints[1]->disabled);
    ph_subscriptions_unref(answer.loaded);
}

static void add_event_type(const struct tenant *tenant, const char *name, const char *validation)
{
    run_sql(
        admin,
        "INSERT INTO event_types (id, tenant_id, name, description, schemas, schema_validation) "
        "VALUES ('%s', '%s', '%s', '', '{\"1\":{\"type\":\"object\"}}', '%s')",
        uuid_text(new_id()), uuid_text(tenant->id), name, validation);
}

static long version_of(const struct tenant *tenant)
{
    return ask_number("SELECT config_version FROM applications WHERE id = '%s'",
                      uuid_text(tenant->subscriptions.application));
}

static void a_change_of_what_is_checked_outdates_the_tenant_s_applications(void **state)
{
    static const char *const changes[] = {
        "UPDATE event_types SET schema_validation = 'warn'",
        "UPDATE event_types SET schemas = '{}'",
        "UPDATE event_types SET archived = true",
        "UPDATE event_types SET schema_validation = 'off'",
        "UPDATE event_types SET schema_validation = 'enforce', archived = false",
        "DELETE FROM event_types",
    };
    long red_version, blue_version = version_of(&blue);
    (void)state;

    red_version = version_of(&red);
    add_event_type(&red, "a.a", "off");
    run_sql(admin, "UPDATE event_types SET schemas = NULL");
    assert_int_equal(version_of(&red), red_version);
    add_event_type(&red, "a.b", "enforce");
    assert_int_equal(version_of(&red), ++red_version);
    run_sql(admin, "UPDATE event_types SET description = 'x', updated_at = now()");
    assert_int_equal(version_of(&red), red_version);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        run_sql(admin, "%s", changes[i]);
        assert_int_equal(version_of(&red), ++red_version); /* once, for both types */
    }
    assert_int_equal(version_of(&blue), blue_version);
    add_event_type(&red, "a.b", "enforce");
    run_sql(admin, "DELETE FROM tenants WHERE id = '%s'", uuid_text(red.id)); /* takes them along */
}

static void on_known(bool is_current, void *ctx)
{
    struct answer *answer = ctx;

    assert_false(answer->done);
    answer->done = true;
    answer->n = is_current;
}

static void on_schemas(enum ph_err err, struct ph_str schemas, void *ctx)
{
    struct answer *answer = ctx;

    assert_false(answer->done);
    answer->done = true;
    answer->err = err;
    answer->n = schemas.len;
}

static bool confirm(const struct ph_subscriptions *s)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};

    ph_subscriptions_confirm(db, arena, s, on_known, &answer);
    wait_until(&answer.done, "confirm");
    ph_arena_free(arena);
    return answer.n;
}

static enum ph_err load_schemas(const struct ph_event_type_rule *rule)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0};

    ph_event_type_schemas_load(db, arena, red.id, rule, on_schemas, &answer);
    wait_until(&answer.done, "schemas");
    ph_arena_free(arena);
    assert_int_equal(answer.n, answer.err == PH_OK ? 23 : 0);
    return answer.err;
}

static void rules_are_found_by_name_and_known_to_be_current(void **state)
{
    static const char *const names[] = {"b", "a.c", "a", "a-b", "Z", "a.b.c", "a.b"};
    const struct ph_event_type_rule *rule;
    struct answer answer;
    (void)state;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        add_event_type(&red, names[i], i % 2 ? "warn" : "enforce");
    add_event_type(&red, "a.off", "off");
    answer = load(&red, PH_STR("app"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        rule = ph_subscriptions_rule(answer.loaded, ph_str_of(names[i]));
        assert_non_null(rule);
        assert_int_equal(rule->validation, i % 2 ? PH_SCHEMA_WARN : PH_SCHEMA_ENFORCE);
    }
    assert_null(ph_subscriptions_rule(answer.loaded, PH_STR("a.off")));
    assert_null(ph_subscriptions_rule(answer.loaded, PH_STR("a.")));
    rule = ph_subscriptions_rule(answer.loaded, PH_STR("a.b"));
    assert_true(confirm(answer.loaded));
    assert_int_equal(load_schemas(rule), PH_OK);
    run_sql(admin, "UPDATE event_types SET schema_validation = 'warn'");
    assert_false(confirm(answer.loaded));
    assert_int_equal(load_schemas(rule), PH_ERR_NOT_FOUND);
    ph_subscriptions_unref(answer.loaded);
}

static void deliveries_of_such_endpoints_wait_in_the_database(void **state)
{
    static const struct {
        const char *set;
        bool queued, paused;
    } rows[] = {
        {"paused = true", true, true},          {"paused = false", false, false},
        {"ordering = 'fifo'", true, false},     {"ordering = NULL", false, false},
        {"throttle_rate = 1", true, false},     {"throttle_rate = 0", false, false},
        {"throttle_rate = NULL", false, false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct answer answer;
        run_sql(admin, "UPDATE endpoints SET %s WHERE id = '%s'", rows[i].set,
                uuid_text(red.endpoints[1]));
        answer = load_configs(red.endpoints, 2);
        assert_false(answer.configs[0]->queued);
        assert_int_equal(answer.configs[1]->queued, rows[i].queued);
        assert_int_equal(answer.configs[1]->paused, rows[i].paused);
        unref_configs(&answer);
    }
}

static void configurations_are_loaded_in_the_order_asked_for(void **state)
{
    struct ph_id gone = new_id(), ids[5] = {blue.endpoints[0], gone, red.endpoints[0],
                                            red.endpoints[1], blue.endpoints[0]};
    struct answer answer;
    (void)state;

    fill_endpoint();
    answer = load_configs(ids, 5);
    assert_true(ph_id_eq(answer.configs[0]->id, blue.endpoints[0]));
    assert_true(ph_id_eq(answer.configs[0]->tenant, blue.id));
    assert_true(ph_id_eq(answer.configs[0]->application, blue.subscriptions.application));
    assert_int_equal(answer.configs[0]->secrets[0].secret.bytes[0], 'F');
    assert_null(answer.configs[1]);
    check_full(answer.configs[2]);
    assert_true(ph_id_eq(answer.configs[3]->id, red.endpoints[1]));
    assert_true(ph_id_eq(answer.configs[4]->id, blue.endpoints[0]));
    unref_configs(&answer);
    answer = load_configs(&gone, 1);
    assert_null(answer.configs[0]);
}

/* Of another master key, damaged, or moved there from another row. */
static void what_does_not_unseal_is_left_out(void **state)
{
    struct ph_keyring *other = new_keyring(1);
    struct ph_id id = new_id();
    struct answer answer;
    (void)state;

    add_secret(&red, 0, 'A', "now() + interval '1 hour'");
    run_sql(admin,
            "INSERT INTO endpoint_secrets (id, tenant_id, endpoint_id, sealed) VALUES ('%s', '%s', "
            "'%s', '%s')",
            uuid_text(id), uuid_text(red.id), uuid_text(red.endpoints[0]),
            sealed_text(other, red.id, id, PH_STR("01234567890123456789012345678901")));
    run_sql(admin,
            "INSERT INTO endpoint_secrets (id, tenant_id, endpoint_id, sealed, expires_at) VALUES "
            "('%s', '%s', '%s', "
            "'%s', now() + interval '1 hour')",
            uuid_text(new_id()), uuid_text(red.id), uuid_text(red.endpoints[0]),
            sealed_text(keyring, red.id, id, PH_STR("of another row")));
    run_sql(admin,
            "INSERT INTO endpoint_secrets (id, tenant_id, endpoint_id, sealed) VALUES ('%s', '%s', "
            "'%s', "
            "decode(repeat('01', 1000), 'hex'))",
            uuid_text(new_id()), uuid_text(red.id), uuid_text(red.endpoints[0]));
    set_headers(&red, 0, PH_STR("not JSON"));
    run_sql(admin, "UPDATE endpoints SET headers_sealed = '\\x0102' WHERE id = '%s'",
            uuid_text(red.endpoints[1]));
    set_headers(&blue, 0, PH_STR("{\"X\":\"1\"}"));

    answer = load_configs(red.endpoints, 2);
    assert_int_equal(answer.configs[0]->n_secrets, 1);
    assert_int_equal(answer.configs[0]->secrets[0].secret.bytes[0], 'A');
    assert_int_equal(answer.configs[0]->header_lines.len, 0);
    assert_int_equal(answer.configs[1]->header_lines.len, 0);
    assert_false(answer.configs[0]->disabled);
    unref_configs(&answer);
    answer = load_configs(blue.endpoints, 1);
    assert_true(ph_str_eq_c(answer.configs[0]->header_lines, "X: 1\r\n"));
    unref_configs(&answer);
    ph_keyring_free(other);
}

static void an_endpoint_whose_url_is_not_valid_counts_as_disabled(void **state)
{
    (void)state;

    run_sql(admin, "UPDATE endpoints SET url = 'ftp://red.example/' WHERE id = '%s'",
            uuid_text(red.endpoints[0]));
    struct answer answer = load_configs(red.endpoints, 2);
    assert_true(answer.configs[0]->disabled);
    assert_false(answer.configs[1]->disabled);
    unref_configs(&answer);
}

static void an_endpoint_outlives_its_snapshot(void **state)
{
    struct answer answer = load(&red, PH_STR("app"));
    struct ph_endpoint_config *config = ph_endpoint_config_ref(answer.loaded->endpoints[1]);
    (void)state;

    assert_ptr_equal(ph_subscriptions_ref(answer.loaded), answer.loaded);
    ph_subscriptions_unref(answer.loaded);
    assert_int_equal(answer.loaded->refs, 1);
    ph_subscriptions_unref(answer.loaded);
    ph_subscriptions_unref(NULL);
    assert_true(ph_str_eq_c(config->url_text, "https://red.example/1"));
    ph_endpoint_config_unref(config);
}

static void a_failed_load_says_why(void **state)
{
    struct ph_arena *arena = ph_arena_new();
    struct answer answer = {0}, configs = {0};
    (void)state;

    test_exec(admin, "ALTER TABLE endpoints RENAME COLUMN version TO moved");
    ph_subscriptions_load(db, arena, keyring, red.id, PH_STR("app"), on_loaded, &answer);
    ph_endpoint_configs_load(db2, arena, keyring, red.endpoints, 1, on_configs, &configs);
    wait_until(&answer.done, "load");
    wait_until(&configs.done, "load");
    test_exec(admin, "ALTER TABLE endpoints RENAME COLUMN moved TO version");
    assert_int_equal(answer.err, PH_ERR_DB_FAILED);
    assert_int_equal(configs.err, PH_ERR_DB_FAILED);
    ph_arena_free(arena);
}

static int set_up(void **state)
{
    (void)state;
    keyring = new_keyring(1);
    return set_up_database("posthorn_subscription_test");
}

static int tear_down(void **state)
{
    ph_keyring_free(keyring);
    return tear_down_database(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_application_is_loaded_by_id_or_uid_within_its_tenant),
        TEST(an_id_wins_over_a_uid),
        TEST(an_application_without_endpoints_or_uid_is_a_snapshot_too),
        TEST(an_endpoint_comes_with_filters_headers_and_valid_secrets_the_current_one_first),
        TEST(the_style_is_the_endpoint_s_else_the_tenant_s_and_grows_the_version),
        TEST(secrets_come_with_their_kind),
        TEST(an_endpoint_comes_with_its_own_retry_schedule),
        TEST(a_message_s_retry_schedule_is_its_type_s_else_its_tenant_s),
        TEST(a_filter_looks_at_the_payload_of_messages_that_pass_all_else),
        TEST(an_endpoint_whose_filter_is_not_valid_counts_as_disabled),
        TEST(a_change_of_what_is_checked_outdates_the_tenant_s_applications),
        TEST(rules_are_found_by_name_and_known_to_be_current),
        TEST(deliveries_of_such_endpoints_wait_in_the_database),
        TEST(configurations_are_loaded_in_the_order_asked_for),
        TEST(what_does_not_unseal_is_left_out),
        TEST(an_endpoint_whose_url_is_not_valid_counts_as_disabled),
        TEST(an_endpoint_outlives_its_snapshot),
        TEST(a_failed_load_says_why),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
