/*
 * The scanner against jansson: both have to agree on what is JSON, and on kind and text of the members. Known differences:
 *
 *   jansson refuses, the scanner accepts: numbers out of the range of double and long long (1e400, 20 digits), a member name
 *     with U+0000, escapes of lone surrogates. The scanner validates by RFC 8259 and converts nothing.
 *   the scanner refuses, jansson accepts: more than PH_JSON_DEPTH_MAX containers (jansson's limit is 2048).
 *   the scanner refuses, jansson overlooks: a NUL byte right behind a number or word. jansson puts it back and skips it.
 *   documents that are no object: VALIDATION here; jansson with these flags takes arrays and refuses scalars.
 *
 * Strings also go round: decoded, written, scanned and decoded again they are the same.
 */
#include "posthorn/json.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

static bool jansson_alone_refuses(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);
    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           strncmp(error->text, "invalid Unicode", 15) == 0;
}

static bool scanner_alone_refuses(struct ph_str doc, const struct ph_json_fault *fault)
{
    return strcmp(fault->text, "nested too deeply") == 0 ||
           (fault->offset > 0 && fault->offset < doc.len && doc.ptr[fault->offset] == '\0' &&
            isalnum((unsigned char)doc.ptr[fault->offset - 1]));
}

static enum ph_json_kind kind_of(const json_t *value)
{
    if (!value)
        return PH_JSON_ABSENT;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return PH_JSON_OBJECT;
    case JSON_ARRAY:
        return PH_JSON_ARRAY;
    case JSON_STRING:
        return PH_JSON_STRING;
    case JSON_INTEGER:
    case JSON_REAL:
        return PH_JSON_NUMBER;
    case JSON_TRUE:
        return PH_JSON_TRUE;
    case JSON_FALSE:
        return PH_JSON_FALSE;
    case JSON_NULL:
        return PH_JSON_NULL;
    }
    abort();
}

static void goes_round(struct ph_arena *arena, struct ph_str text)
{
    struct ph_buf buf;
    struct ph_json_writer w;
    struct ph_json_field field = {.name = "v"};
    struct ph_json_fault fault;
    struct ph_str back;

    ph_buf_init(&buf, 2 * 6 * text.len + 64); /* name and value */
    ph_jw_init(&w, &buf);
    ph_jw_object_begin(&w);
    ph_jw_key_str(&w, text);
    ph_jw_null(&w);
    ph_jw_key(&w, "v");
    ph_jw_str(&w, text);
    ph_jw_object_end(&w);
    must(!buf.overflow, "the writer escapes a byte into more than six");
    must(ph_json_scan(ph_buf_str(&buf), &field, 1, &fault) == PH_OK,
         "the scanner reads the writer");
    if (ph_str_is_text(text)) {
        must(ph_json_string(arena, field.raw, &back) == PH_OK, "written text can be decoded");
        must(ph_str_eq(text, back), "text goes round");
    }
    ph_buf_free(&buf);
}

/* raw is what the scanner found, value the same of jansson. */
static void compare(struct ph_arena *arena, struct ph_str raw, const json_t *value, int depth)
{
    must(ph_json_kind_of(raw) == kind_of(value), "same kind");
    if (json_is_string(value)) {
        struct ph_str text, want = {json_string_value(value), json_string_length(value)};
        bool has_nul = memchr(want.ptr, '\0', want.len) != NULL;
        enum ph_err err = ph_json_string(arena, raw, &text);
        must((err == PH_OK) == !has_nul, "only U+0000 keeps jansson's strings from being text");
        must(err != PH_OK || ph_str_eq(text, want), "same text");
        goes_round(arena, want);
    } else if (json_is_array(value)) {
        struct ph_str element;
        size_t i = 0;
        while (ph_json_next_element(&raw, &element)) {
            must(i < json_array_size(value), "no more elements than jansson");
            if (depth < 4)
                compare(arena, element, json_array_get(value, i), depth + 1);
            i++;
        }
        must(i == json_array_size(value), "as many elements as jansson");
    } else if (json_is_object(value)) {
        struct ph_json_fault fault;
        must(ph_json_scan(raw, NULL, 0, &fault) == PH_OK, "a nested object is a document");
    }
}

static void scan_and_compare(struct ph_arena *arena, struct ph_str doc)
{
    struct ph_json_field fields[] = {{.name = "a"},         {.name = "b"},
                                     {.name = "v"},         {.name = "payload"},
                                     {.name = "eventType"}, {.name = "channels"}};
    struct ph_json_fault fault = {0};
    json_error_t error;

    enum ph_err err = ph_json_scan(doc, fields, COUNT_OF(fields), &fault);
    json_t *root = json_loadb(doc.ptr, doc.len, JSON_ALLOW_NUL, &error);

    if (err == PH_ERR_BAD_REQUEST) {
        must(fault.offset <= doc.len && fault.text, "a fault has its place and text");
        must(!root || scanner_alone_refuses(doc, &fault), "refuses what jansson accepts");
    } else if (err == PH_ERR_VALIDATION) {
        must(!root || json_is_array(root), "an object is none for us");
    } else {
        must(err == PH_OK, "three results");
        must(root || jansson_alone_refuses(&error), "accepts what jansson refuses");
        must(!root || json_is_object(root), "an object for us only");
    }
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        must(err == PH_OK || fields[i].kind == PH_JSON_ABSENT,
             "nothing is found in a bad document");
        must((fields[i].kind == PH_JSON_ABSENT) == (fields[i].raw.ptr == NULL),
             "absent has no bytes");
        struct ph_str text;
        if (fields[i].kind == PH_JSON_STRING &&
            ph_json_string(arena, fields[i].raw, &text) == PH_OK)
            must(ph_str_is_text(text), "a decoded string is text");
        if (err == PH_OK && root)
            compare(arena, fields[i].raw, json_object_get(root, fields[i].name), 0);
    }
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ph_arena *arena = ph_arena_new();
    struct ph_str doc = {(const char *)data, size};
    struct ph_buf array;

    scan_and_compare(arena, doc);
    goes_round(arena, doc);

    /* The same bytes as a value, so that arrays and scalars are compared as members. */
    ph_buf_init(&array, size + 16);
    ph_buf_add_c(&array, "{\"v\":");
    ph_buf_add_str(&array, doc);
    ph_buf_add_char(&array, '}');
    scan_and_compare(arena, ph_buf_str(&array));
    ph_buf_free(&array);
    ph_arena_free(arena);
    return 0;
}
