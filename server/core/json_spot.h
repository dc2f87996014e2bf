/*
 * Where a walk through JSON stands: a chain on the C stack, which becomes a JSON pointer when something is wrong there.
 */
#ifndef CORE_JSON_SPOT_H
#define CORE_JSON_SPOT_H

#include "posthorn/arena.h"
#include "posthorn/str.h"

struct json_spot {
    const struct json_spot *above; /* NULL: the document */
    struct ph_str name;            /* absent: an element */
    size_t index;
    int depth;
};

static inline struct json_spot json_spot_member(const struct json_spot *above, struct ph_str name)
{
    return (struct json_spot){above, name, 0, above->depth + 1};
}

static inline struct json_spot json_spot_element(const struct json_spot *above, size_t index)
{
    return (struct json_spot){above, PH_STR_NONE, index, above->depth + 1};
}

/* "" for the document, "/a/0/b~1c" inside. In the arena. */
const char *json_spot_pointer(struct ph_arena *arena, const struct json_spot *spot);

#endif
