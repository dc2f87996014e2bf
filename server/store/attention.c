#include "posthorn/attention.h"

#include "sql.h"

struct op {
    struct ph_db_req req;
    struct ph_db_array ids;
    union {
        ph_attention_done attention;
        ph_application_states_done states;
    } done;
    void *ctx;
};

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt, struct ph_id tenant,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    ph_db_req_init(&op->req, stmt, arena, on_done);
    ph_db_req_tenant(&op->req, tenant);
    ph_db_add_id(&op->req, tenant);
    op->ctx = ctx;
    return op;
}

static struct ph_attention read_attention(const PGresult *res, int row)
{
    return (struct ph_attention){
        .endpoint = ph_db_id(res, row, 0),
        .application = ph_db_id(res, row, 1),
        .application_name = ph_db_str(res, row, 2),
        .url = ph_db_str(res, row, 3),
        .description = ph_db_str(res, row, 4),
        .disabled_reason = ph_db_str(res, row, 5),
        .failing_since_ms = ph_db_time(res, row, 6),
        .next_attempt_ms = ph_db_time(res, row, 7),
        .due_since_ms = ph_db_time(res, row, 8),
        .success = ph_db_int(res, row, 9),
        .failure = ph_db_int(res, row, 10),
        .disabled = ph_db_bool(res, row, 11),
        .failing = ph_db_bool(res, row, 12),
        .overdue = ph_db_bool(res, row, 13),
        .unreliable = ph_db_bool(res, row, 14),
    };
}

static void on_attention(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    int n = err == PH_OK ? PQntuples(res) : 0;
    struct ph_attention *list = ph_arena_array_of(req->arena, struct ph_attention, n);

    for (int i = 0; i < n; i++)
        list[i] = read_attention(res, i);
    op->done.attention(op->ctx, err, list, (size_t)n);
}

void ph_attention_list(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                       ph_attention_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_stats_attention, tenant, on_attention, ctx);

    op->done.attention = done;
    ph_db_add_i32(&op->req, PH_ATTENTION_MAX);
    ph_db_add_i32(&op->req, PH_ATTENTION_WAITING_MAX);
    ph_db_send(db, &op->req);
}

static void on_states(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    int n = err == PH_OK ? PQntuples(res) : 0;
    struct ph_application_state *states =
        ph_arena_array_of(req->arena, struct ph_application_state, n);

    for (int i = 0; i < n; i++)
        states[i] = (struct ph_application_state){.id = ph_db_id(res, i, 0),
                                                  .messages = ph_db_int(res, i, 1),
                                                  .success = ph_db_int(res, i, 2),
                                                  .failure = ph_db_int(res, i, 3),
                                                  .endpoints = ph_db_int(res, i, 4),
                                                  .failing = ph_db_int(res, i, 5),
                                                  .disabled = ph_db_int(res, i, 6)};
    op->done.states(op->ctx, err, states, (size_t)n);
}

static void free_array(void *array)
{
    ph_db_array_free(array);
}

void ph_application_states(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           const struct ph_id *ids, size_t n, ph_application_states_done done,
                           void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_applications_stats, tenant, on_states, ctx);

    op->done.states = done;
    ph_db_array_init(&op->ids, PH_DB_UUIDS, 64 + n * 24);
    ph_arena_defer(arena, free_array, &op->ids);
    for (size_t i = 0; i < n; i++)
        ph_db_array_id(&op->ids, ids[i]);
    ph_db_add_array(&op->req, &op->ids);
    ph_db_add_i32(&op->req, PH_APPLICATION_ENDPOINTS_MAX);
    ph_db_send(db, &op->req);
}
