/*
 * Operational endpoints: the same as those of applications, but they belong to the tenant's internal application, which is
 * made when it is needed first.
 */
#include "posthorn/application.h"

#include "api/routes.h"

/* Lets the handlers of endpoints work on the internal application. */
static void name_application(struct ph_call *call)
{
    call->is_operational = true;
    call->params[1] = call->params[0];
    call->params[0] = PH_APPLICATION_INTERNAL;
}

/* What goes on when the application is there. */
struct made {
    struct ph_call *call;
    void (*handler)(struct ph_call *call);
};

static void on_made(void *ctx, enum ph_err err)
{
    struct made *made = ctx;

    if (err != PH_OK) {
        ph_answer_error(made->call, err, NULL);
        return;
    }
    made->handler(made->call);
}

static void make_first(struct ph_call *call, void (*handler)(struct ph_call *call))
{
    struct made *made;

    ph_request_keep(call->req);
    made = ph_arena_new_of(call->req->arena, struct made);
    *made = (struct made){call, handler};
    name_application(call);
    ph_application_make_internal(call->api->engine_db, call->req->arena, call->tenant, on_made,
                                 made);
}

void ph_api_operational_list(struct ph_call *call)
{
    make_first(call, ph_api_endpoint_list);
}

void ph_api_operational_create(struct ph_call *call)
{
    make_first(call, ph_api_endpoint_create);
}

void ph_api_operational_replace(struct ph_call *call)
{
    make_first(call, ph_api_endpoint_replace);
}

void ph_api_operational_get(struct ph_call *call)
{
    name_application(call);
    ph_api_endpoint_get(call);
}

void ph_api_operational_delete(struct ph_call *call)
{
    name_application(call);
    ph_api_endpoint_delete(call);
}

void ph_api_operational_secret_get(struct ph_call *call)
{
    name_application(call);
    ph_api_endpoint_secret_get(call);
}

void ph_api_operational_secret_rotate(struct ph_call *call)
{
    name_application(call);
    ph_api_endpoint_secret_rotate(call);
}

void ph_api_operational_headers_get(struct ph_call *call)
{
    name_application(call);
    ph_api_endpoint_headers_get(call);
}

void ph_api_operational_headers_replace(struct ph_call *call)
{
    name_application(call);
    ph_api_endpoint_headers_replace(call);
}
