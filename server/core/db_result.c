/* Readers of binary results. A column of another type than the caller expects is a bug of the statement, hence asserts. */
#include "core/db_internal.h"
#include "core/db_wire.h"

#include <assert.h>
#include <string.h>

bool ph_db_is_null(const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col);
}

struct ph_id ph_db_id(const PGresult *res, int row, int col)
{
    struct ph_id id = {{0}};

    assert(PQftype(res, col) == DB_OID_UUID);
    if (!PQgetisnull(res, row, col))
        memcpy(id.b, PQgetvalue(res, row, col), sizeof(id.b));
    return id;
}

int64_t ph_db_int(const PGresult *res, int row, int col)
{
    const char *value = PQgetvalue(res, row, col);
    bool null = PQgetisnull(res, row, col);

    switch (PQftype(res, col)) {
    case DB_OID_INT2:
        return null ? 0 : (int16_t)db_get_16(value);
    case DB_OID_INT4:
        return null ? 0 : (int32_t)db_get_32(value);
    default:
        assert(PQftype(res, col) == DB_OID_INT8);
        return null ? 0 : (int64_t)db_get_64(value);
    }
}

bool ph_db_bool(const PGresult *res, int row, int col)
{
    assert(PQftype(res, col) == DB_OID_BOOL);
    return !PQgetisnull(res, row, col) && *PQgetvalue(res, row, col) != 0;
}

int64_t ph_db_time(const PGresult *res, int row, int col)
{
    assert(PQftype(res, col) == DB_OID_TIMESTAMPTZ);
    if (PQgetisnull(res, row, col))
        return 0;
    return db_time_of_wire((int64_t)db_get_64(PQgetvalue(res, row, col)));
}

struct ph_str ph_db_str(const PGresult *res, int row, int col)
{
    Oid type = PQftype(res, col);

    assert(type == DB_OID_TEXT || type == DB_OID_BYTEA || type == DB_OID_JSON ||
           type == DB_OID_VARCHAR || type == DB_OID_NAME);
    if (PQgetisnull(res, row, col))
        return PH_STR_NONE;
    return (struct ph_str){PQgetvalue(res, row, col), (size_t)PQgetlength(res, row, col)};
}

size_t ph_db_int_array(const PGresult *res, int row, int col, int32_t *out, size_t max)
{
    const char *at = PQgetvalue(res, row, col);

    assert(PQftype(res, col) == DB_OID_INT4_ARRAY);
    if (PQgetisnull(res, row, col) || db_get_32(at) == 0)
        return 0;
    assert(db_get_32(at) == 1);
    size_t n = db_get_32(at + 12);
    at += DB_ARRAY_HEADER;
    for (size_t i = 0; i < n && i < max; i++) {
        bool null = db_get_32(at) == UINT32_MAX;
        out[i] = null ? 0 : (int32_t)db_get_32(at + 4);
        at += null ? 4 : 8;
    }
    return n;
}

size_t ph_db_str_array(struct ph_arena *arena, const PGresult *res, int row, int col,
                       struct ph_str **out)
{
    const char *at = PQgetvalue(res, row, col);

    assert(PQftype(res, col) == DB_OID_TEXT_ARRAY);
    if (PQgetisnull(res, row, col)) {
        *out = NULL;
        return 0;
    }
    uint32_t dimensions = db_get_32(at);
    assert(dimensions <= 1);
    size_t n = dimensions == 0 ? 0 : db_get_32(at + 12);
    struct ph_str *v = ph_arena_array_of(arena, struct ph_str, n);
    at += n > 0 ? DB_ARRAY_HEADER : 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t len = db_get_32(at);
        at += 4;
        v[i] = len == UINT32_MAX ? PH_STR_NONE : (struct ph_str){at, len};
        at += len == UINT32_MAX ? 0 : len;
    }
    *out = v;
    return n;
}
