/* Errors that end a command: one line of text, and the exit code that goes with it.
 *
 * A function that can fail takes a `struct error *` last and returns bool (or a pointer, NULL on failure). It fills the error
 * once, with a message a user can act on: where, what was expected, what was found, what to do. The command prints it and
 * exits; nothing below the command prints or exits. Programmer's mistakes are CHECKed instead, and abort.
 */
#ifndef LORAC_ERROR_H
#define LORAC_ERROR_H

#include <stdbool.h>
#include <stddef.h>

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

struct error {
    int exit_code;   /* EXIT_FAILED unless set by error_usage */
    char text[1024]; /* one line, no newline at its end; control characters in it have become '?' */
};

/* Fills *err (printf format, exit code EXIT_FAILED) and returns false, so that `return error_set(err, ...)` reads well. */
bool error_set(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a mistake on the command line: exit code EXIT_USAGE. */
bool error_usage(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What every allocator here does when there is no memory: prints what was wanted for `what` and exits 1. */
_Noreturn void out_of_memory(size_t size, const char *what);

/* malloc and realloc that cannot return NULL: it is out_of_memory then. Sizes in bytes;
 * the memory of allocate is zeroed. free() them. */
void *allocate(size_t size, const char *what);
void *reallocate(void *old, size_t size, const char *what);

/* printf into fresh memory (free() it). */
char *format_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Always on, in release builds too: for what can only be false through a bug in lorac itself. */
#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))
_Noreturn void check_failed(const char *condition, const char *file, int line);

#endif
