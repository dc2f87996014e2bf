/*
 * A mail as it goes over the wire (RFC 5322): headers and plain text in UTF-8, in lines of at most 76 characters.
 *
 * Names and the subject may be any text: what is not plain ASCII is encoded (RFC 2047), and a control character, such as one
 * that would begin a header of its own, becomes a space. Addresses have to be ph_mail_address_ok.
 */
#ifndef POSTHORN_MAIL_MESSAGE_H
#define POSTHORN_MAIL_MESSAGE_H

#include "posthorn/str.h"

#define PH_MAIL_ADDRESS_MAX 254

struct ph_mailbox {
    struct ph_str name; /* absent or empty: the address alone */
    struct ph_str address;
};

struct ph_mail_message {
    struct ph_str
        id; /* left part of the Message-ID, plain ASCII; the right part is the sender's domain */
    struct ph_mailbox from, to;
    struct ph_str subject;
    struct ph_str text; /* lines end with \n */
    int64_t wall_ms;
};

/* local@domain, ASCII, without quotes, comments and address literals, at most PH_MAIL_ADDRESS_MAX characters. */
bool ph_mail_address_ok(struct ph_str address);
/* "Name <address>" or "address"; slices of `text`. CONFIG: it is neither. */
PH_MUST_CHECK enum ph_err ph_mailbox_parse(struct ph_str text, struct ph_mailbox *out);
void ph_mail_message_write(const struct ph_mail_message *mail, struct ph_buf *out);

#endif
