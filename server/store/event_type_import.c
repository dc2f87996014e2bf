#include "posthorn/clock.h"
#include "posthorn/event_type.h"
#include "sql.h"

/* Of one column of all types together. */
#define COLUMN_BYTES_MAX (64 << 20)

enum { NAME, DESCRIPTION, SCHEMAS, DEPRECATED, GROUP, FLAG, ID, COLUMNS };

struct op {
    struct ph_db_req req;
    struct ph_db_array columns[COLUMNS];
    ph_event_type_import_done done;
    ph_event_type_names_done names_done;
    void *ctx;
};

static void free_columns(void *ctx)
{
    struct op *op = ctx;

    for (int i = 0; i < COLUMNS; i++)
        ph_db_array_free(&op->columns[i]);
}

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

static void on_imported(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    int n = err == PH_OK ? PQntuples(res) : 0;
    int32_t *changed = ph_arena_array_of(req->arena, int32_t, n);

    for (int i = 0; i < n; i++)
        changed[i] = (int32_t)ph_db_int(res, i, 0) - 1;
    op->done(op->ctx, err, changed, (size_t)n);
}

void ph_event_type_import(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                          const struct ph_event_type_import *import, ph_event_type_import_done done,
                          void *ctx)
{
    static const enum ph_db_array_of types[COLUMNS] = {
        [NAME] = PH_DB_TEXTS,       [DESCRIPTION] = PH_DB_TEXTS, [SCHEMAS] = PH_DB_TEXTS,
        [DEPRECATED] = PH_DB_BOOLS, [GROUP] = PH_DB_TEXTS,       [FLAG] = PH_DB_TEXTS,
        [ID] = PH_DB_UUIDS,
    };
    struct op *op = op_new(arena, &ph_sql_event_types_import, tenant, on_imported, ctx);

    op->done = done;
    for (int i = 0; i < COLUMNS; i++)
        ph_db_array_init(&op->columns[i], types[i], COLUMN_BYTES_MAX);
    ph_arena_defer(arena, free_columns, op);
    for (size_t i = 0; i < import->n; i++) {
        const struct ph_event_type_change *type = &import->types[i];
        ph_db_array_str(&op->columns[NAME], import->names[i]);
        ph_db_array_str(&op->columns[DESCRIPTION], type->description);
        ph_db_array_str(&op->columns[SCHEMAS], type->schemas);
        ph_db_array_bool(&op->columns[DEPRECATED], type->deprecated);
        ph_db_array_str(&op->columns[GROUP], type->group);
        ph_db_array_str(&op->columns[FLAG], type->feature_flag);
        ph_db_array_id(&op->columns[ID], ph_id_new(ph_clock_wall_ms()));
    }
    for (int i = 0; i < ID; i++)
        ph_db_add_array(&op->req, &op->columns[i]);
    ph_db_add_bool(&op->req, import->archive_others);
    ph_db_add_bool(&op->req, import->dry);
    ph_db_add_array(&op->req, &op->columns[ID]);
    ph_db_send(db, &op->req);
}

static void on_checked(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    int n = err == PH_OK ? PQntuples(res) : 0;
    struct ph_str *names = ph_arena_array_of(req->arena, struct ph_str, n);

    for (int i = 0; i < n; i++)
        names[i] = ph_db_str(res, i, 0);
    op->names_done(op->ctx, err, names, (size_t)n);
}

void ph_event_type_checked(struct ph_db *db, struct ph_arena *arena, struct ph_id tenant,
                           const struct ph_str *names, size_t n, ph_event_type_names_done done,
                           void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_event_types_checked, tenant, on_checked, ctx);

    op->names_done = done;
    ph_db_add_str_array(&op->req, names, n);
    ph_db_send(db, &op->req);
}
