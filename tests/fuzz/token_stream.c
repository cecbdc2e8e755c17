/* Any ids, decoded as they come: whole characters at a time, and together what decoding at once gives. The first byte says which
 * tokenizer, the second whether special tokens are skipped; then two bytes an id. Some ids beyond the vocabulary are among them.
 */
#include "support/encode_check.h"
#include "support/small_tokenizer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t count = size > 2 ? (size - 2) / 2 : 0;
    if (count == 0)
        return 0;
    struct tokenizer *tokenizer = small_tokenizer(data[0]);
    int32_t *ids = allocate(count * sizeof *ids, "ids");
    for (size_t i = 0; i < count; i++)
        ids[i] = (data[2 + 2 * i] << 8 | data[3 + 2 * i]) % (tokenizer_vocabulary_size(tokenizer) + 3);
    decode_check(tokenizer, ids, count, data[1] % 2);
    free(ids);
    return 0;
}
