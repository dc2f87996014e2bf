/*
 * On whose pages the portal may be shown in a frame, and from where its logo may come. The page is fetched before there is a
 * token, so its link names the tenant: /portal?tenant=org_….
 */
#ifndef POSTHORN_API_PORTAL_PAGE_H
#define POSTHORN_API_PORTAL_PAGE_H

#include "posthorn/api.h"

/* What one thread remembers of tenants, for a few seconds. */
struct ph_portal_pages;
struct ph_portal_pages *ph_portal_pages_new(void);
void ph_portal_pages_free(struct ph_portal_pages *pages);

/* Sources for the directives frame-ancestors and img-src of the page that is asked for; "'none'" and "" for a tenant that is
 * not known. Once, perhaps before this returns; the texts are valid until done returns. */
void ph_portal_pages_find(struct ph_call *call,
                          void (*done)(struct ph_call *call, const char *ancestors,
                                       const char *images));

#endif
