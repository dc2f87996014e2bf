#include "role/operator.h"

#include "posthorn/tenant.h"

void ph_operator_open(const char *database_url, struct ph_operator *out)
{
    out->arena = ph_arena_new();
    out->loop = ph_loop_new();
    out->db = ph_db_new(out->loop, &(struct ph_db_options){.conninfo = database_url,
                                                           .role = PH_DB_ENGINE,
                                                           .connections = 1,
                                                           .max_waiting = 16,
                                                           .name = "operator"});
}

void ph_operator_close(struct ph_operator *operator)
{
    ph_db_free(operator->db);
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
    ph_tenant_create(operator->db, operator->arena, &change, on_tenant, &waiting);
    enum ph_err err = ph_operator_wait(operator, & waiting);
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
    ph_api_key_create(operator->db, operator->arena, key, token, on_key, &waiting);
    enum ph_err err = ph_operator_wait(operator, & waiting);
    key->id = waiting.id;
    return err;
}
