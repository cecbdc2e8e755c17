/* Mistakes found in a recipe or a template. They are collected, so that one run reports all of them, and nothing is written if
 * there is one. Also the list of strings that recipes use.
 */
#ifndef LORAC_MESSAGES_H
#define LORAC_MESSAGES_H

#include <stdio.h>

/* Owned strings in order; all zero is an empty list. */
struct string_list {
    char **items;
    int count;
};

void string_list_add(struct string_list *list, const char *text);
void string_list_free(struct string_list *list);

/* Each message begins with the place ("recipes/tiny.lua:7: ") and may go on over further, indented lines. */
struct messages {
    char **lines;
    int count;
};

/* Adds a message in printf format; one that is there already is not repeated. */
void message_add(struct messages *messages, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints them in the order of their line numbers (those without one first), then how many there are:
 * "lorac: 2 mistakes, nothing written". */
void messages_print(struct messages *messages, FILE *out);

void messages_free(struct messages *messages);

#endif
