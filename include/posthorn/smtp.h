/*
 * Sending mail to one SMTP server, by libcurl. Everything here blocks: for a thread that has nothing else to do.
 *
 * Owner: one thread. The server is the operator's, so that the outbound guard is not asked; its certificate is checked
 * against its name whenever there is TLS.
 */
#ifndef POSTHORN_SMTP_H
#define POSTHORN_SMTP_H

#include "posthorn/str.h"

#include <stdatomic.h>

struct ph_smtp;

struct ph_smtp_options {
    const char
        *url; /* smtp://host:port or smtps://host:port; a path is the name that we give in EHLO */
    const char *user, *password; /* empty: no AUTH */
    const char *ca_file;         /* empty: the system's authorities */
    bool needs_tls;              /* with smtp://, refuse to go on without STARTTLS */
    int64_t timeout_ms;          /* for one mail in all */
    const _Atomic bool
        *stop; /* when it becomes true, a mail under way is left within about a second */
};

enum ph_smtp_outcome {
    PH_SMTP_SENT,
    PH_SMTP_REFUSED, /* the server says that this mail will never be taken */
    PH_SMTP_FAILED,  /* later it may be otherwise */
    PH_SMTP_STOPPED,
};

#define PH_SMTP_REASON_MAX 256

/* Whether it is a URL that ph_smtp_options takes. */
bool ph_smtp_url_ok(const char *url);

/* Everything in the options has to live as long. */
struct ph_smtp *ph_smtp_new(const struct ph_smtp_options *options);
void ph_smtp_free(struct ph_smtp *smtp);

/* from, to: addresses. message: with CRLF. reason: why it was not sent. A connection stays open for the next one. */
enum ph_smtp_outcome ph_smtp_send(struct ph_smtp *smtp, struct ph_str from, struct ph_str to,
                                  struct ph_str message, char reason[PH_SMTP_REASON_MAX]);
/* Closes the connection. */
void ph_smtp_rest(struct ph_smtp *smtp);

#endif
