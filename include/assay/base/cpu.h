/* What the processor can do, asked in one place. */
#ifndef ASSAY_BASE_CPU_H
#define ASSAY_BASE_CPU_H

#include <stdbool.h>

/* Each has all of those before it. AVX2 is with FMA and F16C, AVX512 with F, BW, DQ and VL. */
enum cpu_level { CPU_PLAIN, CPU_AVX2, CPU_AVX512, CPU_AVX512_VNNI };

/* The same answer for the life of the process. */
enum cpu_level cpu_level(void);

/* Cores that this thread may run on (sched_getaffinity), at least 1. */
unsigned cpu_cores(void);
/* The core that this thread is on; -1 where the system does not say. */
int cpu_here(void);
/* Moves this thread to a core that is none of these n; afterwards it may run where it might before.
 * False when there is no other. */
bool cpu_leave(const int *cores, unsigned n);

#endif
