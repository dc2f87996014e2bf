/*
 * Floor of storing: the rows that a message leaves, in batches of 200 messages on one connection, into the real tables.
 *
 *   floor_db CONNINFO MESSAGES FANOUT
 *
 * One statement inserts the messages and FANOUT deliveries of each; then one deletes these deliveries and inserts an attempt
 * for each. Prints the CPU of both: of the backend from /proc, and of this process.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define BATCH         200
#define FANOUT_MAX    64
#define PAYLOAD_BYTES 600
#define OID_BYTEA     17
#define OID_UUID      2950

/* PostgreSQL's binary form of a one-dimensional array. */
struct array {
    char *data;
    int len;
    int32_t items;
};

struct uuid {
    uint8_t b[16];
};

static const char insert_sql[] =
    "WITH m AS ("
    " INSERT INTO messages (application_id, id, tenant_id, event_type, payload)"
    " SELECT $1, id, $2, 'bench.happened', payload FROM unnest($3::uuid[], $4::bytea[]) AS u (id, "
    "payload))"
    " INSERT INTO deliveries (endpoint_id, message_id, tenant_id, application_id, node_id)"
    " SELECT endpoint_id, message_id, $2, $1, 1 FROM unnest($5::uuid[], $6::uuid[]) AS u "
    "(endpoint_id, message_id)";

static const char complete_sql[] =
    "WITH o AS MATERIALIZED ("
    " SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::uuid[]) AS u (endpoint_id, message_id, id)),"
    " d AS (DELETE FROM deliveries USING o"
    " WHERE deliveries.endpoint_id = o.endpoint_id AND deliveries.message_id = o.message_id)"
    " INSERT INTO attempts (message_id, id, endpoint_id, tenant_id, number, status, trigger_type, "
    "status_code,"
    " duration_ms, url, response)"
    " SELECT message_id, id, endpoint_id, $1, 1, 0, 0, 200, 1, 'http://127.0.0.1:12345/e0', 'OK' "
    "FROM o";

static void put32(char *at, uint32_t value)
{
    value = htonl(value);
    memcpy(at, &value, sizeof(value));
}

static void array_begin(struct array *a, uint32_t oid, size_t item_bytes)
{
    if (!a->data && !(a->data = malloc(20 + (size_t)BATCH * FANOUT_MAX * (4 + item_bytes))))
        abort();
    put32(a->data, 1);
    put32(a->data + 4, 0);
    put32(a->data + 8, oid);
    put32(a->data + 16, 1);
    a->len = 20;
    a->items = 0;
}

static void array_add(struct array *a, const void *item, size_t len)
{
    put32(a->data + a->len, (uint32_t)len);
    memcpy(a->data + a->len + 4, item, len);
    a->len += 4 + (int)len;
    put32(a->data + 12, (uint32_t)++a->items);
}

/* UUIDv7; those of one run ascend. */
static struct uuid new_uuid(void)
{
    static uint32_t counter;
    struct uuid id;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
    if (getrandom(id.b, sizeof(id.b), 0) != sizeof(id.b))
        abort();
    for (int i = 0; i < 6; i++)
        id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
    counter++;
    id.b[6] = (uint8_t)(0x70 | ((counter >> 14) & 0x0f));
    id.b[7] = (uint8_t)(counter >> 6);
    id.b[8] = (uint8_t)(0x80 | (counter & 0x3f));
    return id;
}

/* User and system time of another process. */
static double process_cpu_us(int pid)
{
    char path[64], line[1024];
    unsigned long user = 0, system_ = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    char *rest = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
    if (f)
        fclose(f);
    if (!rest || sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                        &system_) != 2) {
        fprintf(stderr, "floor_db: %s cannot be read\n", path);
        exit(1);
    }
    return (double)(user + system_) * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

