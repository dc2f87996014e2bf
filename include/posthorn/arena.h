/*
 * Arena: memory that lives as long as one request, attempt or tick and is given back at once.
 *
 * Owner: one thread at a time; no pointer into an arena crosses a thread. Out of memory aborts, so nothing here returns
 * NULL. In a sanitizer build (PH_ARENA_MALLOC) every allocation is a malloc of its own, so that overflow and use after
 * free are seen.
 */
#ifndef POSTHORN_ARENA_H
#define POSTHORN_ARENA_H

#include "posthorn/err.h"

#include <stddef.h>

struct ph_arena;

/* A new empty arena. Free with ph_arena_free. */
struct ph_arena *ph_arena_new(void);

/* Runs the deferred functions, newest first, then frees everything. NULL is allowed. */
void ph_arena_free(struct ph_arena *arena);

/* Like free and new, but keeps the first chunk for reuse. */
void ph_arena_reset(struct ph_arena *arena);

/* `bytes` of zeroed memory aligned to 16; bytes 0 gives a valid unique pointer. */
void *ph_arena_alloc(struct ph_arena *arena, size_t bytes);

/* A copy of `bytes` bytes with a NUL byte behind it. */
char *ph_arena_copy(struct ph_arena *arena, const void *ptr, size_t bytes);

/* A copy of a C string. */
char *ph_arena_strdup(struct ph_arena *arena, const char *s);

/* A formatted C string. */
char *ph_arena_printf(struct ph_arena *arena, const char *fmt, ...) PH_PRINTF(2, 3);

/* Ties a foreign object to the arena: free_fn(ptr) runs when the arena is freed or reset. */
void ph_arena_defer(struct ph_arena *arena, void (*free_fn)(void *), void *ptr);

#define ph_arena_new_of(arena, type) ((type *)ph_arena_alloc((arena), sizeof(type)))
#define ph_arena_array_of(arena, type, n)                                                          \
    ((type *)ph_arena_alloc((arena), (size_t)(n) * sizeof(type)))

/* malloc, calloc and realloc that abort when there is no memory: the only ones used outside the arena. */
void *ph_malloc(size_t bytes);
void *ph_calloc(size_t n, size_t bytes);
void *ph_realloc(void *ptr, size_t bytes);
char *ph_strdup(const char *s);

#endif
