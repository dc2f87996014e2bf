/*
 * Outbox: mails that are owed, written in the transaction of what they are about and removed when the server has them.
 *
 * A row says what a mail is about, not what it says (mail.def), and its token is sealed: what is in the database makes no
 * working link. Each try has the row for a while by moving its due time; who dies meanwhile has only failed a try. db: role
 * posthorn_engine; store.h says how callbacks and memory work.
 */
#ifndef POSTHORN_MAIL_H
#define POSTHORN_MAIL_H

#include "posthorn/seal.h"
#include "posthorn/store.h"

enum ph_mail_kind {
#define PH_MAIL(name, kind, path, subject, text) PH_MAIL_##name,
#include "posthorn/mail.def"
#undef PH_MAIL
    PH_MAIL_KINDS
};

/* One that is to be written. */
struct ph_mail {
    struct ph_id tenant; /* goes when this tenant does; zero: of none */
    enum ph_mail_kind kind;
    struct ph_str recipient; /* address */
    struct ph_str about;     /* JSON object text */
    struct ph_str token;     /* of its link; absent: none */
    int64_t lifetime_s;      /* given up then */
};

/*
 * Adds six parameters to a request of any store, for  queue_mail($1::uuid, $2::text, $3::text, $4::json, $5::bytea,
 * $6::bigint)  behind the tenant: id, recipient, kind, about, sealed token, seconds. mail NULL: six NULL, and nothing is
 * queued. What has to live until the request is done is in its arena.
 */
void ph_mail_add(struct ph_db_req *req, const struct ph_keyring *keyring,
                 const struct ph_mail *mail);

/* One that is due. Slices live until the callback returns. */
struct ph_mail_claim {
    struct ph_id id, tenant;
    struct ph_str recipient, kind, about, sealed;
    int32_t tries; /* this one counted */
    bool is_over;  /* its lifetime */
};

/* claim NULL: none is due. It is due again in `lease_ms`, unless one of the next two comes before. */
void ph_mail_claim(struct ph_db *db, struct ph_arena *arena, int64_t lease_ms,
                   void (*done)(void *ctx, enum ph_err err, const struct ph_mail_claim *claim),
                   void *ctx);
typedef void (*ph_mail_done)(void *ctx, enum ph_err err);
void ph_mail_remove(struct ph_db *db, struct ph_arena *arena, struct ph_id id, ph_mail_done done,
                    void *ctx);
/* Due in wait_ms, unless somebody else has claimed it since. */
void ph_mail_postpone(struct ph_db *db, struct ph_arena *arena, struct ph_id id, int32_t tries,
                      int64_t wait_ms, ph_mail_done done, void *ctx);

/* Opens the token of a claimed mail; absent when it has none. CRYPTO: it does not open. */
PH_MUST_CHECK enum ph_err ph_mail_token(const struct ph_keyring *keyring, struct ph_arena *arena,
                                        const struct ph_mail_claim *claim, struct ph_str *out);
const char *ph_mail_kind_text(enum ph_mail_kind kind);
/* PH_MAIL_KINDS: unknown, of a newer program. */
enum ph_mail_kind ph_mail_kind_parse(struct ph_str text);

#endif
