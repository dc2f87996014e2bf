#include "posthorn/claim.h"

#include "posthorn/outcome_batch.h"
#include "posthorn/retry_read.h"
#include "sql.h"

/* Columns of claim_due; its first row is the summary, the last ones are endpoints with nothing left. */
enum {
    COL_KIND,
    COL_ENDPOINT,
    COL_MESSAGE,
    COL_TENANT,
    COL_APPLICATION,
    COL_ATTEMPTS,
    COL_TRIGGER,
    COL_ORDERED,
    COL_PAYLOAD,
    COL_RETRY,
    COL_TIME,
    COL_NEXT,
    COL_MORE,
    COL_EVENT_TYPE,
    COL_CONTENT_TYPE
};

enum { ROW_SUMMARY, ROW_DELIVERY, ROW_DRAINED, ROW_BEHIND };

struct count_call {
    struct ph_db_req req;
    void (*on_done)(enum ph_err err, int32_t n, void *ctx);
    void *ctx;
};

/* Most statements here answer one number. */
static void counted(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct count_call *call = ph_container_of(req, struct count_call, req);

    call->on_done(err, err == PH_OK && PQntuples(res) ? (int32_t)ph_db_int(res, 0, 0) : 0,
                  call->ctx);
}

static struct count_call *count_call(struct ph_arena *arena, const struct ph_stmt *stmt,
                                     void (*on_done)(enum ph_err err, int32_t n, void *ctx),
                                     void *ctx)
{
    struct count_call *call = ph_arena_new_of(arena, struct count_call);

    call->on_done = on_done;
    call->ctx = ctx;
    ph_db_req_init(&call->req, stmt, arena, counted);
    return call;
}

void ph_node_register(struct ph_db *db, struct ph_arena *arena, struct ph_str name,
                      void (*on_done)(enum ph_err err, int32_t node_id, void *ctx), void *ctx)
{
    struct count_call *call = count_call(arena, &ph_sql_node_register, on_done, ctx);

    ph_db_add_str(&call->req, name);
    ph_db_send(db, &call->req);
}

void ph_node_report(struct ph_db *db, struct ph_arena *arena, int32_t node_id, int32_t deliveries,
                    int64_t payload_bytes, void (*on_done)(enum ph_err err, int32_t n, void *ctx),
                    void *ctx)
{
    struct count_call *call = count_call(arena, &ph_sql_node_report, on_done, ctx);

    ph_db_add_i32(&call->req, node_id);
    ph_db_add_i32(&call->req, deliveries);
    ph_db_add_i64(&call->req, payload_bytes);
    ph_db_send(db, &call->req);
}

void ph_node_listen(struct ph_db *db, struct ph_arena *arena,
                    void (*on_done)(enum ph_err err, int32_t n, void *ctx), void *ctx)
{
    ph_db_send(db, &count_call(arena, &ph_sql_listen, on_done, ctx)->req);
}

void ph_node_unregister(struct ph_db *db, struct ph_arena *arena, int32_t node_id,
                        void (*on_done)(enum ph_err err, int32_t freed, void *ctx), void *ctx)
{
    struct count_call *call = count_call(arena, &ph_sql_node_unregister, on_done, ctx);

    ph_db_add_i32(&call->req, node_id);
    ph_db_send(db, &call->req);
}

void ph_nodes_take_over(struct ph_db *db, struct ph_arena *arena, int32_t self,
                        void (*on_done)(enum ph_err err, int32_t dead, void *ctx), void *ctx)
{
    struct count_call *call = count_call(arena, &ph_sql_nodes_take_over, on_done, ctx);

    ph_db_add_i32(&call->req, self);
    ph_db_send(db, &call->req);
}

void ph_schedule_release(struct ph_db *db, struct ph_arena *arena, struct ph_id endpoint,
                         void (*on_done)(enum ph_err err, int32_t n, void *ctx), void *ctx)
{
    struct count_call *call = count_call(arena, &ph_sql_schedule_release, on_done, ctx);

    ph_db_add_id(&call->req, endpoint);
    ph_db_send(db, &call->req);
}

void ph_schedule_room(struct ph_db *db, struct ph_arena *arena, struct ph_id endpoint,
                      void (*on_done)(enum ph_err err, int32_t n, void *ctx), void *ctx)
{
    struct count_call *call = count_call(arena, &ph_sql_schedule_room, on_done, ctx);

    ph_db_add_id(&call->req, endpoint);
    ph_db_send(db, &call->req);
}

void ph_housekeeping_run(struct ph_db *db, struct ph_arena *arena, int retention_days,
                         int audit_days, void (*on_done)(enum ph_err err, int32_t n, void *ctx),
                         void *ctx)
{
    struct count_call *call = count_call(arena, &ph_sql_housekeeping, on_done, ctx);

    ph_db_add_i32(&call->req, retention_days);
    ph_db_add_i32(&call->req, audit_days);
    ph_db_send(db, &call->req);
}

