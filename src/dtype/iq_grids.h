/* Private to src/dtype: the code books of the IQ types; iq_grids.c says more. */
#ifndef ASSAY_DTYPE_IQ_GRIDS_H
#define ASSAY_DTYPE_IQ_GRIDS_H

#include <stdint.h>

extern const uint16_t iq2_xxs_codes[256]; /* 8 x 2 bits: 8, 25, 43 */
extern const uint16_t iq2_xs_codes[512];  /* as iq2_xxs */
extern const uint16_t iq2_s_codes[1024];  /* as iq2_xxs */
extern const uint16_t iq3_xxs_codes[256]; /* 4 x 4 bits: 4, 12, 20, 28, 36, 44, 52, 62 */
extern const uint16_t iq3_s_codes[512];   /* 4 x 4 bits: 1, 3, 5, 7, 9, 11, 13, 15 */
extern const uint16_t iq1_codes[2048];    /* 8 x 2 bits: -1, 0, 1 */

#endif
