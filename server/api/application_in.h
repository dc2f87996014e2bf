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

#endif
