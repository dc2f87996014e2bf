#include "posthorn/sql_user.h"

#include "sql.h"

enum ph_err ph_sql_user_create(struct ph_loop *loop, struct ph_db *db, struct ph_str role,
                               struct ph_id tenant)
{
    struct ph_arena *arena;
    struct ph_db_req req;
    PGresult *res = NULL;
    enum ph_err err;

    if (!ph_str_is_text(role))
        return PH_ERR_VALIDATION;
    arena = ph_arena_new();
    ph_db_req_init(&req, &ph_sql_sql_user_create, arena, NULL);
    ph_db_add_str(&req, role);
    ph_db_add_id(&req, tenant);
    err = ph_db_run(loop, db, &req, &res);
    if (err == PH_OK && !ph_db_bool(res, 0, 0))
        err = PH_ERR_VALIDATION;
    else if (err == PH_OK && !ph_db_bool(res, 0, 1))
        err = PH_ERR_NOT_FOUND;
    else if (err == PH_OK && !ph_db_bool(res, 0, 2))
        err = PH_ERR_CONFLICT;
    PQclear(res);
    ph_arena_free(arena);
    return err;
}

enum ph_err ph_sql_user_list(struct ph_loop *loop, struct ph_db *db, struct ph_arena *arena,
                             struct ph_sql_user **out, size_t *n)
{
    struct ph_db_req req;
    struct ph_sql_user *users;
    PGresult *res = NULL;
    enum ph_err err;
    int rows;

    ph_db_req_init(&req, &ph_sql_sql_user_list, arena, NULL);
    err = ph_db_run(loop, db, &req, &res);
    if (err != PH_OK)
        return err;
    rows = PQntuples(res);
    users = ph_arena_array_of(arena, struct ph_sql_user, rows);
    for (int i = 0; i < rows; i++) {
        struct ph_str role = ph_db_str(res, i, 0);
        users[i].role = (struct ph_str){ph_arena_copy(arena, role.ptr, role.len), role.len};
        users[i].tenant = ph_db_id(res, i, 1);
        users[i].created_ms = ph_db_time(res, i, 2);
    }
    PQclear(res);
    *out = users;
    *n = (size_t)rows;
    return PH_OK;
}

enum ph_err ph_sql_user_delete(struct ph_loop *loop, struct ph_db *db, struct ph_str role)
{
    struct ph_arena *arena;
    struct ph_db_req req;
    PGresult *res = NULL;
    enum ph_err err;

    if (!ph_str_is_text(role))
        return PH_ERR_NOT_FOUND;
    arena = ph_arena_new();
    ph_db_req_init(&req, &ph_sql_sql_user_delete, arena, NULL);
    ph_db_add_str(&req, role);
    err = ph_db_run(loop, db, &req, &res);
    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    PQclear(res);
    ph_arena_free(arena);
    return err;
}
