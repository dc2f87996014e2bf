#include "posthorn/json.h"

#include "base/utf8.h"
#include "core/json_text.h"
#include "posthorn/clock.h"

static void separate(struct ph_json_writer *w)
{
    if (w->need_comma)
        ph_buf_add_char(w->buf, ',');
    w->need_comma = true;
}

void ph_jw_init(struct ph_json_writer *w, struct ph_buf *buf)
{
    *w = (struct ph_json_writer){.buf = buf};
}

static void begin(struct ph_json_writer *w, char opener)
{
    separate(w);
    ph_buf_add_char(w->buf, opener);
    w->need_comma = false;
}

static void end(struct ph_json_writer *w, char closer)
{
    ph_buf_add_char(w->buf, closer);
    w->need_comma = true;
}

void ph_jw_object_begin(struct ph_json_writer *w)
{
    begin(w, '{');
}

void ph_jw_object_end(struct ph_json_writer *w)
{
    end(w, '}');
}

void ph_jw_array_begin(struct ph_json_writer *w)
{
    begin(w, '[');
}

void ph_jw_array_end(struct ph_json_writer *w)
{
    end(w, ']');
}

static void add_escaped(struct ph_buf *buf, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};

    switch (c) {
    case '"':
    case '\\':
        text[1] = (char)c;
        break;
    case '\b':
        text[1] = 'b';
        break;
    case '\f':
        text[1] = 'f';
        break;
    case '\n':
        text[1] = 'n';
        break;
    case '\r':
        text[1] = 'r';
        break;
    case '\t':
        text[1] = 't';
        break;
    }
    ph_buf_add(buf, text, text[1] == 'u' ? 6 : 2);
}

/* Every byte that is no part of a well-formed sequence becomes one U+FFFD. */
static void add_string(struct ph_buf *buf, struct ph_str s)
{
    const char *p = s.ptr, *stop = s.ptr + s.len;

    ph_buf_add_char(buf, '"');
    while (p < stop) {
        const char *run = p;
        p = json_plain_end(p, stop);
        size_t len;
        while (p < stop && (unsigned char)*p >= 0x80 &&
               (len = ph_utf8_step(p, (size_t)(stop - p))) > 0)
            p += len;
        if (p > run) {
            ph_buf_add(buf, run, (size_t)(p - run));
            continue;
        }
        if ((unsigned char)*p >= 0x80)
            ph_buf_add_c(buf, "\xef\xbf\xbd");
        else
            add_escaped(buf, (unsigned char)*p);
        p++;
    }
    ph_buf_add_char(buf, '"');
}

static void add_colon(struct ph_json_writer *w)
{
    ph_buf_add_char(w->buf, ':');
    w->need_comma = false;
}

void ph_jw_key(struct ph_json_writer *w, const char *key)
{
    separate(w);
    ph_buf_add_char(w->buf, '"');
    ph_buf_add_c(w->buf, key);
    ph_buf_add_char(w->buf, '"');
    add_colon(w);
}

void ph_jw_key_str(struct ph_json_writer *w, struct ph_str key)
{
    separate(w);
    add_string(w->buf, key);
    add_colon(w);
}

void ph_jw_str(struct ph_json_writer *w, struct ph_str s)
{
    if (!s.ptr) {
        ph_jw_null(w);
        return;
    }
    separate(w);
    add_string(w->buf, s);
}

void ph_jw_cstr(struct ph_json_writer *w, const char *s)
{
    ph_jw_str(w, ph_str_of(s));
}

void ph_jw_i64(struct ph_json_writer *w, int64_t v)
{
    separate(w);
    ph_buf_add_i64(w->buf, v);
}

void ph_jw_bool(struct ph_json_writer *w, bool v)
{
    ph_jw_raw(w, v ? PH_STR("true") : PH_STR("false"));
}

void ph_jw_null(struct ph_json_writer *w)
{
    ph_jw_raw(w, PH_STR("null"));
}

void ph_jw_raw(struct ph_json_writer *w, struct ph_str json)
{
    separate(w);
    ph_buf_add_str(w->buf, json);
}

/* Text of ours that needs no escaping. */
static void quoted(struct ph_json_writer *w, struct ph_str text)
{
    separate(w);
    ph_buf_add_char(w->buf, '"');
    ph_buf_add_str(w->buf, text);
    ph_buf_add_char(w->buf, '"');
}

void ph_jw_id(struct ph_json_writer *w, enum ph_id_kind kind, struct ph_id id)
{
    char text[PH_ID_WIRE_MAX];
    size_t len = ph_id_format(kind, id, text);
    quoted(w, (struct ph_str){text, len});
}

void ph_jw_time(struct ph_json_writer *w, int64_t wall_ms)
{
    char text[PH_TIME_LEN + 1];
    ph_time_format(wall_ms, text);
    quoted(w, ph_str_of(text));
}
