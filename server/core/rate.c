#include "posthorn/rate.h"

#include "posthorn/arena.h"
#include "posthorn/map.h"
#include "posthorn/queue.h"

#include <pthread.h>
#include <stdlib.h>

#define SECOND_NS INT64_C(1000000000)

bool ph_rate_take(struct ph_rate *rate, int32_t per_second, int64_t now_ns,
                  struct ph_rate_state *state)
{
    int64_t each_ns = SECOND_NS / per_second;
    int64_t spent_ns = atomic_load_explicit(&rate->spent_until_ns, memory_order_relaxed), next_ns;

    do {
        next_ns = (spent_ns > now_ns ? spent_ns : now_ns) + each_ns;
        if (next_ns > now_ns + SECOND_NS) {
            state->left = 0;
            state->full_in_ms = (spent_ns - now_ns + 999999) / 1000000;
            state->retry_in_ms = (next_ns - now_ns - SECOND_NS + 999999) / 1000000;
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&rate->spent_until_ns, &spent_ns, next_ns,
                                                    memory_order_relaxed, memory_order_relaxed));
    state->left = (now_ns + SECOND_NS - next_ns) / each_ns;
    state->full_in_ms = (next_ns - now_ns + 999999) / 1000000;
    state->retry_in_ms = 0;
    return true;
}

struct entry {
    struct ph_map_node node;
    struct ph_id id;
    struct ph_rate rates[PH_RATE_CLASSES];
};

struct ph_rate_table {
    pthread_mutex_t lock;
    struct ph_map entries;
};

struct ph_rate_table *ph_rate_table_new(void)
{
    struct ph_rate_table *table = ph_calloc(1, sizeof(*table));

    pthread_mutex_init(&table->lock, NULL);
    return table;
}

void ph_rate_table_free(struct ph_rate_table *table)
{
    struct ph_map_node *node, *next;

    if (!table)
        return;
    for (node = ph_map_take_all(&table->entries); node; node = next) {
        next = node->next;
        free(ph_container_of(node, struct entry, node));
    }
    ph_map_free(&table->entries);
    pthread_mutex_destroy(&table->lock);
    free(table);
}

static struct entry *find(struct ph_rate_table *table, struct ph_id id)
{
    struct ph_map_node *node = ph_map_first(&table->entries, ph_id_hash(id));

    for (; node; node = ph_map_next(node)) {
        struct entry *entry = ph_container_of(node, struct entry, node);
        if (ph_id_eq(entry->id, id))
            return entry;
    }
    return NULL;
}

struct ph_rate *ph_rate_table_get(struct ph_rate_table *table, struct ph_id id)
{
    struct entry *entry;

    pthread_mutex_lock(&table->lock);
    entry = find(table, id);
    if (!entry) {
        entry = ph_calloc(1, sizeof(*entry));
        entry->id = id;
        ph_map_add(&table->entries, &entry->node, ph_id_hash(id));
    }
    pthread_mutex_unlock(&table->lock);
    return entry->rates;
}
