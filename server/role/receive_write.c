#include "posthorn/receive.h"

#include "base/utf8.h"
#include "posthorn/arena.h"
#include "posthorn/clock.h"
#include "posthorn/json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS_MAX 40 /* deeper levels are not indented any further */

enum ph_receive_verdict ph_receive_verify(struct ph_signer *const *signers, size_t n,
                                          const struct ph_receive_event *event)
{
    if (n == 0)
        return PH_RECEIVE_NOT_CHECKED;
    if (event->webhook_id.ptr == NULL || event->webhook_timestamp.ptr == NULL ||
        event->webhook_signature.ptr == NULL)
        return PH_RECEIVE_MISSING;
    int64_t timestamp_s;
    if (ph_str_to_i64(event->webhook_timestamp, &timestamp_s) != PH_OK)
        return PH_RECEIVE_WRONG;
    bool fits = false;
    for (size_t i = 0; i < n; i++)
        fits |= ph_signer_verify(signers[i], event->webhook_id, timestamp_s, event->body,
                                 event->webhook_signature);
    if (!fits)
        return PH_RECEIVE_WRONG;
    int64_t now_s = event->at_ms / 1000;
    if (timestamp_s < now_s - PH_RECEIVE_TOLERANCE_S)
        return PH_RECEIVE_TOO_OLD;
    return timestamp_s > now_s + PH_RECEIVE_TOLERANCE_S ? PH_RECEIVE_TOO_NEW : PH_RECEIVE_VERIFIED;
}

bool ph_receive_refused(enum ph_receive_verdict verdict)
{
    return verdict != PH_RECEIVE_NOT_CHECKED && verdict != PH_RECEIVE_VERIFIED;
}

static const char *verdict_text(enum ph_receive_verdict verdict)
{
    switch (verdict) {
    case PH_RECEIVE_NOT_CHECKED:
        return "not checked (no secret given)";
    case PH_RECEIVE_VERIFIED:
        return "verified";
    case PH_RECEIVE_WRONG:
        return "WRONG SIGNATURE";
    case PH_RECEIVE_MISSING:
        return "NOT SIGNED";
    case PH_RECEIVE_TOO_OLD:
        return "SIGNED TOO LONG AGO";
    case PH_RECEIVE_TOO_NEW:
        return "SIGNED FOR THE FUTURE";
    }
    abort();
}

static const char *verdict_code(enum ph_receive_verdict verdict)
{
    switch (verdict) {
    case PH_RECEIVE_NOT_CHECKED:
        return "not_checked";
    case PH_RECEIVE_VERIFIED:
        return "verified";
    case PH_RECEIVE_WRONG:
        return "wrong";
    case PH_RECEIVE_MISSING:
        return "missing";
    case PH_RECEIVE_TOO_OLD:
        return "too_old";
    case PH_RECEIVE_TOO_NEW:
        return "too_new";
    }
    abort();
}

/* ---- text that cannot harm ---- */

