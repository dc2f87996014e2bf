#include "posthorn/mailer.h"

#include "posthorn/clock.h"
#include "posthorn/db.h"
#include "posthorn/log.h"
#include "posthorn/mail_message.h"
#include "posthorn/mail_text.h"
#include "posthorn/smtp.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS       1000
#define AGAIN_MS      5000
#define AGAIN_MAX_MS  (3600 * 1000)
#define MESSAGE_BYTES (256 * 1024)
/* A try is over after the timeout; who has not said so after twice that is dead. */
#define LEASE 2
/* For writing down what became of the last one. */
#define SETTLE_MS 3000

struct ph_mailer {
    const struct ph_node *node;
    struct ph_loop *loop;
    struct ph_db *db;
    struct ph_smtp *smtp;
    struct ph_mailbox from;
    pthread_t thread;
    struct ph_timer timer, stop_timer;
    struct ph_arena *arena; /* of the mail under way; NULL: none is */
    _Atomic bool stopping;
    struct ph_task stop;
};

bool ph_mail_is_on(const struct ph_config *config)
{
    return *config->smtp_url != '\0';
}

enum ph_err ph_mailer_check(const struct ph_config *config, struct ph_buf *problems)
{
    struct ph_str url = ph_str_of(config->public_url);
    struct ph_mailbox from;
    size_t before = problems->len;

    if (!ph_mail_is_on(config))
        return PH_OK;
    if (!ph_smtp_url_ok(config->smtp_url))
        ph_buf_add_c(problems, "POSTHORN_SMTP_URL is not smtp://host:port or smtps://host:port\n");
    if (ph_mailbox_parse(ph_str_of(config->mail_from), &from) != PH_OK)
        ph_buf_add_c(problems, "POSTHORN_MAIL_FROM is not an address, nor Name <address>\n");
    if (!ph_str_starts(url, PH_STR("https://")) && !ph_str_starts(url, PH_STR("http://")))
        ph_buf_add_c(problems, "POSTHORN_PUBLIC_URL is not set to an http or https URL: links in "
                               "mails begin with it\n");
    return problems->len == before ? PH_OK : PH_ERR_CONFIG;
}

static void look_in(struct ph_mailer *m, int64_t wait_ms)
{
    if (!atomic_load(&m->stopping))
        ph_timer_set(m->loop, &m->timer, ph_loop_now_ms(m->loop) + (uint64_t)wait_ms);
}

/* ---- what becomes of a mail ---- */

/* Sent and not removed it comes again: better twice than never. */
static void settled(void *ctx, enum ph_err err)
{
    struct ph_mailer *m = ctx;

    ph_arena_free(m->arena);
    m->arena = NULL;
    if (atomic_load(&m->stopping))
        ph_loop_stop(m->loop);
    look_in(m, err == PH_OK ? 0 : POLL_MS);
}

static void give_up(struct ph_mailer *m, const struct ph_mail_claim *claim, const char *reason)
{
    ph_metric_add(mails_given_up, 1);
    ph_log(PH_LOG_ERROR, "mail given up", ph_log_s("reason", reason),
           ph_log_str("kind", claim->kind), ph_log_i("tries", claim->tries));
    ph_mail_remove(m->db, m->arena, claim->id, settled, m);
}

static int64_t wait_after(int32_t tries)
{
    int64_t wait_ms = AGAIN_MS;

    while (--tries > 0 && wait_ms < AGAIN_MAX_MS)
        wait_ms *= 2;
    return wait_ms < AGAIN_MAX_MS ? wait_ms : AGAIN_MAX_MS;
}

static void put_off(struct ph_mailer *m, const struct ph_mail_claim *claim, const char *reason)
{
    ph_metric_add(mails_failed, 1);
    ph_log(PH_LOG_WARN, "mail not sent", ph_log_s("reason", reason),
           ph_log_str("kind", claim->kind), ph_log_i("tries", claim->tries));
    ph_mail_postpone(m->db, m->arena, claim->id, claim->tries, wait_after(claim->tries), settled,
                     m);
}

static void note_sent(struct ph_mailer *m, const struct ph_mail_claim *claim)
{
    ph_metric_add(mails_sent, 1);
    ph_log(PH_LOG_INFO, "mail sent", ph_log_str("kind", claim->kind),
           ph_log_i("tries", claim->tries));
    ph_mail_remove(m->db, m->arena, claim->id, settled, m);
}

/* ---- sending ---- */

static void free_buf(void *buf)
{
    sodium_memzero(((struct ph_buf *)buf)->ptr, ((struct ph_buf *)buf)->len);
    ph_buf_free(buf);
}

static struct ph_buf *new_buf(struct ph_arena *arena, size_t max_bytes)
{
    struct ph_buf *buf = ph_arena_new_of(arena, struct ph_buf);

    ph_buf_init(buf, max_bytes);
    ph_arena_defer(arena, free_buf, buf);
    return buf;
}

static void free_json(void *json)
{
    json_decref(json);
}

