/*
 * ApplicationIn, the form of an application in a request body: its own, or a member of a message's.
 */
#ifndef POSTHORN_API_APPLICATION_IN_H
#define POSTHORN_API_APPLICATION_IN_H

#include "posthorn/api.h"
#include "posthorn/application.h"

/* Reads the object into a change that sets everything; what is wrong is added to the faults. */
void ph_api_read_application(struct ph_call *call, struct ph_faults *faults, json_t *body,
                             struct ph_application_change *change);

/*
 * The application that the path names was not there: makes it, unless somebody else has meanwhile. It gets the uid that the
 * path says, so that the next request finds it. `done` follows once it is there; else the call has been answered.
 */
void ph_api_ensure_application(struct ph_call *call, const struct ph_application_change *change,
                               void (*done)(void *ctx), void *ctx);

#endif
