#include "api/inbox_receive.h"

#include "api/custom_header.h"
#include "core/list.h"
#include "posthorn/clock.h"
#include "posthorn/inbox.h"
#include "posthorn/node.h"
#include "posthorn/subscription.h"

#include <stdlib.h>
#include <string.h>

/* Of one inbox at one node. */
#define REQUESTS_PER_SECOND 20
/* Answers that are held back at a time: of one inbox, and of this thread. */
#define HELD_OF_INBOX 10
#define HELD_MAX      200
#define HEADERS_BYTES (128 * 1024)
#define VALUE_BYTES   (16 * 1024)
#define HIDDEN        PH_STR("(hidden)")

struct ph_inbox_hub {
    struct ph_api *api;
    struct ph_link held;
};

/* A request and what becomes of it; lives in its arena. */
struct arrival {
    struct ph_link link; /* in hub->held */
    struct ph_inbox_hub *hub;
    struct ph_call *call;
    struct ph_inbox_place place;
    struct ph_inbox_request kept;
    struct ph_timer answer_due;
};

/* ---- the answer ---- */

static void answer(struct ph_call *call, int status)
{
    struct ph_str body =
        status == 204 || status == 304 ? PH_STR("") : PH_STR("Posthorn test inbox.\n");

    ph_request_set_header(call->req, "content-security-policy", "default-src 'none'");
    ph_request_set_header(call->req, "cache-control", "no-store");
    ph_answer(call, status, body.len ? "text/plain; charset=utf-8" : NULL, body);
}

static void on_answer_due(struct ph_timer *timer)
{
    struct arrival *a = ph_container_of(timer, struct arrival, answer_due);

    ph_list_remove(&a->link);
    answer(a->call, a->place.status);
}

static bool may_hold(const struct ph_inbox_hub *hub, struct ph_id application)
{
    int n = 0, of_inbox = 0;

    for (struct ph_link *at = hub->held.next; at != &hub->held; at = at->next) {
        n++;
        of_inbox +=
            ph_id_eq(ph_container_of(at, struct arrival, link)->place.application, application);
    }
    return n < HELD_MAX && of_inbox < HELD_OF_INBOX;
}

static void hold(struct arrival *a)
{
    struct ph_loop *loop = a->hub->api->loop;

    a->answer_due.on_timer = on_answer_due;
    ph_list_add_last(&a->hub->held, &a->link);
    ph_timer_set(loop, &a->answer_due, ph_loop_now_ms(loop) + (uint64_t)a->place.delay_ms);
}

/* ---- keeping it ---- */

static void tell(const struct arrival *a)
{
    struct ph_tail *tail = a->hub->api->node->tail;
    struct ph_tail_event *event;

    if (!ph_tail_wants(tail, a->place.tenant))
        return;
    event = ph_tail_of_arrival(tail, &(struct ph_tail_arrival){.tenant = a->place.tenant,
                                                               .application = a->place.application,
                                                               .request = a->kept.id,
                                                               .endpoint = a->kept.endpoint,
                                                               .signature = a->kept.signature,
                                                               .status = a->kept.status});
    if (event)
        ph_tail_tell(event);
}

static void on_stored(void *ctx, enum ph_err err)
{
    struct arrival *a = ctx;

    if (err == PH_ERR_CONFLICT)
        err = PH_ERR_NOT_FOUND;
    if (err != PH_OK) {
        ph_answer_error(a->call, err, NULL);
        return;
    }
    tell(a);
    if (a->place.delay_ms > 0)
        hold(a);
    else
        answer(a->call, a->place.status);
}

static void free_buf(void *buf)
{
    ph_buf_free(buf);
}

/* A signature is none: it is good for this one request. */
static bool is_secret(struct ph_str name)
{
    return ph_custom_header_is_sensitive(name) && !memmem(name.ptr, name.len, "signature", 9);
}

/* As an array of pairs; what may be a secret is not kept. */
static struct ph_str headers_of(const struct ph_request *req)
{
    struct ph_buf *buf = ph_arena_new_of(req->arena, struct ph_buf);
    struct ph_json_writer w;
    struct ph_str name, value;

    ph_buf_init(buf, HEADERS_BYTES);
    ph_arena_defer(req->arena, free_buf, buf);
    ph_jw_init(&w, buf);
    ph_jw_array_begin(&w);
    for (size_t i = 0; ph_request_header_at(req, i, &name, &value); i++) {
        ph_jw_array_begin(&w);
        ph_jw_str(&w, name);
        ph_jw_str(&w, is_secret(name) ? HIDDEN : value);
        ph_jw_array_end(&w);
    }
    ph_jw_array_end(&w);
    return buf->overflow ? PH_STR("[]") : ph_buf_str(buf);
}

static void store(struct arrival *a)
{
    struct ph_request *req = a->call->req;
    struct ph_str body = req->body.ptr ? req->body : PH_STR("");

    a->kept.id = ph_id_new(ph_clock_wall_ms());
    a->kept.method = req->method;
    a->kept.body_bytes = (int64_t)body.len;
    a->kept.body =
        (struct ph_str){body.ptr, body.len < PH_INBOX_BODY_BYTES ? body.len : PH_INBOX_BODY_BYTES};
    a->kept.headers = headers_of(req);
    a->kept.status = a->place.status;
    ph_inbox_request_store(a->hub->api->engine_db, req->arena, &a->place, &a->kept, on_stored, a);
}

/* ---- whose signature it has ---- */

/* Value of the header "{prefix}{end}" or, without a prefix, `end`; absent: not there. */
static struct ph_str header(const struct ph_request *req, struct ph_str prefix, const char *end)
{
    char *name = ph_arena_printf(req->arena, "%.*s%s", (int)prefix.len, prefix.ptr, end);

