#include "posthorn/config.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_PREFIX     "POSTHORN_"
#define SHOWN_VALUE_MAX 100 /* bytes of a faulty value in a problem line */

enum type { TYPE_str, TYPE_int, TYPE_ms, TYPE_bytes, TYPE_bool, TYPE_level };

struct setting {
    const char *env, *def, *help;
    enum type type;
    bool secret;
    size_t offset; /* of the field in struct ph_config */
    int64_t min, max;
};

static const struct setting settings[] = {
#define PH_SETTING(field, env_, type_, def_, min_, max_, secret_, help_)                           \
    {.env = env_,                                                                                  \
     .def = def_,                                                                                  \
     .help = help_,                                                                                \
     .type = TYPE_##type_,                                                                         \
     .secret = secret_,                                                                            \
     .offset = offsetof(struct ph_config, field),                                                  \
     .min = min_,                                                                                  \
     .max = max_},
#include "posthorn/config.def"
#undef PH_SETTING
};

#define N_SETTINGS (sizeof(settings) / sizeof(settings[0]))

/* A number with an optional unit K, M or G. */
static bool parse_bytes(struct ph_str s, int64_t *out)
{
    int shift = 0;
    if (s.len > 0) {
        char unit = s.ptr[s.len - 1];
        shift = unit == 'K' ? 10 : unit == 'M' ? 20 : unit == 'G' ? 30 : 0;
    }
    if (shift > 0)
        s.len--;
    int64_t v;
    if (ph_str_to_i64(s, &v) != PH_OK)
        return false;
    return !__builtin_mul_overflow(v, INT64_C(1) << shift, out);
}

/* Stores the value in *config. False: the value is not one of this setting. */
static bool parse_value(const struct setting *set, const char *value, struct ph_config *config)
{
    struct ph_str s = ph_str_of(value);
    void *field = (char *)config + set->offset;
    int64_t number;
    switch (set->type) {
    case TYPE_str:
        *(const char **)field = value;
        return true;
    case TYPE_bool:
        *(bool *)field = ph_str_eq_c(s, "true");
        return ph_str_eq_c(s, "true") || ph_str_eq_c(s, "false");
    case TYPE_level:
        return ph_log_level_parse(s, field) == PH_OK;
    case TYPE_int:
    case TYPE_ms:
        if (ph_str_to_i64(s, &number) != PH_OK)
            return false;
        break;
    case TYPE_bytes:
        if (!parse_bytes(s, &number))
            return false;
        break;
    default:
        return false;
    }
    if (number < set->min || number > set->max)
        return false;
    *(int64_t *)field = number;
    return true;
}

static void add_what_is_right(const struct setting *set, struct ph_buf *out)
{
    static const char *const nouns[] = {
        [TYPE_str] = "text",
        [TYPE_int] = "a number",
        [TYPE_ms] = "a number of milliseconds",
        [TYPE_bytes] = "a number of bytes, optionally with K, M or G,",
        [TYPE_bool] = "true or false",
        [TYPE_level] = "debug, info, warn or error",
    };
    ph_buf_add_c(out, nouns[set->type]);
    if (set->type == TYPE_int || set->type == TYPE_ms || set->type == TYPE_bytes)
        ph_buf_printf(out, " from %" PRId64 " to %" PRId64, set->min, set->max);
}

/* Foreign text inside one line of a message: no control characters, and not endless. */
static void add_shown(struct ph_buf *out, const char *text)
{
    size_t n = 0;
    for (; text[n] != '\0' && n < SHOWN_VALUE_MAX; n++)
        ph_buf_add_char(out, (unsigned char)text[n] < 0x20 || text[n] == 0x7f ? '?' : text[n]);
    if (text[n] != '\0')
        ph_buf_add_c(out, "...");
}

static void add_fault(const struct setting *set, const char *value, struct ph_buf *problems)
{
    ph_buf_add_c(problems, set->env);
    if (!set->secret) {
        ph_buf_add_c(problems, "=");
        add_shown(problems, value);
    }
    ph_buf_add_c(problems, ": has to be ");
    add_what_is_right(set, problems);
    ph_buf_add_char(problems, '\n');
}

