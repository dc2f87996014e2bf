/* Connections of the database module: attempts, session settings, loss, and the next attempt. */
#include "core/db_internal.h"
#include "posthorn/log.h"
#include "posthorn/metrics.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAUSE_MIN_MS      100
#define PAUSE_MAX_MS      5000
#define CONNECT_TIMEOUT_S 5
#define USER_TIMEOUT_MS   30000 /* unacknowledged data, once connected */

#define SETTINGS                                                                                   \
    "SET search_path = posthorn, pg_catalog;"                                                      \
    "SET timezone = 'UTC';"                                                                        \
    "SET jit = off;"                                                                               \
    "SET statement_timeout = '30s';"                                                               \
    "SET idle_in_transaction_session_timeout = '60s';"                                             \
    "PREPARE posthorn_set_tenant (text) AS SELECT set_config('posthorn.tenant_id', $1, true)"

#define BY_INDEX                                                                                   \
    "SET enable_seqscan = off;"                                                                    \
    "SET enable_hashjoin = off;"                                                                   \
    "SET enable_mergejoin = off;"                                                                  \
    "SET plan_cache_mode = force_generic_plan;"

static const char *const greetings[] = {
    /* Tables grow and shrink by millions of rows within minutes: plans must not follow statistics of the wrong moment, or
     * wait for the first. Lists go over every daily partition: planning one anew costs ten times its execution. */
    [PH_DB_API] = "SET ROLE posthorn_api; SET lock_timeout = '5s';" BY_INDEX SETTINGS,
    [PH_DB_ENGINE] = "SET ROLE posthorn_engine;" BY_INDEX SETTINGS,
    [PH_DB_OWNER] = SETTINGS,
};

static void on_socket(struct ph_watch *watch, uint32_t events);
static void on_timer(struct ph_timer *timer);

PGconn *ph_db_dial(const char *conninfo, const char *name, bool wait)
{
    /* A later row goes before an earlier one, so conninfo can change all but the encoding. tcp_user_timeout bounds
     * connecting as well: a host that is off must not use up the time of the next one. */
    const char *const keys[] = {
        "connect_timeout",     "tcp_user_timeout",
        "keepalives",          "keepalives_idle",
        "keepalives_interval", "keepalives_count",
        "application_name",    "dbname",
        "client_encoding",     NULL,
    };
    const char *const values[] = {"5", "5000", "1", "10", "5", "3", name, conninfo, "UTF8", NULL};

    _Static_assert(CONNECT_TIMEOUT_S == 5, "the first two values follow it");
    if (wait)
        return PQconnectdbParams(keys, values, 1);
    return PQconnectStartParams(keys, values, 1);
}

void ph_db_read_conninfo(struct ph_db *db)
{
    PQconninfoOption *options = PQconninfoParse(db->conninfo, NULL);
    int64_t seconds = CONNECT_TIMEOUT_S, hosts = 1, n;

    db->own_user_timeout = true;
    /* NULL: a bare database name, or not valid, which the first attempt will tell. */
    for (PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++) {
        if (o->val == NULL)
            continue;
        if (strcmp(o->keyword, "connect_timeout") == 0 &&
            ph_str_to_i64(ph_str_of(o->val), &n) == PH_OK && n > 0)
            seconds = n < 600 ? n : 600;
        if (strcmp(o->keyword, "tcp_user_timeout") == 0)
            db->own_user_timeout = false;
        if (strcmp(o->keyword, "host") == 0)
            for (const char *comma = o->val; (comma = strchr(comma, ',')) != NULL; comma++)
                hosts++;
    }
    if (options != NULL)
        PQconninfoFree(options);
    db->deadline_ms = (uint32_t)(seconds * 1000 * (hosts < 16 ? hosts : 16));
}

/* Server notices are for people who debug. */
static void on_notice(void *ctx, const char *message)
{
    struct db_conn *conn = ctx;

    ph_log(PH_LOG_DEBUG, "database notice", ph_log_s("name", conn->db->name),
           ph_log_str("text", ph_str_trim(ph_str_of(message))));
}

static void unwatch(struct db_conn *conn)
{
    if (conn->watch.fd < 0)
        return;
    ph_loop_watch(conn->db->loop, &conn->watch, 0);
    close(conn->watch.fd);
    conn->watch.fd = -1;
}

/* Watches libpq's socket of this moment. False: no file descriptor left. */
static bool watch(struct db_conn *conn, uint32_t events)
{
    unwatch(conn);
    conn->watch.fd = fcntl(PQsocket(conn->pg), F_DUPFD_CLOEXEC, 3);
    if (conn->watch.fd < 0)
        return false;
    ph_loop_watch(conn->db->loop, &conn->watch, events);
    return true;
}

