#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void fill(struct error *err, int exit_code, const char *format, va_list args)
{
    err->exit_code = exit_code;
    vsnprintf(err->text, sizeof err->text, format, args);
    for (char *c = err->text; *c; c++)
        *c = (unsigned char)*c < 0x20 || *c == 0x7f
                 ? '?'
                 : *c; /* what data and names bring along must not write on terminals */
}

bool error_set(struct error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, EXIT_FAILED, format, args);
    va_end(args);
    return false;
}

bool error_usage(struct error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, EXIT_USAGE, format, args);
    va_end(args);
    return false;
}

_Noreturn void out_of_memory(size_t size, const char *what)
{
    fprintf(stderr, "out of memory: %zu bytes wanted for %s\n", size, what);
    exit(EXIT_FAILED);
}

void *allocate(size_t size, const char *what)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory)
        out_of_memory(size, what);
    return memory;
}

void *reallocate(void *old, size_t size, const char *what)
{
    void *memory = realloc(old, size ? size : 1);
    if (!memory)
        out_of_memory(size, what);
    return memory;
}

char *format_text(const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(length >= 0);
    char *text = allocate((size_t)length + 1, "a message");
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

_Noreturn void check_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: bug in lorac: %s does not hold\n", file, line, condition);
    abort();
}
