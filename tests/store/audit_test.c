#include "posthorn/audit.h"
#include "posthorn/claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#include <libpq-fe.h>

static struct ph_db *api;

struct answer {
    struct ph_arena *arena;
    bool done;
    enum ph_err err;
    size_t n;
    char actions[1024]; /* of a page, each followed by a space */
    char first[256];    /* kind, name, object and fields of its first entry */
    struct ph_id last;
    struct ph_list_end end;
    struct ph_id objects[2];
};

static int set_up_api(void **state)
{
    begin_test(state);
    api = ph_db_new(loop, &(struct ph_db_options){.conninfo = database,
                                                  .role = PH_DB_API,
                                                  .connections = 1,
                                                  .max_waiting = 100,
                                                  .name = "api"});
    return 0;
}

static int tear_down_api(void **state)
{
    close_db(api);
    return end_test(state);
}

static void answer_begin(struct answer *answer)
{
    *answer = (struct answer){.arena = ph_arena_new()};
}

static void on_added(void *ctx, enum ph_err err)
{
    struct answer *answer = ctx;

    answer->done = true;
    answer->err = err;
}

static enum ph_err add_as(struct ph_db *role, const struct ph_audit_entry *entry)
{
    struct answer answer;

    answer_begin(&answer);
    ph_audit_add(role, answer.arena, entry, on_added, &answer);
    wait_until(&answer.done, "an entry is added");
    ph_arena_free(answer.arena);
    return answer.err;
}

static void add(struct ph_id tenant, const char *action, const char *object,
                const char *application, const char *actor)
{
    struct ph_audit_entry entry = {
        .tenant = tenant,
        .actor_kind = PH_STR("member"),
        .actor_id = actor ? ph_str_of(actor) : PH_STR_NONE,
        .action = ph_str_of(action),
        .object_kind = PH_STR("thing"),
        .object_id = object ? ph_str_of(object) : PH_STR_NONE,
        .application = application ? ph_str_of(application) : PH_STR_NONE,
    };

    assert_int_equal(add_as(api, &entry), PH_OK);
}

static void on_page(void *ctx, enum ph_err err, const struct ph_audit_entry *entries, size_t n,
                    const struct ph_list_end *end)
{
    struct answer *answer = ctx;

    answer->done = true;
    answer->err = err;
    answer->n = n;
    if (err != PH_OK)
        return;
    answer->end = *end;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(answer->actions);
        snprintf(answer->actions + len, sizeof answer->actions - len, "%.*s ",
                 (int)entries[i].action.len, entries[i].action.ptr);
    }
    if (n > 0) {
        answer->last = entries[n - 1].id;
        snprintf(answer->first, sizeof answer->first, "%.*s %.*s %.*s %zu %.*s",
                 (int)entries[0].actor_kind.len, entries[0].actor_kind.ptr,
                 (int)entries[0].actor_name.len, entries[0].actor_name.ptr,
                 (int)entries[0].object_id.len, entries[0].object_id.ptr, entries[0].n_fields,
                 (int)entries[0].user_agent.len, entries[0].user_agent.ptr);
    }
}

static struct answer page(struct ph_id tenant, int64_t limit, struct ph_id from, bool backwards,
                          const struct ph_audit_filter *filter)
{
    struct ph_list list = {
        .limit = limit, .descending = true, .from = from, .backwards = backwards};
    struct answer answer;

    answer_begin(&answer);
    ph_audit_list(api, answer.arena, tenant, &list, filter, on_page, &answer);
    wait_until(&answer.done, "a page is there");
    ph_arena_free(answer.arena);
    assert_int_equal(answer.err, PH_OK);
    return answer;
}

static void shows(const char *actions, struct ph_id tenant, const struct ph_audit_filter *filter)
{
    struct answer answer = page(tenant, 50, (struct ph_id){{0}}, false, filter);

    assert_string_equal(answer.actions, actions);
    assert_true(answer.end.done);
}

