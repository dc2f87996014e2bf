/*
 * Results of functions: one enum for the whole program, its rows in err.def.
 *
 * A function that can fail returns enum ph_err and gives its value through its last out pointer, which it leaves
 * untouched on failure. Failures of the program itself (bugs, no memory) assert and abort; they are not results.
 */
#ifndef POSTHORN_ERR_H
#define POSTHORN_ERR_H

#include <stdbool.h>

#define PH_MUST_CHECK             __attribute__((warn_unused_result))
#define PH_PRINTF(fmt_arg, first) __attribute__((format(printf, fmt_arg, first)))

enum ph_err {
#define PH_ERR(name, http, code, text, retryable) PH_ERR_##name,
#include "posthorn/err.def"
#undef PH_ERR
    PH_ERR_COUNT
};

#define PH_OK PH_ERR_OK

/* HTTP status for a client of the REST interface; 500 for a row that has none. */
int ph_err_http_status(enum ph_err err);

/* Stable machine-readable code, e.g. "not_found". Static storage. */
const char *ph_err_code(enum ph_err err);

/* One plain sentence for a person. Static storage. */
const char *ph_err_text(enum ph_err err);

/* Whether the same call may succeed later without a change by the caller. */
bool ph_err_retryable(enum ph_err err);

#endif
