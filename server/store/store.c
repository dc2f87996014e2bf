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

struct ph_list_end ph_list_ending(const struct ph_list *list, const PGresult *res, int col,
                                  int64_t found, int count)
{
    struct ph_list_end end = {.done = count == found, .backwards = list->backwards};

    if (end.done && !ph_db_is_null(res, 0, col)) {
        end.done = false;
        end.walked_to = ph_db_id(res, 0, col);
    }
    return end;
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

/* Of the head of an array, and of a uuid in it or what stands before a text. */
#define ARRAY_HEAD_BYTES 64
#define ARRAY_ITEM_BYTES 24

enum { NUMBERS, IDS, UIDS, ARRAYS };

static void free_arrays(void *arrays)
{
    for (int i = 0; i < ARRAYS; i++)
        ph_db_array_free((struct ph_db_array *)arrays + i);
}

void ph_store_add_keys(struct ph_db_req *req, enum ph_id_kind kind, const struct ph_str *v,
                       size_t n)
{
    static const enum ph_db_array_of types[ARRAYS] = {PH_DB_I32S, PH_DB_UUIDS, PH_DB_TEXTS};
    struct ph_db_array *arrays = ph_arena_array_of(req->arena, struct ph_db_array, ARRAYS);
    size_t bytes = ARRAY_HEAD_BYTES;
    struct ph_id id;

    if (!v) {
        for (int i = 0; i < ARRAYS; i++)
            ph_db_add_null(req);
        return;
    }
    for (size_t i = 0; i < n; i++)
        bytes += ARRAY_ITEM_BYTES + v[i].len;
    for (int i = 0; i < ARRAYS; i++)
        ph_db_array_init(&arrays[i], types[i], bytes);
    ph_arena_defer(req->arena, free_arrays, arrays);
    for (size_t i = 0; i < n; i++) {
        bool is_id = ph_id_parse(kind, v[i], &id) == PH_OK;
        ph_db_array_i32(&arrays[NUMBERS], (int32_t)i);
        if (is_id)
            ph_db_array_id(&arrays[IDS], id);
        else
            ph_db_array_null(&arrays[IDS]);
        ph_db_array_str(&arrays[UIDS], is_id ? PH_STR_NONE : v[i]);
    }
    for (int i = 0; i < ARRAYS; i++)
        ph_db_add_array(req, &arrays[i]);
}
