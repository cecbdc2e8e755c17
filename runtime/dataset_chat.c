#include "dataset_encode.h"

#include <string.h>

/* With all tokens trained, only an assistant's turn has a span by which it can be left out. */
static bool check_excluded(const struct dataset_request *request, const struct chat_messages *dialogue,
                           const char *where, struct error *err)
{
    for (size_t i = 0; i < dialogue->count && !request->assistant_only_loss; i++) {
        if (dialogue->item[i].excluded && strcmp(dialogue->item[i].role, "assistant") != 0)
            return error_set(
                err,
                "%s: message %zu: without assistant_only_loss only an assistant's turn can be excluded from "
                "training, found role '%.40s'",
                where, i + 1, dialogue->item[i].role);
    }
    return true;
}

/* What stands behind the last trained token teaches nothing: attention looks back only. A sample without trained tokens stays whole,
 * for its lines in the report. */
static void drop_untrained_end(struct encoded *encoded)
{
    int count = encoded->count;
    while (count > 0 && encoded->labels[count - 1] == IGNORED_LABEL)
        count--;
    encoded->count = count > 0 ? count : encoded->count;
}

bool encode_chat(struct encoded *encoded, const struct dataset_request *request, const struct chat_messages *dialogue,
                 const char *where, struct error *err)
{
    struct ids ids = {0};
    struct chat_spans spans = {0};
    const struct chat_conversation conversation = chat_messages_conversation(dialogue);
    bool ok = chat_format_encode(request->chat, request->tokenizer, &conversation, false, &ids, &spans, err);
    size_t span = 0;
    for (size_t i = 0; ok && i < ids.count; i++) {
        while (span < spans.count && spans.item[span].end <= i)
            span++;
        bool inside = span < spans.count && spans.item[span].begin <= i;
        bool trained = inside ? !dialogue->item[spans.item[span].message].excluded : !request->assistant_only_loss;
        encoded_push(encoded, ids.id[i], trained ? ids.id[i] : IGNORED_LABEL);
    }
    drop_untrained_end(encoded);
    chat_spans_free(&spans);
    ids_free(&ids);
    return ok ? check_excluded(request, dialogue, where, err) : encode_at(where, err);
}
