#include "posthorn/payload_check.h"

#include "posthorn/event_type.h"
#include "posthorn/log.h"
#include "posthorn/map.h"
#include "posthorn/metrics.h"

#include <assert.h>
#include <stdlib.h>

/* Compiled schemas that are kept. One more and all are forgotten, which costs a load each and no book-keeping. */
#define KEPT_MAX       1000
#define KEPT_BYTES_MAX (64 << 20)

/* A schema by event type and version. */
struct entry {
    struct ph_map_node in_map;
    struct ph_payload_checker *checker;
    struct ph_id type;
    int64_t version;
    struct ph_arena *arena;
    struct ph_schema *schema; /* NULL: there is none, or it is being loaded */
    struct ph_payload_check *waiting, **last;
    bool loading;
};

struct ph_payload_checker {
    struct ph_db *db;
    struct ph_map entries;
    size_t kept_bytes;
};

struct ph_payload_checker *ph_payload_checker_new(struct ph_db *db)
{
    struct ph_payload_checker *checker = ph_calloc(1, sizeof *checker);

    checker->db = db;
    return checker;
}

static void forget(struct entry *entry)
{
    ph_map_remove(&entry->checker->entries, &entry->in_map);
    ph_arena_free(entry->arena);
    free(entry);
}

static void forget_loaded(struct ph_map_node *node, void *ctx)
{
    struct entry *entry = ph_container_of(node, struct entry, in_map);

    (void)ctx;
    if (!entry->loading)
        forget(entry);
}

static void forget_all(struct ph_payload_checker *checker)
{
    ph_map_each(&checker->entries, forget_loaded, NULL);
    checker->kept_bytes = 0;
}

void ph_payload_checker_free(struct ph_payload_checker *checker)
{
    if (!checker)
        return;
    forget_all(checker);
    assert(checker->entries.count == 0);
    ph_map_free(&checker->entries);
    free(checker);
}

static uint64_t hash_of(struct ph_id type, int64_t version)
{
    return ph_id_hash(type) ^ (uint64_t)version;
}

static struct entry *find(struct ph_payload_checker *checker, const struct ph_event_type_rule *rule)
{
    struct ph_map_node *node = ph_map_first(&checker->entries, hash_of(rule->id, rule->version));

    for (; node; node = ph_map_next(node)) {
        struct entry *entry = ph_container_of(node, struct entry, in_map);
        if (ph_id_eq(entry->type, rule->id) && entry->version == rule->version)
            return entry;
    }
    return NULL;
}

static void confirmed(bool is_current, void *ctx)
{
    struct ph_payload_check *check = ctx;

    if (is_current)
        ph_metric_add(schema_refused, 1);
    check->on_done(check, is_current ? PH_ERR_VALIDATION : PH_ERR_CONFLICT);
}

/* A refusal has to be by the present rules; what is taken is looked at again when it is stored. */
static void decide(struct ph_payload_check *check, const struct ph_schema *schema)
{
    check->fault = (struct ph_schema_fault){NULL, NULL};
    if (!schema || ph_schema_check(schema, check->arena, check->json, &check->fault) == PH_OK) {
        check->on_done(check, PH_OK);
    } else if (check->rule->validation == PH_SCHEMA_WARN) {
        ph_metric_add(schema_warnings, 1);
        check->on_done(check, PH_OK);
    } else {
        ph_subscriptions_confirm(check->checker->db, check->arena, check->subscriptions, confirmed,
                                 check);
    }
}

/* One that does not compile checks nothing: it was checked when it was set, by another version. */
static void compile(struct entry *entry, struct ph_str schemas)
{
    struct ph_str version, newest;
    struct ph_schema_fault fault;

    ph_event_type_newest(schemas, &version, &newest);
    if (newest.ptr && ph_schema_compile(entry->arena, newest, &entry->schema, &fault) != PH_OK) {
        ph_log(PH_LOG_ERROR, "a schema is not valid; payloads are not checked against it",
               ph_log_id("event_type", PH_ID_EVENT_TYPE, entry->type),
               ph_log_s("where", fault.where), ph_log_s("reason", fault.text));
        entry->schema = NULL;
    }
    if (entry->schema)
        entry->checker->kept_bytes += ph_schema_bytes(entry->schema);
}

static void loaded(enum ph_err err, struct ph_str schemas, void *ctx)
{
    struct entry *entry = ctx;
    struct ph_payload_check *check;

    if (err == PH_OK)
        compile(entry, schemas);
    while ((check = entry->waiting)) { /* who comes meanwhile is among them */
        entry->waiting = check->next;
        if (!entry->waiting)
            entry->last = &entry->waiting;
        if (err == PH_OK)
            decide(check, entry->schema);
        else
            check->on_done(check, err == PH_ERR_NOT_FOUND ? PH_ERR_CONFLICT : err);
    }
    entry->loading = false;
    if (err != PH_OK)
        forget(entry);
}

static struct entry *load(struct ph_payload_checker *checker, const struct ph_payload_check *check)
{
    struct entry *entry = ph_calloc(1, sizeof *entry);

    if (checker->entries.count >= KEPT_MAX || checker->kept_bytes > KEPT_BYTES_MAX)
        forget_all(checker);
    entry->checker = checker;
    entry->type = check->rule->id;
    entry->version = check->rule->version;
    entry->arena = ph_arena_new();
    entry->loading = true;
    entry->last = &entry->waiting;
    ph_map_add(&checker->entries, &entry->in_map, hash_of(entry->type, entry->version));
    ph_event_type_schemas_load(checker->db, entry->arena, check->subscriptions->tenant, check->rule,
                               loaded, entry);
    return entry;
}

void ph_payload_checker_check(struct ph_payload_checker *checker, struct ph_payload_check *check)
{
    struct entry *entry = find(checker, check->rule);

    check->checker = checker;
    if (entry && !entry->loading) {
        decide(check, entry->schema);
        return;
    }
    if (!entry)
        entry = load(checker, check);
    check->next = NULL;
    *entry->last = check;
    entry->last = &check->next;
}
