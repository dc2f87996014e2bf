#include "core/db_internal.h"
#include "posthorn/log.h"
#include "posthorn/queue.h"

#include <assert.h>
#include <stdlib.h>

void ph_db_list_init(struct db_list *list)
{
    *list = (struct db_list){.head = NULL, .tail = &list->head};
}

void ph_db_list_push(struct db_list *list, struct ph_db_req *req)
{
    req->node.next = NULL;
    *list->tail = &req->node;
    list->tail = &req->node.next;
    list->n++;
}

void ph_db_list_push_front(struct db_list *list, struct ph_db_req *req)
{
    req->node.next = list->head;
    if (list->head == NULL)
        list->tail = &req->node.next;
    list->head = &req->node;
    list->n++;
}

struct ph_db_req *ph_db_list_pop(struct db_list *list)
{
    struct ph_queue_node *node = list->head;

    if (node == NULL)
        return NULL;
    list->head = node->next;
    if (list->head == NULL)
        list->tail = &list->head;
    list->n--;
    return ph_container_of(node, struct ph_db_req, node);
}

void ph_db_list_take(struct db_list *list, struct db_list *out)
{
    ph_db_list_init(out);
    if (list->head == NULL)
        return;
    *out = *list;
    ph_db_list_init(list);
}

void ph_db_complete(struct ph_db *db, struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    assert(db->n_pending > 0);
    db->n_pending--;
    req->on_done(req, err, res);
}

void ph_db_complete_all(struct ph_db *db, struct db_list *list, enum ph_err err)
{
    struct db_list taken;
    struct ph_db_req *req;

    /* Only what is there now: a callback may send again. */
    ph_db_list_take(list, &taken);
    while ((req = ph_db_list_pop(&taken)) != NULL) {
        req->constraint = NULL;
        ph_db_complete(db, req, err, NULL);
    }
}

void ph_db_want_work(struct ph_db *db)
{
    if (db->work_due || db->closing)
        return;
    db->work_due = true;
    ph_loop_defer(db->loop, &db->work);
}

/* The ready connection with the fewest requests under way, or NULL when all are full. */
static struct db_conn *choose(struct ph_db *db)
{
    struct db_conn *best = NULL;

    for (int i = 0; i < db->options.connections; i++) {
        struct db_conn *conn = &db->conns[i];
        if (conn->state != DB_READY || conn->tx != NULL || conn->sent.n >= DB_DEPTH)
            continue;
        if (best == NULL || conn->sent.n < best->sent.n)
            best = conn;
    }
    return best;
}

static void release(struct ph_db *db)
{
    free(db->conns);
    free(db->conninfo);
    free(db->name);
    free(db);
}

/* End of a step: answers what could not be taken, hands out what waits, and writes each connection's share at once. */
static void work(struct ph_task *task)
{
    struct ph_db *db = ph_container_of(task, struct ph_db, work);
    struct db_conn *conn;
    struct ph_db_req *req;

    db->work_due = false;
    if (db->closing) {
        release(db);
        return;
    }
    ph_db_complete_all(db, &db->failed, PH_ERR_UNAVAILABLE);
    while (db->waiting.head != NULL && (conn = choose(db)) != NULL) {
        req = ph_db_list_pop(&db->waiting);
        if (!ph_db_submit(conn, req))
            ph_db_conn_lost(conn, NULL);
    }
    ph_db_tx_work(db);
    for (int i = 0; i < db->options.connections; i++) {
        conn = &db->conns[i];
        if (conn->state == DB_READY && conn->unflushed)
            ph_db_conn_flush(conn);
    }
}

struct ph_db *ph_db_new(struct ph_loop *loop, const struct ph_db_options *options)
{
    struct ph_db *db = ph_calloc(1, sizeof(*db));

    assert(options->connections > 0 && options->max_waiting > 0);
    db->loop = loop;
    db->options = *options;
    db->options.conninfo = db->conninfo = ph_strdup(options->conninfo);
    db->options.name = db->name = ph_strdup(options->name != NULL ? options->name : "posthorn");
    db->work.run = work;
    ph_db_list_init(&db->waiting);
    ph_db_list_init(&db->failed);
    ph_db_read_conninfo(db);
    db->conns = ph_calloc((size_t)options->connections, sizeof(*db->conns));
    for (int i = 0; i < options->connections; i++)
        ph_db_conn_init(&db->conns[i], db);
    return db;
}

void ph_db_free(struct ph_db *db)
{
    if (db == NULL)
        return;
    assert(!db->closing);
    db->closing = true;
    for (int i = 0; i < db->options.connections; i++)
        ph_db_conn_close(&db->conns[i]);
    for (int i = 0; i < db->options.connections; i++)
        ph_db_tx_lost(&db->conns[i]);
    ph_db_tx_fail_waiting(db);
    for (int i = 0; i < db->options.connections; i++)
        ph_db_complete_all(db, &db->conns[i].sent, PH_ERR_DB_LOST);
    /* What callbacks send from now on lands in `failed`. */
    while (db->waiting.head != NULL || db->failed.head != NULL) {
        ph_db_complete_all(db, &db->waiting, PH_ERR_UNAVAILABLE);
        ph_db_complete_all(db, &db->failed, PH_ERR_UNAVAILABLE);
    }
    assert(db->n_pending == 0 && db->n_txs == 0);
    if (!db->work_due) /* else the task still points here, and releases */
        release(db);
}

bool ph_db_ready(const struct ph_db *db)
{
    return db->n_ready > 0;
}

void ph_db_send(struct ph_db *db, struct ph_db_req *req)
{
    assert(req->stmt != NULL && req->on_done != NULL);
    if (db->tx != NULL) {
        ph_db_tx_send(db, req);
        return;
    }
    if (db->closing || db->n_pending >= db->options.max_waiting)
        ph_db_list_push(&db->failed, req);
    else if (db->greeted != NULL)
        ph_db_list_push(&db->greeted->first, req);
    else
        ph_db_list_push(&db->waiting, req);
    db->n_pending++;
    ph_db_want_work(db);
}

struct run {
    struct ph_db_req req; /* a copy, for its on_done */
    bool done;
    enum ph_err err;
    PGresult *res;
};

static void run_done(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct run *run = ph_container_of(req, struct run, req);

    run->done = true;
    run->err = err;
    if (res != NULL) {
        run->res = PQcopyResult(res, PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
        if (run->res == NULL)
            abort();
    }
    if (req->constraint != NULL)
        req->constraint = ph_arena_strdup(req->arena, req->constraint);
}

enum ph_err ph_db_run(struct ph_loop *loop, struct ph_db *db, struct ph_db_req *req, PGresult **res)
{
    struct run run = {.req = *req};

    run.req.on_done = run_done;
    ph_db_send(db, &run.req);
    while (!run.done)
        ph_loop_step(loop, -1);
    req->constraint = run.req.constraint;
    if (run.err == PH_OK)
        *res = run.res;
    return run.err;
}
