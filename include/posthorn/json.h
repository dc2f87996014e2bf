/*
 * JSON: the strict one-pass scanner of the hot path, and a writer. Everything that is neither hot nor needs exact bytes
 * reads JSON with jansson.
 *
 * The scanner validates by RFC 8259 (UTF-8 checked, depth capped, nothing behind the value) and records where the members
 * of the outermost object stand. It makes no tree and no copies: values stay byte ranges of the input.
 */
#ifndef POSTHORN_JSON_H
#define POSTHORN_JSON_H

#include "posthorn/arena.h"
#include "posthorn/id.h"
#include "posthorn/str.h"

#define PH_JSON_DEPTH_MAX 128

enum ph_json_kind {
    PH_JSON_ABSENT,
    PH_JSON_OBJECT,
    PH_JSON_ARRAY,
    PH_JSON_STRING,
    PH_JSON_NUMBER,
    PH_JSON_TRUE,
    PH_JSON_FALSE,
    PH_JSON_NULL
};

/* One member the caller asks for: name in, the rest out. */
struct ph_json_field {
    const char *name; /* plain ASCII, matched against the decoded key */
    enum ph_json_kind
        kind; /* ABSENT when the object has no such member; the last one counts when it is repeated */
    struct ph_str raw; /* the value's bytes, a string with its quotes */
};

struct ph_json_fault {
    size_t offset;    /* byte at which the input stops being JSON */
    const char *text; /* static, e.g. "expected ':' after a member name" */
};

/* Scans a whole document that has to be an object. BAD_REQUEST: not valid JSON; VALIDATION: valid, but not an object. */
PH_MUST_CHECK enum ph_err ph_json_scan(struct ph_str doc, struct ph_json_field *fields,
                                       size_t n_fields, struct ph_json_fault *fault);

/* Kind of a value that a scan has found valid, from its first byte. */
enum ph_json_kind ph_json_kind_of(struct ph_str raw);

/* Decodes a raw string value (with quotes, found valid). The result lives in the arena, or is a part of `raw` when there is
 * nothing to decode. VALIDATION: it holds U+0000 or a lone surrogate, which text in the database cannot hold. */
PH_MUST_CHECK enum ph_err ph_json_string(struct ph_arena *arena, struct ph_str raw,
                                         struct ph_str *out);

/* Walks the elements of a raw array value (found valid): cuts the next element off *rest; start with *rest = raw.
 * False at the end. */
bool ph_json_next_element(struct ph_str *rest, struct ph_str *element);
/* The same for the members of a raw object value; key is a raw string, with its quotes. */
bool ph_json_next_member(struct ph_str *rest, struct ph_str *key, struct ph_str *value);

/*
 * Writer: appends to a buffer and places commas itself. Keys are C strings without characters that need escaping.
 * Overflow shows in the buffer.
 */
struct ph_json_writer {
    struct ph_buf *buf;
    bool need_comma;
};

void ph_jw_init(struct ph_json_writer *w, struct ph_buf *buf);
void ph_jw_object_begin(struct ph_json_writer *w);
void ph_jw_object_end(struct ph_json_writer *w);
void ph_jw_array_begin(struct ph_json_writer *w);
void ph_jw_array_end(struct ph_json_writer *w);
void ph_jw_key(struct ph_json_writer *w, const char *key);
/* A key that is foreign text. */
void ph_jw_key_str(struct ph_json_writer *w, struct ph_str key);
/* Values. A string that is absent (ptr NULL) writes null; bytes that are not UTF-8 write U+FFFD. */
void ph_jw_str(struct ph_json_writer *w, struct ph_str s);
void ph_jw_cstr(struct ph_json_writer *w, const char *s);
void ph_jw_i64(struct ph_json_writer *w, int64_t v);
void ph_jw_bool(struct ph_json_writer *w, bool v);
void ph_jw_null(struct ph_json_writer *w);
/* Bytes that already are a JSON value, as they are. */
void ph_jw_raw(struct ph_json_writer *w, struct ph_str json);
void ph_jw_id(struct ph_json_writer *w, enum ph_id_kind kind, struct ph_id id);
void ph_jw_time(struct ph_json_writer *w, int64_t wall_ms);

#endif
