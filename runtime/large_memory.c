#define _DEFAULT_SOURCE
#include "large_memory.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

void *large_allocate(size_t size, const char *what)
{
    void *memory = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        fprintf(stderr, "out of memory: %zu bytes wanted for %s\n", size, what);
        exit(EXIT_FAILED);
    }
    (void)madvise(memory, size, MADV_HUGEPAGE); /* a wish: where it is not granted all works the same */
    return memory;
}

void large_free(void *memory, size_t size)
{
    if (memory)
        munmap(memory, size ? size : 1);
}
