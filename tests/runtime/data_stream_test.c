/* Data files compressed with gzip and zstd: the same text whatever the packing, and what is said of broken ones. */
#include "data_stream.h"
#include "dataset_reader.h"
#include "storage_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

struct fixture {
    char *directory, *path;
    unsigned char packed[1 << 16];
    size_t size;
    struct error err;
};

static int begin(void **state)
{
    struct fixture *f = allocate(sizeof *f, "a fixture");
    f->directory = fixture_directory();
    f->path = format_text("%s/data", f->directory);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    free(f->path);
    fixture_remove(f->directory);
    free(f);
    return 0;
}

static void add_gzip(struct fixture *f, const char *text, size_t size)
{
    z_stream gzip = {0};
    assert_int_equal(deflateInit2(&gzip, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    gzip.next_in = (Bytef *)(size_t)text;
    gzip.avail_in = (uInt)size;
    gzip.next_out = f->packed + f->size;
    gzip.avail_out = (uInt)(sizeof f->packed - f->size);
    assert_int_equal(deflate(&gzip, Z_FINISH), Z_STREAM_END);
    f->size += gzip.total_out;
    deflateEnd(&gzip);
}

static void add_zstd(struct fixture *f, const char *text, size_t size)
{
    size_t packed = ZSTD_compress(f->packed + f->size, sizeof f->packed - f->size, text, size, 3);
    assert_false(ZSTD_isError(packed));
    f->size += packed;
}

static void add_bytes(struct fixture *f, const char *bytes, size_t size)
{
    memcpy(f->packed + f->size, bytes, size);
    f->size += size;
}

static void save(const struct fixture *f, size_t size)
{
    FILE *file = fopen(f->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(f->packed, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Reads the first `size` bytes of what was packed, `step` bytes at a time; the text (free() it), or NULL and f->err. */
static char *unpacked(struct fixture *f, size_t size, size_t step)
{
    struct data_stream stream;
    size_t length = 0, got = 0;
    char *text = allocate((1 << 20) + step, "a text");
    save(f, size);
    bool ok = data_stream_open(&stream, f->path, &f->err);
    while (ok && (ok = data_stream_read(&stream, text + length, step, &got, &f->err)) && got > 0)
        length += got;
    data_stream_close(&stream);
    text[length] = '\0';
    if (ok)
        return text;
    free(text);
    return NULL;
}

static void expect_text(struct fixture *f, const char *expected)
{
    static const size_t steps[] = {1, 7, 1 << 16};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char *text = unpacked(f, f->size, steps[i]);
        if (!text)
            fail_msg("%s", f->err.text);
        assert_string_equal(text, expected);
        free(text);
    }
}

static void expect_mistake(struct fixture *f, size_t size, const char *expected)
{
    char *text = unpacked(f, size, 100), *message = format_text("%s: %s", f->path, expected);
    assert_null(text);
    assert_string_equal(f->err.text, message);
    free(message);
}

static void test_all_packings_give_the_text(void **state)
{
    struct fixture *f = *state;
    add_bytes(f, "one\n", 4);
    expect_text(f, "one\n");
    f->size = 0;
    add_gzip(f, "one\n", 4);
    expect_text(f, "one\n");
    f->size = 0;
    add_zstd(f, "one\n", 4);
    expect_text(f, "one\n");
}

static void test_members_and_frames_follow_each_other(void **state)
{
    struct fixture *f = *state;
    add_gzip(f, "one\n", 4);
    add_gzip(f, "", 0);
    add_gzip(f, "two\n", 4);
    add_bytes(f, "\0\0\0\0\0", 5);
    expect_text(f, "one\ntwo\n");
    f->size = 0;
    add_bytes(f, "\x50\x2a\x4d\x18\3\0\0\0abc", 11); /* a skippable frame */
    add_zstd(f, "one\n", 4);
    add_zstd(f, "", 0);
    add_zstd(f, "two\n", 4);
    expect_text(f, "one\ntwo\n");
}

static void test_what_ends_early_is_refused_at_every_length(void **state)
{
    struct fixture *f = *state;
    add_gzip(f, "some text", 9);
    for (size_t size = 2; size < f->size; size++)
        expect_mistake(f, size, "broken gzip data: it ends early; is the file truncated?");
    f->size = 0;
    add_zstd(f, "some text", 9);
    for (size_t size = 4; size < f->size; size++)
        expect_mistake(f, size, "broken zstd data: it ends early; is the file truncated?");
}

static void test_broken_data_is_refused(void **state)
{
    struct fixture *f = *state;
    add_gzip(f, "some text", 9);
    f->packed[f->size - 8] ^= 1;
    expect_mistake(f, f->size, "broken gzip data: incorrect data check");
    f->packed[f->size - 8] ^= 1;
    add_bytes(f, "more", 4);
    expect_mistake(f, f->size, "broken gzip data: incorrect header check");
    f->size = 0;
    add_zstd(f, "some text", 9);
    add_bytes(f, "more", 4);
    expect_mistake(f, f->size, "broken zstd data: Unknown frame descriptor");
}

static void test_other_packings_are_named(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *bytes, *name;
    } others[] = {
        {"BZh91AY&SY", "bzip2 data"},
        {"\xfd"
         "7zXZ",
         "xz data"},
        {"PK\3\4", "a zip archive"},
        {"PAR1\1\2", "a Parquet file"},
        {"ARROW1", "an Arrow file"},
        {"7z\xbc\xaf\x27\x1c", "a 7z archive"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        char *message = format_text("expected JSON, plain or compressed with gzip or zstd; found %s", others[i].name);
        f->size = 0;
        add_bytes(f, others[i].bytes, strlen(others[i].bytes));
        expect_mistake(f, f->size, message);
        free(message);
    }
}

/* Items that reach across the window and every chunk, of an array and of lines, know their place. */
static void test_items_are_found_across_windows(void **state)
{
    struct fixture *f = *state;
    enum { ITEMS = 6 };
    static const size_t lengths[ITEMS] = {5, 1 << 20, 17, 3 << 20, 0, 300000};
    for (int array = 0; array < 2; array++) {
        struct data_reader reader;
        struct data_item item;
        FILE *file = fopen(f->path, "wb");
        size_t offsets[ITEMS];
        fputs(array ? "[" : "", file);
        for (int i = 0; i < ITEMS; i++) {
            fputs(array && i ? ",\n" : i ? "\n" : "", file);
            offsets[i] = (size_t)ftell(file);
            fputs("{\"a\":\"\\\"],", file);
            for (size_t c = 0; c < lengths[i]; c++)
                putc('x', file);
            fputs("\"}", file);
        }
        fputs(array ? "]" : "", file);
        assert_int_equal(fclose(file), 0);
        assert_true(data_reader_open(&reader, f->path, &f->err));
        for (int i = 0; i < ITEMS; i++) {
            assert_true(data_reader_next(&reader, &item, &f->err));
            assert_int_equal(item.size, lengths[i] + 12);
            assert_int_equal(item.offset, offsets[i]);
            assert_int_equal(item.line, i + 1);
            assert_memory_equal(item.text + item.size - 2, "\"}", 2);
        }
        assert_false(data_reader_next(&reader, &item, &f->err));
        assert_string_equal(f->err.text, "");
        data_reader_close(&reader);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_packings_give_the_text),
        TEST(test_members_and_frames_follow_each_other),
        TEST(test_what_ends_early_is_refused_at_every_length),
        TEST(test_broken_data_is_refused),
        TEST(test_other_packings_are_named),
        TEST(test_items_are_found_across_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
