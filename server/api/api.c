#include "api/access.h"
#include "api/inbox_receive.h"
#include "api/once.h"
#include "api/portal_page.h"
#include "api/quota.h"
#include "posthorn/auth.h"
#include "posthorn/ingest.h"
#include "posthorn/node.h"
#include "posthorn/router.h"
#include "posthorn/tail_hub.h"
#include "posthorn/trial.h"
#include "posthorn/web.h"

#include <stdlib.h>

#define DB_CONNECTIONS 2
#define DB_MAX_WAITING 10000

static struct ph_db *open_db(struct ph_loop *loop, const struct ph_node *node, enum ph_db_role role,
                             const char *name, int thread_index)
{
    struct ph_buf full_name;
    struct ph_db *db;

    ph_buf_init(&full_name, 64);
    ph_buf_printf(&full_name, "%s %d", name, thread_index);
    ph_buf_add_char(&full_name, '\0');
    db = ph_db_new(loop, &(struct ph_db_options){
                             .conninfo = node->config->database_url,
                             .role = role,
                             .connections = DB_CONNECTIONS,
                             .max_waiting = DB_MAX_WAITING,
                             .name = full_name.ptr,
                         });
    ph_buf_free(&full_name);
    return db;
}

struct ph_api *ph_api_new(struct ph_loop *loop, struct ph_node *node, int thread_index)
{
    struct ph_api *api = ph_calloc(1, sizeof(*api));

    api->node = node;
    api->loop = loop;
    api->db = open_db(loop, node, PH_DB_API, "api", thread_index);
    api->engine_db = open_db(loop, node, PH_DB_ENGINE, "engine", thread_index);
    api->changes = open_db(loop, node, PH_DB_API, "changes", thread_index);
    api->auth = ph_auth_new(
        loop, &(struct ph_auth_options){.db = api->engine_db,
                                        .news = &node->auth_news,
                                        .jwt_secret = ph_str_of(node->config->jwt_secret),
                                        .rates = node->rates,
                                        .per_second = {[PH_RATE_READ] = node->config->rate_read,
                                                       [PH_RATE_WRITE] = node->config->rate_write,
                                                       [PH_RATE_SEND] = node->config->rate_send}});
    api->ingest = ph_ingest_new(loop, node, false);
    api->trials = ph_trial_hub_new(loop);
    api->tails = ph_tail_hub_new(api);
    api->inboxes = ph_inbox_hub_new(api);
    api->once = ph_once_table_new();
    api->portal_pages = ph_portal_pages_new();
    return api;
}

void ph_api_free(struct ph_api *api)
{
    if (!api)
        return;
    api->stopping = true;
    ph_tail_hub_free(api->tails);
    ph_inbox_hub_free(api->inboxes);
    ph_auth_stop(api->auth);
    ph_db_free(api->changes);
    ph_db_free(api->db);
    ph_db_free(api->engine_db);
    ph_ingest_free(api->ingest);
    ph_trial_hub_free(api->trials);
    ph_auth_free(api->auth);
    ph_once_table_free(api->once);
    ph_portal_pages_free(api->portal_pages);
    free(api);
}

static void refuse(struct ph_call *call)
{
    ph_request_set_header(call->req, "www-authenticate", "Bearer");
    ph_answer_error(call, PH_ERR_AUTH, NULL);
}

static void handle(struct ph_call *call, const struct ph_identity *identity)
{
    if (!ph_quota_admit(call, identity))
        return;
    if (!ph_access_allows(call, identity)) {
        ph_answer_error(call, PH_ERR_FORBIDDEN, NULL);
        return;
    }
    call->tenant = identity->tenant;
    call->api_key = identity->credential;
    call->identity = *identity;
    ph_once_handle(call);
}

static void on_identity(void *ctx, enum ph_err err, const struct ph_identity *identity)
{
    struct ph_call *call = ctx;

    if (err == PH_ERR_AUTH)
        refuse(call);
    else if (err != PH_OK)
        ph_answer_error(call, PH_ERR_UNAVAILABLE, NULL);
    else
        handle(call, identity);
}

/* The operator belongs to no tenant. */
static void authenticate_operator(struct ph_call *call)
{
    if (!ph_access_is_operator(call,
                               ph_auth_bearer(ph_request_header(call->req, "authorization")))) {
        refuse(call);
        return;
    }
    call->identity.kind = PH_CREDENTIAL_OPERATOR;
    ph_once_handle(call);
}

static void authenticate(struct ph_call *call)
{
    struct ph_str key = ph_auth_bearer(ph_request_header(call->req, "authorization"));
    struct ph_identity identity;

    if (call->route->scope == PH_SCOPE_OPERATOR)
        authenticate_operator(call);
    else if (!ph_auth_well_formed(call->api->auth, key)) {
        refuse(call);
    } else if (ph_auth_lookup(call->api->auth, key, &identity)) {
        handle(call, &identity);
    } else {
        ph_request_keep(call->req);
        key = ph_auth_bearer(ph_request_header(call->req, "authorization"));
        ph_auth_resolve(call->api->auth, call->req->arena, key, on_identity, call);
    }
}

void ph_api_on_request(struct ph_request *request)
{
    struct ph_call *call = ph_arena_new_of(request->arena, struct ph_call);
    struct ph_route_match match;
    struct ph_str decoded;
    enum ph_err err;

    call->req = request;
    call->api = request->thread;
    err = ph_router_find(request->arena, request->method, request->path, &match);
    if (err == PH_ERR_NOT_FOUND &&
        (ph_inbox_hub_takes(call->api->inboxes, call) || ph_web_answer(call)))
        return;
    if (err == PH_ERR_METHOD)
        ph_request_set_header(request, "allow", match.allow);
    if (err != PH_OK) {
        ph_answer_error(call, err,
                        err == PH_ERR_NOT_FOUND ? "There is nothing at this path." : NULL);
        return;
    }
    if (request->query.ptr && !ph_percent_decode(request->arena, request->query, true, &decoded)) {
        ph_answer_error(call, PH_ERR_BAD_REQUEST, "The query is not percent-encoded UTF-8.");
        return;
    }
    call->route = match.route;
    for (size_t i = 0; i < match.n_params; i++)
        call->params[i] = match.params[i];
    if (match.route->scope == PH_SCOPE_PUBLIC)
        match.route->handler(call);
    else
        authenticate(call);
}
