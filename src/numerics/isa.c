/*
 * Which instructions are used, and the state of the floating-point unit. The
 * choice is made once from what the processor has; tests and the environment
 * may ask for less, never for more.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/cpu.h"
#include "numerics/lane.h"

#if NUMERICS_X86
#include <immintrin.h>
#endif

static const char *const names[NUMERICS_ISAS] = {"scalar", "avx2", "avx512"};

static atomic_int limit = NUMERICS_AVX512;

static enum numerics_isa processor(void)
{
    enum cpu_level level = cpu_level();
    if (level == CPU_AVX512_VNNI)
        return NUMERICS_AVX512;
    return level >= CPU_AVX2 ? NUMERICS_AVX2 : NUMERICS_SCALAR;
}

static enum numerics_isa allowed(void)
{
    enum numerics_isa here = processor();
    const char *wanted = getenv("ASSAY_ISA");
    for (int i = 0; wanted != NULL && i < (int)here; i++) {
        if (strcmp(wanted, names[i]) == 0)
            return (enum numerics_isa)i;
    }
    return here;
}

enum numerics_isa numerics_isa(void)
{
    static atomic_int known = -1; /* the answer is the same whoever asks first */
    int here = atomic_load_explicit(&known, memory_order_relaxed);
    if (here < 0) {
        here = (int)allowed();
        atomic_store_explicit(&known, here, memory_order_relaxed);
    }
    int most = atomic_load_explicit(&limit, memory_order_relaxed);
    return (enum numerics_isa)(here < most ? here : most);
}

void numerics_limit(enum numerics_isa highest)
{
    atomic_store(&limit, (int)highest);
}

const char *numerics_isa_name(enum numerics_isa isa)
{
    return (unsigned)isa < NUMERICS_ISAS ? names[isa] : "?";
}

/* MXCSR 0x1f80: exceptions masked, nearest even, FTZ and DAZ off; FPCR 0 is the same on arm64. */
void numerics_thread(void)
{
#if NUMERICS_X86
    _mm_setcsr(0x1f80);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
#endif
}
