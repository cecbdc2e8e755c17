#include "dataset_encode.h"

#include <stdlib.h>

bool encode_chat(struct encoded *encoded, const struct dataset_request *request, const struct dialogue *dialogue,
                 const char *where, struct error *err)
{
    struct ids ids = {0};
    struct chat_spans spans = {0};
    bool ok = chat_format_encode(request->chat, request->tokenizer, dialogue->turns, (size_t)dialogue->count, false,
                                 &ids, &spans, err);
    size_t span = 0;
    for (size_t i = 0; ok && i < ids.count; i++) {
        while (span < spans.count && spans.item[span].end <= i)
            span++;
        bool trained = !request->assistant_only_loss || (span < spans.count && spans.item[span].begin <= i);
        encoded_push(encoded, ids.id[i], trained ? ids.id[i] : IGNORED_LABEL);
    }
    chat_spans_free(&spans);
    ids_free(&ids);
    if (!ok) {
        char *text = format_text("%s: %s", where, err->text);
        error_set(err, "%s", text);
        free(text);
    }
    return ok;
}
