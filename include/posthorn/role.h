/*
 * Roles: what the program can be started as. Each is one command of the command line, listed in main.c.
 *
 * A role gets its own arguments: argv[0] is the command as typed ("posthorn dev"), so that messages can begin with it,
 * and argv[1] the first argument behind it. It returns the exit code of the process.
 */
#ifndef POSTHORN_ROLE_H
#define POSTHORN_ROLE_H

#include "posthorn/config.h"

#define PH_VERSION "0.1.0"

enum ph_exit {
    PH_EXIT_OK = 0,
    PH_EXIT_FAILURE = 1, /* it was asked right, but did not work */
    PH_EXIT_USAGE = 2,   /* the command line was wrong */
};

int ph_role_serve(int argc, char **argv);
int ph_role_dev(int argc, char **argv);
int ph_role_receive(int argc, char **argv);
int ph_role_migrate(int argc, char **argv);
int ph_role_tenant(int argc, char **argv);
int ph_role_plan(int argc, char **argv);
int ph_role_key(int argc, char **argv);
int ph_role_sql_user(int argc, char **argv);
int ph_role_config(int argc, char **argv);
int ph_role_doc(int argc, char **argv);
int ph_role_master_key(int argc, char **argv);
int ph_role_rekey(int argc, char **argv);

/* For a role that has no options but --help. Returns -1 to go on, or the exit code, everything having been said. */
int ph_role_no_options(int argc, char **argv, const char *usage);
/* Reads the settings and applies the log level. CONFIG: the problems have been printed to standard error. */
PH_MUST_CHECK enum ph_err ph_role_load_config(const char *command, struct ph_config *out);
/* Like that, for a role that needs a database. */
PH_MUST_CHECK enum ph_err ph_role_load_database(const char *command, struct ph_config *out);

#endif
