#include "posthorn/store.h"

#include <string.h>

bool ph_list_ascending(const struct ph_list *list)
{
    return list->descending == list->backwards;
}

struct ph_id ph_list_bound(const struct ph_list *list)
{
    struct ph_id bound = list->from;

    if (ph_id_is_zero(bound) && !ph_list_ascending(list))
        memset(bound.b, 0xff, sizeof(bound.b));
    return bound;
}

int ph_list_count(const struct ph_list *list, int rows)
{
    return rows > list->limit ? (int)list->limit : rows;
}

bool ph_list_done(const struct ph_list *list, int rows)
{
    return rows <= list->limit;
}

int ph_list_row(const struct ph_list *list, int count, int i)
{
    return list->backwards ? count - 1 - i : i;
}

void ph_store_add_key(struct ph_db_req *req, enum ph_id_kind kind, struct ph_str id_or_uid)
{
    struct ph_id id;

    if (ph_id_parse(kind, id_or_uid, &id) == PH_OK) {
        ph_db_add_id(req, id);
        ph_db_add_null(req);
    } else {
        ph_db_add_null(req);
        ph_db_add_str(req, id_or_uid);
    }
}
