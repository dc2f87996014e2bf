/*
 * JSON Schema and its regular expressions. The first line is a schema, the rest a payload: whatever they are, the answer
 * comes soon, is explained when it is no, and `not` turns it round.
 */
#include "posthorn/json.h"
#include "posthorn/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

static bool is_json(struct ph_str text)
{
    struct ph_json_fault fault;

    return ph_json_scan(text, NULL, 0, &fault) == PH_OK;
}

/* On the heap without a byte behind it. */
static struct ph_str exact(const uint8_t *from, size_t n)
{
    char *copy = malloc(n ? n : 1);

    memcpy(copy, from, n);
    return (struct ph_str){copy, n};
}

static void check(struct ph_arena *arena, struct ph_str text, struct ph_str payload)
{
    struct ph_schema *schema, *inverse;
    struct ph_schema_fault fault = {NULL, NULL};
    bool valid;

    if (ph_schema_compile(arena, text, &schema, &fault) != PH_OK) {
        must(fault.where && fault.text && *fault.text, "a refused schema is explained");
        return;
    }
    valid = ph_schema_check(schema, arena, payload, &fault) == PH_OK;
    must(valid || (fault.where && fault.text && *fault.text), "a refused payload is explained");
    if (memmem(text.ptr, text.len, "$ref", 4) || memmem(text.ptr, text.len, "\\u", 2) ||
        memmem(text.ptr, text.len, "$id", 3))
        return; /* would mean something else further down */
    text = ph_str_of(ph_arena_printf(arena, "{\"not\":%.*s}", (int)text.len, text.ptr));
    if (ph_schema_compile(arena, text, &inverse, &fault) == PH_OK) {
        bool turned = ph_schema_check(inverse, arena, payload, &fault) != PH_OK;
        must(turned == valid || strstr(fault.text, "takes too much"), "not turns the answer round");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
    struct ph_arena *arena;
    struct ph_str schema, payload;

    if (!line)
        return 0;
    arena = ph_arena_new();
    schema = exact(data, (size_t)(line - data));
    payload = exact(line + 1, size - (size_t)(line - data) - 1);
    if (is_json(schema) && is_json(payload))
        check(arena, schema, payload);
    ph_arena_free(arena);
    free((void *)schema.ptr);
    free((void *)payload.ptr);
    return 0;
}
