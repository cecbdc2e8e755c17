/* selftest: every kernel of this backend, at this program's sizes, against the double-precision references of the runtime. */
#ifndef LORAC_SELFTEST_H
#define LORAC_SELFTEST_H

#include "selftest_attention.h"
#include "selftest_check.h"
#include "selftest_matmul.h"
#include "selftest_ops.h"

/* Returns how many of the reported lines did not pass. */
static int selftest(int threads, selftest_report *report, void *context)
{
    struct selftest s = {.threads = threads, .report = report, .context = context};
    selftest_ops(&s);
    selftest_attention(&s);
    selftest_matmul(&s);
    return s.failed;
}

#endif