/* Number of single-character edits between two names (Levenshtein), or more than `limit` when there are more. */
static size_t distance(const char *a, const char *b, size_t limit)
{
    enum { NAME_MAX_BYTES = 64 };
    size_t row[NAME_MAX_BYTES + 1], n = strlen(b);
    if (n > NAME_MAX_BYTES || strlen(a) > NAME_MAX_BYTES)
        return limit + 1;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

/* The value is not shown: it may be a secret whose name is misspelt. */
static void add_unknown(const char *name, struct ph_buf *problems)
{
    enum { CLOSE = 3 };
    const char *meant = NULL;
    size_t least = CLOSE + 1;
    for (size_t i = 0; i < N_SETTINGS; i++) {
        size_t d = distance(name, settings[i].env, CLOSE);
        if (d < least) {
            least = d;
            meant = settings[i].env;
        }
    }
    add_shown(problems, name);
    if (meant != NULL)
        ph_buf_printf(problems, ": there is no such setting; did you mean %s?\n", meant);
    else
        ph_buf_add_c(problems, ": there is no such setting; remove it\n");
}

static bool is_known(struct ph_str name)
{
    for (size_t i = 0; i < N_SETTINGS; i++) {
        if (ph_str_eq_c(name, settings[i].env))
            return true;
    }
    return false;
}

static size_t refuse_unknown(struct ph_buf *problems)
{
    size_t n_faults = 0;
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        struct ph_str rest = ph_str_of(*entry), name;
        if (!ph_str_split(&rest, '=', &name) || !ph_str_starts(name, PH_STR(NAME_PREFIX)) ||
            is_known(name))
            continue;
        char *copy = strndup(name.ptr, name.len);
        if (copy == NULL)
            abort();
        add_unknown(copy, problems);
        free(copy);
        n_faults++;
    }
    return n_faults;
}

enum ph_err ph_config_load(struct ph_buf *problems, struct ph_config *out)
{
    struct ph_config config;
    size_t n_faults = 0;

    memset(&config, 0, sizeof(config));
    for (const struct setting *set = settings; set < settings + N_SETTINGS; set++) {
        const char *value = getenv(set->env);
        if (value == NULL)
            value = set->def;
        if (!parse_value(set, value, &config)) {
            add_fault(set, value, problems);
            n_faults++;
        }
    }
    n_faults += refuse_unknown(problems);
    if (n_faults > 0)
        return PH_ERR_CONFIG;
    *out = config;
    return PH_OK;
}

static void add_value(const struct setting *set, const struct ph_config *config, struct ph_buf *out)
{
    const void *field = (const char *)config + set->offset;
    switch (set->type) {
    case TYPE_str: {
        const char *text = *(const char *const *)field;
        ph_buf_add_c(out, !set->secret ? text : *text != '\0' ? "(set)" : "(not set)");
        break;
    }
    case TYPE_int:
    case TYPE_ms:
    case TYPE_bytes:
        ph_buf_add_i64(out, *(const int64_t *)field);
        break;
    case TYPE_bool:
        ph_buf_add_c(out, *(const bool *)field ? "true" : "false");
        break;
    case TYPE_level:
        ph_buf_add_c(out, ph_log_level_name(*(const enum ph_log_level *)field));
        break;
    }
}

void ph_config_write(const struct ph_config *config, struct ph_buf *out)
{
    for (const struct setting *set = settings; set < settings + N_SETTINGS; set++) {
        ph_buf_add_c(out, set->env);
        ph_buf_add_char(out, '=');
        add_value(set, config, out);
        ph_buf_add_char(out, '\n');
    }
}

void ph_config_write_doc(struct ph_buf *out)
{
    ph_buf_add_c(out, "| variable | default | meaning |\n| --- | --- | --- |\n");
    for (const struct setting *set = settings; set < settings + N_SETTINGS; set++) {
        ph_buf_printf(out, "| `%s` | ", set->env);
        if (set->def[0] != '\0')
            ph_buf_printf(out, "`%s`", set->def);
        ph_buf_printf(out, " | %s |\n", set->help);
    }
}
