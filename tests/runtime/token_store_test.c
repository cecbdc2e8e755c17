/* Words come back as they went in, wherever the border between memory and file lies. */
#include "token_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { WORDS = 3 << 20, MOST = 100 };

/* Pieces of 1 to 99 words, numbered through. */
static size_t fill(struct token_store *store, size_t wanted)
{
    uint32_t words[MOST];
    struct error err;
    while (store->count < wanted) {
        size_t count = 1 + store->count * 7 % (MOST - 1);
        for (size_t i = 0; i < count; i++)
            words[i] = (uint32_t)(store->count + i);
        assert_true(token_store_append(store, words, count, &err));
    }
    return store->count;
}

static void expect_words(const struct token_store *store, size_t first, size_t count)
{
    uint32_t words[MOST];
    struct error err;
    token_store_expect(store, first, count);
    assert_true(token_store_read(store, first, count, words, &err));
    for (size_t i = 0; i < count; i++)
        assert_true(words[i] == first + i);
}

static void reads_from_memory_and_file(void **state)
{
    (void)state;
    static const size_t limits[] = {0, 4, 1000, 5 << 20};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct token_store store = {.memory_limit = limits[i]};
        size_t count = fill(&store, limits[i] && limits[i] < 1 << 20 ? 3000 : WORDS);
        assert_int_equal(store.file != 0, limits[i] != 0);
        assert_int_equal(store.written == 0, limits[i] == 0);
        for (size_t first = 0; first + MOST <= count; first += 1 + count / 1000)
            expect_words(&store, first, MOST);
        expect_words(&store, count - MOST, MOST);
        expect_words(&store, count, 0);
        if (store.written > MOST / 2)
            expect_words(&store, store.written - MOST / 2, store.count - store.written < MOST / 2 ? MOST / 2 : MOST);
        token_store_free(&store);
    }
}

static void memory_is_given_back_once_there_is_a_file(void **state)
{
    (void)state;
    struct token_store store = {.memory_limit = 5 << 20};
    fill(&store, WORDS);
    assert_true(store.capacity * sizeof *store.words <= 4 << 20);
    assert_true(store.count - store.written <= store.capacity);
    token_store_free(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_from_memory_and_file),
        cmocka_unit_test(memory_is_given_back_once_there_is_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
