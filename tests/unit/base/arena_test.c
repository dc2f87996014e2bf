#include "posthorn/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* Small ones, and those at which a chunk (4 to 64 KiB, with or without its header) is just filled. */
static const size_t sizes[] = {0,    1,    15,    16,    17,    100,   1000,  3000,  4096,  5000,
                               8176, 8192, 16384, 20000, 32768, 65520, 65536, 70000, 300000};

#define N_SIZES  (sizeof(sizes) / sizeof(sizes[0]))
#define N_ROUNDS 20

static bool is_filled(const unsigned char *ptr, size_t bytes, unsigned char with)
{
    for (size_t i = 0; i < bytes; i++) {
        if (ptr[i] != with)
            return false;
    }
    return true;
}

/* Every block is aligned, zeroed and its own: later allocations must not disturb what was written into it. */
static void use_heavily(struct ph_arena *arena)
{
    unsigned char *blocks[N_ROUNDS * N_SIZES];
    size_t n = 0;
    for (int round = 0; round < N_ROUNDS; round++) {
        for (size_t i = 0; i < N_SIZES; i++, n++) {
            blocks[n] = ph_arena_alloc(arena, sizes[i]);
            assert_int_equal((uintptr_t)blocks[n] % 16, 0);
            assert_true(is_filled(blocks[n], sizes[i], 0));
            memset(blocks[n], (int)(n % 251) + 1, sizes[i]);
        }
    }
    for (size_t b = 0; b < n; b++)
        assert_true(is_filled(blocks[b], sizes[b % N_SIZES], (unsigned char)(b % 251 + 1)));
}

static void test_blocks_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct ph_arena *arena = ph_arena_new();
    use_heavily(arena);
    ph_arena_free(arena);
}

static void test_memory_is_zeroed_again_after_reset(void **state)
{
    (void)state;
    struct ph_arena *arena = ph_arena_new();
    for (int i = 0; i < 3; i++) {
        use_heavily(arena);
        ph_arena_reset(arena);
    }
    ph_arena_free(arena);
}

static void test_empty_blocks_differ(void **state)
{
    (void)state;
    struct ph_arena *arena = ph_arena_new();
    void *a = ph_arena_alloc(arena, 0), *b = ph_arena_alloc(arena, 0);
    assert_non_null(a);
    assert_ptr_not_equal(a, b);
    ph_arena_free(arena);
}

static void test_text_is_copied_with_a_nul(void **state)
{
    (void)state;
    struct ph_arena *arena = ph_arena_new();
    char source[] = "abc\0def";
    char *copy = ph_arena_copy(arena, source, 7);
    source[0] = 'X';
    assert_memory_equal(copy, "abc\0def\0", 8);
    assert_string_equal(ph_arena_copy(arena, NULL, 0), "");
    assert_string_equal(ph_arena_strdup(arena, "posthorn"), "posthorn");
    assert_string_equal(ph_arena_printf(arena, "%d-%s", 42, "x"), "42-x");
    assert_int_equal(strlen(ph_arena_printf(arena, "%9000d", 1)), 9000);
    ph_arena_free(arena);
}

/* What the deferred functions did, in order. */
static struct {
    char names[16];
    size_t n;
} calls;

static void note(void *ptr)
{
    calls.names[calls.n++] = *(char *)ptr;
}

static void test_deferred_run_newest_first_at_reset_and_free(void **state)
{
    (void)state;
    memset(&calls, 0, sizeof(calls));
    struct ph_arena *arena = ph_arena_new();
    /* The deferred object may itself live in the arena. */
    ph_arena_defer(arena, note, ph_arena_strdup(arena, "a"));
    ph_arena_defer(arena, note, ph_arena_strdup(arena, "b"));
    ph_arena_reset(arena);
    assert_string_equal(calls.names, "ba");
    ph_arena_defer(arena, note, ph_arena_strdup(arena, "c"));
    assert_string_equal(calls.names, "ba");
    ph_arena_free(arena);
    assert_string_equal(calls.names, "bac");
    ph_arena_free(NULL);
}

static struct ph_arena *late_arena;

static void defer_more(void *ptr)
{
    ph_arena_defer(late_arena, note, ph_arena_strdup(late_arena, ptr));
}

static void test_deferred_function_may_defer_another(void **state)
{
    (void)state;
    memset(&calls, 0, sizeof(calls));
    late_arena = ph_arena_new();
    char z[] = "z";
    ph_arena_defer(late_arena, defer_more, z);
    ph_arena_free(late_arena);
    assert_string_equal(calls.names, "z");
}

#if !PH_ARENA_MALLOC
static void test_reset_reuses_the_first_chunk(void **state)
{
    (void)state;
    struct ph_arena *arena = ph_arena_new();
    void *first = ph_arena_alloc(arena, 100);
    use_heavily(arena);
    ph_arena_reset(arena);
    assert_ptr_equal(ph_arena_alloc(arena, 100), first);
    ph_arena_free(arena);
}

static void test_a_big_block_leaves_the_chunk_to_small_ones(void **state)
{
    (void)state;
    struct ph_arena *arena = ph_arena_new();
    char *before = ph_arena_alloc(arena, 16);
    ph_arena_alloc(arena, 100000);
    char *after = ph_arena_alloc(arena, 16);
    assert_ptr_equal(after, before + 16);
    ph_arena_free(arena);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_zeroed_aligned_and_apart),
        cmocka_unit_test(test_memory_is_zeroed_again_after_reset),
        cmocka_unit_test(test_empty_blocks_differ),
        cmocka_unit_test(test_text_is_copied_with_a_nul),
        cmocka_unit_test(test_deferred_run_newest_first_at_reset_and_free),
        cmocka_unit_test(test_deferred_function_may_defer_another),
#if !PH_ARENA_MALLOC
        cmocka_unit_test(test_reset_reuses_the_first_chunk),
        cmocka_unit_test(test_a_big_block_leaves_the_chunk_to_small_ones),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
