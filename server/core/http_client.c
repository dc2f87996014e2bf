#include "core/http_client_internal.h"

#include "posthorn/arena.h"
#include "posthorn/clock.h"
#include "posthorn/log.h"

#include <assert.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A name server that is silent for this part of the connect deadline is left for the next one. */
#define NAME_SERVER_SHARE  3
#define NAME_SERVER_MIN_MS 100
#define NAME_SERVER_MAX_MS 2000

/* The end of an exchange */

static void report_later(struct ph_exchange *x)
{
    struct ph_http_client *client = x->client;
    ph_list_add_last(&client->done, &x->link);
    if (client->report_deferred)
        return;
    client->report_deferred = true;
    ph_loop_defer(client->loop, &client->report);
}

/* Fills in the call's results but err and error_text. */
static void end(struct ph_exchange *x)
{
    struct ph_http_call *call = x->call;
    const struct ph_http_response *r = x->response;
    assert(!x->is_done && x->connection == NULL);
    ph_list_remove(&x->in_total);
    ph_list_remove(&x->in_phase);
    ph_list_remove(&x->link);
    x->is_done = true;
    call->duration_us = (int64_t)(ph_clock_mono_us() - x->start_us);
    call->status = ph_http_response_status(r);
    call->response = ph_http_response_body(r);
    call->headers = ph_http_response_headers(r);
    struct ph_str wait = ph_http_response_header(r, "retry-after");
    call->header =
        call->want_header ? ph_http_response_header(x->response, call->want_header) : PH_STR_NONE;
    call->retry_after_s = wait.ptr != NULL ? ph_http_retry_after_s(wait, ph_clock_wall_ms()) : -1;
    report_later(x);
}

void ph_exchange_answered(struct ph_exchange *x)
{
    x->call->err = PH_OK;
    end(x);
}

void ph_exchange_fail(struct ph_exchange *x, enum ph_err err, const char *fmt, ...)
{
    struct ph_connection *c = x->connection;
    va_list args;
    va_start(args, fmt);
    vsnprintf(x->call->error_text, sizeof(x->call->error_text), fmt, args);
    va_end(args);
    x->call->err = err;
    if (c != NULL) {
        x->connection = NULL;
        c->exchange = NULL;
        ph_connection_close(c);
    }
    end(x);
}

static void exchange_free(struct ph_exchange *x)
{
    ph_http_response_free(x->response);
    free(x);
}

static void exchange_release(struct ph_exchange *x)
{
    struct ph_http_client *client = x->client;
    ph_origin_unref(x->origin);
    client->n_exchanges--;
    if (client->n_spare_exchanges == PH_SPARE_MAX) {
        exchange_free(x);
        return;
    }
    ph_http_response_reset(x->response);
    client->n_spare_exchanges++;
    ph_list_add_first(&client->spare_exchanges, &x->link);
}

/* Calls on_done of those that are over by now; what ends meanwhile waits for the next step. */
static void on_report(struct ph_task *task)
{
    struct ph_http_client *client = ph_container_of(task, struct ph_http_client, report);
    struct ph_link todo, *link;
    client->report_deferred = false;
    ph_list_move_all(&client->done, &todo);
    while ((link = ph_list_take_first(&todo)) != NULL) {
        struct ph_exchange *x = ph_container_of(link, struct ph_exchange, link);
        struct ph_http_call *call = x->call;
        call->state = NULL;
        x->call = NULL;
        call->on_done(call); /* the owner may free it */
        exchange_release(x);
    }
}

/* Deadlines */

static void arm(struct ph_http_client *client, struct ph_deadlines *d, uint64_t due_ms)
{
    if (!ph_timer_is_set(&d->timer))
        ph_timer_set(client->loop, &d->timer, due_ms);
}

void ph_exchange_phase_begins(struct ph_exchange *x)
{
    struct ph_http_client *client = x->client;
    ph_list_remove(&x->in_phase);
    x->phase_due_ms = ph_loop_now_ms(client->loop) + (uint64_t)client->limits.connect_ms;
    ph_list_add_last(&client->phase.list, &x->in_phase);
    arm(client, &client->phase, x->phase_due_ms);
}

void ph_exchange_phase_ends(struct ph_exchange *x)
{
    ph_list_remove(&x->in_phase);
}

static void fail_phase(struct ph_exchange *x)
{
    const struct ph_connection *c = x->connection;
    if (c == NULL)
        ph_exchange_fail(x, PH_ERR_OUT_DNS, "host name lookup timed out");
    else if (c->state == PH_HANDSHAKE)
        ph_exchange_fail(x, PH_ERR_OUT_TIMEOUT, "TLS handshake timed out");
    else if (c->state == PH_TUNNEL)
        ph_exchange_fail(x, PH_ERR_OUT_TIMEOUT, "the proxy did not answer in time");
    else if (c->by_proxy)
        ph_exchange_fail(x, PH_ERR_OUT_TIMEOUT, "the proxy cannot be reached: %s timed out",
                         c->watch.fd < 0 ? "host name lookup" : "connection");
    else
        ph_exchange_fail(x, PH_ERR_OUT_TIMEOUT, "connection timed out");
}

static void on_phase_due(struct ph_timer *timer)
{
    struct ph_deadlines *d = ph_container_of(timer, struct ph_deadlines, timer);
    struct ph_http_client *client = ph_container_of(d, struct ph_http_client, phase);
    uint64_t now_ms = ph_loop_now_ms(client->loop);
    while (!ph_list_is_empty(&d->list)) {
        struct ph_exchange *x = ph_container_of(d->list.next, struct ph_exchange, in_phase);
        if (x->phase_due_ms > now_ms) {
            arm(client, d, x->phase_due_ms);
            return;
        }
        fail_phase(x);
    }
}

