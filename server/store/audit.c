#include "posthorn/audit.h"

#include "posthorn/clock.h"
#include "sql.h"
#include "store/range.h"

struct op {
    struct ph_db_req req;
    struct ph_list list;
    union {
        void (*plain)(void *ctx, enum ph_err err);
        void (*objects)(void *ctx, enum ph_err err, struct ph_id application,
                        struct ph_id endpoint);
        ph_audit_list_done many;
    } done;
    void *ctx;
};

/* Columns of a page. */
enum {
    COL_ID,
    COL_ACTOR_KIND,
    COL_ACTOR_ID,
    COL_ACTOR_NAME,
    COL_ACTION,
    COL_OBJECT_KIND,
    COL_OBJECT_ID,
    COL_APPLICATION,
    COL_FIELDS,
    COL_ADDRESS,
    COL_USER_AGENT,
    COL_FOUND,
    COL_WALKED_TO
};

/* What a page is looked up by; the numbers are those of the statement. */
enum lead { LEAD_NONE, LEAD_OBJECT, LEAD_APPLICATION, LEAD_ACTOR, LEAD_ACTION };

const char *ph_audit_actor_kind(enum ph_credential_kind kind)
{
    switch (kind) {
    case PH_CREDENTIAL_API_KEY:
        return "api-key";
    case PH_CREDENTIAL_PORTAL:
        return "portal";
    case PH_CREDENTIAL_JWT:
        return "jwt";
    case PH_CREDENTIAL_POLLER:
        return "poller";
    case PH_CREDENTIAL_OPERATOR:
        return "operator";
    }
    return "operator";
}

struct ph_str ph_audit_text(struct ph_str text, size_t max_bytes)
{
    if (!ph_str_is_text(text))
        return PH_STR_NONE;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return PH_STR_NONE;
    if (text.len > max_bytes) {
        text.len = max_bytes;
        while (text.len > 0 && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80)
            text.len--;
    }
    return text;
}

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt, struct ph_id tenant,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->ctx = ctx;
    ph_db_req_init(&op->req, stmt, arena, on_done);
    ph_db_req_tenant(&op->req, tenant);
    ph_db_add_id(&op->req, tenant);
    return op;
}

static void on_plain(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    (void)res;
    op->done.plain(op->ctx, err);
}

static void add_id_or_null(struct ph_db_req *req, struct ph_id id)
{
    if (ph_id_is_zero(id))
        ph_db_add_null(req);
    else
        ph_db_add_id(req, id);
}

void ph_audit_add(struct ph_db *db, struct ph_arena *arena, const struct ph_audit_entry *entry,
                  void (*done)(void *ctx, enum ph_err err), void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_audit_add, entry->tenant, on_plain, ctx);

    op->done.plain = done;
    ph_db_add_id(&op->req, ph_id_new(ph_clock_wall_ms()));
    ph_db_add_str(&op->req, entry->actor_kind);
    ph_db_add_str(&op->req, entry->actor_id);
    add_id_or_null(&op->req, entry->actor);
    ph_db_add_str(&op->req, ph_audit_text(entry->actor_name, PH_AUDIT_TEXT_MAX));
    ph_db_add_str(&op->req, entry->action);
    ph_db_add_str(&op->req, entry->object_kind);
    ph_db_add_str(&op->req, entry->object_id);
    ph_db_add_str(&op->req, entry->application);
    ph_db_add_str_array(&op->req, entry->n_fields ? entry->fields : NULL, entry->n_fields);
    ph_db_add_str(&op->req, entry->address);
    ph_db_add_str(&op->req, ph_audit_text(entry->user_agent, PH_AUDIT_TEXT_MAX));
    ph_db_send(db, &op->req);
}

static void on_objects(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    bool found = err == PH_OK && PQntuples(res) > 0;
    const struct ph_id none = {{0}};

    op->done.objects(op->ctx, err, found ? ph_db_id(res, 0, 0) : none,
                     found ? ph_db_id(res, 0, 1) : none);
}

