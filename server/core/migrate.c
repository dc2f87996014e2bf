#include "posthorn/migrate.h"

#include "core/db_internal.h"
#include "posthorn/log.h"

#include <assert.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Key of the session lock that is held while migrating: "phmg". */
#define LOCK "1885891943"

static void log_error(const char *what, const char *message)
{
    ph_log(PH_LOG_ERROR, "migration", ph_log_s("problem", what),
           ph_log_str("text", ph_str_trim(ph_str_of(message))));
}

static void ignore_notice(void *ctx, const char *message)
{
    (void)ctx;
    ph_log(PH_LOG_DEBUG, "database notice", ph_log_str("text", ph_str_trim(ph_str_of(message))));
}

static enum ph_err connect_to(const char *conninfo, PGconn **out)
{
    PGconn *pg = ph_db_dial(conninfo, "posthorn migrate", true);

    if (PQstatus(pg) != CONNECTION_OK) {
        log_error("no connection to the database", PQerrorMessage(pg));
        PQfinish(pg);
        return PH_ERR_UNAVAILABLE;
    }
    PQsetNoticeProcessor(pg, ignore_notice, NULL);
    *out = pg;
    return PH_OK;
}

/* A lost connection shows here as DB_FAILED too: the transaction is rolled back and the run can be repeated. */
static enum ph_err run(PGconn *pg, const char *what, const char *sql)
{
    PGresult *res = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(res);
    enum ph_err err = PH_OK;

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) {
        log_error(what, PQerrorMessage(pg));
        err = PH_ERR_DB_FAILED;
    }
    PQclear(res);
    return err;
}

static int count(const struct ph_migration *migrations)
{
    int n = 0;

    while (migrations[n].sql != NULL)
        n++;
    return n;
}

/* Compares the rows (number, checksum), in order, with the program's migrations. *done: how many were run. CONFIG: they
 * are not a beginning of the program's. */
static enum ph_err compare(const PGresult *res, const struct ph_migration *migrations, int *done)
{
    int known = count(migrations), rows = PQntuples(res);

    if (rows > known) {
        log_error("the database is newer than this program", PQgetvalue(res, rows - 1, 2));
        return PH_ERR_CONFIG;
    }
    for (int i = 0; i < rows; i++) {
        unsigned char sum[SHA256_DIGEST_LENGTH];
        char hex[2 * sizeof(sum) + 1], number[16];

        SHA256((const unsigned char *)migrations[i].sql, strlen(migrations[i].sql), sum);
        ph_hex_encode(sum, sizeof(sum), hex);
        (void)snprintf(number, sizeof(number), "%d", migrations[i].number);
        if (strcmp(PQgetvalue(res, i, 0), number) != 0 || strcmp(PQgetvalue(res, i, 1), hex) != 0) {
            log_error("this file was run with other contents", migrations[i].name);
            return PH_ERR_CONFIG;
        }
    }
    *done = rows;
    return PH_OK;
}

static enum ph_err read_done(PGconn *pg, const struct ph_migration *migrations, int *done)
{
    PGresult *res = PQexec(
        pg,
        "SELECT number, encode(checksum, 'hex'), name FROM posthorn.migrations ORDER BY number");
    enum ph_err err = PH_ERR_DB_FAILED;

    if (PQresultStatus(res) == PGRES_TUPLES_OK)
        err = compare(res, migrations, done);
    else
        log_error("the table of migrations cannot be read", PQerrorMessage(pg));
    PQclear(res);
    return err;
}

static enum ph_err record(PGconn *pg, const struct ph_migration *migration)
{
    unsigned char sum[SHA256_DIGEST_LENGTH];
    char number[16];
    const char *values[] = {number, migration->name, (const char *)sum};
    const int lengths[] = {0, 0, sizeof(sum)}, formats[] = {0, 0, 1};
    enum ph_err err = PH_OK;

