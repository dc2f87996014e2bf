#include "posthorn/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct deferred {
    struct deferred *older;
    void (*free_fn)(void *);
    void *ptr;
};

static void die_of_memory(size_t bytes)
{
    fprintf(stderr, "out of memory (%zu bytes)\n", bytes);
    abort();
}

void *ph_malloc(size_t bytes)
{
    void *ptr = malloc(bytes > 0 ? bytes : 1);
    if (ptr == NULL)
        die_of_memory(bytes);
    return ptr;
}

void *ph_calloc(size_t n, size_t bytes)
{
    void *ptr = n > 0 && bytes > 0 ? calloc(n, bytes) : calloc(1, 1);
    if (ptr == NULL)
        die_of_memory(bytes);
    return ptr;
}

void *ph_realloc(void *ptr, size_t bytes)
{
    void *moved = realloc(ptr, bytes > 0 ? bytes : 1);
    if (moved == NULL)
        die_of_memory(bytes);
    return moved;
}

char *ph_strdup(const char *s)
{
    size_t bytes = strlen(s) + 1;
    return memcpy(ph_malloc(bytes), s, bytes);
}

#if PH_ARENA_MALLOC

struct ph_arena {
    struct deferred *newest;
    void **ptrs;
    size_t n, cap;
};

struct ph_arena *ph_arena_new(void)
{
    return ph_calloc(1, sizeof(struct ph_arena));
}

void *ph_arena_alloc(struct ph_arena *arena, size_t bytes)
{
    if (arena->n == arena->cap) {
        arena->cap = arena->cap > 0 ? arena->cap * 2 : 16;
        arena->ptrs = ph_realloc(arena->ptrs, arena->cap * sizeof(*arena->ptrs));
    }
    void *ptr = ph_calloc(1, bytes);
    arena->ptrs[arena->n++] = ptr;
    return ptr;
}

static void free_memory(struct ph_arena *arena)
{
    while (arena->n > 0)
        free(arena->ptrs[--arena->n]);
}

static void free_first(struct ph_arena *arena)
{
    free(arena->ptrs);
    free(arena);
}

#else

#define ALIGN       16
#define FIRST_BYTES 4096
#define CHUNK_MAX   65536

struct chunk {
    struct chunk *older;
    _Alignas(ALIGN) char bytes[];
};

/* The first chunk follows the struct in the same malloc, so that a small request costs one. */
struct ph_arena {
    char *pos, *end; /* the rest of the current chunk */
    struct chunk *newest_chunk;
    size_t next_bytes;
    struct deferred *newest;
    _Alignas(ALIGN) char first[];
};

static void rewind_to_first(struct ph_arena *arena)
{
    arena->pos = arena->first;
    arena->end = (char *)arena + FIRST_BYTES;
    arena->newest_chunk = NULL;
    arena->next_bytes = FIRST_BYTES * 2;
}

struct ph_arena *ph_arena_new(void)
{
    struct ph_arena *arena = ph_malloc(FIRST_BYTES);
    arena->newest = NULL;
    rewind_to_first(arena);
    return arena;
}

static struct chunk *add_chunk(struct ph_arena *arena, size_t bytes)
{
    struct chunk *chunk = ph_malloc(bytes);
    chunk->older = arena->newest_chunk;
    arena->newest_chunk = chunk;
    return chunk;
}

void *ph_arena_alloc(struct ph_arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        die_of_memory(bytes);
    size_t rounded = bytes > 0 ? (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
    if (rounded > (size_t)(arena->end - arena->pos)) {
        /* A big one gets a chunk of its own and leaves the current chunk to the small ones. */
        if (rounded > arena->next_bytes / 4)
            return memset(add_chunk(arena, sizeof(struct chunk) + rounded)->bytes, 0, bytes);
        struct chunk *chunk = add_chunk(arena, arena->next_bytes);
        arena->pos = chunk->bytes;
        arena->end = (char *)chunk + arena->next_bytes;
        if (arena->next_bytes < CHUNK_MAX)
            arena->next_bytes *= 2;
    }
    void *ptr = arena->pos;
    arena->pos += rounded;
    return memset(ptr, 0, bytes);
}

static void free_memory(struct ph_arena *arena)
{
    for (struct chunk *chunk = arena->newest_chunk, *older; chunk != NULL; chunk = older) {
        older = chunk->older;
        free(chunk);
    }
    rewind_to_first(arena);
}

static void free_first(struct ph_arena *arena)
{
    free(arena);
}

#endif

void ph_arena_reset(struct ph_arena *arena)
{
    /* A deferred function may still allocate and defer: memory goes after the last one. */
    while (arena->newest != NULL) {
        struct deferred *d = arena->newest;
        arena->newest = d->older;
        d->free_fn(d->ptr);
    }
    free_memory(arena);
}

void ph_arena_free(struct ph_arena *arena)
{
    if (arena == NULL)
        return;
    ph_arena_reset(arena);
    free_first(arena);
}

char *ph_arena_copy(struct ph_arena *arena, const void *ptr, size_t bytes)
{
    assert(bytes < SIZE_MAX);
    char *copy = ph_arena_alloc(arena, bytes + 1);
    if (bytes > 0)
        memcpy(copy, ptr, bytes);
    return copy;
}

char *ph_arena_strdup(struct ph_arena *arena, const char *s)
{
    return ph_arena_copy(arena, s, strlen(s));
}

char *ph_arena_printf(struct ph_arena *arena, const char *fmt, ...)
{
    assert(fmt != NULL);
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    assert(n >= 0);
    char *text = ph_arena_alloc(arena, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}

void ph_arena_defer(struct ph_arena *arena, void (*free_fn)(void *), void *ptr)
{
    struct deferred *d = ph_arena_new_of(arena, struct deferred);
    *d = (struct deferred){.older = arena->newest, .free_fn = free_fn, .ptr = ptr};
    arena->newest = d;
}
