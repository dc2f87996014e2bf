#include "posthorn/log.h"

#include "posthorn/clock.h"

#include "base/utf8.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 8192
#define CUT_TAIL       ",\"truncated\":true}\n"
#define ROOM           (LINE_MAX_BYTES - (sizeof(CUT_TAIL) - 1)) /* for everything before the end */

/* One line being written. What does not fit is left out and `cut` says so: the line stays valid JSON. */
struct line {
    size_t len;
    bool cut;
    char b[LINE_MAX_BYTES];
};

static _Atomic int least_level = PH_LOG_INFO;

static const char *const level_names[] = {[PH_LOG_DEBUG] = "debug",
                                          [PH_LOG_INFO] = "info",
                                          [PH_LOG_WARN] = "warn",
                                          [PH_LOG_ERROR] = "error"};

#define N_LEVELS (sizeof(level_names) / sizeof(level_names[0]))

void ph_log_set_level(enum ph_log_level level)
{
    atomic_store_explicit(&least_level, (int)level, memory_order_relaxed);
}

const char *ph_log_level_name(enum ph_log_level level)
{
    assert((size_t)level < N_LEVELS);
    return level_names[level];
}

enum ph_err ph_log_level_parse(struct ph_str s, enum ph_log_level *out)
{
    for (size_t i = 0; i < N_LEVELS; i++) {
        if (ph_str_eq_c(s, level_names[i])) {
            *out = (enum ph_log_level)i;
            return PH_OK;
        }
    }
    return PH_ERR_BAD_REQUEST;
}

/* All of it, or nothing when fewer than `spare` bytes would be left. */
static bool put(struct line *line, const char *ptr, size_t n, size_t spare)
{
    if (n + spare > ROOM - line->len) {
        line->cut = true;
        return false;
    }
    memcpy(line->b + line->len, ptr, n);
    line->len += n;
    return true;
}

static bool put_c(struct line *line, const char *text, size_t spare)
{
    return put(line, text, strlen(text), spare);
}

/* Writes what stands for the character at ptr; returns the bytes it takes up there, 0 when there is no room. */
static size_t put_char(struct line *line, const char *ptr, size_t left)
{
    char escape[8];
    unsigned char c = (unsigned char)*ptr;
    if (c == '"' || c == '\\') {
        escape[0] = '\\';
        escape[1] = (char)c;
        return put(line, escape, 2, 1) ? 1 : 0;
    }
    if (c < 0x20 || c == 0x7f) {
        snprintf(escape, sizeof(escape), "\\u%04x", c);
        return put(line, escape, 6, 1) ? 1 : 0;
    }
    size_t n = ph_utf8_step(ptr, left);
    if (n == 0)
        return put(line, "\xef\xbf\xbd", 3, 1) ? 1 : 0;
    return put(line, ptr, n, 1) ? n : 0;
}

/* A quoted string, cut where the room ends. False when not even the quotes fit. */
static bool put_string(struct line *line, struct ph_str s)
{
    if (!put(line, "\"", 1, 1))
        return false;
    for (size_t i = 0, n; i < s.len; i += n) {
        n = put_char(line, s.ptr + i, s.len - i);
        if (n == 0)
            break;
    }
    line->b[line->len++] = '"'; /* put kept a byte spare */
    return true;
}

static bool put_value(struct line *line, const struct ph_log_field *f)
{
    char text[PH_ID_WIRE_MAX];
    switch (f->type) {
    case PH_LOG_STR:
        return f->str.ptr != NULL ? put_string(line, f->str) : put_c(line, "null", 0);
    case PH_LOG_INT:
        snprintf(text, sizeof(text), "%" PRId64, f->num);
        return put_c(line, text, 0);
    case PH_LOG_ID:
        ph_id_format(f->kind, f->id, text);
        return put_string(line, ph_str_of(text));
    case PH_LOG_END:
        break;
    }
    assert(!"a log field without a value");
    return false;
}

/* A member, or nothing of it when its name or an indivisible value does not fit. */
static void put_field(struct line *line, const struct ph_log_field *f)
{
    size_t before = line->len;
    struct ph_str key = ph_str_of(f->key);
    if (!put_c(line, ",", 0) || !put_string(line, key) || !put_c(line, ":", 0) ||
        !put_value(line, f))
        line->len = before;
}

static void write_line(const struct line *line)
{
    ssize_t n;
    do {
        n = write(STDERR_FILENO, line->b, line->len);
    } while (n < 0 && errno == EINTR);
}

void ph_log_write(enum ph_log_level level, const char *msg, const struct ph_log_field *fields)
{
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
        return;
    int saved_errno = errno;
    struct line line;
    char time[PH_TIME_LEN + 1];

    line.len = 0;
    line.cut = false;
    ph_time_format(ph_clock_wall_ms(), time);
    put_c(&line, "{\"time\":\"", 0);
    put_c(&line, time, 0);
    put_c(&line, "\",\"level\":\"", 0);
    put_c(&line, ph_log_level_name(level), 0);
    put_c(&line, "\",\"msg\":", 0);
    put_string(&line, ph_str_of(msg));
    for (; fields->type != PH_LOG_END; fields++)
        put_field(&line, fields);

    const char *tail = line.cut ? CUT_TAIL : "}\n";
    memcpy(line.b + line.len, tail, strlen(tail));
    line.len += strlen(tail);
    write_line(&line);
    errno = saved_errno;
}
