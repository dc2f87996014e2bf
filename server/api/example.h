/* An example payload of an event type. */
#ifndef POSTHORN_API_EXAMPLE_H
#define POSTHORN_API_EXAMPLE_H

#include "posthorn/arena.h"
#include "posthorn/str.h"

/*
 * JSON object text in the arena, from the newest of the schemas (JSON object of version to JSON Schema, as event types have
 * it): what its `examples` have at `index` (below 0: the first), or else one made from the schema. {"type": name} when there
 * is no schema, or none that describes an object.
 */
struct ph_str ph_api_example(struct ph_arena *arena, struct ph_str name, struct ph_str schemas,
                             int64_t index);

#endif
