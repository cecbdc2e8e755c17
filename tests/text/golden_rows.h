/* Rows of golden files: one JSON object a line, with strings, lists of ids and truth values. */
#ifndef LORAC_TEXT_GOLDEN_ROWS_H
#define LORAC_TEXT_GOLDEN_ROWS_H

#include "chat_format_messages.h"

#include <stdio.h>

/* Zero-initialize; golden_row_free. What a row does not have is empty. */
struct golden_row {
    struct text_buffer line, key;
    struct text_buffer text, decoded, plain;
    struct ids ids, bare;
    struct chat_messages messages;
    bool add_generation_prompt;
};

/* Reads the next line in place of the last; false at the end. A line that cannot be read fails the test. */
bool golden_row_read(FILE *file, struct golden_row *row);
void golden_row_free(struct golden_row *row);

/* Fails the test unless both are the same ids; `text` is shown. */
void assert_same_ids(const struct ids *found, const struct ids *wanted, const struct text_buffer *text);

/* Fails the test unless both are the same bytes. */
void assert_same_text(const struct text_buffer *found, const struct text_buffer *wanted);

#endif