    for (char *c = name; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return ph_request_header(req, name);
}

/* What this endpoint would have written into the header of its signature. */
static struct ph_str expected(struct ph_request *req, const struct ph_endpoint_config *config,
                              int64_t time_s)
{
    struct ph_signer **signers =
        ph_arena_array_of(req->arena, struct ph_signer *, config->n_secrets);
    int64_t *expires_ms = ph_arena_array_of(req->arena, int64_t, config->n_secrets);
    struct ph_buf *value = ph_arena_new_of(req->arena, struct ph_buf);
    bool ok;

    ph_buf_init(value, VALUE_BYTES);
    ph_arena_defer(req->arena, free_buf, value);
    for (size_t i = 0; i < config->n_secrets; i++) {
        signers[i] = ph_sign_profile_signer(config->style.profile, &config->secrets[i].secret);
        expires_ms[i] = config->secrets[i].expires_ms;
    }
    ok = ph_sign_write_value(
        &config->style, signers, expires_ms, (int)config->n_secrets,
        &(struct ph_sign_message){.id = header(req, config->style.prefix, "-id"),
                                  .body = req->body.ptr ? req->body : PH_STR(""),
                                  .now_ms = time_s * 1000},
        value);
    for (size_t i = 0; i < config->n_secrets; i++)
        ph_signer_free(signers[i]);
    return ok ? ph_buf_str(value) : PH_STR_NONE;
}

enum verdict { NONE, INVALID, VALID };

static enum verdict judge(struct ph_request *req, const struct ph_endpoint_config *config)
{
    struct ph_str sent, time = header(req, config->style.prefix, "-timestamp");
    char name[PH_SIGNATURE_HEADER_MAX + PH_HEADER_PREFIX_MAX];
    struct ph_buf text = {.ptr = name, .cap = sizeof name - 1, .max_bytes = sizeof name - 1};
    int64_t time_s;

    ph_sign_write_header_name(&config->style, &text);
    ph_buf_add_char(&text, '\0');
    sent = header(req, PH_STR(""), text.ptr);
    if (!sent.ptr)
        return NONE;
    if (!header(req, config->style.prefix, "-id").ptr || ph_str_to_i64(time, &time_s) != PH_OK ||
        time_s < 0 || time_s > INT32_MAX)
        return INVALID;
    return ph_str_eq(sent, expected(req, config, time_s)) ? VALID : INVALID;
}

static void on_configs(enum ph_err err, struct ph_endpoint_config **configs, void *ctx)
{
    static const struct ph_str words[] = {
        [NONE] = {"none", 4}, [INVALID] = {"invalid", 7}, [VALID] = {"valid", 5}};
    struct arrival *a = ctx;
    enum verdict best = NONE;

    if (err != PH_OK) {
        ph_answer_error(a->call, err, NULL);
        return;
    }
    for (size_t i = 0; i < a->place.n_endpoints; i++) {
        enum verdict verdict = configs[i] && best != VALID ? judge(a->call->req, configs[i]) : NONE;
        if (verdict == VALID)
            a->kept.endpoint = configs[i]->id;
        if (verdict > best)
            best = verdict;
        ph_endpoint_config_unref(configs[i]);
    }
    a->kept.signature = words[best];
    store(a);
}

/* ---- the arrival ---- */

static bool is_too_often(const struct arrival *a)
{
    struct ph_rate *rate = ph_rate_table_get(a->hub->api->node->rates, a->place.application);
    struct ph_rate_state state;

    return !ph_rate_take(rate, REQUESTS_PER_SECOND,
                         (int64_t)ph_loop_now_ms(a->hub->api->loop) * 1000000, &state);
}

static void on_found(void *ctx, enum ph_err err, const struct ph_inbox_place *place)
{
    struct arrival *a = ctx;
    struct ph_api *api = a->hub->api;

    if (err != PH_OK) {
        ph_answer_error(a->call, err, err == PH_ERR_NOT_FOUND ? "There is no such inbox." : NULL);
        return;
    }
    a->place = *place;
    if (is_too_often(a) || (place->delay_ms > 0 && !may_hold(a->hub, place->application))) {
        ph_request_set_header(a->call->req, "retry-after", "1");
        ph_answer_error(a->call, PH_ERR_RATE_LIMITED, NULL);
        return;
    }
    ph_endpoint_configs_load(api->engine_db, a->call->req->arena, api->node->keyring,
                             a->place.endpoints, a->place.n_endpoints, on_configs, a);
}

bool ph_inbox_hub_takes(struct ph_inbox_hub *hub, struct ph_call *call)
{
    struct arrival *a;
    struct ph_str token;

    if (!ph_inbox_token_of(call->req->path, &token))
        return false;
    ph_request_keep(call->req);
    a = ph_arena_new_of(call->req->arena, struct arrival);
    a->hub = hub;
    a->call = call;
    (void)ph_inbox_token_of(call->req->path, &token); /* the copy's */
    ph_inbox_find(hub->api->engine_db, call->req->arena, token, on_found, a);
    return true;
}

/* ---- life ---- */

struct ph_inbox_hub *ph_inbox_hub_new(struct ph_api *api)
{
    struct ph_inbox_hub *hub = ph_calloc(1, sizeof *hub);

    hub->api = api;
    ph_list_init(&hub->held);
    return hub;
}

void ph_inbox_hub_free(struct ph_inbox_hub *hub)
{
    struct ph_link *at;

    while ((at = ph_list_take_first(&hub->held)))
        ph_timer_clear(hub->api->loop, &ph_container_of(at, struct arrival, link)->answer_due);
    free(hub);
}
