#include "posthorn/str.h"

void ph_base32_encode(const void *ptr, size_t n, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const uint8_t *in = ptr;
    uint32_t bits = 0; /* what is not written yet, in the low `have` bits */
    int have = 0;

    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | in[i];
        for (have += 8; have >= 5; have -= 5)
            *out++ = digits[bits >> (have - 5) & 31];
    }
    if (have > 0)
        *out++ = digits[bits << (5 - have) & 31];
    *out = '\0';
}
