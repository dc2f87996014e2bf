/*
 * Transactions of several requests. A transaction waits for a connection, has it for itself, and sends one request after
 * the other behind a savepoint. Its own statements are ordinary requests between those of its user: each is followed by a
 * sync, which inside of BEGIN and COMMIT commits nothing.
 */
#include "core/db_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum tx_state { TX_WAITING, TX_OPEN, TX_LOST };

struct ph_db_tx {
    struct ph_queue_node node; /* among those that wait */
    struct ph_db *db;
    struct db_conn *conn; /* TX_OPEN */
    enum tx_state state;
    enum ph_db_role role;      /* of the next statement, as it stands */
    struct ph_db api, engine;  /* what users get: only `tx` and the role count */
    struct db_list queued;     /* not sent yet */
    struct ph_db_req *current; /* under way */
    bool has_request;   /* one has been done, which a savepoint keeps from the end of the next */
    bool has_savepoint; /* in front of the last one */
    bool has_tenant;    /* the one that is set, as it stands */
    struct ph_id tenant;
    bool ending;            /* the end is in `queued` or under way */
    bool broken;            /* there was no room for one of its requests */
    struct ph_arena *arena; /* of its own statements */
    struct ph_db_req end;   /* COMMIT or ROLLBACK */
    ph_db_committed done;
    void *ctx;
};

static const struct ph_stmt begin_stmt = {"tx_begin", "BEGIN"};
static const struct ph_stmt savepoint_stmt = {"tx_savepoint", "SAVEPOINT request"};
static const struct ph_stmt release_stmt = {"tx_release", "RELEASE SAVEPOINT request"};
static const struct ph_stmt undo_stmt = {"tx_undo", "ROLLBACK TO SAVEPOINT request"};
static const struct ph_stmt commit_stmt = {"tx_commit", "COMMIT"};
static const struct ph_stmt rollback_stmt = {"tx_rollback", "ROLLBACK"};

static const struct ph_stmt role_stmts[] = {
    [PH_DB_API] = {"tx_api", "SELECT set_config('role', 'posthorn_api', true)"},
    [PH_DB_ENGINE] = {"tx_engine", "SELECT set_config('role', 'posthorn_engine', true)"},
};

struct ph_db_tx *ph_db_begin(struct ph_db *db)
{
    struct ph_db_tx *tx = ph_calloc(1, sizeof(*tx));
    struct ph_queue_node **last = &db->txs;

    assert(db->tx == NULL);
    tx->db = db;
    tx->role = db->options.role;
    tx->api.tx = tx->engine.tx = tx;
    tx->api.options.role = PH_DB_API;
    tx->engine.options.role = PH_DB_ENGINE;
    tx->arena = ph_arena_new();
    ph_db_list_init(&tx->queued);
    db->n_txs++;
    if (db->closing) {
        tx->state = TX_LOST;
        return tx;
    }
    while (*last != NULL)
        last = &(*last)->next;
    *last = &tx->node;
    ph_db_want_work(db);
    return tx;
}

struct ph_db *ph_db_tx_as(struct ph_db_tx *tx, enum ph_db_role role)
{
    return role == PH_DB_ENGINE ? &tx->engine : &tx->api;
}

static void forget_waiting(struct ph_db_tx *tx)
{
    struct ph_queue_node **at = &tx->db->txs;

    while (*at != &tx->node)
        at = &(*at)->next;
    *at = tx->node.next;
}

static void tx_free(struct ph_db_tx *tx)
{
    tx->db->n_txs--;
    if (tx->conn != NULL) {
        tx->conn->tx = NULL;
        ph_db_want_work(tx->db);
    }
    ph_arena_free(tx->arena);
    free(tx);
}

/* False: the connection is lost now, and so is the transaction. */
static bool submit(struct ph_db_tx *tx, struct ph_db_req *req)
{
    if (ph_db_submit(tx->conn, req))
        return true;
    ph_db_conn_lost(tx->conn, NULL);
    return false;
}

static void own_done(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    (void)req; /* what fails makes the user's statement behind it fail */
    (void)err;
    (void)res;
}

static bool submit_own(struct ph_db_tx *tx, const struct ph_stmt *stmt)
{
    struct ph_db_req *req = ph_arena_new_of(tx->arena, struct ph_db_req);

    ph_db_req_init(req, stmt, tx->arena, own_done);
    tx->db->n_pending++;
    return submit(tx, req);
}

static bool open_on(struct ph_db_tx *tx, struct db_conn *conn)
{
    conn->tx = tx;
    tx->conn = conn;
    tx->state = TX_OPEN;
    return submit_own(tx, &begin_stmt);
}

static bool take_role(struct ph_db_tx *tx, enum ph_db_role role)
{
    if (tx->role == role)
        return true;
    tx->role = role;
    return submit_own(tx, &role_stmts[role]);
}

/* All that is left, at once: nobody goes on after an error, so that they need no savepoints. */
static void submit_rest(struct ph_db_tx *tx)
{
    struct ph_queue_node *head;

    while ((head = tx->queued.head) != NULL) {
        struct ph_db_req *req = ph_container_of(head, struct ph_db_req, node);
        if (req == &tx->end)
            tx->current = req;
        else if (!take_role(tx, req->role))
            return;
        (void)!ph_db_list_pop(&tx->queued);
        if (!submit(tx, req))
            return;
    }
}

