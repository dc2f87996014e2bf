#include "posthorn/tenant.h"
#include "posthorn/clock.h"
#include "sql.h"

enum ph_err ph_tenant_create(struct ph_loop *loop, struct ph_db *db, struct ph_str name,
                             struct ph_id *out)
{
    struct ph_arena *arena;
    struct ph_id id = ph_id_new(ph_clock_wall_ms());
    struct ph_db_req req;
    PGresult *res = NULL;
    enum ph_err err;

    if (name.len == 0 || name.len > PH_TENANT_NAME_MAX || !ph_str_is_text(name))
        return PH_ERR_VALIDATION;
    arena = ph_arena_new();
    ph_db_req_init(&req, &ph_sql_tenant_create, arena, NULL);
    ph_db_add_id(&req, id);
    ph_db_add_str(&req, name);
    err = ph_db_run(loop, db, &req, &res);
    if (err == PH_OK) {
        *out = id;
        PQclear(res);
    }
    ph_arena_free(arena);
    return err;
}

enum ph_err ph_tenant_list(struct ph_loop *loop, struct ph_db *db, struct ph_arena *arena,
                           struct ph_tenant **out, size_t *n)
{
    struct ph_db_req req;
    struct ph_tenant *tenants;
    PGresult *res = NULL;
    enum ph_err err;
    int rows;

    ph_db_req_init(&req, &ph_sql_tenant_list, arena, NULL);
    err = ph_db_run(loop, db, &req, &res);
    if (err != PH_OK)
        return err;
    rows = PQntuples(res);
    tenants = ph_arena_array_of(arena, struct ph_tenant, rows);
    for (int i = 0; i < rows; i++) {
        struct ph_str name = ph_db_str(res, i, 1);
        tenants[i].id = ph_db_id(res, i, 0);
        tenants[i].name = (struct ph_str){ph_arena_copy(arena, name.ptr, name.len), name.len};
        tenants[i].created_ms = ph_db_time(res, i, 2);
    }
    PQclear(res);
    *out = tenants;
    *n = (size_t)rows;
    return PH_OK;
}
