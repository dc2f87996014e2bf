/* Walking what a scan has found valid. */
#include "core/json_text.h"
#include "posthorn/json.h"

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

static const char *string_end(const char *p, const char *end)
{
    for (p = json_plain_end(p + 1, end); *p != '"'; p = json_plain_end(p, end))
        p += *p == '\\' ? 2 : 1; /* or a byte of UTF-8 */
    return p + 1;
}

static const char *scalar_end(const char *p, const char *end)
{
    while (p < end && *p != ',' && *p != ']' && *p != '}' && *p != ' ' && *p != '\n' &&
           *p != '\r' && *p != '\t')
        p++;
    return p;
}

static const char *value_end(const char *p, const char *end)
{
    size_t depth = 0;

    if (*p == '"')
        return string_end(p, end);
    if (*p != '{' && *p != '[')
        return scalar_end(p, end);
    do {
        if (*p == '"') {
            p = string_end(p, end);
            continue;
        }
        if (*p == '{' || *p == '[')
            depth++;
        else if (*p == '}' || *p == ']')
            depth--;
        p++;
    } while (depth > 0);
    return p;
}

/* Onto what comes next in a container of which `rest` is left. NULL: nothing, and *rest is used up. */
static const char *next(struct ph_str *rest)
{
    const char *p = rest->ptr, *end;

    if (!p || rest->len == 0)
        return NULL;
    end = p + rest->len;
    p = skip_space(p, end);
    if (*p != ']' && *p != '}')
        p = skip_space(p + 1, end); /* behind what opens it, or ',' */
    if (*p == ']' || *p == '}') {
        *rest = PH_STR_NONE;
        return NULL;
    }
    return p;
}

static void cut(struct ph_str *rest, const char *p, struct ph_str *value)
{
    const char *end = rest->ptr + rest->len, *behind = value_end(p, end);

    *value = (struct ph_str){p, (size_t)(behind - p)};
    *rest = (struct ph_str){behind, (size_t)(end - behind)};
}

bool ph_json_next_element(struct ph_str *rest, struct ph_str *element)
{
    const char *p = next(rest);

    if (p)
        cut(rest, p, element);
    return p != NULL;
}

bool ph_json_next_member(struct ph_str *rest, struct ph_str *key, struct ph_str *value)
{
    const char *p = next(rest), *end, *behind;

    if (!p)
        return false;
    end = rest->ptr + rest->len;
    behind = string_end(p, end);
    *key = (struct ph_str){p, (size_t)(behind - p)};
    p = skip_space(behind, end);
    cut(rest, skip_space(p + 1, end), value); /* behind ':' */
    return true;
}
