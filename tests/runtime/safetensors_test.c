/* safetensors: what is written comes back, PEFT's own files are reproduced byte for byte, hostile files get one clear line. */
#define _POSIX_C_SOURCE 200809L

#include "safetensors.h"

#include "dtype_convert.h"
#include "json_file.h"
#include "output_file.h"
#include "storage_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *directory;

static int set_up(void **state)
{
    (void)state;
    directory = fixture_directory();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_remove(directory);
    return 0;
}

/* A file of the header's length (its own unless given), the header and `data` zero bytes. */
static char *write_raw(const char *header, long long announced, size_t data)
{
    char *path = path_join(directory, "raw.safetensors");
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    unsigned long long length = announced >= 0 ? (unsigned long long)announced : strlen(header);
    for (int i = 0; i < 8; i++)
        fputc((int)(length >> 8 * i & 255), file);
    fputs(header, file);
    for (size_t i = 0; i < data; i++)
        fputc(0, file);
    fclose(file);
    return path;
}

static const struct hostile {
    const char *header;
    long long announced;
    size_t data;
    const char *message; /* behind "PATH: " */
} hostile[] = {
    {"", 0, 0, "no safetensors file: its header stops being a JSON object at byte 0"},
    {"{}", 1 << 20, 0, "no whole safetensors file: a header of 1048576 bytes is announced, the file has 10"},
    {"{}", 0x7fffffffffffffff, 0,
     "no whole safetensors file: a header of 9223372036854775807 bytes is announced, the file has 10"},
    {"{\"a\":", -1, 0, "no safetensors file: its header stops being a JSON object at byte 4"},
    {"[1]", -1, 0, "no safetensors file: its header stops being a JSON object at byte 3"},
    {"{} x", -1, 0, "no safetensors file: its header stops being a JSON object at byte 3"},
    {"{\"a\":3}", -1, 0, "tensor 'a': an object is expected in the header"},
    {"{\"\":{}}", -1, 0, "a tensor's name is empty or holds control characters"},
    {"{\"a\\nb\":{}}", -1, 0, "a tensor's name is empty or holds control characters"},
    {"{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", -1, 4, "tensor 'a': unknown dtype 'F31'"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", -1, 4, "tensor 'a': unknown dtype '(none)'"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", -1, 4, "tensor 'a': a shape is expected, there is none"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", -1, 4,
     "tensor 'a': its shape is no list of whole numbers of a possible size"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", -1, 4,
     "tensor 'a': its shape is no list of whole numbers of a possible size"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,4]}}", -1, 4,
     "tensor 'a': its shape is no list of whole numbers of a possible size"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", -1, 4,
     "tensor 'a' has more than 8 dimensions"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", -1, 4, "tensor 'a': data_offsets [begin, end] are expected"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", -1, 4,
     "tensor 'a': data_offsets [begin, end] are expected"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", -1, 4,
     "tensor 'a': data_offsets [begin, end] are expected"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,1e300]}}", -1, 4,
     "tensor 'a': data_offsets [begin, end] are expected"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", -1, 4,
     "tensor 'a' ends at byte 8 of the data, but the file has only 4: truncated or broken"},
    {"{\"a\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[0,8]}}", -1, 8,
     "tensor 'a': BF16 [2, 3] takes 12 bytes, its data_offsets give it 8"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", -1, 7, "the last 3 bytes belong to no tensor"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],"
     "\"data_offsets\":[2,6]}}",
     -1, 6, "tensor 'b' overlaps 'a'"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],"
     "\"data_offsets\":[8,12]}}",
     -1, 12, "4 bytes before tensor 'b' belong to no tensor"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],"
     "\"data_offsets\":[4,8]}}",
     -1, 8, "tensor 'a' appears twice"},
};

static void hostile_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        struct error err = {0};
        char *path = write_raw(hostile[i].header, hostile[i].announced, hostile[i].data);
        char *expected = format_text("%s: %s", path, hostile[i].message);
        assert_null(weight_files_open_one(path, &err));
        assert_string_equal(err.text, expected);
        assert_int_equal(err.exit_code, EXIT_FAILED);
        free(expected);
        free(path);
    }
}

/* However a good file is cut off, it is refused. */
static void every_truncation(void **state)
{
    (void)state;
    size_t size;
    struct error err;
    char *whole =
        read_whole_file(LORAC_HOME "/tests/data/cases/llama_dora/init_adapter/adapter_model.safetensors", &size, &err);
    assert_non_null(whole);
    char *path = path_join(directory, "cut.safetensors");
    for (size_t keep = 0; keep < size; keep += keep < 3000 ? 7 : 1001) {
        assert_true(output_write_file(path, whole, keep, &err));
        assert_null(weight_files_open_one(path, &err));
        assert_memory_equal(err.text, path, strlen(path));
    }
    free(path);
    free(whole);
}

