/* The kernels of packed.h for blocks of 256 on avx2; nothing of their own. */
#include "numerics/lane.h"

#if NUMERICS_X86
#include "numerics/vec_avx2.h"

#define PACKED_BLOCK 256
#define PACKED_KERNEL(name) name##_avx2
#include "numerics/packed.h"
#endif