void ph_db_conn_init(struct db_conn *conn, struct ph_db *db)
{
    conn->db = db;
    conn->state = DB_PAUSED;
    conn->watch = (struct ph_watch){.fd = -1, .on_event = on_socket};
    conn->timer.on_timer = on_timer;
    conn->pause_ms = PAUSE_MIN_MS;
    ph_db_list_init(&conn->first);
    ph_db_list_init(&conn->sent);
    ph_timer_set(db->loop, &conn->timer, ph_loop_now_ms(db->loop));
}

/* Everything of one PGconn; leaves the lists alone. */
static void hang_up(struct db_conn *conn)
{
    unwatch(conn);
    ph_timer_clear(conn->db->loop, &conn->timer);
    PQclear(conn->res);
    conn->res = NULL;
    conn->err = PH_OK;
    PQfinish(conn->pg);
    conn->pg = NULL;
    conn->unflushed = false;
    ph_db_forget_prepared(conn);
    if (conn->state == DB_READY) {
        conn->db->n_ready--;
        ph_metric_add(db_connections, -1);
    }
    conn->state = DB_PAUSED;
}

void ph_db_conn_close(struct db_conn *conn)
{
    hang_up(conn);
    free(conn->prepared);
    conn->prepared = NULL;
    conn->prepared_cap = 0;
}

void ph_db_conn_lost(struct db_conn *conn, const char *reason)
{
    struct ph_db *db = conn->db;
    bool was_ready = conn->state == DB_READY;
    bool first_failure = conn->pause_ms == PAUSE_MIN_MS; /* since it was ready */
    char text[512];

    if (reason == NULL)
        reason = conn->pg != NULL ? PQerrorMessage(conn->pg) : "no memory";
    struct ph_str trimmed = ph_str_trim(ph_str_of(reason));
    /* The first line says what happened; the text dies with the connection. */
    const char *end = memchr(trimmed.ptr, '\n', trimmed.len);
    size_t len = end != NULL ? (size_t)(end - trimmed.ptr) : trimmed.len;
    len = len < sizeof(text) ? len : sizeof(text);
    memcpy(text, trimmed.ptr, len);
    trimmed = (struct ph_str){text, len};

    hang_up(conn);
    /* A part of the pause is random: the nodes must not come back all at once. */
    ph_timer_set(db->loop, &conn->timer,
                 ph_loop_now_ms(db->loop) + conn->pause_ms -
                     randombytes_uniform(conn->pause_ms / 4));
    conn->pause_ms = conn->pause_ms * 2 < PAUSE_MAX_MS ? conn->pause_ms * 2 : PAUSE_MAX_MS;
    if (db->n_ready == 0 && !db->known_down) {
        db->known_down = true;
        ph_log(PH_LOG_WARN, "database lost", ph_log_s("name", db->name),
               ph_log_str("reason", trimmed));
    } else if (first_failure && db->n_ready > 0) {
        ph_log(PH_LOG_INFO, "database connection lost", ph_log_s("name", db->name),
               ph_log_i("left", db->n_ready), ph_log_str("reason", trimmed));
    }
    if (was_ready && db->options.on_disconnect != NULL)
        db->options.on_disconnect(db, db->options.ctx);
    ph_db_tx_lost(conn);
    ph_db_complete_all(db, &conn->sent, PH_ERR_DB_LOST);
    if (!was_ready && db->n_ready == 0) {
        ph_db_tx_fail_waiting(db);
        ph_db_complete_all(db, &db->waiting, PH_ERR_UNAVAILABLE);
    }
}

void ph_db_conn_flush(struct db_conn *conn)
{
    int left = PQflush(conn->pg);
    uint32_t events = EPOLLIN | (left > 0 ? EPOLLOUT : 0);

    conn->unflushed = false;
    if (left < 0)
        ph_db_conn_lost(conn, NULL);
    else if (events != conn->watch.events)
        ph_loop_watch(conn->db->loop, &conn->watch, events);
}

static void dial(struct db_conn *conn)
{
    conn->pg = ph_db_dial(conn->db->conninfo, conn->db->name, false);
    if (conn->pg == NULL || PQstatus(conn->pg) == CONNECTION_BAD) {
        ph_db_conn_lost(conn, NULL);
        return;
    }
    PQsetNoticeProcessor(conn->pg, on_notice, conn);
    conn->state = DB_CONNECTING;
    ph_timer_set(conn->db->loop, &conn->timer,
                 ph_loop_now_ms(conn->db->loop) + conn->db->deadline_ms);
    if (!watch(conn, EPOLLOUT))
        ph_db_conn_lost(conn, "no file descriptor");
}

