/* GET /catalog/{catalog}: the event types that a tenant shows to everybody. */
#include "api/event_type_json.h"
#include "api/example.h"
#include "api/routes.h"
#include "posthorn/event_type.h"
#include "posthorn/tenant.h"

#define ANSWER_BYTES (256 * 1024 * 1024)
/* Schemas in one page, roughly; the rest comes with the next. */
#define PAGE_BYTES (1 << 20)
/* No example is made of a schema that is larger. */
#define EXAMPLE_BYTES_MAX (64 * 1024)

struct catalog {
    struct ph_call *call;
    struct ph_event_type_list list;
};

static void write_type(struct ph_call *call, struct ph_json_writer *w,
                       const struct ph_event_type *type)
{
    ph_jw_object_begin(w);
    ph_jw_key(w, "deprecated");
    ph_jw_bool(w, type->deprecated);
    ph_jw_key(w, "description");
    ph_jw_str(w, type->description);
    ph_jw_key(w, "example");
    if (type->schemas.ptr && type->schemas.len <= EXAMPLE_BYTES_MAX)
        ph_jw_raw(w, ph_api_example(call->req->arena, type->name, type->schemas, 0));
    else
        ph_jw_null(w);
    ph_jw_key(w, "groupName");
    ph_jw_str(w, type->group);
    ph_jw_key(w, "name");
    ph_jw_str(w, type->name);
    ph_api_write_schemas(w, type->schemas);
    ph_jw_object_end(w);
}

/* How many of n items make a page, at least one: from its first one on, or, when it is read backwards, from its last. */
static size_t count_page(const struct ph_event_type *types, size_t n, bool backwards)
{
    size_t bytes = 0, count = 0;

    while (count < n && (count == 0 || bytes < PAGE_BYTES)) {
        bytes += types[backwards ? n - 1 - count : count].schemas.len;
        count++;
    }
    return count;
}

static void on_types(void *ctx, enum ph_err err, const struct ph_event_type *types, size_t n,
                     bool done)
{
    struct catalog *catalog = ctx;
    struct ph_call *call = catalog->call;
    struct ph_json_writer *w;
    size_t count;

    if (err != PH_OK) {
        ph_answer_error(call, err, NULL);
        return;
    }
    count = count_page(types, n, catalog->list.backwards);
    done = done && count == n;
    if (catalog->list.backwards)
        types += n - count;
    ph_request_set_header(call->req, "cache-control", "public, max-age=60");
    ph_request_set_header(call->req, "access-control-allow-origin", "*");
    w = ph_answer_writer(call, ANSWER_BYTES);
    ph_answer_page_begin(w);
    for (size_t i = 0; i < count; i++)
        write_type(call, w, &types[i]);
    ph_answer_page(call, w, count ? types[0].name : PH_STR_NONE,
                   count ? types[count - 1].name : PH_STR_NONE, done);
}

static void on_tenant(void *ctx, enum ph_err err, struct ph_id tenant)
{
    struct catalog *catalog = ctx;
    struct ph_call *call = catalog->call;

    if (err != PH_OK)
        ph_answer_error(call, err, NULL);
    else
        ph_event_type_list(call->api->db, call->req->arena, tenant, &catalog->list, on_types,
                           catalog);
}

void ph_api_catalog(struct ph_call *call)
{
    struct catalog *catalog = ph_arena_new_of(call->req->arena, struct catalog);
    struct ph_faults faults = {0};
    struct ph_page page;

    if (!ph_page_read(call, false, &page))
        return;
    if (page.iterator.ptr && !ph_name_ok(page.iterator, PH_EVENT_TYPE_CHARS_MAX))
        ph_fault(call, &faults, "query", "iterator", "is not an iterator of this list",
                 "value_error");
    if (ph_faults_answer(call, &faults))
        return;
    catalog->call = call;
    catalog->list = (struct ph_event_type_list){
        .limit = page.limit,
        .descending = page.descending,
        .backwards = page.backwards,
        .from = page.iterator,
        .with_content = true,
        .viewer = PH_EVENT_TYPE_VIEWER_ANYBODY,
    };
    ph_tenant_find_catalog(call->api->engine_db, call->req->arena, call->params[0], on_tenant,
                           catalog);
}
