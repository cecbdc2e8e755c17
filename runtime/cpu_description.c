#define _DEFAULT_SOURCE
#include "cpu_description.h"

#include "error.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* What stands behind "model name" in /proc/cpuinfo; where there is no such line, as on ARM, the architecture. */
static void model_name(char *name, size_t size)
{
    struct utsname system;
    snprintf(name, size, "%s", uname(&system) == 0 ? system.machine : "unknown");
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[512];
    while (file && fgets(line, sizeof line, file)) {
        const char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) || !value)
            continue;
        value += 1 + strspn(value + 1, " ");
        snprintf(name, size, "%.*s", (int)strcspn(value, "\n"), value);
        break;
    }
    if (file)
        fclose(file);
}

static long cache_kib(int name)
{
    long bytes = sysconf(name);
    return bytes > 0 ? bytes / 1024 : 0;
}

char *cpu_description(void)
{
    char name[256];
    model_name(name, sizeof name);
    return format_text("%s, caches of %ld, %ld and %ld KiB", name, cache_kib(_SC_LEVEL1_DCACHE_SIZE),
                       cache_kib(_SC_LEVEL2_CACHE_SIZE), cache_kib(_SC_LEVEL3_CACHE_SIZE));
}
