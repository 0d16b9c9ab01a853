/* CPUID, with what the operating system saves (__builtin_cpu_supports looks at both); cores. */
#include "assay/base/cpu.h"

#include <sched.h>
#include <stdatomic.h>

#if defined(__x86_64__)
#include <cpuid.h>

static enum cpu_level ask(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    bool f16c = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C) != 0;
    if (!f16c || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return CPU_PLAIN;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return CPU_AVX2;
    return __builtin_cpu_supports("avx512vnni") ? CPU_AVX512_VNNI : CPU_AVX512;
}
#else
static enum cpu_level ask(void)
{
    return CPU_PLAIN;
}
#endif

enum cpu_level cpu_level(void)
{
    static atomic_int known = -1; /* the answer is the same whoever asks first */
    int here = atomic_load_explicit(&known, memory_order_relaxed);
    if (here < 0) {
        here = (int)ask();
        atomic_store_explicit(&known, here, memory_order_relaxed);
    }
    return (enum cpu_level)here;
}

unsigned cpu_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}

int cpu_here(void)
{
    return sched_getcpu();
}

bool cpu_leave(const int *cores, unsigned n)
{
    cpu_set_t all, others;
    CPU_ZERO(&all);
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return false;
    others = all;
    for (unsigned i = 0; i < n; i++) {
        if (cores[i] >= 0 && cores[i] < CPU_SETSIZE)
            CPU_CLR((size_t)cores[i], &others);
    }
    if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0)
        return false;
    return sched_setaffinity(0, sizeof all, &all) == 0;
}
