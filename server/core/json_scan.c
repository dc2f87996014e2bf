#include "posthorn/json.h"

#include "base/utf8.h"
#include "core/json_text.h"

#include <string.h>

/*
 * A part of the scanner takes the position where its token starts and gives the position behind it, or NULL after it
 * noted the fault. Positions stay in registers, so nothing but faults goes through the struct.
 */
struct scan {
    const char *end;
    const char *fault_at;
    const char *fault_text;
};

static const char *fail(struct scan *s, const char *at, const char *text)
{
    s->fault_at = at;
    s->fault_text = at == s->end ? "the document ends too early" : text;
    return NULL;
}

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline const char *skip_space(const char *p, const char *end)
{
    while (p < end && is_space(*p))
        p++;
    return p;
}

static inline int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static const char *scan_escape(struct scan *s, const char *p)
{
    p++;
    if (p == s->end)
        return fail(s, p, NULL);
    if (*p != 'u')
        return memchr("\"\\/bfnrt", *p, 8) ? p + 1 : fail(s, p, "unknown escape in a string");
    p++;
    for (int i = 0; i < 4; i++, p++)
        if (p == s->end || hex_value(*p) < 0)
            return fail(s, p, "expected four hex digits after \\u");
    return p;
}

/* p stands on the opening quote. */
static inline const char *scan_string(struct scan *s, const char *p)
{
    for (p++;;) {
        p = json_plain_end(p, s->end);
        if (p == s->end)
            return fail(s, p, NULL);
        if (*p == '"')
            return p + 1;
        if (*p == '\\') {
            p = scan_escape(s, p);
            if (!p)
                return NULL;
            continue;
        }
        if ((unsigned char)*p < 0x20)
            return fail(s, p, "control character in a string");
        do {
            size_t len = ph_utf8_step(p, (size_t)(s->end - p));
            if (len == 0)
                return fail(s, p, "string is not UTF-8");
            p += len;
        } while (p < s->end && (unsigned char)*p >= 0x80);
    }
}

static inline const char *scan_digits(struct scan *s, const char *p)
{
    if (p == s->end || !is_digit(*p))
        return fail(s, p, "expected a digit");
    while (p < s->end && is_digit(*p))
        p++;
    return p;
}

static inline const char *scan_number(struct scan *s, const char *p)
{
    if (*p == '-')
        p++;
    if (p < s->end && *p == '0')
        p++;
    else if (!(p = scan_digits(s, p)))
        return NULL;
    if (p < s->end && *p == '.' && !(p = scan_digits(s, p + 1)))
        return NULL;
    if (p < s->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < s->end && (*p == '+' || *p == '-'))
            p++;
        p = scan_digits(s, p);
    }
    return p;
}

static const char *scan_word(struct scan *s, const char *p, const char *word)
{
    for (; *word; word++, p++)
        if (p == s->end || *p != *word)
            return fail(s, p, "expected a value");
    return p;
}

/* Anything that is not a container; p stands on its first byte. */
static inline const char *scan_scalar(struct scan *s, const char *p)
{
    switch (*p) {
    case '"':
        return scan_string(s, p);
    case 't':
        return scan_word(s, p, "true");
    case 'f':
        return scan_word(s, p, "false");
    case 'n':
        return scan_word(s, p, "null");
    default:
        return *p == '-' || is_digit(*p) ? scan_number(s, p) : fail(s, p, "expected a value");
    }
}

/* The character that an escape of a valid string stands for; p stands behind the backslash and is moved on. A surrogate
 * comes out as such. */
static uint32_t unescape(const char **p)
{
    static const char letters[] = "bfnrt", meant[] = "\b\f\n\r\t";
    char c = *(*p)++;
    if (c == 'u') {
        uint32_t code = 0;
        for (int i = 0; i < 4; i++)
            code = code << 4 | (uint32_t)hex_value(*(*p)++);
        return code;
    }
    const char *letter = memchr(letters, c, sizeof(letters) - 1);
    return (unsigned char)(letter ? meant[letter - letters] : c);
}

/* key: what stands between the quotes of a valid string. */
static bool key_is(struct ph_str key, const char *name)
{
    for (const char *p = key.ptr; p < key.ptr + key.len; name++) {
        uint32_t c = (unsigned char)*p++;
        if (c == '\\')
            c = unescape(&p);
        if (c == 0 || c != (unsigned char)*name)
            return false;
    }
    return *name == '\0';
}

static struct ph_json_field *field_of(struct ph_str key, struct ph_json_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (key_is(key, fields[i].name))
            return &fields[i];
    return NULL;
}

/* The member name at p and its colon; *key becomes what stands between the quotes. */
static inline const char *scan_key(struct scan *s, const char *p, struct ph_str *key)
{
    p = skip_space(p, s->end);
    if (p == s->end || *p != '"')
        return fail(s, p, "expected a member name");
    const char *behind = scan_string(s, p);
    if (!behind)
        return NULL;
    *key = (struct ph_str){p + 1, (size_t)(behind - p) - 2};
    p = skip_space(behind, s->end);
    if (p == s->end || *p != ':')
        return fail(s, p, "expected ':' after a member name");
    return p + 1;
}

