#define _DEFAULT_SOURCE
#include "large_memory.h"
#include "error.h"

#include <sys/mman.h>

void *large_allocate(size_t size, const char *what)
{
    void *memory = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        out_of_memory(size, what);
    (void)madvise(memory, size, MADV_HUGEPAGE); /* a wish: where it is not granted all works the same */
    return memory;
}

void large_free(void *memory, size_t size)
{
    if (memory)
        munmap(memory, size ? size : 1);
}
