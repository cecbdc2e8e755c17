#include "fake_tokenizer.h"

#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fake_file_write(const char *directory, const char *name, const char *text)
{
    char *path = format_text("%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    CHECK(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

void fake_tokenizer_write(const char *directory)
{
    static const char *const special[] = {"<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"};
    char added[1024] = "", vocabulary[4096] = "";
    for (int i = 0; i < 5; i++) {
        char entry[200];
        snprintf(entry, sizeof entry,
                 "%s{\"id\":%d,\"content\":\"%s\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
                 "\"normalized\":false,\"special\":true}",
                 i ? "," : "", i, special[i]);
        strcat(added, entry);
        snprintf(entry, sizeof entry, "%s\"%s\":%d", i ? "," : "", special[i], i);
        strcat(vocabulary, entry);
    }
    for (int c = 5; c < FAKE_TOKENS; c++) {
        char entry[32];
        snprintf(entry, sizeof entry, ",\"\\u%04x\":%d", c, c);
        strcat(vocabulary, entry);
    }
    char *json = format_text(
        "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[%s],\"normalizer\":null,"
        "\"pre_tokenizer\":null,\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{"
        "\"id\":"
        "\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[{\"Sequence\":{\"id\":\"A\","
        "\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],\"special_tokens\":{\"<s>\":{\"id\":\"<s>\","
        "\"ids\":[1],"
        "\"tokens\":[\"<s>\"]}}},\"decoder\":{\"type\":\"Fuse\"},\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_"
        "token\":\"<unk>\","
        "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":false,"
        "\"vocab\":{%s},\"merges\":[]}}",
        added, vocabulary);
    fake_file_write(directory, "tokenizer.json", json);
    fake_file_write(directory, "tokenizer_config.json", "{\"bos_token\":\"<s>\",\"eos_token\":\"</s>\"}");
    free(json);
}
