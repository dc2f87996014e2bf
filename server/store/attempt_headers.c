#include "posthorn/attempt.h"

#include "sql.h"
#include "store/sealed_headers.h"

struct op {
    struct ph_db_req req;
    const struct ph_keyring *keyring;
    ph_attempt_headers_done done;
    void *ctx;
};

enum {
    COL_URL,
    COL_SIGNATURE,
    COL_HEADERS,
    COL_MESSAGE,
    COL_EVENT_TYPE,
    COL_CONTENT_TYPE,
    COL_BODY_BYTES,
    COL_ENDPOINT,
    COL_CUSTOM,
    COL_SENSITIVE,
    COL_HAS_TOKEN
};

static void read_endpoint(struct op *op, const PGresult *res, struct ph_attempt_headers *out)
{
    struct ph_str *sensitive;

    out->custom =
        ph_store_unseal_headers(op->req.arena, op->keyring, op->req.tenant,
                                ph_db_id(res, 0, COL_ENDPOINT), ph_db_str(res, 0, COL_CUSTOM));
    out->n_sensitive = ph_db_str_array(op->req.arena, res, 0, COL_SENSITIVE, &sensitive);
    out->sensitive = sensitive;
    out->has_token = ph_db_bool(res, 0, COL_HAS_TOKEN);
}

static void on_headers(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_attempt_headers headers;

    if (err == PH_OK && PQntuples(res) == 0)
        err = PH_ERR_NOT_FOUND;
    if (err != PH_OK) {
        op->done(op->ctx, err, NULL);
        return;
    }
    headers = (struct ph_attempt_headers){
        .message = ph_db_id(res, 0, COL_MESSAGE),
        .url = ph_db_str(res, 0, COL_URL),
        .signature = ph_db_str(res, 0, COL_SIGNATURE),
        .response = ph_db_str(res, 0, COL_HEADERS),
        .event_type = ph_db_str(res, 0, COL_EVENT_TYPE),
        .content_type = ph_db_str(res, 0, COL_CONTENT_TYPE),
        .body_bytes =
            ph_db_is_null(res, 0, COL_BODY_BYTES) ? -1 : ph_db_int(res, 0, COL_BODY_BYTES),
    };
    if (!ph_db_is_null(res, 0, COL_ENDPOINT))
        read_endpoint(op, res, &headers);
    op->done(op->ctx, PH_OK, &headers);
}

void ph_attempt_get_headers(struct ph_db *db, struct ph_arena *arena,
                            const struct ph_keyring *keyring, const struct ph_message_path *path,
                            struct ph_id attempt, ph_attempt_headers_done done, void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->keyring = keyring;
    op->done = done;
    op->ctx = ctx;
    ph_db_req_init(&op->req, &ph_sql_attempt_headers, arena, on_headers);
    ph_db_req_tenant(&op->req, path->tenant);
    ph_db_add_id(&op->req, path->tenant);
    ph_store_add_key(&op->req, PH_ID_APPLICATION, path->application);
    ph_store_add_key(&op->req, PH_ID_MESSAGE, path->message);
    ph_db_add_id(&op->req, attempt);
    ph_db_send(db, &op->req);
}