static double own_cpu_us(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static void expect(PGconn *conn, PGresult *res, const char *what)
{
    if (PQresultStatus(res) != PGRES_COMMAND_OK) {
        fprintf(stderr, "floor_db: %s: %s", what, PQerrorMessage(conn));
        exit(1);
    }
    PQclear(res);
}

static void run(PGconn *conn, const char *name, int n, const char *const *values,
                const int *lengths)
{
    static const int binary[] = {1, 1, 1, 1, 1, 1};
    expect(conn, PQexecPrepared(conn, name, n, values, lengths, binary, 1), name);
}

struct batch {
    struct array ids, payloads, endpoints, messages, attempts;
    struct uuid tenant, application, endpoint[FANOUT_MAX];
    int fanout;
};

static void fill(struct batch *b, int messages)
{
    char payload[PAYLOAD_BYTES];
    memset(payload, 'x', sizeof(payload));
    array_begin(&b->ids, OID_UUID, 16);
    array_begin(&b->payloads, OID_BYTEA, PAYLOAD_BYTES);
    array_begin(&b->endpoints, OID_UUID, 16);
    array_begin(&b->messages, OID_UUID, 16);
    array_begin(&b->attempts, OID_UUID, 16);
    for (int i = 0; i < messages; i++) {
        struct uuid id = new_uuid();
        /* as little compressible as real payloads are, which below 2 kB are not compressed at all */
        memcpy(payload, id.b, sizeof(id.b));
        array_add(&b->ids, id.b, 16);
        array_add(&b->payloads, payload, sizeof(payload));
        for (int k = 0; k < b->fanout; k++) {
            struct uuid attempt = new_uuid();
            array_add(&b->endpoints, b->endpoint[k].b, 16);
            array_add(&b->messages, id.b, 16);
            array_add(&b->attempts, attempt.b, 16);
        }
    }
}

static void insert(PGconn *conn, struct batch *b)
{
    run(conn, "insert", 6,
        (const char *const[]){(char *)b->application.b, (char *)b->tenant.b, b->ids.data,
                              b->payloads.data, b->endpoints.data, b->messages.data},
        (const int[]){16, 16, b->ids.len, b->payloads.len, b->endpoints.len, b->messages.len});
}

static void complete(PGconn *conn, struct batch *b)
{
    run(conn, "complete", 4,
        (const char *const[]){(char *)b->tenant.b, b->endpoints.data, b->messages.data,
                              b->attempts.data},
        (const int[]){16, b->endpoints.len, b->messages.len, b->attempts.len});
}

static PGconn *open_database(const char *conninfo)
{
    PGconn *conn = PQconnectdb(conninfo);
    if (PQstatus(conn) != CONNECTION_OK) {
        fprintf(stderr, "floor_db: %s", PQerrorMessage(conn));
        exit(1);
    }
    expect(conn, PQexec(conn, "SET search_path = posthorn"), "search_path");
    expect(conn, PQexec(conn, "SET ROLE posthorn_engine"), "role");
    expect(conn, PQprepare(conn, "insert", insert_sql, 0, NULL), "insert");
    expect(conn, PQprepare(conn, "complete", complete_sql, 0, NULL), "complete");
    return conn;
}

int main(int argc, char **argv)
{
    long messages = argc == 4 ? strtol(argv[2], NULL, 10) : 0;
    long fanout = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
    if (messages < BATCH || fanout < 1 || fanout > FANOUT_MAX) {
        fprintf(stderr, "usage: floor_db CONNINFO MESSAGES FANOUT (%d or more, 1 to %d)\n", BATCH,
                FANOUT_MAX);
        return 2;
    }
    PGconn *conn = open_database(argv[1]);
    int backend = PQbackendPID(conn);
    static struct batch b;
    b.fanout = (int)fanout;
    b.tenant = new_uuid();
    b.application = new_uuid();
    for (int k = 0; k < b.fanout; k++)
        b.endpoint[k] = new_uuid();

    double insert_us = 0, complete_us = 0, client_us = 0;
    long done = 0;
    for (; done + BATCH <= messages; done += BATCH) {
        fill(&b, BATCH);
        double client = own_cpu_us(), at = process_cpu_us(backend);
        insert(conn, &b);
        double between = process_cpu_us(backend);
        complete(conn, &b);
        insert_us += between - at;
        complete_us += process_cpu_us(backend) - between;
        client_us += own_cpu_us() - client;
    }
    printf("{\"messages\": %ld, \"insert_us\": %.2f, \"complete_us\": %.2f, \"client_us\": %.2f}\n",
           done, insert_us / (double)done, complete_us / (double)(done * fanout),
           client_us / (double)(done * fanout));
    PQfinish(conn);
    return 0;
}
