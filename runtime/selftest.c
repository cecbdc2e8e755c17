/* selftest: every kernel of the chosen instruction set against its reference, as a table. */
#include "commands.h"
#include "machine.h"
#include "threads.h"

#include <stdio.h>

struct tally {
    int checked, failed;
};

static void print_line(void *context, const struct selftest_line *line)
{
    struct tally *tally = context;
    bool passed = line->error <= 1; /* NaN fails */
    tally->checked++;
    tally->failed += !passed;
    printf("%-28s %-32s %10.3g %10.2g  %s\n", line->kernel, line->shape, line->error * line->limit, line->limit,
           passed ? "ok" : "FAILED");
}

int command_selftest(const struct options *options, struct error *err)
{
    struct tally tally = {0, 0};
    const int threads = threads_use(options).threads;
    const struct backend *backend = backend_choose(options, err);
    if (!backend)
        return err->exit_code;
    printf("%s, %d thread%s\n", backend->name, threads, threads == 1 ? "" : "s");
    printf("%-28s %-32s %10s %10s\n", "kernel", "shape", "error", "limit");
    int failed = backend->selftest(threads, print_line, &tally);
    printf("%d checked, %d failed\n", tally.checked, tally.failed);
    if (failed == 0 && tally.failed == 0 && tally.checked > 0)
        return EXIT_DONE;
    error_set(err, "selftest: %d of %d checks failed on %s", tally.failed > failed ? tally.failed : failed,
              tally.checked, backend->name);
    return err->exit_code;
}