    SHA256((const unsigned char *)migration->sql, strlen(migration->sql), sum);
    (void)snprintf(number, sizeof(number), "%d", migration->number);
    PGresult *res = PQexecParams(
        pg, "INSERT INTO posthorn.migrations (number, name, checksum) VALUES ($1, $2, $3)", 3, NULL,
        values, lengths, formats, 0);
    if (PQresultStatus(res) != PGRES_COMMAND_OK) {
        log_error(migration->name, PQerrorMessage(pg));
        err = PH_ERR_DB_FAILED;
    }
    PQclear(res);
    return err;
}

static enum ph_err apply(PGconn *pg, const struct ph_migration *migration)
{
    enum ph_err err = run(pg, migration->name, "BEGIN");

    if (err == PH_OK)
        err = run(pg, migration->name, migration->sql);
    if (err == PH_OK && PQtransactionStatus(pg) != PQTRANS_INTRANS) {
        log_error(migration->name, "a migration must not end its transaction");
        err = PH_ERR_DB_FAILED;
    }
    if (err == PH_OK)
        err = record(pg, migration);
    if (err == PH_OK)
        err = run(pg, migration->name, "COMMIT");
    if (err == PH_OK)
        ph_log(PH_LOG_INFO, "migration run", ph_log_s("file", migration->name));
    return err; /* closing the connection rolls back */
}

static enum ph_err prepare(PGconn *pg)
{
    /* The lock comes first: even IF NOT EXISTS fails when two create at the same moment. */
    static const char *const steps[] = {
        "SET statement_timeout = 0; SET timezone = 'UTC'; SET client_min_messages = notice",
        "SELECT pg_advisory_lock(" LOCK ")",
        "CREATE SCHEMA IF NOT EXISTS posthorn",
        "SET search_path = posthorn",
        "CREATE TABLE IF NOT EXISTS posthorn.migrations (number integer PRIMARY KEY, name text NOT "
        "NULL, checksum bytea NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())",
    };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        enum ph_err err = run(pg, "before the first migration", steps[i]);
        if (err != PH_OK)
            return err;
    }
    return PH_OK;
}

enum ph_err ph_migrate(const char *conninfo, const struct ph_migration *migrations, int *applied)
{
    PGconn *pg;
    int done = 0, n = 0;
    enum ph_err err = connect_to(conninfo, &pg);

    if (err != PH_OK)
        return err;
    err = prepare(pg);
    if (err == PH_OK)
        err = read_done(pg, migrations, &done);
    for (; err == PH_OK && migrations[done].sql != NULL; done++) {
        err = apply(pg, &migrations[done]);
        n += err == PH_OK;
    }
    if (err == PH_OK)
        *applied = n;
    PQfinish(pg);
    return err;
}

enum ph_err ph_migrate_check(const char *conninfo, const struct ph_migration *migrations)
{
    PGconn *pg;
    PGresult *res = NULL;
    int done = 0;
    enum ph_err err = connect_to(conninfo, &pg);

    if (err != PH_OK)
        return err;
    res = PQexec(pg, "SELECT to_regclass('posthorn.migrations') IS NOT NULL");
    if (PQresultStatus(res) != PGRES_TUPLES_OK) {
        log_error("the database does not answer", PQerrorMessage(pg));
        err = PH_ERR_UNAVAILABLE;
    } else if (strcmp(PQgetvalue(res, 0, 0), "t") == 0) {
        err = read_done(pg, migrations, &done);
        if (err == PH_ERR_DB_FAILED)
            err = PQstatus(pg) == CONNECTION_OK ? PH_ERR_CONFIG : PH_ERR_UNAVAILABLE;
    }
    if (err == PH_OK && migrations[done].sql != NULL) {
        log_error("not up to date: this file was not run yet", migrations[done].name);
        err = PH_ERR_CONFIG;
    }
    PQclear(res);
    PQfinish(pg);
    return err;
}