static uint32_t decode(const char *ptr, size_t n)
{
    const unsigned char *p = (const unsigned char *)ptr;
    switch (n) {
    case 2:
        return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
    case 3:
        return (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    case 4:
        return (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
    default:
        return p[0];
    }
}

/* Controls, and characters that are invisible, break a line or turn its direction. */
static bool is_harmful(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c ||
           (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
           (c >= 0xe0000 && c <= 0xe0fff);
}

void ph_receive_add_visible(struct ph_buf *out, struct ph_str text, const char *indent)
{
    for (size_t i = 0; i < text.len;) {
        size_t n = ph_utf8_step(text.ptr + i, text.len - i);
        uint32_t c = n == 0 ? 0 : decode(text.ptr + i, n);
        if (n == 1 && c == '\n' && indent != NULL) {
            ph_buf_add_char(out, '\n');
            ph_buf_add_c(out, indent);
        } else if (n == 1 && c == '\t' && indent != NULL) {
            ph_buf_add_char(out, '\t');
        } else if (n == 0 || (n == 1 && is_harmful(c))) {
            ph_buf_printf(out, "\\x%02x", (unsigned)(unsigned char)text.ptr[i]);
        } else if (is_harmful(c)) {
            ph_buf_printf(out, c > 0xffff ? "\\U%08" PRIx32 : "\\u%04" PRIx32, c);
        } else {
            ph_buf_add(out, text.ptr + i, n);
        }
        i += n == 0 ? 1 : n;
    }
}

static void add_break(struct ph_buf *out, int level)
{
    ph_buf_add_char(out, '\n');
    for (int i = 0; i < level && i < LEVELS_MAX; i++)
        ph_buf_add_c(out, "  ");
}

static size_t skip_space(struct ph_str json, size_t i)
{
    while (i < json.len && memchr(" \t\r\n", json.ptr[i], 4) != NULL)
        i++;
    return i;
}

/* The place behind the string that starts here. */
static size_t skip_string(struct ph_str json, size_t i)
{
    for (i++; i < json.len && json.ptr[i] != '"'; i++)
        if (json.ptr[i] == '\\')
            i++;
    return i < json.len ? i + 1 : json.len;
}

void ph_receive_add_pretty(struct ph_buf *out, struct ph_str json)
{
    int level = 0;
    for (size_t i = skip_space(json, 0); i < json.len; i = skip_space(json, i)) {
        char c = json.ptr[i];
        if (c == '"') {
            size_t end = skip_string(json, i);
            ph_buf_add(out, json.ptr + i, end - i);
            i = end;
            continue;
        }
        i++;
        if (c == '{' || c == '[') {
            size_t next = skip_space(json, i);
            ph_buf_add_char(out, c);
            if (next < json.len && (json.ptr[next] == '}' || json.ptr[next] == ']')) {
                ph_buf_add_char(out, json.ptr[next]);
                i = next + 1;
            } else {
                add_break(out, ++level);
            }
        } else if (c == '}' || c == ']') {
            add_break(out, --level);
            ph_buf_add_char(out, c);
        } else if (c == ',') {
            ph_buf_add_char(out, c);
            add_break(out, level);
        } else if (c == ':') {
            ph_buf_add_c(out, ": ");
        } else {
            ph_buf_add_char(out, c);
        }
    }
}

static bool is_json(struct ph_str body)
{
    json_t *value = json_loadb(body.ptr, body.len,
                               JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
    json_decref(value);
    return value != NULL;
}

/* ---- events ---- */

static void add_header(struct ph_buf *out, const char *name, struct ph_str value)
{
    if (value.ptr == NULL)
        return;
    ph_buf_printf(out, "  %-18s ", name);
    ph_receive_add_visible(out, value, NULL);
    ph_buf_add_char(out, '\n');
}

static void add_body(struct ph_buf *out, struct ph_str body)
{
    if (body.len == 0)
        return;
    ph_buf_add_c(out, "\n  ");
    if (body.len <= PH_RECEIVE_PRETTY_BYTES && is_json(body)) {
        struct ph_buf pretty;
        ph_buf_init(&pretty, (size_t)64 << 20);
        ph_receive_add_pretty(&pretty, body);
        ph_receive_add_visible(out, ph_buf_str(&pretty), "  ");
        ph_buf_free(&pretty);
    } else {
        struct ph_str shown = body;
        if (shown.len > PH_RECEIVE_TEXT_BYTES)
            shown.len = PH_RECEIVE_TEXT_BYTES;
        ph_receive_add_visible(out, shown, "  ");
        if (shown.len < body.len)
            ph_buf_printf(out, "\n  (and %zu more bytes)", body.len - shown.len);
    }
    ph_buf_add_char(out, '\n');
}

void ph_receive_write_text(const struct ph_receive_event *event, struct ph_buf *out)
{
    char time[PH_TIME_LEN + 1];
    ph_time_format(event->at_ms, time);
    ph_buf_printf(out, "%s  ", time);
    ph_receive_add_visible(out, event->method, NULL);
    ph_buf_add_char(out, ' ');
    ph_receive_add_visible(out, event->path, NULL);
    if (event->query.ptr != NULL) {
        ph_buf_add_char(out, '?');
        ph_receive_add_visible(out, event->query, NULL);
    }
    ph_buf_printf(out, "  %s  -> %d\n", verdict_text(event->verdict), event->status);
    add_header(out, "webhook-id", event->webhook_id);
    add_header(out, "webhook-timestamp", event->webhook_timestamp);
    add_header(out, "content-type", event->content_type);
    add_header(out, "user-agent", event->user_agent);
    add_body(out, event->body);
    ph_buf_add_char(out, '\n');
}

static void write_member(struct ph_json_writer *w, const char *key, struct ph_str value)
{
    ph_jw_key(w, key);
    ph_jw_str(w, value);
}

void ph_receive_write_json(const struct ph_receive_event *event, struct ph_buf *out)
{
    struct ph_json_writer w;
    char *base64 = ph_malloc(PH_BASE64_LEN(event->body.len) + 1);
    size_t n = ph_base64_encode(event->body.ptr, event->body.len, base64);
    ph_jw_init(&w, out);
    ph_jw_object_begin(&w);
    ph_jw_key(&w, "time");
    ph_jw_time(&w, event->at_ms);
    write_member(&w, "method", event->method);
    write_member(&w, "path", event->path);
    write_member(&w, "query", event->query);
    write_member(&w, "webhook_id", event->webhook_id);
    write_member(&w, "webhook_timestamp", event->webhook_timestamp);
    write_member(&w, "webhook_signature", event->webhook_signature);
    write_member(&w, "content_type", event->content_type);
    write_member(&w, "user_agent", event->user_agent);
    ph_jw_key(&w, "signature");
    ph_jw_cstr(&w, verdict_code(event->verdict));
    ph_jw_key(&w, "status");
    ph_jw_i64(&w, event->status);
    write_member(&w, "body_base64", (struct ph_str){base64, n});
    ph_jw_object_end(&w);
    ph_buf_add_char(out, '\n');
    free(base64);
}
