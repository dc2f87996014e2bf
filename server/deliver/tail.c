#include "posthorn/tail.h"

#include "posthorn/clock.h"
#include "posthorn/tail_news.h"

#include <stdlib.h>
#include <string.h>

/* How often a node says who listens, and how long the others believe it. */
#define INTEREST_EVERY_MS 10000
#define INTEREST_MS       30000
/* Events in one statement, and on the way to one ear. */
#define TELL_MAX    200
#define PENDING_MAX 2000

/* Listeners of a tenant at an ear. */
struct listening {
    struct listening *next;
    struct ph_tail_ear *ear;
    struct ph_id tenant;
    int count;
    uint32_t missed; /* events that the ear had no room for, since the last one that it got */
    _Atomic int pending;
};

struct ph_tail_desk {
    struct ph_loop *loop;
    const struct ph_config *config;
    struct ph_tail *tail;
    struct ph_db *db; /* NULL until it is needed */
    bool paused;
    struct listening *listenings;
    struct ph_tail_event *first, *last; /* to be announced */
    bool announcing;
    struct ph_timer interest_timer;
};

/* A question of an ear, on its way to the desk and back. */
struct ask {
    struct ph_task task;
    struct ph_tail_desk *desk;
    struct ph_tail_ear *ear;
    struct ph_id tenant;
    bool on;
    void (*on_done)(void *ctx, enum ph_err err);
    void *ctx;
    enum ph_err err;
    struct ph_arena *arena;
};

/* ---- who wants events ---- */

void ph_tail_interest(struct ph_tail *tail, struct ph_id tenant)
{
    uint64_t hash = ph_id_hash(tenant) | 1, now_ms = ph_clock_mono_ms();
    struct ph_tail_slot *found = NULL;

    for (size_t i = 0; i < PH_TAIL_PROBES; i++) {
        struct ph_tail_slot *slot = &tail->slots[(hash + i * 7) % PH_TAIL_SLOTS];
        if (atomic_load(&slot->tenant) == hash) {
            found = slot;
            break;
        }
        if (!found && atomic_load(&slot->until_ms) <= now_ms)
            found = slot;
    }
    if (!found) /* so many are watched already that this one has to do without */
        return;
    if (atomic_load(&found->tenant) != hash) {
        atomic_store(&found->dropped, 0);
        atomic_store(&found->tenant, hash);
    }
    atomic_store(&found->until_ms, now_ms + INTEREST_MS);
}

static void ignore(enum ph_err err, void *ctx)
{
    (void)err;
    ph_arena_free(ctx);
}

static void hear(struct ph_tail_desk *desk)
{
    struct ph_arena *arena = ph_arena_new();

    ph_tail_hear(desk->db, arena, ignore, arena);
}

static void announce_interest(struct ph_tail_desk *desk)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_id *tenants;
    size_t n = 0;

    for (struct listening *l = desk->listenings; l; l = l->next)
        n++;
    tenants = ph_arena_array_of(arena, struct ph_id, n);
    n = 0;
    for (struct listening *l = desk->listenings; l; l = l->next) {
        ph_tail_interest(desk->tail, l->tenant);
        tenants[n++] = l->tenant;
    }
    ph_tail_announce_interest(desk->db, arena, tenants, n, ignore, arena);
}

static void interest_due(struct ph_timer *timer)
{
    struct ph_tail_desk *desk = ph_container_of(timer, struct ph_tail_desk, interest_timer);

    if (desk->paused || !desk->listenings)
        return;
    if (ph_db_ready(desk->db))
        announce_interest(desk);
    ph_timer_set(desk->loop, timer, ph_loop_now_ms(desk->loop) + INTEREST_EVERY_MS);
}

/* ---- the database connection ---- */

struct told {
    struct ph_task task;
    struct listening *listening;
    struct ph_tail_ear *ear;
    struct ph_id tenant, application;
    uint32_t dropped;
    size_t len;
    char json[];
};

static void deliver(struct ph_task *task)
{
    struct told *told = ph_container_of(task, struct told, task);

    told->ear->on_event(told->ear, told->tenant, told->application, told->dropped,
                        (struct ph_str){told->json, told->len});
    atomic_fetch_sub(&told->listening->pending, 1);
    free(told);
}

static void hand_over(struct listening *l, struct ph_id application, uint32_t dropped,
                      struct ph_str json)
{
    struct told *told;

    if (atomic_fetch_add(&l->pending, 1) >= PENDING_MAX) {
        atomic_fetch_sub(&l->pending, 1);
        l->missed += dropped + 1;
        return;
    }
    told = ph_malloc(sizeof *told + json.len);
    *told = (struct told){.task.run = deliver,
                          .listening = l,
                          .ear = l->ear,
                          .tenant = l->tenant,
                          .application = application,
                          .dropped = dropped + l->missed,
                          .len = json.len};
    memcpy(told->json, json.ptr, json.len);
    l->missed = 0;
    ph_loop_post(l->ear->loop, &told->task);
}

