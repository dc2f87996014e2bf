#include "courier_internal.h"

#include "posthorn/oauth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Counted by reference: its target, every attempt with it, and a fetch hold it. So it outlives a change of the endpoint. */
struct token {
    int refs;
    struct target *target;
    struct ph_endpoint_config *config;
    struct ph_buf value;
    uint64_t number;     /* grows with every value */
    uint64_t expires_ms; /* monotonic */
    struct attempt *first_waiting, *last_waiting;
    bool fetching;
    struct ph_http_call call;
};

static void fetched(struct ph_http_call *call);

static struct token *token_new(struct target *target)
{
    struct token *token = ph_calloc(1, sizeof *token);

    token->refs = 1;
    token->target = target;
    token->config = ph_endpoint_config_ref(target->config);
    ph_buf_init(&token->value, PH_OAUTH_TOKEN_BYTES_MAX);
    return token;
}

void courier_token_unref(struct token *token)
{
    if (!token || --token->refs > 0)
        return;
    if (token->value.ptr)
        explicit_bzero(token->value.ptr, token->value.len);
    ph_buf_free(&token->value);
    ph_endpoint_config_unref(token->config);
    free(token);
}

static void fetch(struct token *token)
{
    struct ph_http_client *http = token->target->courier->http;
    const struct ph_oauth *oauth = token->config->oauth;

    token->fetching = true;
    token->refs++;
    token->call = (struct ph_http_call){
        .origin = ph_http_origin_open(http, &oauth->url, NULL),
        .head = oauth->head,
        .body = oauth->body,
        .on_done = fetched,
    };
    ph_http_call_start(http, &token->call);
}

static bool is_valid(const struct token *token)
{
    return token->value.len > 0 && ph_loop_now_ms(token->target->courier->loop) < token->expires_ms;
}

void courier_token_want(struct attempt *attempt)
{
    struct target *target = attempt->target;
    struct token *token = attempt->token;

    if (!token) {
        if (!target->token)
            target->token = token_new(target);
        token = attempt->token = target->token;
        token->refs++;
    }
    if (is_valid(token)) {
        courier_attempt_send(attempt);
        return;
    }
    attempt->next_waiting = NULL;
    if (token->first_waiting)
        token->last_waiting->next_waiting = attempt;
    else
        token->first_waiting = attempt;
    token->last_waiting = attempt;
    if (!token->fetching)
        fetch(token);
}

void courier_token_write(struct attempt *attempt)
{
    struct token *token = attempt->token;

    if (!token)
        return;
    attempt->token_number = token->number;
    ph_buf_add_c(&attempt->head, "Authorization: Bearer ");
    ph_buf_add_str(&attempt->head, ph_buf_str(&token->value));
    ph_buf_add_c(&attempt->head, "\r\n");
}

void courier_token_refuse(struct attempt *attempt)
{
    struct token *token = attempt->token;

    if (token->number == attempt->token_number)
        ph_buf_clear(&token->value);
}

void courier_token_cancel(struct attempt *attempt)
{
    if (attempt->token && attempt->token->fetching)
        ph_http_call_cancel(&attempt->token->call);
}

/* Takes the answer. NULL, or why there is no token; may be written to `text`. */
static const char *take_answer(struct token *token, struct ph_arena *arena, char *text, size_t n)
{
    const struct ph_http_call *call = &token->call;
    struct ph_oauth_token got;
    const char *reason = call->error_text;

    if (call->err == PH_OK &&
        ph_oauth_token_read(arena, call->status, call->response, &got, &reason) == PH_OK) {
        ph_buf_clear(&token->value);
        ph_buf_add_str(&token->value, got.value);
        token->number++;
        token->expires_ms =
            ph_loop_now_ms(token->target->courier->loop) + (uint64_t)got.lifetime_ms;
        return NULL;
    }
    snprintf(text, n, "the OAuth token could not be fetched: %s", reason);
    return text;
}

/* All who waited go on, or fail with the same reason: the next ones fetch again. */
static void fetched(struct ph_http_call *call)
{
    struct token *token = ph_container_of(call, struct token, call);
    struct target *target = token->target;
    struct attempt *waiting = token->first_waiting;
    struct ph_arena *arena = ph_arena_new();
    bool cancelled = call->err == PH_ERR_OUT_CANCELLED;
    int64_t duration_us = call->duration_us;
    char text[256];
    const char *reason = take_answer(token, arena, text, sizeof text);

    ph_http_origin_close(call->origin);
    token->fetching = false;
    token->first_waiting = token->last_waiting = NULL;
    while (waiting) {
        struct attempt *attempt = waiting;
        waiting = attempt->next_waiting;
        if (reason)
            courier_attempt_without_token(attempt, cancelled ? NULL : reason, duration_us);
        else
            courier_attempt_send(attempt);
    }
    ph_arena_free(arena);
    courier_token_unref(token);
    courier_serve(target);
    courier_serve_ready(target->courier);
    courier_check_stopped(target->courier);
}
