/*
 * Settings: the rows of config.def, read once from the environment and immutable afterwards.
 */
#ifndef POSTHORN_CONFIG_H
#define POSTHORN_CONFIG_H

#include "posthorn/log.h"
#include "posthorn/str.h"

#define PH_CTYPE_str   const char *
#define PH_CTYPE_int   int64_t
#define PH_CTYPE_ms    int64_t
#define PH_CTYPE_bytes int64_t
#define PH_CTYPE_bool  bool
#define PH_CTYPE_level enum ph_log_level

struct ph_config {
#define PH_SETTING(field, env, type, def, min, max, secret, help) PH_CTYPE_##type field;
#include "posthorn/config.def"
#undef PH_SETTING
};

/*
 * Reads every setting from the environment. Also refuses a POSTHORN_ variable that no row knows (a misspelt name would
 * otherwise be silently ignored). CONFIG: *problems (an initialised buffer) holds one line per fault that names the
 * variable, its value unless secret, and what would be right. Strings live as long as the process.
 */
PH_MUST_CHECK enum ph_err ph_config_load(struct ph_buf *problems, struct ph_config *out);

/* Appends NAME=value lines of the effective values; a secret prints as "(set)" or "(not set)". */
void ph_config_write(const struct ph_config *config, struct ph_buf *out);
/* Appends README's table of settings (Markdown). */
void ph_config_write_doc(struct ph_buf *out);

#endif
