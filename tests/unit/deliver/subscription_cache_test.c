#include "posthorn/subscription_cache.h"

/* The module with loads that the test answers. */
#define ph_subscriptions_load load_later
static void load_later(struct ph_db *db, struct ph_arena *arena, const struct ph_keyring *keyring,
                       struct ph_id tenant, struct ph_str id_or_uid,
                       void (*on_loaded)(enum ph_err err, struct ph_subscriptions *loaded,
                                         void *ctx),
                       void *ctx);
/* And with hashes that collide unless a test wants otherwise. */
static bool spread;
#define ph_str_hash(s) (spread ? ph_str_hash(s) : 0)
#define ph_id_hash(id) (spread ? ph_id_hash(id) : 0)
#include "deliver/subscription_cache.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

static const struct ph_id red = {{1}}, blue = {{2}}, red_app = {{11}}, blue_app = {{12}},
                          other_app = {{13}};
static struct ph_subscription_cache *cache;

/* Loads under way, oldest first. */
static struct {
    struct ph_id tenant;
    char name[32];
    void (*on_loaded)(enum ph_err err, struct ph_subscriptions *loaded, void *ctx);
    void *ctx;
} loads[16];
static int n_loads;
static int n_snapshots; /* that exist */

static void load_later(struct ph_db *db, struct ph_arena *arena, const struct ph_keyring *keyring,
                       struct ph_id tenant, struct ph_str id_or_uid,
                       void (*on_loaded)(enum ph_err err, struct ph_subscriptions *loaded,
                                         void *ctx),
                       void *ctx)
{
    (void)db;
    (void)arena;
    (void)keyring;
    assert_true(n_loads < 16 && id_or_uid.len < 32);
    loads[n_loads].tenant = tenant;
    memcpy(loads[n_loads].name, id_or_uid.ptr, id_or_uid.len);
    loads[n_loads].name[id_or_uid.len] = '\0';
    loads[n_loads].on_loaded = on_loaded;
    loads[n_loads++].ctx = ctx;
}

static void count_gone(void *ctx)
{
    (void)ctx;
    n_snapshots--;
}

static struct ph_subscriptions *new_snapshot(struct ph_id tenant, struct ph_id application)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_subscriptions *s = ph_arena_new_of(arena, struct ph_subscriptions);

    *s = (struct ph_subscriptions){
        .refs = 1, .arena = arena, .tenant = tenant, .application = application};
    ph_arena_defer(arena, count_gone, NULL);
    n_snapshots++;
    return s;
}

/* Answers the oldest load. */
static void answer(enum ph_err err, struct ph_id application)
{
    void (*on_loaded)(enum ph_err, struct ph_subscriptions *, void *) = loads[0].on_loaded;
    void *ctx = loads[0].ctx;
    struct ph_id tenant = loads[0].tenant;

    assert_true(n_loads > 0);
    memmove(loads, loads + 1, (size_t)--n_loads * sizeof *loads);
    on_loaded(err, err == PH_OK ? new_snapshot(tenant, application) : NULL, ctx);
}

struct waiter {
    struct ph_subscription_waiter waiter;
    int done;
    enum ph_err err;
    struct ph_subscriptions *loaded;
    struct waiter *then; /* asks again from the answer */
};

static void on_loaded(struct ph_subscription_waiter *base, enum ph_err err,
                      struct ph_subscriptions *loaded)
{
    struct waiter *waiter = (struct waiter *)base;

    waiter->done++;
    waiter->err = err;
    waiter->loaded = loaded;
    if (waiter->then)
        ph_subscription_cache_load(cache, red, PH_STR("app"), &waiter->then->waiter);
}

static void ask(struct waiter *waiter, struct ph_id tenant, const char *name)
{
    *waiter = (struct waiter){.waiter.on_loaded = on_loaded, .then = waiter->then};
    ph_subscription_cache_load(cache, tenant, ph_str_of(name), &waiter->waiter);
    assert_int_equal(waiter->done, 0);
}

/* Loads and answers at once. */
static struct ph_subscriptions *keep(struct ph_id tenant, const char *name,
                                     struct ph_id application)
{
    struct waiter waiter = {.then = NULL};

    assert_int_equal(n_loads, 0);
    ask(&waiter, tenant, name);
    answer(PH_OK, application);
    assert_int_equal(waiter.done, 1);
    assert_int_equal(waiter.err, PH_OK);
    struct ph_subscriptions *loaded = waiter.loaded;
    ph_subscriptions_unref(waiter.loaded);
    return loaded; /* the cache holds it */
}