static void entries_are_listed_newest_first_by_what_is_asked_for(void **state)
{
    struct ph_id none = {{0}};
    struct answer answer;
    (void)state;

    add(red.id, "a.one", "app_1", "app_1", "usr_1");
    add(red.id, "a.two", "ep_1", "app_1", "usr_2");
    add(red.id, "a.three", "ep_2", "app_2", "usr_1");
    add(red.id, "a.two", NULL, NULL, NULL);
    add(blue.id, "a.blue", "ep_1", "app_1", "usr_1");
    shows("a.two a.three a.two a.one ", red.id, &(struct ph_audit_filter){0});
    shows("a.two a.one ", red.id, &(struct ph_audit_filter){.object = PH_STR("app_1")});
    shows("a.two ", red.id, &(struct ph_audit_filter){.object = PH_STR("ep_1")});
    shows("a.three a.one ", red.id, &(struct ph_audit_filter){.actor = PH_STR("usr_1")});
    shows("a.two a.two ", red.id, &(struct ph_audit_filter){.action = PH_STR("a.two")});
    shows("a.one ", red.id,
          &(struct ph_audit_filter){.object = PH_STR("app_1"), .actor = PH_STR("usr_1")});
    shows("a.two ", red.id,
          &(struct ph_audit_filter){.actor = PH_STR("usr_2"), .action = PH_STR("a.two")});
    shows("", red.id, &(struct ph_audit_filter){.action = PH_STR("a.blue")});
    shows("a.blue ", blue.id, &(struct ph_audit_filter){0});

    answer = page(red.id, 2, none, false, &(struct ph_audit_filter){0});
    assert_string_equal(answer.actions, "a.two a.three ");
    assert_false(answer.end.done);
    answer = page(red.id, 2, answer.last, false, &(struct ph_audit_filter){0});
    assert_string_equal(answer.actions, "a.two a.one ");
    assert_true(answer.end.done);
    answer = page(red.id, 2, answer.last, true, &(struct ph_audit_filter){0});
    assert_string_equal(answer.actions, "a.three a.two ");
    shows("", red.id, &(struct ph_audit_filter){.before = answer.last, .after = answer.last});
}

/* More than are walked for one page do not have both, and those that do lie behind them. */
static void two_filters_walk_a_bounded_part_for_each_page(void **state)
{
    struct ph_audit_filter filter = {.actor = PH_STR("usr_1"), .action = PH_STR("a.rare")};
    struct answer answer;
    (void)state;

    add(red.id, "a.rare", NULL, NULL, "usr_1");
    run_sql(
        admin,
        "INSERT INTO audit_log (tenant_id, id, actor_kind, actor_id, action, object_kind) SELECT "
        "'%s', uuid_floor(now() + n * interval '1 second'), 'member', 'usr_1', 'a.usual', 'a' "
        "FROM generate_series(1, %d) n",
        uuid_text(red.id), PH_LIST_WALK_MAX + 10);
    answer = page(red.id, 10, (struct ph_id){{0}}, false, &filter);
    assert_int_equal(answer.n, 0);
    assert_false(answer.end.done);
    answer = page(red.id, 10, answer.end.walked_to, false, &filter);
    assert_string_equal(answer.actions, "a.rare ");
    assert_true(answer.end.done);
}

static void the_name_of_a_key_is_kept(void **state)
{
    struct ph_id key = new_id();
    struct ph_str fields[] = {PH_STR("url"), PH_STR("name")};
    struct ph_audit_entry entry = {.tenant = red.id,
                                   .actor_kind = PH_STR("api-key"),
                                   .actor = key,
                                   .action = PH_STR("a.b"),
                                   .object_kind = PH_STR("a"),
                                   .object_id = PH_STR("x"),
                                   .fields = fields,
                                   .n_fields = 2,
                                   .user_agent = PH_STR("agent")};
    (void)state;

    run_sql(
        admin,
        "INSERT INTO api_keys (id, tenant_id, name, key_hash) VALUES ('%s', '%s', 'my key', 'x')",
        uuid_text(key), uuid_text(red.id));
    assert_int_equal(add_as(api, &entry), PH_OK);
    run_sql(admin, "UPDATE api_keys SET name = 'renamed'");
    assert_string_equal(
        page(red.id, 5, (struct ph_id){{0}}, false, &(struct ph_audit_filter){0}).first,
        "api-key my key x 2 agent");
}

static void what_is_no_plain_text_is_left_out(void **state)
{
    struct ph_str accents = PH_STR("\xc3\xa9\xc3\xa9\xc3\xa9");
    (void)state;

    assert_int_equal(ph_audit_text(accents, 5).len, 4);
    assert_int_equal(ph_audit_text(accents, 6).len, 6);
    assert_null(ph_audit_text(PH_STR("a\xff"), 10).ptr);
    assert_null(ph_audit_text(PH_STR("a\nb"), 10).ptr);
    assert_null(ph_audit_text(PH_STR_NONE, 10).ptr);
}

static void on_objects(void *ctx, enum ph_err err, struct ph_id application, struct ph_id endpoint)
{
    struct answer *answer = ctx;

    answer->done = true;
    answer->err = err;
    answer->objects[0] = application;
    answer->objects[1] = endpoint;
}

static struct answer find_objects(struct ph_id tenant, struct ph_str app, struct ph_str ep,
                                  struct ph_id within)
{
    struct answer answer;

