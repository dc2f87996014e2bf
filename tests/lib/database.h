/* For tests against a real PostgreSQL: fresh databases in the cluster that tests/lib/postgres runs. Include after cmocka. */
#ifndef POSTHORN_TESTS_DATABASE_H
#define POSTHORN_TESTS_DATABASE_H

#include "posthorn/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEST_UNUSED __attribute__((unused))

/* A setting that tests/lib/postgres run makes; without it no test of the program may pass. */
TEST_UNUSED static const char *test_env(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL || *value == '\0') {
        fprintf(stderr, "%s is not set: run this program with tests/lib/postgres run PROGRAM\n",
                name);
        exit(2);
    }
    return value;
}

TEST_UNUSED static PGconn *test_connect(const char *conninfo)
{
    PGconn *pg = PQconnectdb(conninfo);

    if (PQstatus(pg) != CONNECTION_OK)
        fail_msg("%s", PQerrorMessage(pg));
    return pg;
}

/* Runs SQL that has to work. The caller clears the result. */
TEST_UNUSED static PGresult *test_query(PGconn *pg, const char *sql)
{
    PGresult *res = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(res);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s\n%s", sql, PQerrorMessage(pg));
    return res;
}

TEST_UNUSED static void test_exec(PGconn *pg, const char *sql)
{
    PQclear(test_query(pg, sql));
}

/* The number in the first column of the first row. */
TEST_UNUSED static long test_number(PGconn *pg, const char *sql)
{
    PGresult *res = test_query(pg, sql);

    assert_true(PQntuples(res) > 0);
    long n = strtol(PQgetvalue(res, 0, 0), NULL, 10);
    PQclear(res);
    return n;
}

/* Makes an empty database of this name, replacing an old one, and writes its conninfo to out. */
TEST_UNUSED static void test_empty_database(const char *name, char out[512])
{
    char sql[256];
    PGconn *pg = test_connect(test_env("POSTHORN_TEST_DATABASE"));

    snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS %s WITH (FORCE)", name);
    test_exec(pg, sql);
    snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name);
    test_exec(pg, sql);
    PQfinish(pg);
    snprintf(out, 512, "%s dbname=%s", test_env("POSTHORN_TEST_DATABASE"), name);
}

/* The same with all migrations run. */
TEST_UNUSED static void test_database(const char *name, char out[512])
{
    int applied = 0;

    test_empty_database(name, out);
    if (ph_migrate(out, ph_migrations, &applied) != PH_OK)
        fail_msg("the migrations do not run on an empty database");
}

#endif
