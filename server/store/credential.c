#include "posthorn/credential.h"

static const char *const texts[] = {
    [PH_ACCESS_ALL] = "all",
    [PH_ACCESS_READ] = "read",
    [PH_ACCESS_SEND] = "send",
};

const char *ph_access_text(enum ph_access access)
{
    return texts[access];
}

enum ph_err ph_access_parse(struct ph_str text, enum ph_access *out)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        if (ph_str_eq_c(text, texts[i])) {
            *out = (enum ph_access)i;
            return PH_OK;
        }
    }
    return PH_ERR_BAD_REQUEST;
}
