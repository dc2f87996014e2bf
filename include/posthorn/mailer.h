/*
 * Sends what is in the outbox: one thread of the node, with a database connection of its own, one mail after the other. Any
 * node sends any mail. What the server does not take now is tried again after 5 s, 10 s, 20 s and so on up to an hour.
 */
#ifndef POSTHORN_MAILER_H
#define POSTHORN_MAILER_H

#include "posthorn/node.h"

struct ph_mailer;

/* Whether this node sends mail at all. */
bool ph_mail_is_on(const struct ph_config *config);
/* CONFIG: problems has a line for each setting of mail that is wrong. */
PH_MUST_CHECK enum ph_err ph_mailer_check(const struct ph_config *config, struct ph_buf *problems);
/* NULL: this node sends none. */
struct ph_mailer *ph_mailer_start(const struct ph_node *node);
/* A mail under way is left, and comes again at another node or the next start. NULL is allowed. */
void ph_mailer_stop(struct ph_mailer *mailer);

#endif
