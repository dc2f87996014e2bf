/*
 * What the stores of the aggregates share: lists by key, and parameters that are an id or a uid.
 *
 * A store function starts a statement and returns; its callback runs on the same loop, exactly once, never before the
 * function has returned. Slices in a result live until the callback returns. Everything else lives in the caller's arena,
 * which has to live until then.
 */
#ifndef POSTHORN_STORE_H
#define POSTHORN_STORE_H

#include "posthorn/db.h"
#include "posthorn/id.h"

/* Which part of a list ordered by id is wanted. */
struct ph_list {
    int64_t limit;
    bool descending;   /* the list's own order, in which items are always returned */
    bool backwards;    /* the items in front of `from` instead of those behind it */
    struct ph_id from; /* exclusive; zero: from the start (backwards: from the end) */
};

/* Rows that a list with filters looks at for one page, so that a filter that finds little costs no more; where each takes
 * several other look-ups. */
#define PH_LIST_WALK_MAX     10000
#define PH_LIST_WALK_MAX_FEW 2000

/* How a page ends. */
struct ph_list_end {
    bool done;              /* there is nothing more in this direction */
    bool backwards;         /* the direction: as in ph_list */
    struct ph_id walked_to; /* where the next page goes on; zero: behind this one's last item */
};

/* Whether the statement has to ask for ascending ids: "id > bound ORDER BY id", else "id < bound ORDER BY id DESC". */
bool ph_list_ascending(const struct ph_list *list);
/* The exclusive bound of that statement; `from`, or one that excludes nothing. */
struct ph_id ph_list_bound(const struct ph_list *list);
/* A statement asks for one row more than the limit: so many of `rows` are items. */
int ph_list_count(const struct ph_list *list, int rows);
/* Of a page of `count` items when `found` rows were found; col: walked_to, in every row. */
struct ph_list_end ph_list_ending(const struct ph_list *list, const PGresult *res, int col,
                                  int64_t found, int count);
/* There is nothing more in this direction. */
bool ph_list_done(const struct ph_list *list, int rows);
/* The row of item `i` of `count` items. */
int ph_list_row(const struct ph_list *list, int count, int i);

/*
 * Adds two parameters for an object that a path names by id or by uid: the id or NULL, and the uid or NULL. Statements find
 * it with  id = coalesce($1::uuid, (SELECT id FROM … WHERE … uid = $2::text)).
 */
void ph_store_add_key(struct ph_db_req *req, enum ph_id_kind kind, struct ph_str id_or_uid);
/* The same for many, of up to 256 characters: three arrays, of their numbers from 0 on, ids and uids. v NULL: three NULL. */
void ph_store_add_keys(struct ph_db_req *req, enum ph_id_kind kind, const struct ph_str *v,
                       size_t n);

#endif
