/* Unpacking: whatever is read before the end or a mistake fits where it is put; both end the reading. What is packed may be a
 * thousand times larger unpacked, so reading stops at 4 MiB. */
#include "data_stream.h"
#include "support/input_file.h"

#include <stdlib.h>

enum { MOST = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct data_stream stream;
    size_t step = size > 0 ? 1 + (size_t)data[size - 1] * 31 : 1, total = 0, got = 1;
    char *out = allocate(step, "what was unpacked");
    bool ok = data_stream_open(&stream, input_file(data, size), &err);
    while (ok && got > 0 && total < MOST) {
        ok = data_stream_read(&stream, out, step, &got, &err);
        CHECK(!ok || got <= step);
        total += got;
    }
    CHECK(ok || err.text[0]);
    CHECK(!ok || stream.unpacker || total == size);
    data_stream_close(&stream);
    free(out);
    return 0;
}
