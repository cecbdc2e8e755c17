/* The items of a data file: every item lies within the file, in order, and is an object or is refused with its place. */
#include "dataset_reader.h"
#include "support/input_file.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct data_reader reader;
    struct data_item item;
    size_t end = 0;
    if (!data_reader_open(&reader, input_file(data, size), &err)) {
        CHECK(err.text[0]);
        return 0;
    }
    while (data_reader_next(&reader, &item, &err)) {
        CHECK(item.offset >= end && item.line >= 1);
        end = item.offset + item.size;
        CHECK(reader.stream.unpacker || (end <= size && memcmp(item.text, data + item.offset, item.size) == 0));
        cJSON *json = data_item_parse(&reader, &item, &err);
        CHECK(json ? cJSON_IsObject(json) : err.text[0] != '\0');
        cJSON_Delete(json);
    }
    data_reader_close(&reader);
    return 0;
}
