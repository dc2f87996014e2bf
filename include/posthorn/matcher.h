/*
 * Decides the endpoints of messages that were committed without: sent from SQL, or planned for later. Part of the dispatcher's
 * thread, with a database connection of its own. Any node takes any message; which it was is decided by who deletes the row.
 */
#ifndef POSTHORN_MATCHER_H
#define POSTHORN_MATCHER_H

#include "posthorn/loop.h"
#include "posthorn/node.h"

struct ph_matcher;

/* Before the loop runs, or on its thread, like all calls here. */
struct ph_matcher *ph_matcher_new(struct ph_loop *loop, struct ph_node *node);
/* A message is due at this wall time of the database's clock; 0: some may be due now. */
void ph_matcher_nudge(struct ph_matcher *matcher, int64_t due_wall_ms);
/* An application's configuration changed (NULL: all may have). */
void ph_matcher_application_changed(struct ph_matcher *matcher, const struct ph_id *application);
/* Takes no more; idle as soon as what it has taken is stored or given up. */
void ph_matcher_pause(struct ph_matcher *matcher);
bool ph_matcher_is_idle(const struct ph_matcher *matcher);
/* When the loop runs no more, but for a step that this makes. */
void ph_matcher_free(struct ph_matcher *matcher);

#endif
