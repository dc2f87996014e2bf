/* Parameters of a request, in PostgreSQL's binary format. */
#include "core/db_internal.h"
#include "core/db_wire.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

void ph_db_req_init(struct ph_db_req *req, const struct ph_stmt *stmt, struct ph_arena *arena,
                    void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *))
{
    req->stmt = stmt;
    req->has_tenant = false;
    req->n_params = 0;
    req->arena = arena;
    req->on_done = on_done;
    req->constraint = NULL;
}

void ph_db_req_tenant(struct ph_db_req *req, struct ph_id tenant)
{
    req->has_tenant = true;
    req->tenant = tenant;
}

static void add(struct ph_db_req *req, const char *value, size_t len)
{
    assert(req->n_params < PH_DB_PARAMS_MAX && len <= INT_MAX);
    req->values[req->n_params] = value;
    req->lengths[req->n_params] = (int)len;
    req->n_params++;
}

static void add_copy(struct ph_db_req *req, const void *value, size_t len)
{
    add(req, ph_arena_copy(req->arena, value, len), len);
}

void ph_db_add_null(struct ph_db_req *req)
{
    add(req, NULL, 0);
}

void ph_db_add_id(struct ph_db_req *req, struct ph_id id)
{
    add_copy(req, id.b, sizeof(id.b));
}

void ph_db_add_i16(struct ph_db_req *req, int16_t v)
{
    char wire[2];

    db_put_16(wire, (uint16_t)v);
    add_copy(req, wire, sizeof(wire));
}

void ph_db_add_i32(struct ph_db_req *req, int32_t v)
{
    char wire[4];

    db_put_32(wire, (uint32_t)v);
    add_copy(req, wire, sizeof(wire));
}

void ph_db_add_i64(struct ph_db_req *req, int64_t v)
{
    char wire[8];

    db_put_64(wire, (uint64_t)v);
    add_copy(req, wire, sizeof(wire));
}

void ph_db_add_bool(struct ph_db_req *req, bool v)
{
    add_copy(req, v ? "\1" : "\0", 1);
}

void ph_db_add_time(struct ph_db_req *req, int64_t wall_ms)
{
    ph_db_add_i64(req, db_time_to_wire(wall_ms));
}

void ph_db_add_str(struct ph_db_req *req, struct ph_str s)
{
    if (s.ptr == NULL)
        ph_db_add_null(req);
    else
        add_copy(req, s.ptr, s.len);
}

void ph_db_add_ref(struct ph_db_req *req, struct ph_str bytes)
{
    add(req, bytes.ptr, bytes.len);
}

void ph_db_add_str_array(struct ph_db_req *req, const struct ph_str *v, size_t n)
{
    bool has_null = false;
    size_t bytes = DB_ARRAY_HEADER;

    if (v == NULL) {
        ph_db_add_null(req);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        bytes += 4 + v[i].len;
        has_null |= v[i].ptr == NULL;
    }
    assert(bytes <= INT_MAX);
    char *wire = ph_arena_alloc(req->arena, bytes);
    char *at = wire + DB_ARRAY_HEADER;
    for (size_t i = 0; i < n; i++) {
        db_put_32(at, v[i].ptr == NULL ? UINT32_MAX : (uint32_t)v[i].len);
        at += 4;
        if (v[i].ptr != NULL && v[i].len > 0)
            memcpy(at, v[i].ptr, v[i].len);
        at += v[i].ptr == NULL ? 0 : v[i].len;
    }
    add(req, wire,
        db_put_array_header(wire, DB_OID_TEXT, (uint32_t)n, has_null) + (size_t)(at - wire) -
            DB_ARRAY_HEADER);
}

void ph_db_add_array(struct ph_db_req *req, struct ph_db_array *a)
{
    assert(!a->buf.overflow);
    size_t header = db_put_array_header(a->buf.ptr, a->oid, (uint32_t)a->n, a->has_null);
    add(req, a->buf.ptr, header + a->buf.len - DB_ARRAY_HEADER);
}
