/* Memory for weights and activations: zeroed, page by page as it is touched, in huge pages where the system has them, since
 * products walk over more of it than the translation caches cover otherwise.
 */
#ifndef LORAC_LARGE_MEMORY_H
#define LORAC_LARGE_MEMORY_H

#include <stddef.h>

/* Cannot return NULL: it is out_of_memory (error.h) then. Free it with the same size. */
void *large_allocate(size_t size, const char *what);
void large_free(void *memory, size_t size); /* NULL is fine */

#endif
