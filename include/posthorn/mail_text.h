/*
 * What a mail says: a row of mail.def with what it is about. Pure.
 *
 * Texts that others have chosen are foreign: control characters become spaces, all but the first PH_MAIL_WORD_MAX bytes is
 * cut off, and what would be made a link by a mail program is broken up, so that our mails carry nobody else's addresses.
 */
#ifndef POSTHORN_MAIL_TEXT_H
#define POSTHORN_MAIL_TEXT_H

#include "posthorn/mail.h"

#include <jansson.h>

#define PH_MAIL_WORD_MAX    100
#define PH_MAIL_SUBJECT_MAX 1024
#define PH_MAIL_TEXT_MAX    (32 * 1024)

/* url: the public one. token absent: a link without. The buffers overflow rather than grow beyond the bounds above. */
void ph_mail_text_write(enum ph_mail_kind kind, const char *url, const json_t *about,
                        struct ph_str token, struct ph_buf *subject, struct ph_buf *text);

#endif
