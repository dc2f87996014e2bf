/*
 * Hash map of embedded nodes, chained, growing. The caller hashes and compares; one thread at a time.
 */
#ifndef POSTHORN_MAP_H
#define POSTHORN_MAP_H

#include <stddef.h>
#include <stdint.h>

struct ph_map_node {
    struct ph_map_node *next;
    uint64_t hash;
};

/* Zero-initialised is an empty map. */
struct ph_map {
    struct ph_map_node **buckets;
    size_t n_buckets, count;
};

/* Frees the table, not the nodes. */
void ph_map_free(struct ph_map *map);
void ph_map_add(struct ph_map *map, struct ph_map_node *node, uint64_t hash);
/* The node must be in the map. */
void ph_map_remove(struct ph_map *map, struct ph_map_node *node);
/* Nodes with this hash: first, then the next after one; NULL at the end. */
struct ph_map_node *ph_map_first(const struct ph_map *map, uint64_t hash);
struct ph_map_node *ph_map_next(const struct ph_map_node *node);
/* Takes every node out, linked by next, in no order. */
struct ph_map_node *ph_map_take_all(struct ph_map *map);
/* Calls visit for every node; visit may remove the node it is given, no other. */
void ph_map_each(struct ph_map *map, void (*visit)(struct ph_map_node *node, void *ctx), void *ctx);

#endif
