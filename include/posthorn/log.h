/*
 * Log: one JSON object a line on standard error, e.g.
 *   {"time":"…","level":"warn","msg":"database lost","node":3,"retry_ms":500}
 * Any thread; a line is one write(2). Never pass secrets, payloads or customer header values.
 */
#ifndef POSTHORN_LOG_H
#define POSTHORN_LOG_H

#include "posthorn/id.h"
#include "posthorn/str.h"

enum ph_log_level { PH_LOG_DEBUG, PH_LOG_INFO, PH_LOG_WARN, PH_LOG_ERROR };

struct ph_log_field {
    const char *key;
    enum { PH_LOG_END, PH_LOG_STR, PH_LOG_INT, PH_LOG_ID } type;
    struct ph_str str;
    int64_t num;
    enum ph_id_kind kind;
    struct ph_id id;
};

#define ph_log_s(key_, c_string)                                                                   \
    ((struct ph_log_field){.key = (key_), .type = PH_LOG_STR, .str = ph_str_of(c_string)})
#define ph_log_str(key_, slice)                                                                    \
    ((struct ph_log_field){.key = (key_), .type = PH_LOG_STR, .str = (slice)})
#define ph_log_i(key_, number)                                                                     \
    ((struct ph_log_field){.key = (key_), .type = PH_LOG_INT, .num = (int64_t)(number)})
#define ph_log_id(key_, kind_, id_)                                                                \
    ((struct ph_log_field){.key = (key_), .type = PH_LOG_ID, .kind = (kind_), .id = (id_)})

/* ph_log(PH_LOG_INFO, "listening", ph_log_s("url", url), ph_log_i("threads", 2)); at least one field. */
#define ph_log(level, msg, ...)                                                                    \
    ph_log_write((level), (msg), (struct ph_log_field[]){__VA_ARGS__, {.type = PH_LOG_END}})

/* A line is at most 8 KiB: what does not fit is cut off, and "truncated":true says so. Absent strings write null. */

/* Lines below this level are dropped. Set once before threads start. */
void ph_log_set_level(enum ph_log_level level);
const char *ph_log_level_name(enum ph_log_level level);
PH_MUST_CHECK enum ph_err ph_log_level_parse(struct ph_str s, enum ph_log_level *out);
void ph_log_write(enum ph_log_level level, const char *msg, const struct ph_log_field *fields);

#endif
