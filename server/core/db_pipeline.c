/*
 * Requests and results of one connection in pipeline mode.
 *
 * A request is [prepare] [tenant] statement, sync. All between two syncs is one implicit transaction, so the tenant set
 * with is_local reaches the statement and nothing after it. It is committed once the sync's result is there, not before.
 */
#include "core/db_internal.h"
#include "posthorn/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Results of a request, in the order in which they arrive; bits of results_due. */
enum { RESULT_PREPARE = 1, RESULT_TENANT = 2, RESULT_STATEMENT = 4, RESULT_ALL = 7 };

static size_t slot_of(const struct db_conn *conn, const struct ph_stmt *stmt)
{
    uint64_t hash = (uint64_t)(uintptr_t)stmt * UINT64_C(0x9E3779B97F4A7C15) >> 32;
    size_t i = (size_t)hash & (conn->prepared_cap - 1);

    while (conn->prepared[i].stmt != NULL && conn->prepared[i].stmt != stmt)
        i = (i + 1) & (conn->prepared_cap - 1);
    return i;
}

static void grow(struct db_conn *conn)
{
    struct db_prepared *old = conn->prepared;
    size_t old_cap = conn->prepared_cap;

    conn->prepared_cap = old_cap != 0 ? old_cap * 2 : 64;
    conn->prepared = ph_calloc(conn->prepared_cap, sizeof(*conn->prepared));
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].stmt != NULL)
            conn->prepared[slot_of(conn, old[i].stmt)] = old[i];
    free(old);
}

static struct db_prepared *prepared_of(struct db_conn *conn, const struct ph_stmt *stmt)
{
    if (2 * (conn->prepared_n + 1) > conn->prepared_cap)
        grow(conn);
    struct db_prepared *p = &conn->prepared[slot_of(conn, stmt)];
    if (p->stmt == NULL) {
        p->stmt = stmt;
        conn->prepared_n++;
    }
    return p;
}

void ph_db_forget_prepared(struct db_conn *conn)
{
    if (conn->prepared != NULL)
        memset(conn->prepared, 0, conn->prepared_cap * sizeof(*conn->prepared));
    conn->prepared_n = 0;
}

static bool send_tenant(struct db_conn *conn, struct ph_id tenant)
{
    char hex[2 * sizeof(tenant.b) + 1];
    const char *values[] = {hex};
    const int lengths[] = {2 * sizeof(tenant.b)};
    const int formats[] = {1};

    ph_hex_encode(tenant.b, sizeof(tenant.b), hex); /* a uuid without its dashes */
    return PQsendQueryPrepared(conn->pg, "posthorn_set_tenant", 1, values, lengths, formats, 1);
}

static bool send_parts(struct db_conn *conn, struct ph_db_req *req)
{
    static const int binary[PH_DB_PARAMS_MAX] = {[0 ... PH_DB_PARAMS_MAX - 1] = 1};
    struct db_prepared *prepared = prepared_of(conn, req->stmt);

    if (!prepared->valid) {
        (void)snprintf(prepared->name, sizeof(prepared->name), "s%u", ++conn->prepared_last);
        if (!PQsendPrepare(conn->pg, prepared->name, req->stmt->sql, 0, NULL))
            return false;
        prepared->valid = true;
        req->results_due |= RESULT_PREPARE;
        req->prepares = true;
    }
    if (req->has_tenant && (conn->tx == NULL || ph_db_tx_takes_tenant(conn->tx, req->tenant))) {
        if (!send_tenant(conn, req->tenant))
            return false;
        req->results_due |= RESULT_TENANT;
    }
    req->results_due |= RESULT_STATEMENT;
    return PQsendQueryPrepared(conn->pg, prepared->name, req->n_params, req->values, req->lengths,
                               binary, 1);
}

bool ph_db_submit(struct db_conn *conn, struct ph_db_req *req)
{
    req->results_due = 0;
    req->prepares = false;
    req->constraint = NULL;
    if (!send_parts(conn, req)) {
        /* Without its sync the server rolls it back. */
        ph_db_list_push_front(conn->tx != NULL ? &conn->db->failed : &conn->db->waiting, req);
        return false;
    }
    ph_db_list_push(&conn->sent, req);
    conn->unflushed = true;
    return PQpipelineSync(conn->pg);
}

static bool is_class(const char *sqlstate, const char *class)
{
    return strncmp(sqlstate, class, 2) == 0;
}