static bool has(struct ph_id tenant, const char *name)
{
    struct ph_subscriptions *s = ph_subscription_cache_get(cache, tenant, ph_str_of(name));

    ph_subscriptions_unref(s);
    return s != NULL;
}

static void a_snapshot_is_loaded_once_and_then_at_hand(void **state)
{
    struct waiter waiter = {.then = NULL};
    char name[] = "app";
    (void)state;

    assert_false(has(red, "app"));
    ask(&waiter, red, name);
    name[0] = 'x'; /* it was copied */
    assert_int_equal(n_loads, 1);
    assert_string_equal(loads[0].name, "app");
    assert_true(ph_id_eq(loads[0].tenant, red));
    assert_false(has(red, "app"));
    answer(PH_OK, red_app);
    assert_int_equal(waiter.done, 1);
    assert_int_equal(waiter.err, PH_OK);

    struct ph_subscriptions *got = ph_subscription_cache_get(cache, red, PH_STR("app"));
    assert_ptr_equal(got, waiter.loaded);
    assert_int_equal(got->refs, 3); /* the cache's, the waiter's, and this one */
    ph_subscriptions_unref(got);
    ph_subscriptions_unref(waiter.loaded);
    assert_int_equal(n_snapshots, 1);
}

static void tenants_and_names_are_told_apart(void **state)
{
    struct ph_subscriptions *a = keep(red, "app", red_app), *b = keep(blue, "app", blue_app), *got;
    (void)state;

    got = ph_subscription_cache_get(cache, red, PH_STR("app"));
    assert_ptr_equal(got, a);
    ph_subscriptions_unref(got);
    got = ph_subscription_cache_get(cache, blue, PH_STR("app"));
    assert_ptr_equal(got, b);
    ph_subscriptions_unref(got);
    assert_false(has(red, "ap"));
    assert_false(has(red, "app2"));
    assert_false(has(other_app, "app"));
}

static void all_who_ask_meanwhile_wait_for_one_load(void **state)
{
    struct waiter waiters[3] = {{.then = NULL}}, other = {.then = NULL};
    (void)state;

    for (int i = 0; i < 3; i++)
        ask(&waiters[i], red, "app");
    ask(&other, blue, "app");
    assert_int_equal(n_loads, 2);
    answer(PH_OK, red_app);
    assert_int_equal(other.done, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(waiters[i].done, 1);
        assert_ptr_equal(waiters[i].loaded, waiters[0].loaded);
    }
    assert_int_equal(waiters[0].loaded->refs, 4);
    for (int i = 0; i < 3; i++)
        ph_subscriptions_unref(waiters[i].loaded);
    answer(PH_ERR_NOT_FOUND, blue_app);
    assert_int_equal(other.err, PH_ERR_NOT_FOUND);
}

static void a_failed_load_is_told_to_all_and_not_kept(void **state)
{
    struct waiter waiters[2] = {{.then = NULL}};
    (void)state;

    ask(&waiters[0], red, "app");
    ask(&waiters[1], red, "app");
    answer(PH_ERR_DB_LOST, red_app);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(waiters[i].done, 1);
        assert_int_equal(waiters[i].err, PH_ERR_DB_LOST);
        assert_null(waiters[i].loaded);
    }
    assert_false(has(red, "app"));
    keep(red, "app", red_app);
    assert_true(has(red, "app"));
}

static void an_application_is_forgotten_under_all_its_names(void **state)
{
    (void)state;

    keep(red, "app", red_app);
    keep(red, "app_id", red_app);
    keep(red, "other", other_app);
    keep(blue, "app", blue_app);
    ph_subscription_cache_forget(cache, &red_app);
    assert_false(has(red, "app"));
    assert_false(has(red, "app_id"));
    assert_true(has(red, "other"));
    assert_true(has(blue, "app"));
    assert_int_equal(n_snapshots, 2);
    ph_subscription_cache_forget(cache, &red_app);
    ph_subscription_cache_forget(cache, NULL);
    assert_false(has(red, "other"));
    assert_false(has(blue, "app"));
    assert_int_equal(n_snapshots, 0);
    keep(red, "app", red_app);
    assert_true(has(red, "app"));
}

static void a_snapshot_in_use_outlives_being_forgotten(void **state)
{
    (void)state;

    keep(red, "app", red_app);
    struct ph_subscriptions *got = ph_subscription_cache_get(cache, red, PH_STR("app"));
    ph_subscription_cache_forget(cache, &red_app);
    assert_int_equal(n_snapshots, 1);
    assert_int_equal(got->refs, 1);
    ph_subscriptions_unref(got);
    assert_int_equal(n_snapshots, 0);
}