/* "org_… app_… DROPPED JSON", where the text may be empty. */
static void notified(struct ph_db *db, const char *channel, const char *payload, void *ctx)
{
    struct ph_tail_desk *desk = ctx;
    struct ph_str rest = ph_str_of(payload), word;
    struct ph_id tenant, application;
    int64_t dropped;

    (void)db;
    (void)channel;
    if (desk->paused || !ph_str_split(&rest, ' ', &word) ||
        ph_id_parse(PH_ID_TENANT, word, &tenant) != PH_OK || !ph_str_split(&rest, ' ', &word) ||
        ph_id_parse(PH_ID_APPLICATION, word, &application) != PH_OK ||
        !ph_str_split(&rest, ' ', &word) || ph_str_to_i64(word, &dropped) != PH_OK)
        return;
    for (struct listening *l = desk->listenings; l; l = l->next)
        if (l->count && ph_id_eq(l->tenant, tenant))
            hand_over(l, application, (uint32_t)dropped, rest);
}

static void connected(struct ph_db *db, void *ctx)
{
    struct ph_tail_desk *desk = ctx;

    desk->db = db;
    if (desk->paused || !desk->listenings)
        return;
    hear(desk);
    announce_interest(desk);
}

static void open_db(struct ph_tail_desk *desk)
{
    if (!desk->db)
        desk->db =
            ph_db_new(desk->loop, &(struct ph_db_options){.conninfo = desk->config->database_url,
                                                          .role = PH_DB_ENGINE,
                                                          .connections = 1,
                                                          .max_waiting = 10000,
                                                          .name = "tail",
                                                          .on_connect = connected,
                                                          .on_notify = notified,
                                                          .ctx = desk});
}

/* ---- telling ---- */

static void announce(struct ph_tail_desk *desk);

static void free_events(struct ph_tail_event *event, bool told)
{
    while (event) {
        struct ph_tail_event *next = event->next;
        atomic_fetch_sub(&event->slot->waiting, 1);
        if (!told)
            atomic_fetch_add(&event->slot->dropped, 1);
        free(event);
        event = next;
    }
}

struct telling {
    struct ph_arena *arena;
    struct ph_tail_desk *desk;
    struct ph_tail_event *events, *last;
};

/* Events were dropped behind the last one that there was room for: tells of that, should nothing else follow. */
static void tell_dropped(struct ph_tail_desk *desk, const struct ph_tail_event *last)
{
    struct ph_tail_event *event;

    if (desk->first || !atomic_load(&last->slot->dropped))
        return;
    event = ph_calloc(1, sizeof *event);
    event->tail = last->tail;
    event->slot = last->slot;
    event->tenant = last->tenant;
    atomic_fetch_add(&event->slot->waiting, 1);
    desk->first = desk->last = event;
}

static void announced(enum ph_err err, void *ctx)
{
    struct telling *telling = ctx;
    struct ph_tail_desk *desk = telling->desk;

    if (err == PH_OK)
        tell_dropped(desk, telling->last);
    free_events(telling->events, err == PH_OK);
    ph_arena_free(telling->arena);
    desk->announcing = false;
    announce(desk);
}

static struct ph_str text_of(struct ph_arena *arena, const struct ph_tail_event *event)
{
    char tenant[PH_ID_WIRE_MAX], application[PH_ID_WIRE_MAX];

    ph_id_format(PH_ID_TENANT, event->tenant, tenant);
    ph_id_format(PH_ID_APPLICATION, event->application, application);
    return ph_str_of(ph_arena_printf(arena, "%s %s %u %.*s", tenant, application,
                                     (unsigned)atomic_exchange(&event->slot->dropped, 0),
                                     (int)event->len, event->json));
}

/* What has gathered while the last ones were announced. */
static void announce(struct ph_tail_desk *desk)
{
    struct ph_arena *arena;
    struct telling *telling;
    struct ph_str *texts;
    struct ph_tail_event *last = NULL;
    size_t n = 0;

    if (desk->announcing || desk->paused || !desk->first)
        return;
    open_db(desk);
    arena = ph_arena_new();
    texts = ph_arena_array_of(arena, struct ph_str, TELL_MAX);
    telling = ph_arena_new_of(arena, struct telling);
    *telling = (struct telling){arena, desk, desk->first, NULL};
    while (desk->first && n < TELL_MAX) {
        last = desk->first;
        texts[n++] = text_of(arena, last);
        desk->first = last->next;
    }
    last->next = NULL;
    telling->last = last;
    if (!desk->first)
        desk->last = NULL;
    desk->announcing = true;
    ph_tail_announce(desk->db, arena, texts, n, announced, telling);
}

