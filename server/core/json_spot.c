#include "core/json_spot.h"

static void write_parts(struct ph_buf *buf, const struct json_spot *spot)
{
    if (!spot->above)
        return;
    write_parts(buf, spot->above);
    ph_buf_add_char(buf, '/');
    if (!spot->name.ptr)
        ph_buf_add_i64(buf, (int64_t)spot->index);
    for (size_t i = 0; i < spot->name.len; i++) {
        char c = spot->name.ptr[i];
        if (c == '~')
            ph_buf_add_c(buf, "~0");
        else if (c == '/')
            ph_buf_add_c(buf, "~1");
        else
            ph_buf_add_char(buf, c);
    }
}

const char *json_spot_pointer(struct ph_arena *arena, const struct json_spot *spot)
{
    struct ph_buf buf;
    const char *pointer;

    ph_buf_init(&buf, 1 << 20);
    write_parts(&buf, spot);
    pointer = buf.len ? ph_arena_copy(arena, buf.ptr, buf.len) : "";
    ph_buf_free(&buf);
    return pointer;
}
