/*
 * Second factor: time-based one-time passwords (RFC 6238 over RFC 4226: HMAC-SHA-1, six digits, steps of 30 seconds), and
 * the recovery codes that stand in for them. Pure but for what makes secrets and codes.
 */
#ifndef POSTHORN_TOTP_H
#define POSTHORN_TOTP_H

#include "posthorn/str.h"

#define PH_TOTP_SECRET_BYTES 20
#define PH_TOTP_DIGITS       6
#define PH_TOTP_STEP_S       30
#define PH_TOTP_WINDOW       1 /* steps before and behind the current one that are accepted */

void ph_totp_secret_make(uint8_t secret[PH_TOTP_SECRET_BYTES]);
/* The step that a time falls into. */
int64_t ph_totp_counter(int64_t now_ms);
/* The code of one step and a NUL. */
void ph_totp_code(struct ph_str secret, int64_t counter, char code[PH_TOTP_DIGITS + 1]);
/*
 * Whether it is the code of a step that is near enough and later than `used`, the last one that was accepted (-1: none was):
 * *counter is the step, which the caller stores as used before anybody is let in. White space in the code does not count.
 */
bool ph_totp_check(struct ph_str secret, struct ph_str code, int64_t now_ms, int64_t used,
                   int64_t *counter);
/* otpauth:// URI for an authenticator: `issuer` is who asks, `account` whom. */
void ph_totp_write_uri(struct ph_buf *out, struct ph_str issuer, struct ph_str account,
                       struct ph_str secret);

/* Recovery codes: 80 random bits each, written "abcd-efgh-ijkl-mnop"; kept as hashes. */
#define PH_RECOVERY_CODES      10
#define PH_RECOVERY_LEN        19
#define PH_RECOVERY_HASH_BYTES 32

void ph_recovery_code_make(char code[PH_RECOVERY_LEN + 1]);
/* Of a code as somebody typed it: case, spaces and hyphens do not count. False: it is none. */
bool ph_recovery_code_hash(struct ph_str code, uint8_t hash[PH_RECOVERY_HASH_BYTES]);

#endif
