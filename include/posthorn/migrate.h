/*
 * Migrations: the numbered files of migrations/, compiled into the program, run in order, each in its own transaction,
 * under an advisory lock; the table posthorn.migrations keeps number, name and checksum (SHA-256) of each.
 */
#ifndef POSTHORN_MIGRATE_H
#define POSTHORN_MIGRATE_H

#include "posthorn/err.h"

#include <libpq-fe.h>

struct ph_migration {
    int number;       /* from the file name, e.g. 0001_first.sql */
    const char *name; /* file name */
    const char *sql;
};

/* Made at build time; ends with a row whose sql is NULL. */
extern const struct ph_migration ph_migrations[];

/*
 * Brings the database up to date; blocks. Waits for another migrating process. *applied: how many were run. Logs each.
 * CONFIG: a file that was run has another checksum now, or the database is newer than this program; DB_FAILED: a
 * statement failed (logged with its message); UNAVAILABLE: no connection.
 */
PH_MUST_CHECK enum ph_err ph_migrate(const char *conninfo, const struct ph_migration *migrations,
                                     int *applied);

/* Whether the database is exactly at the last migration: UNAVAILABLE no connection; CONFIG not up to date (logged). */
PH_MUST_CHECK enum ph_err ph_migrate_check(const char *conninfo,
                                           const struct ph_migration *migrations);

#endif