void ph_payloads_clear(struct ph_db *db, struct ph_arena *arena,
                       void (*on_done)(enum ph_err err, int32_t n, void *ctx), void *ctx)
{
    struct count_call *call = count_call(arena, &ph_sql_payloads_clear, on_done, ctx);

    ph_db_add_i32(&call->req, PH_PAYLOADS_CLEAR_MAX);
    ph_db_send(db, &call->req);
}

struct claim_call {
    struct ph_db_req join, req;
    struct ph_db_array held, full;
    struct ph_arena *arena;
    int32_t node_id;
    struct ph_claim claim;
    void (*on_done)(enum ph_err err, struct ph_claim *claim, void *ctx);
    void *ctx;
};

static struct ph_job *read_job(const PGresult *res, int row, int32_t node_id)
{
    struct ph_str bytes = ph_db_str(res, row, COL_PAYLOAD);
    struct ph_payload *payload =
        ph_payload_new(ph_db_id(res, row, COL_MESSAGE), ph_db_id(res, row, COL_TENANT),
                       ph_db_id(res, row, COL_APPLICATION), ph_db_str(res, row, COL_EVENT_TYPE),
                       ph_db_str(res, row, COL_CONTENT_TYPE), bytes);
    struct ph_job *job = ph_job_new(payload, ph_db_id(res, row, COL_ENDPOINT), NULL, node_id,
                                    (int)ph_db_int(res, row, COL_ATTEMPTS));

    payload->retry = ph_retry_read(res, row, COL_RETRY);
    job->message_gone = bytes.ptr == NULL;
    job->is_manual = ph_db_int(res, row, COL_TRIGGER) == PH_TRIGGER_MANUAL;
    job->is_ordered = ph_db_bool(res, row, COL_ORDERED);
    ph_payload_unref(payload);
    return job;
}

static void read_claim(struct claim_call *call, const PGresult *res)
{
    struct ph_claim *claim = &call->claim;
    struct ph_id *drained = ph_arena_array_of(call->arena, struct ph_id, PQntuples(res));
    struct ph_id *behind = ph_arena_array_of(call->arena, struct ph_id, PQntuples(res));

    claim->drained = drained;
    claim->behind = behind;
    for (int row = 0; row < PQntuples(res); row++) {
        switch (ph_db_int(res, row, COL_KIND)) {
        case ROW_SUMMARY:
            claim->now_ms = ph_db_time(res, row, COL_TIME);
            claim->next_ms =
                ph_db_is_null(res, row, COL_NEXT) ? INT64_MAX : ph_db_time(res, row, COL_NEXT);
            claim->more = ph_db_bool(res, row, COL_MORE);
            claim->cursor = ph_db_id(res, row, COL_TENANT);
            break;
        case ROW_DELIVERY:
            ph_job_list_add(&claim->jobs, read_job(res, row, call->node_id));
            break;
        case ROW_DRAINED:
            drained[claim->n_drained++] = ph_db_id(res, row, COL_ENDPOINT);
            break;
        case ROW_BEHIND:
            behind[claim->n_behind++] = ph_db_id(res, row, COL_ENDPOINT);
            break;
        }
    }
}

static void claimed(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct claim_call *call = ph_container_of(req, struct claim_call, req);

    ph_db_array_free(&call->held);
    ph_db_array_free(&call->full);
    if (err == PH_OK)
        read_claim(call, res);
    call->on_done(err, &call->claim, call->ctx);
}

/* What failed to join does so before the next claim. */
static void joined(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    (void)req;
    (void)err;
    (void)res;
}

void ph_claim_due(struct ph_db *db, struct ph_arena *arena, const struct ph_claim_request *request,
                  void (*on_done)(enum ph_err err, struct ph_claim *claim, void *ctx), void *ctx)
{
    struct claim_call *call = ph_arena_new_of(arena, struct claim_call);

    call->arena = arena;
    call->node_id = request->node_id;
    call->on_done = on_done;
    call->ctx = ctx;
    ph_db_req_init(&call->join, &ph_sql_schedule_join, arena, joined);
    ph_db_send(db, &call->join);
    ph_db_array_init(&call->held, PH_DB_UUIDS, 64 + request->n_held * 24);
    for (size_t i = 0; i < request->n_held; i++)
        ph_db_array_id(&call->held, request->held[i]);
    ph_db_array_init(&call->full, PH_DB_UUIDS, 64 + request->n_full * 24);
    for (size_t i = 0; i < request->n_full; i++)
        ph_db_array_id(&call->full, request->full[i]);
    ph_db_req_init(&call->req, &ph_sql_claim_due, arena, claimed);
    ph_db_add_i32(&call->req, request->node_id);
    ph_db_add_i32(&call->req, request->max_endpoints);
    ph_db_add_i32(&call->req, request->share);
    ph_db_add_array(&call->req, &call->held);
    ph_db_add_id(&call->req, request->cursor);
    ph_db_add_i32(&call->req, request->endpoints_per_tenant);
    ph_db_add_array(&call->req, &call->full);
    ph_db_add_i32(&call->req, request->pieces);
    ph_db_send(db, &call->req);
}
