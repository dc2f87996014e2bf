/*
 * Doubly linked list of embedded links: the list's head is a link too, so that nothing is a special case. A zeroed link is
 * in no list.
 */
#ifndef POSTHORN_CORE_LIST_H
#define POSTHORN_CORE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct ph_link {
    struct ph_link *prev, *next;
};

static inline void ph_list_init(struct ph_link *head)
{
    head->prev = head->next = head;
}

static inline bool ph_list_is_empty(const struct ph_link *head)
{
    return head->next == head;
}

static inline bool ph_link_is_in(const struct ph_link *link)
{
    return link->next != NULL;
}

static inline void ph_list_add_last(struct ph_link *head, struct ph_link *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void ph_list_add_first(struct ph_link *head, struct ph_link *link)
{
    ph_list_add_last(head->next, link);
}

/* Nothing happens to a link that is in no list. */
static inline void ph_list_remove(struct ph_link *link)
{
    if (link->next == NULL)
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = NULL;
}

/* The first link, taken out; NULL when there is none. */
static inline struct ph_link *ph_list_take_first(struct ph_link *head)
{
    struct ph_link *first = head->next;
    if (first == head)
        return NULL;
    ph_list_remove(first);
    return first;
}

/* Moves everything from one list to another, which is empty. */
static inline void ph_list_move_all(struct ph_link *from, struct ph_link *to)
{
    ph_list_init(to);
    if (ph_list_is_empty(from))
        return;
    *to = *from;
    to->next->prev = to;
    to->prev->next = to;
    ph_list_init(from);
}

#endif