/* What arrives may have been read before the change. */
static void what_was_under_way_when_all_was_forgotten_is_not_kept(void **state)
{
    struct waiter before = {.then = NULL}, after = {.then = NULL};
    (void)state;

    ask(&before, red, "app");
    ph_subscription_cache_forget(cache, NULL);
    ask(&after, red, "app");
    assert_int_equal(n_loads, 2);
    answer(PH_OK, red_app);
    assert_int_equal(before.done, 1);
    assert_int_equal(before.err, PH_OK);
    assert_int_equal(after.done, 0);
    assert_false(has(red, "app"));
    ph_subscriptions_unref(before.loaded);
    answer(PH_OK, red_app);
    assert_int_equal(after.done, 1);
    assert_true(has(red, "app"));
    ph_subscriptions_unref(after.loaded);
}

static void loading_what_is_at_hand_replaces_it(void **state)
{
    struct waiter waiter = {.then = NULL};
    struct ph_subscriptions *got;
    (void)state;

    keep(red, "app", red_app);
    ask(&waiter, red, "app");
    assert_false(has(red, "app"));
    answer(PH_OK, other_app);
    got = ph_subscription_cache_get(cache, red, PH_STR("app"));
    assert_ptr_equal(got, waiter.loaded);
    assert_true(ph_id_eq(got->application, other_app));
    ph_subscriptions_unref(got);
    ph_subscriptions_unref(waiter.loaded);
    assert_int_equal(n_snapshots, 1);
    ph_subscription_cache_forget(cache, &red_app); /* an earlier application of that name */
    assert_true(has(red, "app"));
}

/* As ingest does when the snapshot that it got was stale already. */
static void a_waiter_may_load_again_from_its_answer(void **state)
{
    struct waiter again = {.waiter.on_loaded = on_loaded},
                  failed_again = {.waiter.on_loaded = on_loaded}, first = {.then = &again},
                  failed = {.then = &failed_again};
    (void)state;

    ask(&first, red, "app");
    answer(PH_OK, red_app);
    assert_int_equal(first.done, 1);
    assert_int_equal(n_loads, 1);
    answer(PH_OK, red_app);
    assert_int_equal(again.done, 1);
    ph_subscriptions_unref(first.loaded);
    ph_subscriptions_unref(again.loaded);

    ask(&failed, red, "app");
    answer(PH_ERR_DB_FAILED, red_app);
    assert_int_equal(n_loads, 1);
    answer(PH_ERR_DB_FAILED, red_app);
    assert_int_equal(failed_again.done, 1);
    assert_false(has(red, "app"));
    assert_int_equal(n_snapshots, 0);
}

static void a_full_cache_starts_over(void **state)
{
    char name[16];
    (void)state;

    spread = true;
    for (int i = 0; i < ENTRIES_MAX; i++) {
        snprintf(name, sizeof name, "app%d", i);
        keep(i % 2 ? red : blue, name, i % 2 ? red_app : blue_app);
    }
    assert_true(has(blue, "app0"));
    assert_int_equal(n_snapshots, ENTRIES_MAX);
    keep(red, "one more", red_app);
    assert_int_equal(n_snapshots, 1);
    assert_true(has(red, "one more"));
    assert_false(has(blue, "app0"));
}

static int begin(void **state)
{
    (void)state;
    n_loads = n_snapshots = 0;
    spread = false;
    cache = ph_subscription_cache_new(NULL, NULL);
    return 0;
}

/* Everything is given back. */
static int end(void **state)
{
    (void)state;
    if (n_loads != 0)
        return -1;
    ph_subscription_cache_free(cache);
    return n_snapshots;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_snapshot_is_loaded_once_and_then_at_hand),
        TEST(tenants_and_names_are_told_apart),
        TEST(all_who_ask_meanwhile_wait_for_one_load),
        TEST(a_failed_load_is_told_to_all_and_not_kept),
        TEST(an_application_is_forgotten_under_all_its_names),
        TEST(a_snapshot_in_use_outlives_being_forgotten),
        TEST(what_was_under_way_when_all_was_forgotten_is_not_kept),
        TEST(loading_what_is_at_hand_replaces_it),
        TEST(a_waiter_may_load_again_from_its_answer),
        TEST(a_full_cache_starts_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
