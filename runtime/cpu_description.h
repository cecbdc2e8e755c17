/* The processor in words, for files that hold what was measured on it. */
#ifndef LORAC_CPU_DESCRIPTION_H
#define LORAC_CPU_DESCRIPTION_H

/* "AMD EPYC 7763 64-Core Processor, caches of 32, 512 and 32768 KiB": the model as the system names it, and a core's data caches from the
 * first level on (0: not known). free() it. */
char *cpu_description(void);

#endif
