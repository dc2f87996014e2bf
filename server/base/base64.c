#include "posthorn/str.h"

#include <sodium.h>

size_t ph_base64_encode(const void *ptr, size_t n, char *out)
{
    sodium_bin2base64(out, PH_BASE64_LEN(n) + 1, ptr, n, sodium_base64_VARIANT_ORIGINAL);
    return PH_BASE64_LEN(n);
}

enum ph_err ph_base64_decode(struct ph_str s, uint8_t *out, size_t out_cap, size_t *out_len)
{
    size_t len;
    if (s.ptr == NULL)
        return PH_ERR_BAD_REQUEST;
    for (size_t i = 0; i < s.len; i++) {
        if ((s.ptr[i] & 0x80) != 0)
            return PH_ERR_BAD_REQUEST; /* libsodium takes some of these for digits where char is signed */
    }
    /* Without an end pointer libsodium refuses whatever follows the padding. */
    if (sodium_base642bin(out, out_cap, s.ptr, s.len, NULL, &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return PH_ERR_BAD_REQUEST;
    *out_len = len;
    return PH_OK;
}

void ph_hex_encode(const void *ptr, size_t n, char *out)
{
    sodium_bin2hex(out, 2 * n + 1, ptr, n);
}
