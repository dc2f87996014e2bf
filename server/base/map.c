#include "posthorn/map.h"

#include "posthorn/arena.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_BUCKETS 64

void ph_map_free(struct ph_map *map)
{
    free(map->buckets);
    *map = (struct ph_map){NULL, 0, 0};
}

static struct ph_map_node **bucket_of(const struct ph_map *map, uint64_t hash)
{
    return &map->buckets[hash & (map->n_buckets - 1)];
}

static void grow(struct ph_map *map)
{
    struct ph_map bigger = {.n_buckets = map->n_buckets ? map->n_buckets * 2 : FIRST_BUCKETS};

    bigger.buckets = ph_calloc(bigger.n_buckets, sizeof *bigger.buckets);
    for (size_t i = 0; i < map->n_buckets; i++) {
        struct ph_map_node *node = map->buckets[i];
        while (node) {
            struct ph_map_node *next = node->next, **to = bucket_of(&bigger, node->hash);
            node->next = *to;
            *to = node;
            node = next;
        }
    }
    bigger.count = map->count;
    free(map->buckets);
    *map = bigger;
}

void ph_map_add(struct ph_map *map, struct ph_map_node *node, uint64_t hash)
{
    if (map->count >= map->n_buckets)
        grow(map);
    struct ph_map_node **to = bucket_of(map, hash);
    node->hash = hash;
    node->next = *to;
    *to = node;
    map->count++;
}

void ph_map_remove(struct ph_map *map, struct ph_map_node *node)
{
    struct ph_map_node **at = bucket_of(map, node->hash);

    while (*at != node) {
        assert(*at);
        at = &(*at)->next;
    }
    *at = node->next;
    node->next = NULL;
    map->count--;
}

static struct ph_map_node *with_hash(struct ph_map_node *node, uint64_t hash)
{
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct ph_map_node *ph_map_first(const struct ph_map *map, uint64_t hash)
{
    return map->count ? with_hash(*bucket_of(map, hash), hash) : NULL;
}

struct ph_map_node *ph_map_next(const struct ph_map_node *node)
{
    return with_hash(node->next, node->hash);
}

struct ph_map_node *ph_map_take_all(struct ph_map *map)
{
    struct ph_map_node *all = NULL;

    for (size_t i = 0; i < map->n_buckets; i++) {
        while (map->buckets[i]) {
            struct ph_map_node *node = map->buckets[i];
            map->buckets[i] = node->next;
            node->next = all;
            all = node;
        }
    }
    map->count = 0;
    return all;
}

void ph_map_each(struct ph_map *map, void (*visit)(struct ph_map_node *node, void *ctx), void *ctx)
{
    for (size_t i = 0; i < map->n_buckets; i++) {
        struct ph_map_node *node = map->buckets[i];
        while (node) {
            struct ph_map_node *next = node->next;
            visit(node, ctx);
            node = next;
        }
    }
}