/* Absent: it cannot be written, at least not here; *reason says why. */
static struct ph_str write_message(struct ph_mailer *m, const struct ph_mail_claim *claim,
                                   const char **reason)
{
    enum ph_mail_kind kind = ph_mail_kind_parse(claim->kind);
    json_t *about = json_loadb(claim->about.ptr, claim->about.len, 0, NULL);
    struct ph_buf *subject = new_buf(m->arena, PH_MAIL_SUBJECT_MAX);
    struct ph_buf *text = new_buf(m->arena, PH_MAIL_TEXT_MAX);
    struct ph_buf *out = new_buf(m->arena, MESSAGE_BYTES);
    struct ph_str token;
    char id[2 * sizeof claim->id.b + 1];

    ph_arena_defer(m->arena, free_json, about);
    if (kind == PH_MAIL_KINDS) {
        *reason = "this program does not know this kind of mail";
        return PH_STR_NONE;
    }
    if (ph_mail_token(m->node->keyring, m->arena, claim, &token) != PH_OK) {
        *reason = "its token does not open";
        return PH_STR_NONE;
    }
    ph_mail_text_write(kind, m->node->config->public_url, about, token, subject, text);
    ph_hex_encode(claim->id.b, sizeof claim->id.b, id);
    ph_mail_message_write(
        &(struct ph_mail_message){
            .id = ph_str_of(id),
            .from = m->from,
            .to = {.address = claim->recipient},
            .subject = ph_buf_str(subject),
            .text = ph_buf_str(text),
            .wall_ms = ph_id_time_ms(claim->id),
        },
        out);
    return ph_buf_str(out);
}

static void send_mail(struct ph_mailer *m, const struct ph_mail_claim *claim)
{
    char why[PH_SMTP_REASON_MAX] = "";
    const char *reason = why;
    struct ph_str message = write_message(m, claim, &reason);
    enum ph_smtp_outcome outcome = PH_SMTP_FAILED;

    if (message.ptr)
        outcome = ph_smtp_send(m->smtp, m->from.address, claim->recipient, message, why);
    switch (outcome) {
    case PH_SMTP_SENT:
        note_sent(m, claim);
        break;
    case PH_SMTP_REFUSED:
        give_up(m, claim, reason);
        break;
    case PH_SMTP_FAILED:
        put_off(m, claim, reason);
        break;
    case PH_SMTP_STOPPED:
        ph_mail_postpone(m->db, m->arena, claim->id, claim->tries, 0, settled, m);
        break;
    }
}

static void claimed(void *ctx, enum ph_err err, const struct ph_mail_claim *claim)
{
    struct ph_mailer *m = ctx;

    if (err == PH_OK && claim && claim->is_over) {
        give_up(m, claim, "its time is over");
    } else if (err == PH_OK && claim) {
        send_mail(m, claim);
    } else {
        ph_smtp_rest(m->smtp);
        settled(m, PH_ERR_UNAVAILABLE);
    }
}

static void look(struct ph_timer *timer)
{
    struct ph_mailer *m = ph_container_of(timer, struct ph_mailer, timer);

    m->arena = ph_arena_new();
    ph_mail_claim(m->db, m->arena, LEASE * m->node->config->smtp_timeout_ms, claimed, m);
}

/* ---- the thread ---- */

static void *run(void *ctx)
{
    struct ph_mailer *m = ctx;

    ph_loop_run(m->loop);
    return NULL;
}

static void stop_anyway(struct ph_timer *timer)
{
    ph_loop_stop(ph_container_of(timer, struct ph_mailer, stop_timer)->loop);
}

/* What becomes of a mail under way is still written down. */
static void stop(struct ph_task *task)
{
    struct ph_mailer *m = ph_container_of(task, struct ph_mailer, stop);

    ph_timer_clear(m->loop, &m->timer);
    if (m->arena)
        ph_timer_set(m->loop, &m->stop_timer, ph_loop_now_ms(m->loop) + SETTLE_MS);
    else
        ph_loop_stop(m->loop);
}

struct ph_mailer *ph_mailer_start(const struct ph_node *node)
{
    const struct ph_config *config = node->config;
    struct ph_mailer *m;

    if (!ph_mail_is_on(config))
        return NULL;
    m = ph_calloc(1, sizeof *m);
    m->node = node;
    if (ph_mailbox_parse(ph_str_of(config->mail_from), &m->from) != PH_OK)
        abort(); /* ph_mailer_check */
    m->loop = ph_loop_new();
    m->timer.on_timer = look;
    m->stop_timer.on_timer = stop_anyway;
    m->stop.run = stop;
    m->smtp = ph_smtp_new(&(struct ph_smtp_options){
        .url = config->smtp_url,
        .user = config->smtp_user,
        .password = config->smtp_password,
        .ca_file = config->ca_file,
        .needs_tls = config->smtp_tls,
        .timeout_ms = config->smtp_timeout_ms,
        .stop = &m->stopping,
    });
    m->db = ph_db_new(m->loop, &(struct ph_db_options){
                                   .conninfo = config->database_url,
                                   .role = PH_DB_ENGINE,
                                   .connections = 1,
                                   .max_waiting = 4,
                                   .name = "mail",
                               });
    look_in(m, 0);
    if (pthread_create(&m->thread, NULL, run, m) != 0)
        abort();
    return m;
}

void ph_mailer_stop(struct ph_mailer *m)
{
    if (!m)
        return;
    atomic_store(&m->stopping, true);
    ph_loop_post(m->loop, &m->stop);
    pthread_join(m->thread, NULL);
    ph_timer_clear(m->loop, &m->stop_timer);
    ph_db_free(m->db);
    ph_loop_step(m->loop, 0); /* ph_db_free's last words */
    ph_loop_free(m->loop);
    ph_smtp_free(m->smtp);
    free(m);
}
