/* The kernels of packed.h for blocks of 32 on avx512; nothing of their own. */
#include "numerics/lane.h"

#if NUMERICS_X86
#include "numerics/vec_avx512.h"

#define PACKED_BLOCK 32
#define PACKED_KERNEL(name) name##_avx512
#include "numerics/packed.h"
#endif
