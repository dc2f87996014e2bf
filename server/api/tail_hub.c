/* GET /tail and /app/{app_id}/tail: what happens, as server-sent events. */
#include "posthorn/tail_hub.h"
#include "posthorn/application.h"
#include "posthorn/auth.h"
#include "posthorn/node.h"

#include "api/access.h"
#include "api/routes.h"
#include "core/list.h"

#include <stdlib.h>

/* Of one thread. */
#define STREAMS_MAX        500
#define STREAMS_PER_TENANT 16
#define TICK_MS            1000
#define HEARTBEAT_MS       15000
#define STREAM_MS          (3600 * 1000)
#define EVENT_BYTES        8192

struct ph_tail_hub {
    struct ph_tail_ear ear;
    struct ph_api *api;
    struct ph_link listeners;
    struct ph_timer tick;
};

/* Lives in the request's arena. */
struct listener {
    struct ph_link link;
    struct ph_tail_hub *hub; /* NULL: the thread stops */
    struct ph_call *call;
    struct ph_stream *stream;
    struct ph_id tenant, application;
    struct ph_str token;
    struct check *check; /* of its credential, under way */
    uint64_t begun_ms, written_ms;
    uint32_t dropped; /* events that it did not get since the last one that it got */
    bool ended;
};

struct check {
    struct ph_arena *arena;
    struct listener *listener; /* NULL: it has gone */
};

static struct ph_tail *tail_of(const struct ph_tail_hub *hub)
{
    return hub->api->node->tail;
}

static bool put(struct listener *l, struct ph_str bytes)
{
    if (!ph_stream_write(l->stream, bytes))
        return false;
    l->written_ms = ph_loop_now_ms(l->hub->api->loop);
    return true;
}

/* ---- events ---- */

/* Says first how many are missing. json empty: nothing else. */
static void send_event(struct listener *l, struct ph_str json)
{
    struct ph_buf buf;

    ph_buf_init(&buf, EVENT_BYTES);
    if (l->dropped)
        ph_buf_printf(&buf, "data: {\"type\":\"dropped\",\"count\":%u}\n\n", (unsigned)l->dropped);
    if (json.len)
        ph_buf_printf(&buf, "data: %.*s\n\n", (int)json.len, json.ptr);
    if (!buf.overflow && (buf.len == 0 || put(l, ph_buf_str(&buf))))
        l->dropped = 0;
    else
        l->dropped += json.len > 0;
    ph_buf_free(&buf);
}

static void on_event(struct ph_tail_ear *ear, struct ph_id tenant, struct ph_id application,
                     uint32_t dropped, struct ph_str json)
{
    struct ph_tail_hub *hub = ph_container_of(ear, struct ph_tail_hub, ear);
    struct ph_link *next;

    for (struct ph_link *at = hub->listeners.next; at != &hub->listeners; at = next) {
        struct listener *l = ph_container_of(at, struct listener, link);
        next = at->next;
        if (!l->stream || l->ended || !ph_id_eq(l->tenant, tenant))
            continue;
        l->dropped += dropped; /* perhaps of its application */
        if (ph_id_is_zero(l->application) || ph_id_eq(l->application, application))
            send_event(l, json);
    }
}

/* ---- the end ---- */

static void end(struct listener *l)
{
    if (l->ended)
        return;
    l->ended = true;
    ph_stream_end(l->stream);
}

static void on_end(void *ctx)
{
    struct listener *l = ctx;

    if (l->check)
        l->check->listener = NULL;
    if (!l->hub)
        return;
    ph_list_remove(&l->link);
    ph_tail_unlisten(tail_of(l->hub), &l->hub->ear, l->tenant);
}

static void checked(void *ctx, enum ph_err err, const struct ph_identity *identity)
{
    struct check *check = ctx;
    struct listener *l = check->listener;

    if (l) {
        l->check = NULL;
        if (err == PH_ERR_AUTH || (err == PH_OK && (!ph_id_eq(identity->tenant, l->tenant) ||
                                                    !ph_access_allows(l->call, identity))))
            end(l);
    }
    ph_arena_free(check->arena);
}

/* Whether the credential still is one: asked of what is remembered, and of the database when that has ended. */
static void check_credential(struct listener *l)
{
    struct ph_auth *auth = l->hub->api->auth;
    struct ph_identity identity;
    struct ph_arena *arena;

    if (l->check || ph_auth_lookup(auth, l->token, &identity))
        return;
    arena = ph_arena_new();
    l->check = ph_arena_new_of(arena, struct check);
    *l->check = (struct check){arena, l};
    ph_auth_resolve(auth, arena,
                    (struct ph_str){ph_arena_copy(arena, l->token.ptr, l->token.len), l->token.len},
                    checked, l->check);
}