    answer_begin(&answer);
    ph_audit_find_objects(api, answer.arena, tenant, app, ep, within, on_objects, &answer);
    wait_until(&answer.done, "objects are found");
    ph_arena_free(answer.arena);
    assert_int_equal(answer.err, PH_OK);
    return answer;
}

static void uids_of_a_path_become_ids(void **state)
{
    struct ph_id none = {{0}};
    struct ph_str app = PH_STR("app"), ep = PH_STR("ep1");
    struct answer answer;
    (void)state;

    answer = find_objects(red.id, app, ep, none);
    assert_true(ph_id_eq(answer.objects[0], red.subscriptions.application));
    assert_true(ph_id_eq(answer.objects[1], red.endpoints[1]));
    answer = find_objects(blue.id, PH_STR_NONE, ep, blue.subscriptions.application);
    assert_true(ph_id_eq(answer.objects[1], blue.endpoints[1]));
    answer = find_objects(blue.id, PH_STR_NONE, ep, red.subscriptions.application);
    assert_true(ph_id_is_zero(answer.objects[1]));
    answer = find_objects(red.id, PH_STR("nothing"), ep, none);
    assert_true(ph_id_is_zero(answer.objects[0]) && ph_id_is_zero(answer.objects[1]));
}

static void refuses(const char *role, const char *sql)
{
    PGresult *res;

    run_sql(hand, "BEGIN; SET LOCAL ROLE %s; SELECT set_config('posthorn.tenant_id', '%s', true)",
            role, uuid_text(red.id));
    res = PQexec(hand, sql);
    assert_string_equal(PQresultErrorField(res, PG_DIAG_SQLSTATE), "42501");
    PQclear(res);
    run_sql(hand, "ROLLBACK");
}

static void nobody_changes_what_is_written(void **state)
{
    struct ph_audit_entry foreign = {.tenant = blue.id,
                                     .actor_kind = PH_STR("operator"),
                                     .action = PH_STR("a.b"),
                                     .object_kind = PH_STR("a")};
    (void)state;

    add(red.id, "a.one", NULL, NULL, NULL);
    refuses("posthorn_api", "UPDATE audit_log SET action = 'a.other'");
    refuses("posthorn_api", "DELETE FROM audit_log");
    refuses("posthorn_api", "TRUNCATE audit_log");
    refuses("posthorn_api", "INSERT INTO audit_log (tenant_id, id, actor_kind, action, object_kind)"
                            " VALUES (gen_random_uuid(), gen_random_uuid(), 'a', 'a', 'a')");
    refuses("posthorn_api", "INSERT INTO audit_log SELECT * FROM audit_log"
                            " ON CONFLICT (tenant_id, id) DO UPDATE SET action = 'a.other'");
    refuses("posthorn_engine", "UPDATE audit_log SET action = 'a.other'");
    shows("a.one ", red.id, &(struct ph_audit_filter){0});
    assert_int_equal(add_as(db, &foreign), PH_OK);
    shows("a.b ", blue.id, &(struct ph_audit_filter){0});
}

static void on_number(enum ph_err err, int32_t n, void *ctx)
{
    (void)n;
    on_added(ctx, err);
}

static void old_entries_are_removed(void **state)
{
    struct answer answer;
    (void)state;

    run_sql(admin,
            "INSERT INTO audit_log (tenant_id, id, actor_kind, action, object_kind) SELECT '%s', "
            "uuid_floor(now() - d * interval '1 day'), 'a', 'a.' || d, 'a' FROM "
            "unnest('{1,9,11}'::int[]) d",
            uuid_text(red.id));
    answer_begin(&answer);
    ph_housekeeping_run(db, answer.arena, 30, 10, on_number, &answer);
    wait_until(&answer.done, "housekeeping");
    ph_arena_free(answer.arena);
    assert_int_equal(answer.err, PH_OK);
    shows("a.1 a.9 ", red.id, &(struct ph_audit_filter){0});
}

static int set_up(void **state)
{
    (void)state;
    return set_up_database("posthorn_audit_test");
}

#define API_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_api, tear_down_api)

int main(void)
{
    const struct CMUnitTest tests[] = {
        API_TEST(entries_are_listed_newest_first_by_what_is_asked_for),
        API_TEST(two_filters_walk_a_bounded_part_for_each_page),
        API_TEST(the_name_of_a_key_is_kept),
        API_TEST(what_is_no_plain_text_is_left_out),
        API_TEST(uids_of_a_path_become_ids),
        API_TEST(nobody_changes_what_is_written),
        API_TEST(old_entries_are_removed),
    };

    test_env("POSTHORN_TEST_DATABASE");
    return cmocka_run_group_tests(tests, set_up, tear_down_database);
}
