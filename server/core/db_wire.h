/* PostgreSQL's binary format: big-endian numbers, times, and the header of an array. */
#ifndef POSTHORN_CORE_DB_WIRE_H
#define POSTHORN_CORE_DB_WIRE_H

#include "core/db_internal.h"

#include <endian.h>
#include <string.h>

static inline void db_put_16(char *out, uint16_t v)
{
    v = htobe16(v);
    memcpy(out, &v, sizeof(v));
}

static inline void db_put_32(char *out, uint32_t v)
{
    v = htobe32(v);
    memcpy(out, &v, sizeof(v));
}

static inline void db_put_64(char *out, uint64_t v)
{
    v = htobe64(v);
    memcpy(out, &v, sizeof(v));
}

static inline uint16_t db_get_16(const char *in)
{
    uint16_t v;
    memcpy(&v, in, sizeof(v));
    return be16toh(v);
}

static inline uint32_t db_get_32(const char *in)
{
    uint32_t v;
    memcpy(&v, in, sizeof(v));
    return be32toh(v);
}

static inline uint64_t db_get_64(const char *in)
{
    uint64_t v;
    memcpy(&v, in, sizeof(v));
    return be64toh(v);
}

/* timestamptz: microseconds since 2000; the ends of int64 are -infinity and infinity, and so is what does not fit. */
static inline int64_t db_time_to_wire(int64_t wall_ms)
{
    if (wall_ms <= INT64_MIN / 1000 + DB_EPOCH_MS)
        return INT64_MIN;
    if (wall_ms >= INT64_MAX / 1000)
        return INT64_MAX;
    return (wall_ms - DB_EPOCH_MS) * 1000;
}

/* Rounds down to milliseconds. */
static inline int64_t db_time_of_wire(int64_t wire)
{
    if (wire == INT64_MIN || wire == INT64_MAX)
        return wire;
    return wire / 1000 - (wire % 1000 < 0) + DB_EPOCH_MS;
}

/* An array with elements starts with 20 bytes: dimensions, NULL flag, element type, length, lower bound. */
#define DB_ARRAY_HEADER 20

/* Returns the header's length: an empty array has no dimension and ends after 12 bytes. */
static inline size_t db_put_array_header(char out[DB_ARRAY_HEADER], uint32_t oid, uint32_t n,
                                         bool has_null)
{
    db_put_32(out, n > 0);
    db_put_32(out + 4, has_null);
    db_put_32(out + 8, oid);
    if (n == 0)
        return 12;
    db_put_32(out + 12, n);
    db_put_32(out + 16, 1);
    return DB_ARRAY_HEADER;
}

#endif
