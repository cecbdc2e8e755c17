/* A tokenizer at the end of a pipe, for tokenizer_fuzz.py and tokenizer_bench.py to compare with another one.
 *
 *   tokenizer_pipe DIRECTORY          first writes {"load_ms": ..., "rss_kib": ...} and a newline, then answers requests until the
 *                                     end of the input; or one line of text that says why it cannot, exit 1
 *
 * A request is a letter, a length (uint32, in bytes) and so many bytes; the answer a length (uint32) and so many bytes:
 *   e, b   a text: its ids (int32 each), with (e) or without (b) the post-processor's tokens
 *   d, s   ids: their text, with (d) or without (s) special tokens; i: the same as d, decoded as a stream
 *   t      texts, each a length (uint32) and its bytes: the microseconds that encoding all of them took (uint64), their ids (uint64)
 *   m      nothing: the kibibytes that the process now has in memory (uint64)
 * A text that is refused answers with the length 0xFFFFFFFF, then a length and the message.
 */
#define _POSIX_C_SOURCE 200809L
#include "tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static uint64_t resident_kib(void)
{
    char line[128];
    unsigned long found = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            found = strtoul(line + 6, NULL, 10);
        }
    }
    if (file) {
        fclose(file);
    }
    return found;
}

static void answer(const void *bytes, size_t length)
{
    uint32_t size = (uint32_t)length;
    fwrite(&size, sizeof size, 1, stdout);
    fwrite(bytes, 1, length, stdout);
}

static void refuse(const struct error *err)
{
    const uint32_t mark = UINT32_MAX;
    fwrite(&mark, sizeof mark, 1, stdout);
    answer(err->text, strlen(err->text));
}

static void encode(struct tokenizer *tokenizer, const char *text, size_t length, bool special)
{
    struct ids ids = {0};
    struct error err;
    if (tokenizer_encode(tokenizer, text, length, special, &ids, &err)) {
        answer(ids.id, ids.count * sizeof *ids.id);
    } else {
        refuse(&err);
    }
    ids_free(&ids);
}

static void decode(struct tokenizer *tokenizer, char kind, const char *bytes, size_t length)
{
    struct ids ids = {0};
    struct text_buffer out = {0};
    struct token_stream stream = {0};
    for (size_t i = 0; i < length; i += sizeof(int32_t)) {
        int32_t id;
        memcpy(&id, bytes + i, sizeof id);
        ids_push(&ids, id, 0);
        if (kind == 'i') {
            tokenizer_stream_push(tokenizer, &stream, id, &out);
        }
    }
    if (kind == 'i') {
        tokenizer_stream_end(tokenizer, &stream, &out);
    } else {
        tokenizer_decode(tokenizer, ids.id, ids.count, kind == 's', &out);
    }
    answer(out.data, out.length);
    tokenizer_stream_free(&stream);
    text_buffer_free(&out);
    ids_free(&ids);
}

static void time_all(struct tokenizer *tokenizer, const char *bytes, size_t length)
{
    struct ids ids = {0};
    struct error err;
    uint64_t result[2] = {0};
    double start = seconds();
    for (size_t i = 0; i < length;) {
        uint32_t size;
        memcpy(&size, bytes + i, sizeof size);
        ids.count = 0;
        if (!tokenizer_encode(tokenizer, bytes + i + sizeof size, size, true, &ids, &err)) {
            refuse(&err);
            ids_free(&ids);
            return;
        }
        result[1] += ids.count;
        i += sizeof size + size;
    }
    result[0] = (uint64_t)(1e6 * (seconds() - start));
    answer(result, sizeof result);
    ids_free(&ids);
}

static bool serve(struct tokenizer *tokenizer)
{
    struct text_buffer request = {0};
    uint32_t length;
    int kind;
    while ((kind = getchar()) != EOF && fread(&length, sizeof length, 1, stdin) == 1) {
        request.length = 0;
        text_buffer_reserve(&request, (size_t)length + 1);
        if (fread(request.data, 1, length, stdin) != length) {
            break;
        }
        if (kind == 'e' || kind == 'b') {
            encode(tokenizer, request.data, length, kind == 'e');
        } else if (kind == 't') {
            time_all(tokenizer, request.data, length);
        } else if (kind == 'm') {
            answer(&(uint64_t){resident_kib()}, sizeof(uint64_t));
        } else {
            decode(tokenizer, (char)kind, request.data, length);
        }
        if (kind == 't' || kind == 'm') {
            fflush(stdout);
        }
    }
    text_buffer_free(&request);
    return kind == EOF && fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    struct error err;
    if (argc != 2) {
        fputs("usage: tokenizer_pipe DIRECTORY\n", stderr);
        return 2;
    }
    double start = seconds();
    struct tokenizer *tokenizer = tokenizer_load(argv[1], &err);
    if (!tokenizer) {
        puts(err.text);
        return 1;
    }
    printf("{\"load_ms\": %.1f, \"rss_kib\": %llu}\n", 1e3 * (seconds() - start), (unsigned long long)resident_kib());
    fflush(stdout);
    bool ok = serve(tokenizer);
    tokenizer_free(tokenizer);
    return ok ? 0 : 1;
}
