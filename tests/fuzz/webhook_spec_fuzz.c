/*
 * YAML and OpenAPI documents: what YAML becomes is JSON, what is read of a document is too, and what is refused is explained.
 */
#include "posthorn/json.h"
#include "posthorn/webhook_spec.h"
#include "posthorn/yaml.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

static void read_spec(struct ph_arena *arena, struct ph_str spec)
{
    struct ph_webhook_fault fault = {NULL, NULL};
    struct ph_json_fault json_fault;
    struct ph_webhook *webhooks;
    size_t n;

    if (ph_webhook_spec_read(arena, spec, &webhooks, &n, &fault) != PH_OK) {
        must(fault.where && fault.text, "a refused document is explained");
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (webhooks[i].schema.ptr)
            must(ph_json_scan(webhooks[i].schema, NULL, 0, &json_fault) == PH_OK,
                 "a schema is JSON");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_str text = {(const char *)data, size}, json;
    struct ph_json_fault json_fault;
    const char *fault = NULL;

    if (ph_json_scan(text, NULL, 0, &json_fault) == PH_OK) {
        read_spec(arena, text);
    } else if (ph_yaml_to_json(arena, text, &json, &fault) == PH_OK) {
        enum ph_err err = ph_json_scan(json, NULL, 0, &json_fault);
        must(err != PH_ERR_BAD_REQUEST, "YAML becomes JSON");
        if (err == PH_OK)
            read_spec(arena, json);
    } else {
        must(fault && *fault, "refused YAML is explained");
    }
    ph_arena_free(arena);
    return 0;
}
