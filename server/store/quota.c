#include "posthorn/quota.h"

#include <stddef.h>
#include <string.h>

static const struct quota {
    const char *name;
    size_t at; /* in struct ph_quotas */
} table[] = {
#define PH_QUOTA(member, name) {name, offsetof(struct ph_quotas, member)},
#include "posthorn/quota.def"
#undef PH_QUOTA
};

#define N_QUOTAS (sizeof(table) / sizeof(*table))

static const struct quota *find(const char *name)
{
    for (size_t i = 0; i < N_QUOTAS; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

const char *ph_quotas_fault(json_t *quotas)
{
    const char *name;
    json_t *value;

    json_object_foreach(quotas, name, value)
    {
        if (!find(name) || !json_is_integer(value) || json_integer_value(value) < 0 ||
            json_integer_value(value) > PH_QUOTA_MAX)
            return name;
    }
    return NULL;
}

enum ph_err ph_quotas_read(json_t *quotas, struct ph_quotas *out)
{
    if (!json_is_object(quotas) || ph_quotas_fault(quotas))
        return PH_ERR_BAD_REQUEST;
    for (size_t i = 0; i < N_QUOTAS; i++) {
        json_t *value = json_object_get(quotas, table[i].name);
        *(int64_t *)((char *)out + table[i].at) = value ? json_integer_value(value) : -1;
    }
    return PH_OK;
}
