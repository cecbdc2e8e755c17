/* Files in a directory of their own, for readers that take a directory: a model's, an adapter's. */
#ifndef LORAC_INPUT_DIRECTORY_H
#define LORAC_INPUT_DIRECTORY_H

#include <stddef.h>
#include <stdint.h>

/* The directory, the same at every call; it is removed at the end of the run, with the files that input_directory_write put
 * there. */
const char *input_directory(void);

/* The file `name` of that directory has this content from now on. At most four names. */
void input_directory_write(const char *name, const uint8_t *data, size_t size);

#endif
