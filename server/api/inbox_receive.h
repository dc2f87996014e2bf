/*
 * What arrives at the test inboxes by requests of this http thread. It is no part of the interface: any method, no
 * credential, an answer that says nothing of the request.
 */
#ifndef POSTHORN_API_INBOX_RECEIVE_H
#define POSTHORN_API_INBOX_RECEIVE_H

#include "posthorn/api.h"

struct ph_inbox_hub;

struct ph_inbox_hub *ph_inbox_hub_new(struct ph_api *api);
/* On the thread. Those that still wait for their answer are left to the server. */
void ph_inbox_hub_free(struct ph_inbox_hub *hub);

/* Whether the path is an inbox's: then the request is answered, now or later. */
bool ph_inbox_hub_takes(struct ph_inbox_hub *hub, struct ph_call *call);

#endif
