#include "posthorn/matcher.h"

#include "posthorn/clock.h"
#include "posthorn/ingest.h"
#include "posthorn/unmatched.h"

#include <assert.h>
#include <stdlib.h>

/* What is taken at once, of all tenants and of one when many are due. */
#define TAKE_MAX        500
#define TAKE_PER_TENANT 100
#define TAKE_BYTES      (4 << 20)
/* Without news: one may have been lost. */
#define LOOK_MS  10000
#define AGAIN_MS 1000
#define BUSY_MS  10

struct matching {
    struct ph_ingest_item item;
    struct ph_matcher *matcher;
};

/* What was taken together. All of it is done before more is taken, so that the node never has a message twice. */
struct round {
    struct ph_arena *arena;
    struct matching *matchings;
    size_t n_matchings, n_pending;
    struct ph_id *lost; /* nobody can match them */
    size_t n_lost;
    bool failed;     /* some come back when their time is over */
    int64_t wait_ms; /* until the next one */
};

struct ph_matcher {
    struct ph_loop *loop;
    struct ph_ingest *ingest;
    struct ph_id cursor;
    struct round *round; /* NULL: nothing is under way */
    bool paused;
    bool look_again; /* nudged while something was under way */
    int64_t clock_ahead_ms;
    struct ph_timer timer;
    struct ph_task end;
};

static void look_in(struct ph_matcher *m, int64_t wait_ms)
{
    uint64_t due_ms = ph_loop_now_ms(m->loop) +
                      (wait_ms < 0 ? 0 : (uint64_t)(wait_ms < LOOK_MS ? wait_ms : LOOK_MS));

    if (!m->paused && (!ph_timer_is_set(&m->timer) || m->timer.due_ms > due_ms))
        ph_timer_set(m->loop, &m->timer, due_ms);
}

static void end_round(struct ph_matcher *m)
{
    int64_t wait_ms = m->round->failed ? AGAIN_MS : m->round->wait_ms;

    ph_arena_free(m->round->arena);
    m->round = NULL;
    look_in(m, m->look_again ? 0 : wait_ms);
}

static void dropped(enum ph_err err, void *ctx)
{
    struct ph_matcher *m = ctx;

    m->round->failed |= err != PH_OK;
    end_round(m);
}

/* All are done, and nobody is using them any more. */
static void finish(struct ph_task *task)
{
    struct ph_matcher *m = ph_container_of(task, struct ph_matcher, end);
    struct round *round = m->round;

    if (round->n_lost && !m->paused)
        ph_unmatched_drop(ph_ingest_db(m->ingest), round->arena, round->lost, round->n_lost,
                          dropped, m);
    else
        end_round(m);
}

static void matched(struct ph_ingest_item *item, enum ph_err err)
{
    struct ph_matcher *m = ph_container_of(item, struct matching, item)->matcher;
    struct round *round = m->round;

    if (err == PH_ERR_NOT_FOUND)
        round->lost[round->n_lost++] = item->stored;
    else if (err != PH_OK && err != PH_ERR_CONFLICT)
        round->failed = true;
    if (--round->n_pending == 0)
        ph_loop_defer(m->loop, &m->end);
}

static struct ph_str copy(struct ph_arena *arena, struct ph_str s)
{
    return s.ptr ? (struct ph_str){ph_arena_copy(arena, s.ptr, s.len), s.len} : s;
}

/* Names joined with commas; absent without any. */
static struct ph_str join(struct ph_arena *arena, const struct ph_str *names, size_t n)
{
    struct ph_str joined = PH_STR_NONE;

    for (size_t i = 0; i < n; i++)
        joined = ph_str_of(ph_arena_printf(arena, "%.*s%s%.*s", (int)joined.len, joined.ptr,
                                           i ? "," : "", (int)names[i].len, names[i].ptr));
    return joined;
}

