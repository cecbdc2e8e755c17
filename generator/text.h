/* Text that grows at its end. */
#ifndef LORAC_TEXT_H
#define LORAC_TEXT_H

#include <stddef.h>

/* All zero is the empty text. */
struct text {
    char *bytes; /* NULL, or `length` characters and a 0 */
    size_t length, capacity;
};

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_bytes(struct text *text, const char *bytes, size_t length);

/* With a comma between thousands: 260,032. */
void text_add_number(struct text *text, long long number);

/* Removes spaces at the end. */
void text_trim(struct text *text);

/* The text, never NULL (free() it); *text is empty again. */
char *text_take(struct text *text);

#endif
