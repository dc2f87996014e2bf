/*
 * Whose request it is when proxies stand in front: X-Forwarded-For counts as far as trusted proxies wrote it. Immutable: any
 * thread.
 */
#ifndef POSTHORN_FORWARDED_H
#define POSTHORN_FORWARDED_H

#include "posthorn/err.h"
#include "posthorn/str.h"

#include <sys/socket.h>

#define PH_ADDRESS_MAX 46 /* of an address as text, with its NUL */

struct ph_forwarded;

/* trusted: comma-separated CIDR ranges of proxies; "" for none. CONFIG: lines in problems say why. */
PH_MUST_CHECK enum ph_err ph_forwarded_new(struct ph_str trusted, struct ph_buf *problems,
                                           struct ph_forwarded **out);
void ph_forwarded_free(struct ph_forwarded *forwarded);

/*
 * The address of the client: the peer's, unless that is a trusted proxy. Then the last address of `header` (X-Forwarded-For,
 * several of them joined by commas) that is no trusted proxy's; what stands in front of it anybody may have written. IPv4 in
 * its own form always. "": the peer has none.
 */
void ph_forwarded_client(const struct ph_forwarded *forwarded, const struct sockaddr *peer,
                         struct ph_str header, char out[PH_ADDRESS_MAX]);

#endif
