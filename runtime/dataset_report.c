#include "dataset_report.h"

#include "error.h"
#include "unicode.h"

#include <stdlib.h>
#include <string.h>

enum { BAR = 40 };

static int bin_of(int length)
{
    int bin = 0;
    while (bin < LENGTH_BINS - 1 && length > 1LL << bin)
        bin++;
    return bin;
}

void dataset_report_length(struct dataset_report *report, int length)
{
    report->longest = length > report->longest ? length : report->longest;
    report->lengths[bin_of(length)]++;
}

static void add(struct text_buffer *text, char *piece)
{
    text_buffer_append_string(text, piece);
    free(piece);
}

/* The text, NUL-terminated. */
static char *finish(struct text_buffer *text)
{
    text_buffer_append(text, "", 1);
    return text->data;
}

char *dataset_report_json(const struct dataset_report *report)
{
    struct text_buffer text = {0};
    add(&text, format_text("{\"samples\":%lld,\"tokens\":%lld,\"trained_tokens\":%lld,\"truncated\":%lld,"
                           "\"dropped\":%lld,\"longest\":%d,\"lengths\":[",
                           report->samples, report->tokens, report->trained, report->truncated, report->dropped,
                           report->longest));
    const char *separator = "";
    for (int bin = 0; bin < LENGTH_BINS; bin++) {
        if (report->lengths[bin] == 0)
            continue;
        add(&text, format_text("%s[%lld,%lld]", separator, 1LL << bin, report->lengths[bin]));
        separator = ",";
    }
    text_buffer_append_string(&text, "]}");
    return finish(&text);
}

/* A line for each power of two between the shortest and the longest sample. */
static void add_histogram(struct text_buffer *text, const struct dataset_report *report)
{
    long long most = 1;
    int first = LENGTH_BINS, last = bin_of(report->longest);
    for (int bin = LENGTH_BINS - 1; bin >= 0; bin--) {
        first = report->lengths[bin] > 0 ? bin : first;
        most = report->lengths[bin] > most ? report->lengths[bin] : most;
    }
    text_buffer_append_string(text, "up to tokens     samples\n");
    for (int bin = first; bin <= last; bin++) {
        char bar[BAR + 1];
        long long count = report->lengths[bin], length = (count * BAR + most - 1) / most;
        memset(bar, '#', BAR);
        bar[length] = '\0';
        add(text, format_text("%12lld %11lld%s%s\n", 1LL << bin, count, length ? "  " : "", bar));
    }
}

char *dataset_report_text(const struct dataset_report *report, int max_length)
{
    struct text_buffer text = {0};
    add(&text, format_text("kept %lld of %lld samples: %lld tokens, %lld of them trained\n", report->samples,
                           report->samples + report->dropped, report->tokens, report->trained));
    if (report->truncated > 0)
        add(&text, format_text("cut at max_length %d: %lld; the longest sample has %d tokens\n", max_length,
                               report->truncated, report->longest));
    if (report->dropped > 0)
        add(&text,
            format_text("dropped, without a token to train within max_length %d: %lld", max_length, report->dropped));
    if (report->cut_off > 0)
        add(&text, format_text(", of them %lld that had one behind it", report->cut_off));
    if (report->dropped > 0)
        text_buffer_append_string(&text, "\n");
    add_histogram(&text, report);
    return finish(&text);
}