/* The whole document; returns its end or NULL. */
static const char *scan_document(struct scan *s, const char *p, struct ph_json_field *fields,
                                 size_t n_fields)
{
    char closers[PH_JSON_DEPTH_MAX]; /* what closes each open container */
    size_t depth = 0;
    struct ph_json_field *field = NULL; /* wanted member of the outermost object being scanned */
    const char *member = NULL;          /* where that member's value starts */
    struct ph_str key;

value:
    p = skip_space(p, s->end);
    if (p == s->end)
        return fail(s, p, NULL);
    if (depth == 1)
        member = p;
    if (*p == '{' || *p == '[') {
        if (depth == PH_JSON_DEPTH_MAX)
            return fail(s, p, "nested too deeply");
        closers[depth++] = *p == '{' ? '}' : ']';
        p = skip_space(p + 1, s->end);
        if (p < s->end && *p == closers[depth - 1])
            goto close;
        if (closers[depth - 1] == '}')
            goto key;
        goto value;
    }
    p = scan_scalar(s, p);
    if (!p)
        return NULL;

behind_value:
    if (depth == 1 && field) {
        field->raw = (struct ph_str){member, (size_t)(p - member)};
        field->kind = ph_json_kind_of(field->raw);
    }
    p = skip_space(p, s->end);
    if (depth == 0)
        return p == s->end ? p : fail(s, p, "something stands behind the document");
    if (p < s->end && *p == ',') {
        p++;
        if (closers[depth - 1] == ']')
            goto value;
        goto key;
    }
    if (p == s->end || *p != closers[depth - 1])
        return fail(s, p,
                    closers[depth - 1] == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
close:
    depth--;
    p++;
    goto behind_value;

key:
    p = scan_key(s, p, &key);
    if (!p)
        return NULL;
    if (depth == 1)
        field = field_of(key, fields, n_fields);
    goto value;
}

static void forget(struct ph_json_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fields[i].kind = PH_JSON_ABSENT;
        fields[i].raw = PH_STR_NONE;
    }
}

enum ph_err ph_json_scan(struct ph_str doc, struct ph_json_field *fields, size_t n_fields,
                         struct ph_json_fault *fault)
{
    const char *start = doc.ptr ? doc.ptr : "";
    struct scan s = {.end = start + doc.len};

    forget(fields, n_fields);
    if (!scan_document(&s, start, fields, n_fields)) {
        forget(fields, n_fields);
        *fault = (struct ph_json_fault){(size_t)(s.fault_at - start), s.fault_text};
        return PH_ERR_BAD_REQUEST;
    }
    const char *first = skip_space(start, s.end);
    if (*first != '{') {
        *fault = (struct ph_json_fault){(size_t)(first - start), "expected an object"};
        return PH_ERR_VALIDATION;
    }
    return PH_OK;
}

enum ph_json_kind ph_json_kind_of(struct ph_str raw)
{
    if (!raw.ptr || raw.len == 0)
        return PH_JSON_ABSENT;
    switch (raw.ptr[0]) {
    case '{':
        return PH_JSON_OBJECT;
    case '[':
        return PH_JSON_ARRAY;
    case '"':
        return PH_JSON_STRING;
    case 't':
        return PH_JSON_TRUE;
    case 'f':
        return PH_JSON_FALSE;
    case 'n':
        return PH_JSON_NULL;
    default:
        return PH_JSON_NUMBER;
    }
}

static char *put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
        return out;
    }
    if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *out++ = (char)(0xe0 | c >> 12);
        } else {
            *out++ = (char)(0xf0 | c >> 18);
            *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        }
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
    }
    *out++ = (char)(0x80 | (c & 0x3f));
    return out;
}

/* One escaped character, both halves of a surrogate pair. False: U+0000 or a lone surrogate. */
static bool unescape_text(const char **p, const char *end, uint32_t *out)
{
    uint32_t c = unescape(p);
    if (c >= 0xd800 && c <= 0xdbff) {
        if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
            return false;
        ++*p;
        uint32_t low = unescape(p);
        if (low < 0xdc00 || low > 0xdfff)
            return false;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c == 0 || (c >= 0xdc00 && c <= 0xdfff)) {
        return false;
    }
    *out = c;
    return true;
}

enum ph_err ph_json_string(struct ph_arena *arena, struct ph_str raw, struct ph_str *out)
{
    const char *p = raw.ptr + 1, *end = raw.ptr + raw.len - 1;
    const char *escape = memchr(p, '\\', (size_t)(end - p));
    if (!escape) {
        *out = (struct ph_str){p, (size_t)(end - p)};
        return PH_OK;
    }
    /* Every escape is longer than what it stands for. */
    char *text = ph_arena_alloc(arena, (size_t)(end - p)), *to = text;
    while (escape) {
        memcpy(to, p, (size_t)(escape - p));
        to += escape - p;
        p = escape + 1;
        uint32_t c;
        if (!unescape_text(&p, end, &c))
            return PH_ERR_VALIDATION;
        to = put_utf8(to, c);
        escape = memchr(p, '\\', (size_t)(end - p));
    }
    memcpy(to, p, (size_t)(end - p));
    to += end - p;
    *out = (struct ph_str){text, (size_t)(to - text)};
    return PH_OK;
}
