#include "role/operator.h"

#include "posthorn/audit.h"
#include "posthorn/tenant.h"

#include <stdlib.h>

static struct ph_db *open_db(struct ph_operator *operator)
{
    return ph_db_new(operator->loop, &(struct ph_db_options){.conninfo = operator->database_url,
                                                             .role = PH_DB_ENGINE,
                                                             .connections = 1,
                                                             .max_waiting = 16,
                                                             .name = "operator"});
}

void ph_operator_open(const char *database_url, struct ph_operator *out)
{
    *out = (struct ph_operator){.database_url = database_url};
    out->arena = ph_arena_new();
    out->loop = ph_loop_new();
    out->db = open_db(out);
}

void ph_operator_close(struct ph_operator *operator)
{
    ph_db_free(operator->changes);
    ph_db_free(operator->db);
    ph_loop_step(operator->loop, 0); /* a database goes in the step after its last work */
    ph_loop_free(operator->loop);
    ph_arena_free(operator->arena);
}

enum ph_err ph_operator_wait(struct ph_operator *operator, struct ph_waiting * waiting)
{
    while (!waiting->done)
        ph_loop_step(operator->loop, -1);
    return waiting->err;
}

void ph_operator_on_plain(void *ctx, enum ph_err err)
{
    struct ph_waiting *waiting = ctx;
    waiting->done = true;
    waiting->err = err;
}

struct ph_db *ph_operator_begin(struct ph_operator *operator)
{
    if (!operator->changes)
        operator->changes = open_db(operator);
    operator->tx = ph_db_begin(operator->changes);
    return ph_db_tx_as(operator->tx, PH_DB_ENGINE);
}

struct ph_str ph_operator_wire(struct ph_operator *operator, enum ph_id_kind kind, struct ph_id id)
{
    char *wire = ph_arena_alloc(operator->arena, PH_ID_WIRE_MAX);

    return (struct ph_str){wire, ph_id_format(kind, id, wire)};
}

enum ph_err ph_operator_end(struct ph_operator *operator, enum ph_err err, struct ph_id tenant,
                            const char *action, const char *object_kind, struct ph_str object)
{
    const char *user = getenv("USER");
    struct ph_audit_entry entry = {.tenant = tenant,
                                   .actor_kind = PH_STR("command-line"),
                                   .actor_name = user ? ph_str_of(user) : PH_STR_NONE,
                                   .action = ph_str_of(action),
                                   .object_kind = ph_str_of(object_kind),
                                   .object_id = object};
    struct ph_waiting noted = {.done = false}, committed = {.done = false};
    struct ph_db_tx *tx = operator->tx;

    if (err != PH_OK) {
        ph_db_rollback(tx);
        return err;
    }
    ph_audit_add(ph_db_tx_as(tx, PH_DB_ENGINE), operator->arena, &entry, ph_operator_on_plain,
                 &noted);
    ph_db_commit(tx, ph_operator_on_plain, &committed);
    err = ph_operator_wait(operator, & committed);
    return noted.err != PH_OK ? noted.err : err;
}

static void on_identity(void *ctx, enum ph_err err, const struct ph_identity *identity)
{
    (void)identity;
    ph_operator_on_plain(ctx, err);
}

static void on_key(void *ctx, enum ph_err err, const struct ph_api_key *key)
{
    struct ph_waiting *waiting = ctx;
    if (key != NULL)
        waiting->id = key->id;
    ph_operator_on_plain(ctx, err);
}

static void on_tenant(void *ctx, enum ph_err err, const struct ph_tenant *tenant)
{
    struct ph_waiting *waiting = ctx;
    if (tenant != NULL)
        waiting->id = tenant->id;
    ph_operator_on_plain(ctx, err);
}

enum ph_err ph_operator_make_tenant(struct ph_operator *operator, struct ph_str name,
                                    struct ph_str plan, struct ph_id *out)
{
    struct ph_tenant_admin_change change = {
        .set = PH_TENANT_ADMIN_NAME | PH_TENANT_ADMIN_PLAN, .name = name, .plan = plan};
    struct ph_waiting waiting = {.done = false};
    ph_tenant_create(ph_operator_begin(operator), operator->arena, &change, on_tenant, &waiting);
    enum ph_err err = ph_operator_wait(operator, & waiting);
    err = ph_operator_end(operator, err, waiting.id, "admin.tenant.create", "tenant",
                          ph_operator_wire(operator, PH_ID_TENANT, waiting.id));
    if (err == PH_OK)
        *out = waiting.id;
    return err;
}

enum ph_err ph_operator_check_key(struct ph_operator *operator, struct ph_str token)
{
    struct ph_waiting waiting = {.done = false};
    ph_api_key_find(operator->db, operator->arena, token, on_identity, &waiting);
    return ph_operator_wait(operator, & waiting);
}

enum ph_err ph_operator_make_key(struct ph_operator *operator, struct ph_api_key * key,
                                 char token[PH_TOKEN_LEN + 1])
{
    struct ph_waiting waiting = {.done = false};
    ph_api_key_create(ph_operator_begin(operator), operator->arena, key, token, on_key, &waiting);
    enum ph_err err = ph_operator_wait(operator, & waiting);
    err = ph_operator_end(operator, err, key->tenant, "admin.tenant.create-api-key", "api-key",
                          ph_operator_wire(operator, PH_ID_API_KEY, waiting.id));
    key->id = waiting.id;
    return err;
}
