#include "courier_internal.h"

#include "posthorn/endpoint_health.h"
#include "posthorn/log.h"
#include "posthorn/mailer.h"

/* A note to the database about an endpoint; the target may be gone when the answer comes. */
struct note {
    struct ph_arena *arena;
    struct ph_id endpoint;
};

static struct note *new_note(struct target *target)
{
    struct ph_arena *arena = ph_arena_new();
    struct note *note = ph_arena_new_of(arena, struct note);

    *note = (struct note){.arena = arena, .endpoint = target->id};
    return note;
}

static void disabled(enum ph_err err, int32_t n, void *ctx)
{
    struct note *note = ctx;

    if (err == PH_OK && n)
        ph_log(PH_LOG_INFO, "endpoint disabled at its own wish",
               ph_log_id("endpoint", PH_ID_ENDPOINT, note->endpoint));
    ph_arena_free(note->arena);
}

void courier_disable(struct target *target, const char *reason)
{
    struct note *note = new_note(target);

    ph_endpoint_disable(target->courier->db, note->arena, target->id, ph_str_of(reason),
                        ph_mail_is_on(target->courier->node->config), disabled, note);
}
