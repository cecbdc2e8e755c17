/* Philox4x32-10 against the known answers of Random123 (file kat_vectors of its distribution). */
#include "philox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void check(uint64_t key, const uint32_t counter[4], const uint32_t expected[4])
{
    uint32_t found[4];
    philox(found, key, counter);
    for (int i = 0; i < 4; i++)
        assert_int_equal(found[i], expected[i]);
}

static void zeros(void **state)
{
    (void)state;
    check(0, (const uint32_t[]){0, 0, 0, 0}, (const uint32_t[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
}

static void ones(void **state)
{
    (void)state;
    check(UINT64_MAX, (const uint32_t[]){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
          (const uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
}

static void digits_of_pi(void **state)
{
    (void)state;
    check(0x299f31d0a4093822u, (const uint32_t[]){0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
          (const uint32_t[]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(zeros), cmocka_unit_test(ones), cmocka_unit_test(digits_of_pi)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
