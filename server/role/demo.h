/*
 * What `posthorn dev` keeps between starts in its data folder's demo.json: the master key, a tenant and an API key of it.
 */
#ifndef POSTHORN_ROLE_DEMO_H
#define POSTHORN_ROLE_DEMO_H

#include "posthorn/arena.h"
#include "posthorn/str.h"

struct ph_demo {
    const char *path;       /* of the file */
    const char *master_key; /* base64 */
    const char *tenant;     /* org_…; NULL while there is none */
    const char *api_key;
};

/* Reads the file; makes it, with a new master key, when there is none. database_url "": the private one. CONFIG or IO:
 * problems says why. */
PH_MUST_CHECK enum ph_err ph_demo_open(struct ph_arena *arena, const char *dir,
                                       const char *database_url, struct ph_buf *problems,
                                       struct ph_demo *out);
/* Makes sure that tenant and key are in the database, new ones if need be. */
PH_MUST_CHECK enum ph_err ph_demo_ensure(struct ph_arena *arena, struct ph_demo *demo,
                                         const char *database_url, struct ph_buf *problems);
/* Prints address, key and a first request. program: how to call this one; psql: arguments of psql, or NULL. */
void ph_demo_print(const struct ph_demo *demo, const char *url, const char *program,
                   const char *psql);

#endif
