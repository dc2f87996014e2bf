/*
 * Roles: what the program can be started as. Each is one command of the command line, listed in main.c.
 *
 * A role gets its own arguments: argv[0] is the command as typed ("posthorn dev"), so that messages can begin with it,
 * and argv[1] the first argument behind it. It returns the exit code of the process.
 */
#ifndef POSTHORN_ROLE_H
#define POSTHORN_ROLE_H

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
int ph_role_key(int argc, char **argv);
int ph_role_config(int argc, char **argv);
int ph_role_doc(int argc, char **argv);
int ph_role_master_key(int argc, char **argv);

#endif
