/*
 * UTF-8: one step of a decoder, shared by everything that judges or escapes foreign text. Not needed outside of server/.
 */
#ifndef POSTHORN_BASE_UTF8_H
#define POSTHORN_BASE_UTF8_H

#include <stddef.h>

/* Length (1 to 4) of the well-formed sequence that starts at ptr, with `left` >= 1 bytes there; 0 when there is none:
 * overlong forms, surrogates and values over U+10FFFF are not well-formed (Unicode, table 3-7). */
size_t ph_utf8_step(const char *ptr, size_t left);

#endif
