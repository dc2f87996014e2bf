/* Arrays for the batch statements. The buffer starts with room for the header, which is written when the length is known. */
#include "core/db_internal.h"
#include "core/db_wire.h"

#include <assert.h>
#include <string.h>

void ph_db_array_init(struct ph_db_array *a, enum ph_db_array_of of, size_t max_bytes)
{
    static const uint32_t oids[] = {
        [PH_DB_UUIDS] = DB_OID_UUID, [PH_DB_I16S] = DB_OID_INT2,
        [PH_DB_I32S] = DB_OID_INT4,  [PH_DB_I64S] = DB_OID_INT8,
        [PH_DB_BOOLS] = DB_OID_BOOL, [PH_DB_TIMES] = DB_OID_TIMESTAMPTZ,
        [PH_DB_TEXTS] = DB_OID_TEXT, [PH_DB_BYTEAS] = DB_OID_BYTEA,
    };

    a->oid = oids[of];
    ph_buf_init(&a->buf, max_bytes + DB_ARRAY_HEADER);
    ph_db_array_clear(a);
}

void ph_db_array_clear(struct ph_db_array *a)
{
    ph_buf_clear(&a->buf);
    char *header = ph_buf_reserve(&a->buf, DB_ARRAY_HEADER);
    assert(header != NULL);
    memset(header, 0, DB_ARRAY_HEADER);
    a->buf.len = DB_ARRAY_HEADER;
    a->n = 0;
    a->has_null = false;
}

void ph_db_array_free(struct ph_db_array *a)
{
    ph_buf_free(&a->buf);
}

/* Room for one element's value, its length written; NULL: full. */
static char *element(struct ph_db_array *a, size_t len)
{
    char *at = ph_buf_reserve(&a->buf, 4 + len);

    if (at == NULL)
        return NULL;
    db_put_32(at, (uint32_t)len);
    a->buf.len += 4 + len;
    a->n++;
    return at + 4;
}

void ph_db_array_null(struct ph_db_array *a)
{
    char *at = element(a, 0);

    if (at == NULL)
        return;
    db_put_32(at - 4, UINT32_MAX);
    a->has_null = true;
}

void ph_db_array_id(struct ph_db_array *a, struct ph_id id)
{
    char *at = element(a, sizeof(id.b));

    assert(a->oid == DB_OID_UUID);
    if (at != NULL)
        memcpy(at, id.b, sizeof(id.b));
}

void ph_db_array_i16(struct ph_db_array *a, int16_t v)
{
    char *at = element(a, 2);

    assert(a->oid == DB_OID_INT2);
    if (at != NULL)
        db_put_16(at, (uint16_t)v);
}

void ph_db_array_i32(struct ph_db_array *a, int32_t v)
{
    char *at = element(a, 4);

    assert(a->oid == DB_OID_INT4);
    if (at != NULL)
        db_put_32(at, (uint32_t)v);
}

static void add_64(struct ph_db_array *a, int64_t v)
{
    char *at = element(a, 8);

    if (at != NULL)
        db_put_64(at, (uint64_t)v);
}

void ph_db_array_i64(struct ph_db_array *a, int64_t v)
{
    assert(a->oid == DB_OID_INT8);
    add_64(a, v);
}

void ph_db_array_bool(struct ph_db_array *a, bool v)
{
    char *at = element(a, 1);

    assert(a->oid == DB_OID_BOOL);
    if (at != NULL)
        *at = v;
}

void ph_db_array_time(struct ph_db_array *a, int64_t wall_ms)
{
    assert(a->oid == DB_OID_TIMESTAMPTZ);
    add_64(a, db_time_to_wire(wall_ms));
}

void ph_db_array_str(struct ph_db_array *a, struct ph_str s)
{
    assert(a->oid == DB_OID_TEXT || a->oid == DB_OID_BYTEA);
    if (s.ptr == NULL) {
        ph_db_array_null(a);
        return;
    }
    char *at = element(a, s.len);
    if (at != NULL && s.len > 0)
        memcpy(at, s.ptr, s.len);
}