static void submit(struct ph_matcher *m, const struct ph_unmatched *from)
{
    struct round *round = m->round;
    struct matching *matching = &round->matchings[round->n_matchings++];
    struct ph_ingest_item *item = &matching->item;
    struct ph_str *channels = ph_arena_array_of(round->arena, struct ph_str, from->n_channels);
    char *application = ph_arena_alloc(round->arena, PH_ID_WIRE_MAX);

    for (size_t i = 0; i < from->n_channels; i++)
        channels[i] = copy(round->arena, from->channels[i]);
    matching->matcher = m;
    item->arena = round->arena;
    item->on_done = matched;
    item->stored = from->message;
    item->tenant = from->tenant;
    item->application = (struct ph_str){
        application, ph_id_format(PH_ID_APPLICATION, from->application, application)};
    item->channels = channels;
    item->n_channels = from->n_channels;
    item->message.channels = join(round->arena, channels, from->n_channels);
    item->message.event_type = copy(round->arena, from->event_type);
    item->message.event_id = copy(round->arena, from->event_id);
    item->message.tags = copy(round->arena, from->tags);
    item->body = from->payload;
    if (from->raw_body.ptr) {
        item->message.json = copy(round->arena, from->payload);
        item->message.content_type = copy(round->arena, from->content_type);
        item->body = from->raw_body;
    }
    ph_ingest_submit(m->ingest, item);
}

static void taken(enum ph_err err, const struct ph_unmatched_taken *all, void *ctx)
{
    struct ph_matcher *m = ctx;
    struct round *round = m->round;

    round->n_pending = 1; /* this function */
    if (err != PH_OK) {
        round->failed = true;
    } else {
        bool began_inside = !ph_id_is_zero(m->cursor);
        m->cursor = all->cursor;
        m->clock_ahead_ms = all->now_ms - ph_clock_wall_ms();
        round->wait_ms = all->next_ms == INT64_MAX ? LOOK_MS : all->next_ms - all->now_ms + 1;
        if (all->more || began_inside)
            round->wait_ms = all->n ? 0 : BUSY_MS;
        round->matchings = ph_arena_array_of(round->arena, struct matching, all->n);
        round->lost = ph_arena_array_of(round->arena, struct ph_id, all->n);
        round->n_pending += all->n;
        for (size_t i = 0; i < all->n; i++) {
            if (all->items[i].payload.ptr) {
                submit(m, &all->items[i]);
                continue;
            }
            round->lost[round->n_lost++] = all->items[i].message;
            round->n_pending--;
        }
    }
    if (--round->n_pending == 0)
        ph_loop_defer(m->loop, &m->end);
}

static void look(struct ph_timer *timer)
{
    struct ph_matcher *m = ph_container_of(timer, struct ph_matcher, timer);

    if (m->round) {
        m->look_again = true;
        return;
    }
    if (!ph_ingest_ready(m->ingest)) {
        look_in(m, AGAIN_MS);
        return;
    }
    struct ph_arena *arena = ph_arena_new();
    m->round = ph_arena_new_of(arena, struct round);
    m->round->arena = arena;
    m->look_again = false;
    ph_unmatched_take(ph_ingest_db(m->ingest), arena, TAKE_MAX, TAKE_PER_TENANT, TAKE_BYTES,
                      m->cursor, taken, m);
}

struct ph_matcher *ph_matcher_new(struct ph_loop *loop, struct ph_node *node)
{
    struct ph_matcher *m = ph_calloc(1, sizeof *m);

    m->loop = loop;
    m->ingest = ph_ingest_new(loop, node, true);
    m->timer.on_timer = look;
    m->end.run = finish;
    look_in(m, AGAIN_MS);
    return m;
}

void ph_matcher_nudge(struct ph_matcher *m, int64_t due_wall_ms)
{
    look_in(m, due_wall_ms - ph_clock_wall_ms() - m->clock_ahead_ms);
}

void ph_matcher_application_changed(struct ph_matcher *m, const struct ph_id *application)
{
    ph_ingest_application_changed(m->ingest, application);
}

void ph_matcher_pause(struct ph_matcher *m)
{
    m->paused = true;
    ph_timer_clear(m->loop, &m->timer);
}

bool ph_matcher_is_idle(const struct ph_matcher *m)
{
    return m->round == NULL;
}

void ph_matcher_free(struct ph_matcher *m)
{
    ph_matcher_pause(m);
    ph_ingest_free(m->ingest);
    ph_loop_step(m->loop, 0); /* the end of the round */
    assert(!m->round);
    free(m);
}
