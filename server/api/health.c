#include "api/routes.h"
#include "posthorn/metrics.h"

#include <string.h>

#define METRICS_BYTES (256 * 1024)

/* A person's browser, which asks for a page; programs do not. */
static bool is_browser(struct ph_call *call)
{
    struct ph_str accept = ph_request_header(call->req, "accept");

    return accept.len > 0 && memmem(accept.ptr, accept.len, "text/html", strlen("text/html"));
}

void ph_api_index(struct ph_call *call)
{
    struct ph_json_writer *w = ph_answer_writer(call, 1024);

    ph_request_set_header(call->req, "vary", "accept");
    if (is_browser(call)) {
        ph_request_set_header(call->req, "location", "/dashboard");
        ph_answer_empty(call, 303);
        return;
    }
    ph_jw_object_begin(w);
    ph_jw_key(w, "name");
    ph_jw_cstr(w, "posthorn");
    ph_jw_key(w, "api");
    ph_jw_cstr(w, "/api/v1");
    ph_jw_key(w, "health");
    ph_jw_cstr(w, "/api/v1/health");
    ph_jw_key(w, "openapi");
    ph_jw_cstr(w, "/api/v1/openapi.json");
    ph_jw_key(w, "docs");
    ph_jw_cstr(w, "/docs");
    ph_jw_key(w, "dashboard");
    ph_jw_cstr(w, "/dashboard");
    ph_jw_key(w, "metrics");
    ph_jw_cstr(w, "/metrics");
    ph_jw_object_end(w);
    ph_answer_json(call, 200, w);
}

void ph_api_health(struct ph_call *call)
{
    ph_answer_empty(call, 204);
}

void ph_api_metrics(struct ph_call *call)
{
    struct ph_buf text;

    ph_buf_init(&text, METRICS_BYTES);
    ph_metrics_write(&text);
    ph_request_answer(call->req, 200, "text/plain; version=0.0.4; charset=utf-8",
                      ph_buf_str(&text));
    ph_buf_free(&text);
}