static enum ph_err err_of(const char *sqlstate)
{
    if (strcmp(sqlstate, "23505") == 0 || strcmp(sqlstate, "23503") == 0)
        return PH_ERR_CONFLICT;
    if (strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0 ||
        strcmp(sqlstate, "55P03") == 0)
        return PH_ERR_DB_RETRY;
    if (strcmp(sqlstate, "PH001") == 0) /* check_quota() */
        return PH_ERR_QUOTA;
    if (is_class(sqlstate, "08") || strcmp(sqlstate, "57P01") == 0 ||
        strcmp(sqlstate, "57P02") == 0 || strcmp(sqlstate, "57P03") == 0 ||
        strcmp(sqlstate, "40003") == 0)
        return PH_ERR_DB_LOST;
    return PH_ERR_DB_FAILED;
}

/* The first error of a request: the later results only say that they were left out. Takes res. */
static void note_error(struct db_conn *conn, const struct ph_db_req *req, int due, PGresult *res)
{
    const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);

    if (conn->err != PH_OK) {
        PQclear(res);
        return;
    }
    /* libpq's own errors have no code: the connection broke. */
    conn->err = sqlstate != NULL ? err_of(sqlstate) : PH_ERR_DB_LOST;
    if (due == RESULT_PREPARE) {
        prepared_of(conn, req->stmt)->valid = false;
    } else if (sqlstate != NULL && !req->prepares &&
               (strcmp(sqlstate, "26000") == 0 || strcmp(sqlstate, "0A000") == 0)) {
        /* The prepare that it relied on failed, or a migration changed the columns of the plan. */
        prepared_of(conn, req->stmt)->valid = false;
        conn->err = PH_ERR_DB_RETRY;
    }
    PQclear(conn->res);
    conn->res = res;
}

static void log_failure(const struct ph_db *db, const struct ph_stmt *stmt, const PGresult *res)
{
    ph_log(PH_LOG_ERROR, "statement failed", ph_log_s("name", db->name),
           ph_log_s("statement", stmt->name),
           ph_log_s("sqlstate", PQresultErrorField(res, PG_DIAG_SQLSTATE)),
           ph_log_s("text", PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY)));
}

/* The oldest request's sync is there: it is committed, or rolled back. */
static void finish_oldest(struct db_conn *conn)
{
    struct ph_db_req *req = ph_db_list_pop(&conn->sent);
    enum ph_err err = conn->err;
    PGresult *res = conn->res;

    assert(err != PH_OK || (res != NULL && req->results_due == 0));
    conn->err = PH_OK;
    conn->res = NULL;
    if (err == PH_ERR_DB_FAILED)
        log_failure(conn->db, req->stmt, res);
    if (err == PH_ERR_CONFLICT)
        req->constraint = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);
    if (conn->tx != NULL)
        ph_db_tx_ended(conn, req, err);
    ph_db_complete(conn->db, req, err, err == PH_OK ? res : NULL);
    PQclear(res);
    if (conn->db->waiting.head != NULL)
        ph_db_want_work(conn->db);
}

static void take(struct db_conn *conn, PGresult *res)
{
    struct ph_db_req *req = ph_container_of(conn->sent.head, struct ph_db_req, node);
    ExecStatusType status = PQresultStatus(res);
    int due = req->results_due & -req->results_due; /* lowest bit */

    if (status == PGRES_PIPELINE_SYNC) {
        PQclear(res);
        finish_oldest(conn);
        return;
    }
    req->results_due &= ~due; /* none due: an error of the commit itself */
    switch (status) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        if (due == RESULT_STATEMENT && conn->err == PH_OK)
            conn->res = res;
        else
            PQclear(res);
        break;
    case PGRES_PIPELINE_ABORTED:
        PQclear(res);
        break;
    case PGRES_FATAL_ERROR:
    case PGRES_BAD_RESPONSE:
        note_error(conn, req, due, res);
        break;
    default:
        assert(!"a statement of another kind, such as COPY");
    }
}

void ph_db_read_results(struct db_conn *conn)
{
    int nulls = 0; /* one ends each result; a second in a row: nothing more is there */

    while (conn->sent.head != NULL && nulls < 2 && !PQisBusy(conn->pg)) {
        PGresult *res = PQgetResult(conn->pg);
        if (res == NULL) {
            nulls++;
            continue;
        }
        nulls = 0;
        take(conn, res);
    }
}