/* Reading all tensors of a file that PEFT wrote and writing them again gives the same bytes. */
static void same_bytes_as_peft(void **state)
{
    (void)state;
    struct error err = {0};
    static const char original[] = LORAC_HOME "/tests/data/cases/llama_dora/init_adapter/adapter_model.safetensors";
    struct weight_files *files = weight_files_open_one(original, &err);
    assert_non_null(files);
    int count = files->tensor_count;
    struct tensor_entry *entries = allocate((size_t)count * sizeof *entries, "a test");
    for (int i = 0; i < count; i++) {
        const struct safetensor *tensor = &files->tensors[count - 1 - i];
        entries[i] =
            tensor_entry(tensor->name, tensor->dtype, tensor->shape[0], tensor->dimensions == 2 ? tensor->shape[1] : 0);
    }
    safetensors_sort(entries, count);
    char *path = path_join(directory, "again.safetensors");
    struct safetensors_writer *writer = safetensors_create(path, entries, count, &err);
    assert_non_null(writer);
    for (int i = 0; i < count; i++) {
        const struct safetensor *tensor = weight_files_find(files, entries[i].name);
        char *data = allocate(tensor->bytes, "a test");
        assert_true(weight_files_read(files, tensor, 0, data, tensor->bytes, &err));
        safetensors_write(writer, data, tensor->bytes / 4 * 2);
        safetensors_write(writer, data + tensor->bytes / 4 * 2, tensor->bytes - tensor->bytes / 4 * 2);
        free(data);
    }
    assert_int_not_equal(access(path, F_OK), 0); /* not before it is whole */
    assert_true(safetensors_finish(writer, &err));
    fixture_assert_same_files(path, original);
    tensor_entries_free(entries, count);
    weight_files_close(files);
    free(path);
}

/* 16-bit tensors are widened in place, over more than one piece and from any element on. */
static void reads_floats_of_each_type(void **state)
{
    (void)state;
    enum { N = 4099 };
    static const enum dtype dtypes[] = {DTYPE_F32, DTYPE_BF16, DTYPE_F16};
    for (int d = 0; d < 3; d++) {
        struct error err = {0};
        static float values[N], found[N];
        static uint16_t bits[2 * N];
        for (int i = 0; i < N; i++)
            values[i] = (float)(i % 200) / 8 - 10; /* exact in all three types */
        convert_elements(bits, dtypes[d], values, DTYPE_F32, N);
        struct tensor_entry entry = tensor_entry("x", dtypes[d], N, 0);
        char *path = path_join(directory, "floats.safetensors");
        struct safetensors_writer *writer = safetensors_create(path, &entry, 1, &err);
        safetensors_write(writer, bits, tensor_entry_bytes(&entry));
        assert_true(safetensors_finish(writer, &err));
        struct weight_files *files = weight_files_open_one(path, &err);
        assert_non_null(files);
        assert_true(weight_files_read_floats(files, weight_files_find(files, "x"), 3, found, N - 3, &err));
        assert_memory_equal(found, values + 3, (N - 3) * sizeof *found);
        assert_null(weight_files_find(files, "y"));
        assert_int_equal((long)files->tensors[0].begin % 8, 0);
        weight_files_close(files);
        free(path);
        free(entry.name);
    }
}

static void write_text(const char *name, const char *text)
{
    struct error err = {0};
    char *path = path_join(directory, name);
    assert_true(output_write_file(path, text, strlen(text), &err));
    free(path);
}

static void write_shard(const char *name, const char *tensor)
{
    struct error err = {0};
    float value = 1;
    struct tensor_entry entry = tensor_entry(tensor, DTYPE_F32, 1, 0);
    char *path = path_join(directory, name);
    struct safetensors_writer *writer = safetensors_create(path, &entry, 1, &err);
    safetensors_write(writer, &value, sizeof value);
    assert_true(safetensors_finish(writer, &err));
    free(entry.name);
    free(path);
}

static void assert_directory_error(const char *message)
{
    struct error err = {0};
    char *expected = format_text("%s%s", directory, message);
    assert_null(weight_files_open(directory, &err));
    assert_string_equal(err.text, expected);
    free(expected);
}

static void shards(void **state)
{
    (void)state;
    struct error err = {0};
    static const char index_name[] = "model.safetensors.index.json";
    assert_directory_error(": model.safetensors or model.safetensors.index.json is expected, neither is there");
    write_text(index_name, "{\n\"weight_map\": oops}");
    assert_directory_error("/model.safetensors.index.json:2: not valid JSON from here on");
    write_text(index_name, "{}");
    assert_directory_error(
        "/model.safetensors.index.json: a \"weight_map\" from tensors to files is expected, there is none");
    write_text(index_name, "{\"weight_map\": {\"a\": \"../one.safetensors\"}}");
    assert_directory_error("/model.safetensors.index.json: weight_map: tensor 'a' names no file of this directory");
    write_text(index_name, "{\"weight_map\": {\"a\": \"one.safetensors\", \"b\": \"two.safetensors\"}}");
    write_shard("one.safetensors", "a");
    assert_directory_error("/two.safetensors: cannot be read: No such file or directory");
    write_shard("two.safetensors", "c");
    assert_directory_error("/two.safetensors: tensor 'b' is missing, model.safetensors.index.json says it lies here");
    write_shard("two.safetensors", "b");
    struct weight_files *files = weight_files_open(directory, &err);
    assert_non_null(files);
    assert_int_equal(files->file_count, 2);
    assert_int_equal(files->tensor_count, 2);
    weight_files_close(files);
    write_shard("two.safetensors", "a");
    char *expected = format_text("%s/", directory);
    assert_null(weight_files_open(directory, &err));
    assert_memory_equal(err.text, expected, strlen(expected));
    assert_non_null(strstr(err.text, "tensor 'a' appears twice, also in "));
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hostile_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_truncation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(same_bytes_as_peft, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_floats_of_each_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shards, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
