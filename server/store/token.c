#include "posthorn/token.h"

#include <sodium.h>
#include <string.h>

#define PREFIX_LEN   4
#define RANDOM_BYTES 32

bool ph_token_well_formed(struct ph_str token, const char *prefix)
{
    if (token.len != PH_TOKEN_LEN || memcmp(token.ptr, prefix, PREFIX_LEN) != 0)
        return false;
    for (size_t i = PREFIX_LEN; i < token.len; i++) {
        char c = token.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

void ph_token_make(const char *prefix, char token[PH_TOKEN_LEN + 1])
{
    uint8_t random[RANDOM_BYTES];

    randombytes_buf(random, sizeof(random));
    memcpy(token, prefix, PREFIX_LEN);
    sodium_bin2base64(token + PREFIX_LEN, PH_TOKEN_LEN + 1 - PREFIX_LEN, random, sizeof(random),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(random, sizeof(random));
}

struct ph_str ph_token_hash(struct ph_str token, uint8_t hash[PH_TOKEN_HASH_BYTES])
{
    crypto_hash_sha256(hash, (const unsigned char *)token.ptr, token.len);
    return (struct ph_str){(const char *)hash, PH_TOKEN_HASH_BYTES};
}
