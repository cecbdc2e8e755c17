/* The fuzzer's bytes as a file, for readers that take a path. It lies in memory alone. */
#ifndef LORAC_INPUT_FILE_H
#define LORAC_INPUT_FILE_H

#include <stddef.h>
#include <stdint.h>

/* The path of a file with this content, which stands until the next call. */
const char *input_file(const uint8_t *data, size_t size);

#endif
