#include "posthorn/totp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHA1_BYTES     20
#define MODULUS        1000000 /* ten to the PH_TOTP_DIGITS */
#define RECOVERY_BYTES 10
#define RECOVERY_CHARS PH_BASE32_LEN(RECOVERY_BYTES)
#define RECOVERY_GROUP 4

void ph_totp_secret_make(uint8_t secret[PH_TOTP_SECRET_BYTES])
{
    randombytes_buf(secret, PH_TOTP_SECRET_BYTES);
}

int64_t ph_totp_counter(int64_t now_ms)
{
    return now_ms / 1000 / PH_TOTP_STEP_S;
}

/* RFC 4226, 5.3: the low four bits of the last byte say where the number begins. */
void ph_totp_code(struct ph_str secret, int64_t counter, char code[PH_TOTP_DIGITS + 1])
{
    uint8_t text[8], mac[SHA1_BYTES];
    uint32_t number;
    unsigned int len;
    int at;

    for (int i = 0; i < 8; i++)
        text[i] = (uint8_t)((uint64_t)counter >> (56 - 8 * i));
    if (!HMAC(EVP_sha1(), secret.ptr, (int)secret.len, text, sizeof text, mac, &len) ||
        len != sizeof mac)
        abort();
    at = mac[SHA1_BYTES - 1] & 15;
    number = (uint32_t)(mac[at] & 127) << 24 | (uint32_t)mac[at + 1] << 16 |
             (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    snprintf(code, PH_TOTP_DIGITS + 1, "%06u", number % MODULUS);
    sodium_memzero(mac, sizeof mac);
}

static bool read_digits(struct ph_str code, char digits[PH_TOTP_DIGITS])
{
    size_t n = 0;

    for (size_t i = 0; i < code.len; i++) {
        char c = code.ptr[i];
        if (c == ' ' || c == '\t')
            continue;
        if (c < '0' || c > '9' || n == PH_TOTP_DIGITS)
            return false;
        digits[n++] = c;
    }
    return n == PH_TOTP_DIGITS;
}

bool ph_totp_check(struct ph_str secret, struct ph_str code, int64_t now_ms, int64_t used,
                   int64_t *counter)
{
    char digits[PH_TOTP_DIGITS], right[PH_TOTP_DIGITS + 1];
    int64_t now = ph_totp_counter(now_ms), found = -1;

    if (!read_digits(code, digits))
        return false;
    for (int64_t step = now - PH_TOTP_WINDOW; step <= now + PH_TOTP_WINDOW; step++) {
        ph_totp_code(secret, step, right);
        if (sodium_memcmp(digits, right, PH_TOTP_DIGITS) == 0 && step > used && found < 0)
            found = step;
    }
    if (found < 0)
        return false;
    *counter = found;
    return true;
}

/* RFC 3986: all but the unreserved characters. */
static void add_encoded(struct ph_buf *out, struct ph_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '.' || c == '_' || c == '~')
            ph_buf_add_char(out, (char)c);
        else
            ph_buf_printf(out, "%%%02X", c);
    }
}

void ph_totp_write_uri(struct ph_buf *out, struct ph_str issuer, struct ph_str account,
                       struct ph_str secret)
{
    char *text = malloc(PH_BASE32_LEN(secret.len) + 1);

    if (!text)
        abort();
    ph_base32_encode(secret.ptr, secret.len, text);
    ph_buf_add_c(out, "otpauth://totp/");
    add_encoded(out, issuer);
    ph_buf_add_char(out, ':');
    add_encoded(out, account);
    ph_buf_printf(out, "?secret=%s&issuer=", text);
    add_encoded(out, issuer);
    ph_buf_printf(out, "&algorithm=SHA1&digits=%d&period=%d", PH_TOTP_DIGITS, PH_TOTP_STEP_S);
    sodium_memzero(text, PH_BASE32_LEN(secret.len));
    free(text);
}

void ph_recovery_code_make(char code[PH_RECOVERY_LEN + 1])
{
    uint8_t bytes[RECOVERY_BYTES];
    char text[RECOVERY_CHARS + 1];
    char *out = code;

    randombytes_buf(bytes, sizeof bytes);
    ph_base32_encode(bytes, sizeof bytes, text);
    for (int i = 0; i < RECOVERY_CHARS; i++) {
        if (i > 0 && i % RECOVERY_GROUP == 0)
            *out++ = '-';
        *out++ = text[i] >= 'A' ? (char)(text[i] | 0x20) : text[i];
    }
    *out = '\0';
}

bool ph_recovery_code_hash(struct ph_str code, uint8_t hash[PH_RECOVERY_HASH_BYTES])
{
    uint8_t text[RECOVERY_CHARS];
    size_t n = 0;

    for (size_t i = 0; i < code.len; i++) {
        char c = code.ptr[i];
        if (c == ' ' || c == '-')
            continue;
        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        if (!((c >= 'a' && c <= 'z') || (c >= '2' && c <= '7')) || n == sizeof text)
            return false;
        text[n++] = (uint8_t)c;
    }
    if (n != sizeof text)
        return false;
    crypto_hash_sha256(hash, text, sizeof text);
    return true;
}