static void fail_total(struct ph_exchange *x)
{
    int64_t ms = x->client->limits.total_ms;
    if (ph_link_is_in(&x->in_phase)) {
        fail_phase(x);
        return;
    }
    const char *what = ph_http_response_started(x->response) ? "complete answer" : "answer";
    if (ms % 1000 == 0)
        ph_exchange_fail(x, PH_ERR_OUT_TIMEOUT, "no %s within %lld s", what,
                         (long long)(ms / 1000));
    else
        ph_exchange_fail(x, PH_ERR_OUT_TIMEOUT, "no %s within %lld ms", what, (long long)ms);
}

static void on_total_due(struct ph_timer *timer)
{
    struct ph_deadlines *d = ph_container_of(timer, struct ph_deadlines, timer);
    struct ph_http_client *client = ph_container_of(d, struct ph_http_client, total);
    uint64_t now_ms = ph_loop_now_ms(client->loop);
    while (!ph_list_is_empty(&d->list)) {
        struct ph_exchange *x = ph_container_of(d->list.next, struct ph_exchange, in_total);
        if (x->total_due_ms > now_ms) {
            arm(client, d, x->total_due_ms);
            return;
        }
        fail_total(x);
    }
}

/* Calls */

static struct ph_exchange *exchange_new(struct ph_http_client *client)
{
    struct ph_exchange *x;
    struct ph_http_response *response;
    struct ph_link *link = ph_list_take_first(&client->spare_exchanges);
    if (link != NULL) {
        client->n_spare_exchanges--;
        x = ph_container_of(link, struct ph_exchange, link);
        response = x->response;
    } else {
        const struct ph_http_limits *limits = &client->limits;
        x = ph_malloc(sizeof(*x));
        response =
            ph_http_response_new(limits->header_bytes, limits->body_bytes, limits->body_read_bytes);
    }
    *x = (struct ph_exchange){.client = client, .response = response};
    client->n_exchanges++;
    return x;
}

void ph_http_call_start(struct ph_http_client *client, struct ph_http_call *call)
{
    struct ph_exchange *x = exchange_new(client);
    assert(call->origin != NULL && call->origin->client == client && call->state == NULL);
    assert(call->head.len > 0 && call->on_done != NULL);
    call->err = PH_OK;
    call->error_text[0] = '\0';
    call->reused = false;
    call->state = x;
    x->call = call;
    x->origin = call->origin;
    ph_origin_ref(x->origin);
    x->start_us = ph_clock_mono_us();
    x->total_due_ms = ph_loop_now_ms(client->loop) + (uint64_t)client->limits.total_ms;
    ph_list_add_last(&client->total.list, &x->in_total);
    arm(client, &client->total, x->total_due_ms);
    ph_origin_dispatch(x);
}

void ph_http_call_cancel(struct ph_http_call *call)
{
    struct ph_exchange *x = call->state;
    if (x != NULL && !x->is_done)
        ph_exchange_fail(x, PH_ERR_OUT_CANCELLED, "cancelled");
}

/* The client */

static void on_sweep(struct ph_timer *timer)
{
    ph_client_sweep(ph_container_of(timer, struct ph_http_client, sweep), false);
}

/* OpenSSL writes to sockets without MSG_NOSIGNAL. */
static void ignore_sigpipe(void)
{
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
        now.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

static int64_t name_server_ms(const struct ph_http_limits *limits)
{
    int64_t ms = limits->connect_ms / NAME_SERVER_SHARE;
    return ms < NAME_SERVER_MIN_MS   ? NAME_SERVER_MIN_MS
           : ms > NAME_SERVER_MAX_MS ? NAME_SERVER_MAX_MS
                                     : ms;
}

enum ph_err ph_http_client_new(struct ph_loop *loop, const struct ph_guard *guard,
                               const struct ph_http_limits *limits, const char *ca_file,
                               struct ph_http_client **out)
{
    struct ph_http_client *client = ph_calloc(1, sizeof(*client));
    client->loop = loop;
    client->guard = guard;
    client->limits = *limits;
    enum ph_err err = ph_tls_context_new(ca_file, &client->tls);
    if (err != PH_OK)
        goto out;
    err = ph_resolver_new(loop, name_server_ms(limits), &client->resolver);
    if (err != PH_OK)
        goto out;
    ignore_sigpipe();
    ph_list_init(&client->total.list);
    ph_list_init(&client->phase.list);
    ph_list_init(&client->done);
    ph_list_init(&client->idle);
    ph_list_init(&client->spare_exchanges);
    ph_list_init(&client->spare_connections);
    ph_list_init(&client->proxy_waiting);
    client->total.timer.on_timer = on_total_due;
    client->phase.timer.on_timer = on_phase_due;
    client->sweep.on_timer = on_sweep;
    client->report.run = on_report;
    *out = client;
    client = NULL;
out:
    if (client != NULL) {
        SSL_CTX_free(client->tls);
        free(client);
    }
    return err;
}

void ph_http_client_free(struct ph_http_client *client)
{
    struct ph_link *link;
    if (client == NULL)
        return;
    assert(client->n_exchanges == 0);
    ph_resolver_free(client->resolver);
    ph_client_sweep(client, true);
    assert(client->n_connections == 0 && client->origins.count == 0);
    ph_timer_clear(client->loop, &client->total.timer);
    ph_timer_clear(client->loop, &client->phase.timer);
    while ((link = ph_list_take_first(&client->spare_exchanges)) != NULL)
        exchange_free(ph_container_of(link, struct ph_exchange, link));
    while ((link = ph_list_take_first(&client->spare_connections)) != NULL)
        free(ph_container_of(link, struct ph_connection, in_client));
    ph_map_free(&client->origins);
    SSL_CTX_free(client->tls);
    free(client);
}
