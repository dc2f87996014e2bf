/* Who did what, for those who administer the tenant. */
#include "api/filters.h"
#include "api/routes.h"
#include "posthorn/audit.h"

#define PAGE_BYTES (4 * 1024 * 1024)

static void write_str(struct ph_json_writer *w, const char *name, struct ph_str value)
{
    ph_jw_key(w, name);
    ph_jw_str(w, value);
}

static void write_entry(struct ph_json_writer *w, const struct ph_audit_entry *entry)
{
    ph_jw_object_begin(w);
    write_str(w, "action", entry->action);
    ph_jw_key(w, "actor");
    ph_jw_object_begin(w);
    write_str(w, "id", entry->actor_id);
    write_str(w, "kind", entry->actor_kind);
    write_str(w, "name", entry->actor_name);
    ph_jw_object_end(w);
    write_str(w, "address", entry->address);
    write_str(w, "appId", entry->application);
    ph_jw_key(w, "createdAt");
    ph_jw_time(w, ph_id_time_ms(entry->id));
    ph_jw_key(w, "fields");
    ph_jw_array_begin(w);
    for (size_t i = 0; i < entry->n_fields; i++)
        ph_jw_str(w, entry->fields[i]);
    ph_jw_array_end(w);
    ph_jw_key(w, "id");
    ph_jw_id(w, PH_ID_AUDIT, entry->id);
    ph_jw_key(w, "object");
    ph_jw_object_begin(w);
    write_str(w, "id", entry->object_id);
    write_str(w, "kind", entry->object_kind);
    ph_jw_object_end(w);
    write_str(w, "userAgent", entry->user_agent);
    ph_jw_object_end(w);
}

static void on_page(void *ctx, enum ph_err err, const struct ph_audit_entry *entries, size_t n,
                    const struct ph_list_end *end)
{
    struct ph_json_writer *w;

    if (err != PH_OK) {
        ph_answer_error(ctx, err, NULL);
        return;
    }
    w = ph_answer_writer(ctx, PAGE_BYTES);
    ph_answer_page_begin(w);
    for (size_t i = 0; i < n; i++)
        write_entry(w, &entries[i]);
    ph_answer_page_end(ctx, w, PH_ID_AUDIT, n ? &entries[0].id : NULL,
                       n ? &entries[n - 1].id : NULL, end);
}

static struct ph_str query_text(struct ph_call *call, struct ph_faults *faults, const char *name)
{
    struct ph_str value = ph_query(call, name);

    if (value.ptr && (value.len == 0 || value.len > PH_AUDIT_TEXT_MAX))
        ph_fault(call, faults, "query", name, "has to have 1 to 256 bytes", "value_error");
    return value;
}

void ph_api_audit_log(struct ph_call *call)
{
    struct ph_audit_filter filter;
    struct ph_faults faults = {0};
    struct ph_list list;

    if (!ph_page_read_ids(call, true, PH_ID_AUDIT, &list))
        return;
    filter.object = query_text(call, &faults, "object_id");
    filter.actor = query_text(call, &faults, "actor_id");
    filter.action = query_text(call, &faults, "action");
    filter.after = ph_query_bound(call, &faults, "after");
    filter.before = ph_query_bound(call, &faults, "before");
    if (!ph_faults_answer(call, &faults))
        ph_audit_list(call->api->db, call->req->arena, call->tenant, &list, &filter, on_page, call);
}