static void submit_next(struct ph_db_tx *tx)
{
    struct ph_db_req *req;

    if (tx->ending) {
        submit_rest(tx);
        return;
    }
    req = ph_db_list_pop(&tx->queued);
    /* Whatever fails here has completed the requests that were sent; this one is still ours. */
    if ((!tx->has_savepoint || submit_own(tx, &release_stmt)) && take_role(tx, req->role) &&
        (!tx->has_request || submit_own(tx, &savepoint_stmt))) {
        tx->has_savepoint = tx->has_request;
        tx->has_request = true;
        tx->current = req;
        (void)submit(tx, req);
        return;
    }
    ph_db_list_push(&tx->db->failed, req);
    ph_db_want_work(tx->db);
}

void ph_db_tx_send(struct ph_db *view, struct ph_db_req *req)
{
    struct ph_db_tx *tx = view->tx;
    struct ph_db *db = tx->db;

    req->role = view->options.role;
    if (db->n_pending >= db->options.max_waiting)
        tx->broken = true;
    ph_db_list_push(tx->state == TX_LOST || tx->broken ? &db->failed : &tx->queued, req);
    db->n_pending++;
    ph_db_want_work(db);
}

void ph_db_tx_work(struct ph_db *db)
{
    for (int i = 0; i < db->options.connections; i++) {
        struct db_conn *conn = &db->conns[i];
        if (conn->state == DB_READY && conn->tx == NULL && conn->sent.n == 0 && db->txs != NULL) {
            struct ph_db_tx *tx = ph_container_of(db->txs, struct ph_db_tx, node);
            db->txs = tx->node.next;
            if (!open_on(tx, conn))
                continue;
        }
        if (conn->tx != NULL && conn->tx->current == NULL && conn->tx->queued.head != NULL)
            submit_next(conn->tx);
    }
}

/* Of the last request nothing stays; the first one is begun anew. What was set in between may have gone with it. */
static void undo(struct ph_db_tx *tx)
{
    tx->has_tenant = false;
    if (tx->has_savepoint) {
        (void)submit_own(tx, &undo_stmt);
        return;
    }
    tx->has_request = false;
    tx->role = tx->db->options.role;
    (void)(submit_own(tx, &rollback_stmt) && submit_own(tx, &begin_stmt));
}

void ph_db_tx_ended(struct db_conn *conn, struct ph_db_req *req, enum ph_err err)
{
    struct ph_db_tx *tx = conn->tx;

    if (tx->current != req)
        return;
    tx->current = NULL;
    if (err != PH_OK && req != &tx->end)
        undo(tx);
    ph_db_want_work(tx->db);
}

bool ph_db_tx_takes_tenant(struct ph_db_tx *tx, struct ph_id tenant)
{
    bool takes = !tx->has_tenant || !ph_id_eq(tx->tenant, tenant);

    tx->has_tenant = true;
    tx->tenant = tenant;
    return takes;
}

/* The requests that were not sent fail; one that was is completed by its connection. */
static void lose(struct ph_db_tx *tx)
{
    struct ph_db_req *req;

    tx->state = TX_LOST;
    tx->conn = NULL;
    tx->current = NULL;
    while ((req = ph_db_list_pop(&tx->queued)) != NULL)
        ph_db_list_push(&tx->db->failed, req);
    ph_db_want_work(tx->db);
}

void ph_db_tx_lost(struct db_conn *conn)
{
    struct ph_db_tx *tx = conn->tx;

    conn->tx = NULL;
    if (tx != NULL)
        lose(tx);
}

void ph_db_tx_fail_waiting(struct ph_db *db)
{
    struct ph_queue_node *node = db->txs;

    db->txs = NULL;
    while (node != NULL) {
        struct ph_db_tx *tx = ph_container_of(node, struct ph_db_tx, node);
        node = node->next;
        lose(tx);
    }
}

static void end_done(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct ph_db_tx *tx = ph_container_of(req, struct ph_db_tx, end);
    ph_db_committed done = tx->done;
    void *ctx = tx->ctx;

    /* COMMIT of a transaction that failed answers ROLLBACK. */
    if (err == PH_OK && (tx->broken || strcmp(PQcmdStatus(res), req->stmt->sql) != 0))
        err = PH_ERR_DB_RETRY;
    tx_free(tx);
    if (done != NULL)
        done(ctx, err);
}

static void end(struct ph_db_tx *tx, const struct ph_stmt *stmt)
{
    assert(tx->current == NULL && !tx->ending);
    tx->ending = true;
    ph_db_req_init(&tx->end, stmt, tx->arena, end_done);
    tx->db->n_pending++;
    ph_db_list_push(tx->state == TX_LOST ? &tx->db->failed : &tx->queued, &tx->end);
    ph_db_want_work(tx->db);
}

void ph_db_commit(struct ph_db_tx *tx, ph_db_committed done, void *ctx)
{
    tx->done = done;
    tx->ctx = ctx;
    end(tx, tx->broken ? &rollback_stmt : &commit_stmt);
}

void ph_db_rollback(struct ph_db_tx *tx)
{
    if (tx->state == TX_OPEN) {
        assert(tx->queued.head == NULL);
        end(tx, &rollback_stmt);
        return;
    }
    assert(tx->current == NULL && tx->queued.head == NULL);
    if (tx->state == TX_WAITING)
        forget_waiting(tx);
    tx_free(tx);
}
