#include "posthorn/tenant.h"

#include "sql.h"

struct settings_op {
    struct ph_db_req req;
    struct ph_db_array retry;
    ph_tenant_settings_done done;
    void *ctx;
};

static void read_row(struct ph_arena *arena, const PGresult *res, struct ph_tenant_settings *out)
{
    out->id = ph_db_id(res, 0, 0);
    out->name = ph_db_str(res, 0, 1);
    out->header_prefix = ph_db_str(res, 0, 2);
    out->signature_profile = ph_db_str(res, 0, 3);
    out->signature_header = ph_db_str(res, 0, 4);
    out->has_retry = !ph_db_is_null(res, 0, 5);
    out->n_retry = ph_db_int_array(res, 0, 5, out->retry_s, PH_RETRY_WAITS_MAX);
    if (out->n_retry > PH_RETRY_WAITS_MAX)
        out->n_retry = PH_RETRY_WAITS_MAX;
    out->created_ms = ph_db_time(res, 0, 6);
    out->updated_ms = ph_db_time(res, 0, 7);
    out->public_catalog = ph_db_bool(res, 0, 8);
    out->catalog_slug = ph_db_str(res, 0, 9);
    out->n_portal_origins = ph_db_str_array(arena, res, 0, 10, &out->portal_origins);
    out->portal_branding = ph_db_str(res, 0, 11);
}

static void on_row(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct settings_op *op = ph_container_of(req, struct settings_op, req);
    struct ph_tenant_settings settings;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK)
        read_row(req->arena, res, &settings);
    op->done(op->ctx, err, err == PH_OK ? &settings : NULL);
}

static struct settings_op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt,
                                  struct ph_id tenant, ph_tenant_settings_done done, void *ctx)
{
    struct settings_op *op = ph_arena_new_of(arena, struct settings_op);

    op->done = done;
    op->ctx = ctx;
    ph_db_req_init(&op->req, stmt, arena, on_row);
    ph_db_req_tenant(&op->req, tenant);
    ph_db_add_id(&op->req, tenant);
    return op;
}

void ph_tenant_get_settings(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                            ph_tenant_settings_done done, void *ctx)
{
    ph_db_send(db, &op_new(arena, &ph_sql_tenant_get, tenant, done, ctx)->req);
}

static void free_array(void *array)
{
    ph_db_array_free(array);
}

void ph_tenant_update_settings(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                               unsigned set, const struct ph_tenant_settings *settings,
                               ph_tenant_settings_done done, void *ctx)
{
    struct settings_op *op = op_new(arena, &ph_sql_tenant_update, tenant, done, ctx);

    ph_db_add_i32(&op->req, (int32_t)set);
    ph_db_add_str(&op->req, settings->name);
    ph_db_add_str(&op->req, settings->header_prefix);
    ph_db_add_str(&op->req, settings->signature_profile);
    ph_db_add_str(&op->req, settings->signature_header);
    if (settings->has_retry) {
        ph_db_array_init(&op->retry, PH_DB_I32S, 64 + 8 * PH_RETRY_WAITS_MAX);
        ph_arena_defer(arena, free_array, &op->retry);
        for (size_t i = 0; i < settings->n_retry; i++)
            ph_db_array_i32(&op->retry, settings->retry_s[i]);
        ph_db_add_array(&op->req, &op->retry);
    } else {
        ph_db_add_null(&op->req);
    }
    ph_db_add_bool(&op->req, settings->public_catalog);
    ph_db_add_ref(&op->req, settings->catalog_slug);
    ph_db_add_str_array(&op->req, settings->portal_origins, settings->n_portal_origins);
    ph_db_add_ref(&op->req, settings->portal_branding);
    ph_db_send(db, &op->req);
}

struct catalog_op {
    struct ph_db_req req;
    void (*done)(void *ctx, enum ph_err err, struct ph_id tenant);
    void *ctx;
};

static void on_catalog(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct catalog_op *op = ph_container_of(req, struct catalog_op, req);

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    op->done(op->ctx, err, err == PH_OK ? ph_db_id(res, 0, 0) : (struct ph_id){{0}});
}

void ph_tenant_find_catalog(struct ph_db *db, struct ph_arena *arena, struct ph_str slug_or_id,
                            void (*done)(void *ctx, enum ph_err err, struct ph_id tenant),
                            void *ctx)
{
    struct catalog_op *op = ph_arena_new_of(arena, struct catalog_op);
    struct ph_id id;

    op->done = done;
    op->ctx = ctx;
    ph_db_req_init(&op->req, &ph_sql_tenant_find_catalog, arena, on_catalog);
    ph_db_add_str(&op->req, slug_or_id);
    if (ph_id_parse(PH_ID_TENANT, slug_or_id, &id) == PH_OK)
        ph_db_add_id(&op->req, id);
    else
        ph_db_add_null(&op->req);
    ph_db_send(db, &op->req);
}

struct portal_op {
    struct ph_db_req req;
    void (*done)(void *ctx, enum ph_err err, const struct ph_str *origins, size_t n,
                 struct ph_str branding);
    void *ctx;
};

static void on_portal(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct portal_op *op = ph_container_of(req, struct portal_op, req);
    struct ph_str *origins = NULL;
    size_t n = 0;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err == PH_OK)
        n = ph_db_str_array(req->arena, res, 0, 0, &origins);
    op->done(op->ctx, err, origins, n, err == PH_OK ? ph_db_str(res, 0, 1) : PH_STR_NONE);
}

void ph_tenant_get_portal(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                          void (*done)(void *ctx, enum ph_err err, const struct ph_str *origins,
                                       size_t n, struct ph_str branding),
                          void *ctx)
{
    struct portal_op *op = ph_arena_new_of(arena, struct portal_op);

    op->done = done;
    op->ctx = ctx;
    ph_db_req_init(&op->req, &ph_sql_tenant_portal, arena, on_portal);
    ph_db_add_id(&op->req, tenant);
    ph_db_send(db, &op->req);
}
