#include "api/once.h"

#include "api/audit.h"
#include "api/message_in.h"
#include "posthorn/idempotency.h"
#include "posthorn/log.h"
#include "posthorn/map.h"
#include "posthorn/node.h"

#include <stdlib.h>
#include <string.h>

struct ph_once_table {
    struct ph_map under_way; /* by key */
};

/* Lives in its request's arena. */
struct ph_once {
    struct ph_map_node node; /* of the one that works; its twins are in no map */
    struct ph_call *call;
    bool has_key; /* without, it has no twins and is in no map */
    struct ph_id key;
    struct ph_once *twin;  /* the next one that waits for the same answer */
    struct ph_api *thread; /* what the request came with */
    struct ph_api api;     /* what the handler gets: its databases are the transaction */
    bool slow;             /* there is no transaction */
    struct ph_db_tx *tx;   /* NULL: slow, not begun, or ended */
    struct ph_audit_entry entry;
    struct ph_kept_answer answer;
    int due;         /* parts of the end that are under way */
    enum ph_err err; /* the first error of them */
};

struct ph_once_table *ph_once_table_new(void)
{
    return ph_calloc(1, sizeof(struct ph_once_table));
}

void ph_once_table_free(struct ph_once_table *table)
{
    ph_map_free(&table->under_way);
    free(table);
}

static uint64_t hash_of(struct ph_id key)
{
    uint64_t hash;

    memcpy(&hash, key.b, sizeof hash);
    return hash;
}

static struct ph_once *find(const struct ph_once_table *table, struct ph_id key)
{
    struct ph_map_node *node = ph_map_first(&table->under_way, hash_of(key));

    for (; node; node = ph_map_next(node)) {
        struct ph_once *once = ph_container_of(node, struct ph_once, node);
        if (ph_id_eq(once->key, key))
            return once;
    }
    return NULL;
}

static void start(struct ph_once *once);

static const struct ph_keyring *keyring(const struct ph_once *once)
{
    return once->thread->node->keyring;
}

/* Answers what the handler would have, from now on without this module. */
static void answer_plainly(struct ph_once *once, int status, const char *content_type,
                           struct ph_str body)
{
    struct ph_call *call = once->call;

    call->once = NULL;
    ph_answer(call, status, content_type, body);
}

/* It was done, now or before: all twins get the answer. Theirs first, for it lives in this request's arena. */
static void finish(struct ph_once *once)
{
    struct ph_str body = once->answer.body;
    const char *content_type = body.len > 0 ? "application/json" : NULL;
    struct ph_once *twin = once->twin, *next;

    if (once->has_key)
        ph_map_remove(&once->thread->once->under_way, &once->node);
    for (; twin; twin = next) {
        next = twin->twin;
        answer_plainly(twin, once->answer.status, content_type, body);
    }
    answer_plainly(once, once->answer.status, content_type, body);
}

/* It was not done: the next twin has its turn. */
static void pass_on(struct ph_once *once)
{
    struct ph_map *under_way = &once->thread->once->under_way;
    struct ph_once *twin = once->twin, *next;

    if (!once->has_key)
        return;
    ph_map_remove(under_way, &once->node);
    for (; twin && twin->thread->stopping; twin = next) {
        next = twin->twin;
        twin->call->once = NULL;
        ph_answer_error(twin->call, PH_ERR_UNAVAILABLE, NULL);
    }
    if (!twin)
        return;
    ph_map_add(under_way, &twin->node, hash_of(twin->key));
    start(twin);
}

static void fail(struct ph_once *once, enum ph_err err)
{
    struct ph_call *call = once->call;

    if (once->tx)
        ph_db_rollback(once->tx);
    pass_on(once);
    call->once = NULL;
    ph_answer_error(call, err, NULL);
}

/* One of what ends a request is there: the entry, the answer that is kept, the commit, which comes last. */
static void on_part(void *ctx, enum ph_err err)
{
    struct ph_once *once = ctx;

    if (once->err == PH_OK)
        once->err = err;
    if (--once->due > 0)
        return;
    once->tx = NULL;
    if (once->err == PH_OK) {
        finish(once);
    } else if (once->slow) {
        ph_log(PH_LOG_ERROR, "a request was done, but not noted",
               ph_log_s("path", once->call->route->path),
               ph_log_s("error", ph_err_code(once->err)));
        finish(once);
    } else {
        fail(once, once->err);
    }
}

static void keep(struct ph_once *once)
{
    struct ph_call *call = once->call;
    struct ph_db_tx *tx = once->tx;

    once->due = 1 + once->has_key + !once->slow;
    ph_api_audit_end(call, &once->entry, once->answer.status, once->answer.body, on_part, once);
    if (once->has_key)
        ph_idempotency_keep(call->api->db, call->req->arena, keyring(once), call->tenant, once->key,
                            &once->answer, on_part, once);
    if (!once->slow)
        ph_db_commit(tx, on_part, once);
}

void ph_once_answer(struct ph_call *call, int status, const char *content_type, struct ph_str body)
{
    struct ph_once *once = call->once;

    if (status >= 200 && status < 300) {
        once->answer = (struct ph_kept_answer){status, body};
        keep(once);
        return;
    }
    if (once->tx)
        ph_db_rollback(once->tx);
    pass_on(once);
    answer_plainly(once, status, content_type, body);
}

static void handle(void *ctx, enum ph_err err)
{
    struct ph_once *once = ctx;

    if (err != PH_OK)
        fail(once, err);
    else
        once->call->route->handler(once->call);
}

static void on_looked_up(void *ctx, enum ph_err err, const struct ph_kept_answer *kept)
{
    struct ph_once *once = ctx;

    if (err != PH_OK) {
        fail(once, err);
    } else if (kept) {
        once->answer = *kept;
        if (once->tx)
            ph_db_rollback(once->tx);
        finish(once);
    } else {
        ph_api_audit_begin(once->call, &once->entry, handle, once);
    }
}

static void start(struct ph_once *once)
{
    struct ph_call *call = once->call;
    struct ph_arena *arena = call->req->arena;

    if (!once->slow) {
        once->tx = ph_db_begin(once->thread->changes);
        once->api = *once->thread;
        once->api.db = ph_db_tx_as(once->tx, PH_DB_API);
        once->api.engine_db = ph_db_tx_as(once->tx, PH_DB_ENGINE);
        call->api = &once->api;
    }
    if (!once->has_key)
        ph_api_audit_begin(call, &once->entry, handle, once);
    else if (once->slow)
        ph_idempotency_find_answer(call->api->db, arena, keyring(once), call->tenant, once->key,
                                   on_looked_up, once);
    else
        ph_idempotency_take(call->api->db, arena, keyring(once), call->tenant, once->key,
                            on_looked_up, once);
}

void ph_once_handle(struct ph_call *call)
{
    struct ph_once *once, *first;

    if (!ph_route_changes(call->route)) {
        call->route->handler(call);
        return;
    }
    ph_request_keep(call->req);
    once = ph_arena_new_of(call->req->arena, struct ph_once);
    once->call = call;
    once->thread = call->api;
    once->slow = ph_route_class(call->route) == PH_CLASS_SLOW;
    once->has_key =
        strcmp(call->route->method, "POST") == 0 && ph_api_idempotency_id(call, 0, &once->key);
    call->once = once;
    first = once->has_key ? find(call->api->once, once->key) : NULL;
    if (first) {
        once->twin = first->twin;
        first->twin = once;
        return;
    }
    if (once->has_key)
        ph_map_add(&call->api->once->under_way, &once->node, hash_of(once->key));
    start(once);
}
