/*
 * Payload filters. The first line is a filter, the rest a payload: no filter may read outside of either, `not` has to turn
 * the answer round, and a filter has to mean the same alone and beside another one.
 */
#include "posthorn/filter.h"
#include "posthorn/json.h"

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

static void match(struct ph_arena *arena, struct ph_str filter, struct ph_str payload)
{
    struct ph_filters *filters = ph_filters_new(arena), *both = ph_filters_new(arena);
    struct ph_filter *one, *again, *inverse;
    struct ph_filter_fault fault = {NULL, NULL};
    struct ph_filter_values *values;
    struct ph_str text;

    if (ph_filters_add(filters, filter, &one, &fault) != PH_OK) {
        must(fault.where && fault.text && *fault.text, "a refused filter is explained");
        return;
    }
    values = ph_filters_read(filters, arena, payload);
    must(*ph_filter_reason(one, values), "there is a reason");
    text = ph_str_of(ph_arena_printf(arena, "{\"not\":%.*s}", (int)filter.len, filter.ptr));
    if (ph_filters_add(both, text, &inverse, &fault) != PH_OK)
        return; /* too deep */
    must(ph_filters_add(both, filter, &again, &fault) == PH_OK,
         "what is taken once is taken again");
    bool first = ph_filter_matches(one, values);
    values = ph_filters_read(both, arena, payload);
    must(ph_filter_matches(inverse, values) == !first, "not turns the answer round");
    must(ph_filter_matches(again, values) == first, "filters do not disturb each other");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
    struct ph_arena *arena;
    struct ph_str filter, payload;

    if (!line)
        return 0;
    arena = ph_arena_new();
    filter = exact(data, (size_t)(line - data));
    payload = exact(line + 1, size - (size_t)(line - data) - 1);
    if (is_json(filter) && is_json(payload))
        match(arena, filter, payload);
    ph_arena_free(arena);
    free((void *)filter.ptr);
    free((void *)payload.ptr);
    return 0;
}