static void on_tick(struct ph_timer *timer)
{
    struct ph_tail_hub *hub = ph_container_of(timer, struct ph_tail_hub, tick);
    uint64_t now_ms = ph_loop_now_ms(hub->api->loop);
    struct ph_link *next;

    for (struct ph_link *at = hub->listeners.next; at != &hub->listeners; at = next) {
        struct listener *l = ph_container_of(at, struct listener, link);
        next = at->next;
        if (!l->stream || l->ended)
            continue;
        check_credential(l);
        if (l->dropped)
            send_event(l, PH_STR_NONE);
        if (now_ms >= l->begun_ms + STREAM_MS)
            end(l);
        else if (now_ms >= l->written_ms + HEARTBEAT_MS)
            (void)put(l, PH_STR(":\n\n"));
    }
    if (!ph_list_is_empty(&hub->listeners))
        ph_timer_set(hub->api->loop, timer, now_ms + TICK_MS);
}

/* ---- the beginning ---- */

static bool is_full(const struct ph_tail_hub *hub, struct ph_id tenant)
{
    int n = 0, of_tenant = 0;

    for (struct ph_link *at = hub->listeners.next; at != &hub->listeners; at = at->next) {
        n++;
        of_tenant += ph_id_eq(ph_container_of(at, struct listener, link)->tenant, tenant);
    }
    return n >= STREAMS_MAX || of_tenant >= STREAMS_PER_TENANT;
}

/* What happens from now on is heard. */
static void on_listening(void *ctx, enum ph_err err)
{
    struct listener *l = ctx;
    struct ph_tail_hub *hub = l->hub;

    if (!hub)
        return; /* the server answers */
    l->begun_ms = l->written_ms = ph_loop_now_ms(hub->api->loop);
    if (err == PH_OK) {
        ph_request_set_header(l->call->req, "cache-control", "no-store");
        ph_request_set_header(l->call->req, "x-accel-buffering", "no");
        l->stream = ph_request_stream(l->call->req, "text/event-stream", on_end, l);
        if (l->stream) {
            (void)put(l, PH_STR(": listening\n\n"));
            return;
        }
    }
    on_end(l);
    ph_answer_error(l->call, PH_ERR_UNAVAILABLE, NULL);
}

void ph_tail_hub_open(struct ph_tail_hub *hub, struct ph_call *call, struct ph_id application)
{
    struct listener *l;

    if (is_full(hub, call->tenant)) {
        ph_answer_error(call, PH_ERR_RATE_LIMITED, "Too many streams of this tenant are open.");
        return;
    }
    l = ph_arena_new_of(call->req->arena, struct listener);
    l->hub = hub;
    l->call = call;
    l->tenant = call->tenant;
    l->application = application;
    l->token = ph_auth_bearer(ph_request_header(call->req, "authorization"));
    ph_list_add_last(&hub->listeners, &l->link);
    if (!ph_timer_is_set(&hub->tick))
        ph_timer_set(hub->api->loop, &hub->tick, ph_loop_now_ms(hub->api->loop) + TICK_MS);
    ph_tail_listen(tail_of(hub), &hub->ear, l->tenant, on_listening, l);
}

void ph_api_tail(struct ph_call *call)
{
    ph_request_keep(call->req);
    ph_tail_hub_open(call->api->tails, call, (struct ph_id){{0}});
}

static void on_application(void *ctx, enum ph_err err, const struct ph_application *application)
{
    struct ph_call *call = ctx;

    if (err != PH_OK)
        ph_answer_error(call, err, NULL);
    else
        ph_tail_hub_open(call->api->tails, call, application->id);
}

void ph_api_application_tail(struct ph_call *call)
{
    ph_request_keep(call->req);
    ph_application_get(call->api->db, call->req->arena, call->tenant, call->params[0],
                       on_application, call);
}

/* ---- life ---- */

struct ph_tail_hub *ph_tail_hub_new(struct ph_api *api)
{
    struct ph_tail_hub *hub = ph_calloc(1, sizeof *hub);

    hub->api = api;
    hub->ear.loop = api->loop;
    hub->ear.on_event = on_event;
    hub->tick.on_timer = on_tick;
    ph_list_init(&hub->listeners);
    return hub;
}

void ph_tail_hub_free(struct ph_tail_hub *hub)
{
    struct ph_link *at;

    ph_timer_clear(hub->api->loop, &hub->tick);
    while ((at = ph_list_take_first(&hub->listeners)))
        ph_container_of(at, struct listener, link)->hub = NULL;
    free(hub);
}