void ph_audit_find_objects(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           struct ph_str application_uid, struct ph_str endpoint_uid,
                           struct ph_id within,
                           void (*done)(void *ctx, enum ph_err err, struct ph_id application,
                                        struct ph_id endpoint),
                           void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_audit_objects, tenant, on_objects, ctx);

    op->done.objects = done;
    ph_db_add_str(&op->req, application_uid);
    ph_db_add_str(&op->req, endpoint_uid);
    add_id_or_null(&op->req, within);
    ph_db_send(db, &op->req);
}

static void read_row(struct ph_arena *arena, const PGresult *res, int row,
                     struct ph_audit_entry *out)
{
    out->id = ph_db_id(res, row, COL_ID);
    out->actor_kind = ph_db_str(res, row, COL_ACTOR_KIND);
    out->actor_id = ph_db_str(res, row, COL_ACTOR_ID);
    out->actor_name = ph_db_str(res, row, COL_ACTOR_NAME);
    out->action = ph_db_str(res, row, COL_ACTION);
    out->object_kind = ph_db_str(res, row, COL_OBJECT_KIND);
    out->object_id = ph_db_str(res, row, COL_OBJECT_ID);
    out->application = ph_db_str(res, row, COL_APPLICATION);
    out->n_fields = ph_db_str_array(arena, res, row, COL_FIELDS, &out->fields);
    out->address = ph_db_str(res, row, COL_ADDRESS);
    out->user_agent = ph_db_str(res, row, COL_USER_AGENT);
}

static void on_list(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_audit_entry *entries;
    struct ph_list_end end;
    int64_t found;
    int n;

    if (err != PH_OK) {
        op->done.many(op->ctx, err, NULL, 0, NULL);
        return;
    }
    found = ph_db_int(res, 0, COL_FOUND);
    n = found == 0 ? 0 : ph_list_count(&op->list, PQntuples(res));
    entries = ph_arena_array_of(req->arena, struct ph_audit_entry, n);
    for (int i = 0; i < n; i++)
        read_row(req->arena, res, ph_list_row(&op->list, n, i), &entries[i]);
    end = ph_list_ending(&op->list, res, COL_WALKED_TO, found, n);
    op->done.many(op->ctx, PH_OK, entries, (size_t)n, &end);
}

void ph_audit_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                   const struct ph_list *list, const struct ph_audit_filter *filter,
                   ph_audit_list_done done, void *ctx)
{
    struct op *op =
        op_new(arena, ph_list_ascending(list) ? &ph_sql_audit_list_up : &ph_sql_audit_list_down,
               tenant, on_list, ctx);
    bool is_app = ph_str_starts(filter->object, ph_str_of(ph_id_prefix(PH_ID_APPLICATION)));
    int filters =
        (filter->object.ptr != NULL) + (filter->actor.ptr != NULL) + (filter->action.ptr != NULL);
    enum lead lead = filter->object.ptr   ? is_app ? LEAD_APPLICATION : LEAD_OBJECT
                     : filter->actor.ptr  ? LEAD_ACTOR
                     : filter->action.ptr ? LEAD_ACTION
                                          : LEAD_NONE;

    op->done.many = done;
    op->list = *list;
    ph_range_add(&op->req, list, filter->after, filter->before);
    ph_db_add_i32(&op->req, (int32_t)lead);
    ph_db_add_str(&op->req, is_app ? PH_STR_NONE : filter->object);
    ph_db_add_str(&op->req, is_app ? filter->object : PH_STR_NONE);
    ph_db_add_str(&op->req, filter->actor);
    ph_db_add_str(&op->req, filter->action);
    /* One filter is what the index is walked by: everything on the way is wanted. */
    ph_db_add_i32(&op->req, filters > 1 ? PH_LIST_WALK_MAX : (int32_t)list->limit + 1);
    ph_db_add_i32(&op->req, (int32_t)list->limit + 1);
    ph_db_send(db, &op->req);
}
