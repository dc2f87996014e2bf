/*
 * Who listens to the live tail by a request of this http thread: server-sent events, until the client goes, its credential
 * ends, an hour has passed, or the server stops.
 */
#ifndef POSTHORN_TAIL_HUB_H
#define POSTHORN_TAIL_HUB_H

#include "posthorn/api.h"

struct ph_tail_hub;

struct ph_tail_hub *ph_tail_hub_new(struct ph_api *api);
/* On the thread, when the node's tail is paused. Streams that are still open end by themselves. */
void ph_tail_hub_free(struct ph_tail_hub *hub);

/* Answers the call with what happens to the tenant's messages, or to those of one application; zero: all. */
void ph_tail_hub_open(struct ph_tail_hub *hub, struct ph_call *call, struct ph_id application);

#endif