static void take_event(struct ph_task *task)
{
    struct ph_tail_event *event = ph_container_of(task, struct ph_tail_event, task);
    struct ph_tail_desk *desk = event->tail->desk;

    event->next = NULL;
    if (desk->paused) {
        free_events(event, false);
        return;
    }
    if (desk->last)
        desk->last->next = event;
    else
        desk->first = event;
    desk->last = event;
    announce(desk);
}

void ph_tail_tell(struct ph_tail_event *event)
{
    event->task.run = take_event;
    ph_loop_post(event->tail->desk->loop, &event->task);
}

/* ---- listening ---- */

static void answer(struct ph_task *task)
{
    struct ask *ask = ph_container_of(task, struct ask, task);

    ask->on_done(ask->ctx, ask->err);
    free(ask);
}

static void interest_announced(enum ph_err err, void *ctx)
{
    struct ask *ask = ctx;

    ph_arena_free(ask->arena);
    if (ask->desk->paused) {
        free(ask);
        return;
    }
    ask->err = err == PH_OK ? PH_OK : PH_ERR_UNAVAILABLE;
    ask->task.run = answer;
    ph_loop_post(ask->ear->loop, &ask->task);
}

static struct listening *listening_of(struct ph_tail_desk *desk, const struct ask *ask)
{
    struct listening *l = desk->listenings;

    while (l && !(l->ear == ask->ear && ph_id_eq(l->tenant, ask->tenant)))
        l = l->next;
    if (!l && ask->on) {
        l = ph_calloc(1, sizeof *l);
        l->ear = ask->ear;
        l->tenant = ask->tenant;
        l->next = desk->listenings;
        desk->listenings = l;
    }
    return l;
}

/* Those that nobody listens to any more, and nothing is on its way to. */
static void sweep(struct ph_tail_desk *desk)
{
    struct listening **at = &desk->listenings;

    while (*at) {
        struct listening *l = *at;
        if (l->count == 0 && atomic_load(&l->pending) == 0) {
            *at = l->next;
            free(l);
        } else {
            at = &l->next;
        }
    }
}

static void take_ask(struct ph_task *task)
{
    struct ask *ask = ph_container_of(task, struct ask, task);
    struct ph_tail_desk *desk = ask->desk;
    struct listening *l;

    if (desk->paused) {
        free(ask);
        return;
    }
    l = listening_of(desk, ask);
    if (!ask->on) {
        l->count--;
        free(ask);
        sweep(desk);
        return;
    }
    l->count++;
    ph_tail_interest(desk->tail, ask->tenant);
    open_db(desk);
    if (!ph_timer_is_set(&desk->interest_timer))
        ph_timer_set(desk->loop, &desk->interest_timer,
                     ph_loop_now_ms(desk->loop) + INTEREST_EVERY_MS);
    hear(desk);
    ask->arena = ph_arena_new();
    ph_tail_announce_interest(desk->db, ask->arena, &ask->tenant, 1, interest_announced, ask);
}

static void post_ask(struct ph_tail *tail, struct ph_tail_ear *ear, struct ph_id tenant, bool on,
                     void (*on_done)(void *ctx, enum ph_err err), void *ctx)
{
    struct ask *ask = ph_calloc(1, sizeof *ask);

    ask->task.run = take_ask;
    ask->desk = tail->desk;
    ask->ear = ear;
    ask->tenant = tenant;
    ask->on = on;
    ask->on_done = on_done;
    ask->ctx = ctx;
    ph_loop_post(tail->desk->loop, &ask->task);
}

void ph_tail_listen(struct ph_tail *tail, struct ph_tail_ear *ear, struct ph_id tenant,
                    void (*on_done)(void *ctx, enum ph_err err), void *ctx)
{
    post_ask(tail, ear, tenant, true, on_done, ctx);
}

void ph_tail_unlisten(struct ph_tail *tail, struct ph_tail_ear *ear, struct ph_id tenant)
{
    post_ask(tail, ear, tenant, false, NULL, NULL);
}

/* ---- life ---- */

struct ph_tail *ph_tail_new(struct ph_loop *loop, const struct ph_config *config)
{
    struct ph_tail *tail = ph_calloc(1, sizeof *tail);

    tail->desk = ph_calloc(1, sizeof *tail->desk);
    tail->desk->loop = loop;
    tail->desk->config = config;
    tail->desk->tail = tail;
    tail->desk->interest_timer.on_timer = interest_due;
    return tail;
}

void ph_tail_pause(struct ph_tail *tail)
{
    tail->desk->paused = true;
    ph_timer_clear(tail->desk->loop, &tail->desk->interest_timer);
}

void ph_tail_free(struct ph_tail *tail)
{
    struct ph_tail_desk *desk = tail->desk;

    ph_tail_pause(tail);
    if (desk->db)
        ph_db_free(desk->db);
    free_events(desk->first, false);
    while (desk->listenings) {
        struct listening *next = desk->listenings->next;
        free(desk->listenings);
        desk->listenings = next;
    }
    free(desk);
    free(tail);
}
