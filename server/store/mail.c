#include "posthorn/mail.h"

#include "posthorn/clock.h"
#include "sql.h"

struct op {
    struct ph_db_req req;
    union {
        ph_mail_done plain;
        void (*claimed)(void *ctx, enum ph_err err, const struct ph_mail_claim *claim);
    } done;
    void *ctx;
};

static const char *const kinds[] = {
#define PH_MAIL(name, kind, path, subject, text) kind,
#include "posthorn/mail.def"
#undef PH_MAIL
};

const char *ph_mail_kind_text(enum ph_mail_kind kind)
{
    return kinds[kind];
}

enum ph_mail_kind ph_mail_kind_parse(struct ph_str text)
{
    enum ph_mail_kind kind = 0;

    while (kind < PH_MAIL_KINDS && !ph_str_eq_c(text, kinds[kind]))
        kind++;
    return kind;
}

void ph_mail_add(struct ph_db_req *req, const struct ph_keyring *keyring,
                 const struct ph_mail *mail)
{
    struct ph_id id = ph_id_new(ph_clock_wall_ms());
    struct ph_str sealed = PH_STR_NONE;

    if (!mail) {
        for (int i = 0; i < 6; i++)
            ph_db_add_null(req);
        return;
    }
    if (mail->token.ptr) {
        uint8_t *out = ph_arena_alloc(req->arena, mail->token.len + PH_SEAL_OVERHEAD);
        ph_seal(keyring, mail->tenant, id, mail->token, out);
        sealed = (struct ph_str){(const char *)out, mail->token.len + PH_SEAL_OVERHEAD};
    }
    ph_db_add_id(req, id);
    ph_db_add_str(req, mail->recipient);
    ph_db_add_str(req, ph_str_of(kinds[mail->kind]));
    ph_db_add_str(req, mail->about);
    ph_db_add_ref(req, sealed);
    ph_db_add_i64(req, mail->lifetime_s);
}

enum ph_err ph_mail_token(const struct ph_keyring *keyring, struct ph_arena *arena,
                          const struct ph_mail_claim *claim, struct ph_str *out)
{
    size_t len = 0;
    uint8_t *plain;
    enum ph_err err;

    *out = PH_STR_NONE;
    if (!claim->sealed.ptr)
        return PH_OK;
    plain = ph_arena_alloc(arena, claim->sealed.len);
    err = ph_unseal(keyring, claim->tenant, claim->id, claim->sealed, plain, &len);
    if (err == PH_OK)
        *out = (struct ph_str){(const char *)plain, len};
    return err;
}

static struct op *op_new(struct ph_arena *arena, const struct ph_stmt *stmt,
                         void (*on_done)(struct ph_db_req *, enum ph_err, PGresult *), void *ctx)
{
    struct op *op = ph_arena_new_of(arena, struct op);

    op->ctx = ctx;
    ph_db_req_init(&op->req, stmt, arena, on_done);
    return op;
}

static void on_claim(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);
    struct ph_mail_claim claim = {0};
    bool found = err == PH_OK && PQntuples(res) > 0;

    if (found) {
        claim.id = ph_db_id(res, 0, 0);
        claim.tenant = ph_db_id(res, 0, 1);
        claim.recipient = ph_db_str(res, 0, 2);
        claim.kind = ph_db_str(res, 0, 3);
        claim.about = ph_db_str(res, 0, 4);
        claim.sealed = ph_db_str(res, 0, 5);
        claim.tries = (int32_t)ph_db_int(res, 0, 6);
        claim.is_over = ph_db_bool(res, 0, 7);
    }
    op->done.claimed(op->ctx, err, found ? &claim : NULL);
}

void ph_mail_claim(struct ph_db *db, struct ph_arena *arena, int64_t lease_ms,
                   void (*done)(void *ctx, enum ph_err err, const struct ph_mail_claim *claim),
                   void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_mail_claim, on_claim, ctx);

    op->done.claimed = done;
    ph_db_add_i64(&op->req, lease_ms);
    ph_db_send(db, &op->req);
}

static void on_plain(struct ph_db_req *req, enum ph_err err, PGresult *res)
{
    struct op *op = ph_container_of(req, struct op, req);

    (void)res;
    op->done.plain(op->ctx, err);
}

void ph_mail_remove(struct ph_db *db, struct ph_arena *arena, struct ph_id id, ph_mail_done done,
                    void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_mail_remove, on_plain, ctx);

    op->done.plain = done;
    ph_db_add_id(&op->req, id);
    ph_db_send(db, &op->req);
}

void ph_mail_postpone(struct ph_db *db, struct ph_arena *arena, struct ph_id id, int32_t tries,
                      int64_t wait_ms, ph_mail_done done, void *ctx)
{
    struct op *op = op_new(arena, &ph_sql_mail_postpone, on_plain, ctx);

    op->done.plain = done;
    ph_db_add_id(&op->req, id);
    ph_db_add_i32(&op->req, tries);
    ph_db_add_i64(&op->req, wait_ms);
    ph_db_send(db, &op->req);
}
