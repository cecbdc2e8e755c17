/* The items of a data file: every item lies within the file, in order, and is an object whose members lie within it, or is refused with its place. */
#include "dataset_reader.h"
#include "support/input_file.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct data_reader reader;
    struct data_item item;
    struct json_object object = {0};
    size_t end = 0;
    if (!data_reader_open(&reader, input_file(data, size), &err)) {
        CHECK(err.text[0]);
        return 0;
    }
    while (data_reader_next(&reader, &item, &err)) {
        CHECK(item.offset >= end && item.line >= 1);
        end = item.offset + item.size;
        CHECK(reader.stream.unpacker || (end <= size && memcmp(item.text, data + item.offset, item.size) == 0));
        bool ok = data_item_read(&reader, &item, &object, &err);
        CHECK(ok || err.text[0]);
        for (size_t i = 0; ok && i < object.count; i++)
            CHECK(object.member[i].value.text > item.text &&
                  object.member[i].value.text + object.member[i].value.length < item.text + item.size);
    }
    json_object_free(&object);
    data_reader_close(&reader);
    return 0;
}