static void greet(struct db_conn *conn)
{
    int off = USER_TIMEOUT_MS;

    /* Fails on a Unix socket, which needs none. */
    if (conn->db->own_user_timeout)
        (void)setsockopt(PQsocket(conn->pg), IPPROTO_TCP, TCP_USER_TIMEOUT, &off, sizeof(off));
    conn->state = DB_GREETING;
    if (!watch(conn, EPOLLIN))
        ph_db_conn_lost(conn, "no file descriptor");
    else if (PQsetnonblocking(conn->pg, 1) != 0 ||
             !PQsendQuery(conn->pg, greetings[conn->db->options.role]))
        ph_db_conn_lost(conn, NULL);
    else
        ph_db_conn_flush(conn);
}

static void become_ready(struct db_conn *conn)
{
    struct ph_db *db = conn->db;
    struct ph_db_req *req;

    if (!PQenterPipelineMode(conn->pg)) {
        ph_db_conn_lost(conn, NULL);
        return;
    }
    ph_timer_clear(db->loop, &conn->timer);
    conn->state = DB_READY;
    conn->pause_ms = PAUSE_MIN_MS;
    db->n_ready++;
    ph_metric_add(db_connections, 1);
    if (conn->was_ready)
        ph_metric_add(db_reconnects, 1);
    if (db->n_ready == 1)
        ph_log(PH_LOG_INFO, "database connected", ph_log_s("name", db->name));
    db->known_down = false;
    conn->was_ready = true;

    if (db->options.on_connect != NULL) {
        db->greeted = conn;
        db->options.on_connect(db, db->options.ctx);
        db->greeted = NULL;
    }
    while ((req = ph_db_list_pop(&conn->first)) != NULL) {
        if (!ph_db_submit(conn, req)) {
            ph_db_conn_lost(conn, NULL);
            break;
        }
    }
    /* After a loss the rest waits like any other. */
    while ((req = ph_db_list_pop(&conn->first)) != NULL)
        ph_db_list_push(&db->waiting, req);
    ph_db_want_work(db);
}

static void read_greeting(struct db_conn *conn)
{
    PGresult *res;
    bool failed = false;

    if (!PQconsumeInput(conn->pg)) {
        ph_db_conn_lost(conn, NULL);
        return;
    }
    while (!PQisBusy(conn->pg)) {
        res = PQgetResult(conn->pg);
        if (res == NULL) {
            become_ready(conn);
            return;
        }
        failed = PQresultStatus(res) != PGRES_COMMAND_OK;
        PQclear(res);
        if (failed) {
            ph_db_conn_lost(conn, NULL);
            return;
        }
    }
    ph_db_conn_flush(conn);
}

static void poll_connect(struct db_conn *conn)
{
    unwatch(conn);
    switch (PQconnectPoll(conn->pg)) {
    case PGRES_POLLING_OK:
        greet(conn);
        break;
    case PGRES_POLLING_READING:
        if (!watch(conn, EPOLLIN))
            ph_db_conn_lost(conn, "no file descriptor");
        break;
    case PGRES_POLLING_WRITING:
        if (!watch(conn, EPOLLOUT))
            ph_db_conn_lost(conn, "no file descriptor");
        break;
    default:
        ph_db_conn_lost(conn, NULL);
        break;
    }
}

static void read_ready(struct db_conn *conn)
{
    struct ph_db *db = conn->db;
    bool works = PQconsumeInput(conn->pg);
    PGnotify *notify;

    /* What arrived before the end still counts. Results first: libpq reads no further than to one that nobody has taken. */
    ph_db_read_results(conn);
    while ((notify = PQnotifies(conn->pg)) != NULL) {
        if (db->options.on_notify != NULL)
            db->options.on_notify(db, notify->relname, notify->extra, db->options.ctx);
        PQfreemem(notify);
    }
    if (!works || PQstatus(conn->pg) == CONNECTION_BAD)
        ph_db_conn_lost(conn, NULL);
    else
        ph_db_conn_flush(conn);
}

static void on_socket(struct ph_watch *watched, uint32_t events)
{
    struct db_conn *conn = ph_container_of(watched, struct db_conn, watch);

    (void)events; /* libpq finds out itself what can be read and written */
    switch (conn->state) {
    case DB_PAUSED:
        break;
    case DB_CONNECTING:
        poll_connect(conn);
        break;
    case DB_GREETING:
        read_greeting(conn);
        break;
    case DB_READY:
        read_ready(conn);
        break;
    }
}

static void on_timer(struct ph_timer *timer)
{
    struct db_conn *conn = ph_container_of(timer, struct db_conn, timer);

    if (conn->state == DB_PAUSED)
        dial(conn);
    else
        ph_db_conn_lost(conn, "no answer before the deadline");
}
