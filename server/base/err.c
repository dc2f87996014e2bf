#include "posthorn/err.h"

#include <assert.h>
#include <stddef.h>

struct row {
    int http_status;
    bool retryable;
    const char *code, *text;
};

static const struct row rows[PH_ERR_COUNT] = {
#define PH_ERR(name, http, wire, sentence, again)                                                  \
    [PH_ERR_##name] = {.http_status = http, .retryable = again, .code = wire, .text = sentence},
#include "posthorn/err.def"
#undef PH_ERR
};

static const struct row *row_of(enum ph_err err)
{
    assert((size_t)err < PH_ERR_COUNT);
    return &rows[err];
}

int ph_err_http_status(enum ph_err err)
{
    int status = row_of(err)->http_status;
    return status != 0 ? status : 500;
}

const char *ph_err_code(enum ph_err err)
{
    return row_of(err)->code;
}

const char *ph_err_text(enum ph_err err)
{
    return row_of(err)->text;
}

bool ph_err_retryable(enum ph_err err)
{
    return row_of(err)->retryable;
}
