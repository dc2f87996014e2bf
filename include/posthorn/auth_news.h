/*
 * What a node has heard about credentials: so that one which was deleted is refused at once, though its owner is remembered.
 *
 * The dispatcher writes, every http thread reads.
 */
#ifndef POSTHORN_AUTH_NEWS_H
#define POSTHORN_AUTH_NEWS_H

#include "posthorn/id.h"

#include <stdatomic.h>

#define PH_AUTH_NEWS_SLOTS 256

struct ph_auth_news {
    _Atomic uint32_t changes; /* of any tenant's credentials */
    _Atomic uint32_t
        epochs[PH_AUTH_NEWS_SLOTS]; /* by hash of the tenant: grows when credentials of it change */
    _Atomic uint64_t heard_ms; /* when the connection that brings the news last worked, monotonic */
};

/* tenant NULL: any may have changed. */
void ph_auth_news_changed(struct ph_auth_news *news, const struct ph_id *tenant);
uint32_t ph_auth_news_changes(const struct ph_auth_news *news);
/* What is known of this tenant's credentials holds as long as this stays the same. */
uint32_t ph_auth_news_epoch(const struct ph_auth_news *news, struct ph_id tenant);

/* The connection works, at this monotonic time; 0: it does not. */
void ph_auth_news_heard(struct ph_auth_news *news, uint64_t mono_ms);
/* Whether news come: the connection worked during the last two seconds. */
bool ph_auth_news_come(const struct ph_auth_news *news, uint64_t mono_ms);

#endif
