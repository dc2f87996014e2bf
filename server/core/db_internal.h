/*
 * What the files of the database module share: a ph_db owns connections, and a request is on exactly one list: `waiting`
 * or `failed` of the ph_db, `first` or `sent` of a connection, `queued` of a transaction.
 */
#ifndef POSTHORN_CORE_DB_INTERNAL_H
#define POSTHORN_CORE_DB_INTERNAL_H

#include "posthorn/db.h"

/* Requests handed to one connection at once. More would not be faster, wait behind slow ones, and share their fate when the
 * connection is lost. */
#define DB_DEPTH 64

/* Type oids of PostgreSQL's catalogue; they never change. */
enum {
    DB_OID_BOOL = 16,
    DB_OID_BYTEA = 17,
    DB_OID_NAME = 19,
    DB_OID_INT8 = 20,
    DB_OID_INT2 = 21,
    DB_OID_INT4 = 23,
    DB_OID_TEXT = 25,
    DB_OID_JSON = 114,
    DB_OID_INT4_ARRAY = 1007,
    DB_OID_TEXT_ARRAY = 1009,
    DB_OID_VARCHAR = 1043,
    DB_OID_TIMESTAMPTZ = 1184,
    DB_OID_UUID = 2950,
};

/* Milliseconds between 1970 and PostgreSQL's epoch, 2000-01-01. */
#define DB_EPOCH_MS INT64_C(946684800000)

struct db_list {
    struct ph_queue_node *head, **tail;
    size_t n;
};

/* A statement of this connection. The name is new for each prepare, so that one which failed or is out of date never
 * stands in the way. */
struct db_prepared {
    const struct ph_stmt *stmt; /* NULL: free slot */
    bool valid;
    char name[15];
};

enum db_state {
    DB_PAUSED,     /* no PGconn; the timer starts the next attempt */
    DB_CONNECTING, /* PQconnectPoll; the timer is the deadline */
    DB_GREETING,   /* session settings were sent; same deadline */
    DB_READY,      /* pipeline mode */
};

struct db_conn {
    struct ph_db *db;
    enum db_state state;
    PGconn *pg;
    /* Watches a duplicate of libpq's socket: libpq closes its own whenever it likes, and a number in epoll must not mean
     * another file by then. */
    struct ph_watch watch;
    struct ph_timer timer;
    uint32_t pause_ms;
    bool was_ready; /* once: being ready again is a reconnect */
    bool unflushed;

    struct ph_db_tx *tx;  /* the transaction that has it; plain requests go elsewhere */
    struct db_list first; /* sent from within on_connect */
    struct db_list sent;  /* oldest first; results arrive in this order */
    PGresult *res;        /* of the oldest: its rows, or its first error */
    enum ph_err err;

    struct db_prepared *prepared; /* open addressing by address; capacity is a power of two */
    size_t prepared_cap, prepared_n;
    uint32_t prepared_last; /* number in the newest name */
};

struct ph_db {
    struct ph_loop *loop;
    struct ph_db_options options;
    char *conninfo, *name;
    uint32_t deadline_ms;  /* of one connection attempt, over all hosts */
    bool own_user_timeout; /* conninfo says nothing about tcp_user_timeout */
    struct db_conn *conns;
    int n_ready;
    bool known_down; /* "database lost" was logged last */
    bool closing;
    struct db_conn *greeted; /* on_connect is running for it */

    struct db_list waiting, failed;
    size_t n_pending;    /* requests whose on_done is still due */
    struct ph_db_tx *tx; /* this is the view of a transaction: requests are the transaction's */
    struct ph_queue_node *txs; /* that wait for a connection, oldest first */
    size_t n_txs;              /* not ended yet */
    struct ph_task work;
    bool work_due;
};

void ph_db_list_init(struct db_list *list);
void ph_db_list_push(struct db_list *list, struct ph_db_req *req);
void ph_db_list_push_front(struct db_list *list, struct ph_db_req *req);
struct ph_db_req *ph_db_list_pop(struct db_list *list); /* NULL: empty */
/* Moves everything into *out. */
void ph_db_list_take(struct db_list *list, struct db_list *out);

/* db.c: has the work task run at the end of this step. */
void ph_db_want_work(struct ph_db *db);
/* Calls on_done; never from within ph_db_send. */
void ph_db_complete(struct ph_db *db, struct ph_db_req *req, enum ph_err err, PGresult *res);
void ph_db_complete_all(struct ph_db *db, struct db_list *list, enum ph_err err);

/* db_connect.c */
void ph_db_read_conninfo(struct ph_db *db);
/* Begins a connection attempt with our defaults, which conninfo goes before; blocking when `wait`. Free with PQfinish. */
PGconn *ph_db_dial(const char *conninfo, const char *name, bool wait);
void ph_db_conn_init(struct db_conn *conn, struct ph_db *db);
void ph_db_conn_close(struct db_conn *conn);
/* The connection does not work: closes it, completes what was sent and plans the next attempt. */
void ph_db_conn_lost(struct db_conn *conn, const char *reason);
/* Writes what can be written and watches for the rest. */
void ph_db_conn_flush(struct db_conn *conn);

/* db_pipeline.c */
/* Hands a request to libpq's buffer. False: the connection does not work; the request is in `waiting` again (that
 * of a transaction: in `failed`) if it surely will not be executed, else in `sent`. */
bool ph_db_submit(struct db_conn *conn, struct ph_db_req *req);
/* Takes all results that have arrived and completes their requests. */
void ph_db_read_results(struct db_conn *conn);
void ph_db_forget_prepared(struct db_conn *conn);

/* db_tx.c */
void ph_db_tx_send(struct ph_db *view, struct ph_db_req *req);
/* Gives free connections to transactions that wait, and hands out the next request of each. */
void ph_db_tx_work(struct ph_db *db);
/* A request of the connection has ended; before its on_done. */
void ph_db_tx_ended(struct db_conn *conn, struct ph_db_req *req, enum ph_err err);
/* Whether the tenant has to be set for its next request; it is then. */
bool ph_db_tx_takes_tenant(struct ph_db_tx *tx, struct ph_id tenant);
/* The connection is gone: the transaction is rolled back, or committed if that was under way. */
void ph_db_tx_lost(struct db_conn *conn);
/* There is no connection: those that wait for one fail. */
void ph_db_tx_fail_waiting(struct ph_db *db);

#endif
