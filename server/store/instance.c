#include "posthorn/instance.h"

#include "sql.h"

struct op {
    struct ph_db_req req;
    union {
        void (*nodes)(void *ctx, enum ph_err err, const struct ph_instance_node *nodes, size_t n);
        void (*queue)(void *ctx, enum ph_err err, const struct ph_instance_queue *queue);
    } done;
    void *ctx;
};

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->ctx = ctx;
    ph_db_req_init(&op->req, stmt, arena, on_done);
    return op;
}

static void on_nodes(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    int n = err == PH_OK ? PQntuples(res) : 0;
    struct ph_instance_node *nodes = ph_arena_array_of(req->arena, struct ph_instance_node, n);

    for (int i = 0; i < n; i++) {
        bool told = !ph_db_is_null(res, i, 6);
        nodes[i] = (struct ph_instance_node){
            .id = (int32_t)ph_db_int(res, i, 0),
            .name = ph_db_str(res, i, 1),
            .started_ms = ph_db_time(res, i, 2),
            .is_alive = ph_db_bool(res, i, 3),
            .deliveries = told ? ph_db_int(res, i, 4) : 0,
            .payload_bytes = told ? ph_db_int(res, i, 5) : 0,
            .reported_ms = told ? ph_db_time(res, i, 6) : 0,
        };
    }
    op->done.nodes(op->ctx, err, nodes, (size_t)n);
}

void ph_instance_get_nodes(struct ph_db *db, struct ph_arena *arena,
                           void (*done)(void *ctx, enum ph_err err,
                                        const struct ph_instance_node *nodes, size_t n),
                           void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_instance_nodes, on_nodes, ctx);

    op->done.nodes = done;
    ph_db_send(db, &op->req);
}

static void on_queue(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_instance_queue queue;

    if (err != PH_OK) {
        op->done.queue(op->ctx, err, NULL);
        return;
    }
    queue = (struct ph_instance_queue){
        .waiting = ph_db_int(res, 0, 0),
        .due = ph_db_int(res, 0, 1),
        .oldest_due_ms = ph_db_is_null(res, 0, 2) ? 0 : ph_db_time(res, 0, 2),
        .estimate = ph_db_is_null(res, 0, 3) ? -1 : ph_db_int(res, 0, 3),
        .endpoints_due = ph_db_int(res, 0, 4),
        .endpoints_held = ph_db_int(res, 0, 5),
        .endpoints_paused = ph_db_int(res, 0, 6),
        .endpoints_broken = ph_db_int(res, 0, 7),
        .endpoints_failing = ph_db_int(res, 0, 8),
        .tasks = ph_db_int(res, 0, 9),
        .unmatched = ph_db_int(res, 0, 10),
        .planned = ph_db_int(res, 0, 11),
        .tenants_leaving = ph_db_int(res, 0, 12),
    };
    op->done.queue(op->ctx, PH_OK, &queue);
}

void ph_instance_get_queue(struct ph_db *db, struct ph_arena *arena,
                           void (*done)(void *ctx, enum ph_err err,
                                        const struct ph_instance_queue *queue),
                           void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_instance_queue, on_queue, ctx);

    op->done.queue = done;
    ph_db_add_i32(&op->req, PH_INSTANCE_COUNT_MAX);
    ph_db_send(db, &op->req);
}
