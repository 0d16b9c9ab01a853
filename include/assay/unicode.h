/*
 * What Unicode 16 says of code points, for splitting, normalising and casing
 * text the same way on every machine and in every locale.
 */
#ifndef ASSAY_UNICODE_H
#define ASSAY_UNICODE_H

#include "assay/base/bytes.h"

enum unicode_category { /* UAX 44, General_Category; numbers as in the tables */
                        UC_CN,
                        UC_LU,
                        UC_LL,
                        UC_LT,
                        UC_LM,
                        UC_LO,
                        UC_MN,
                        UC_MC,
                        UC_ME,
                        UC_ND,
                        UC_NL,
                        UC_NO,
                        UC_PC,
                        UC_PD,
                        UC_PS,
                        UC_PE,
                        UC_PI,
                        UC_PF,
                        UC_PO,
                        UC_SM,
                        UC_SC,
                        UC_SK,
                        UC_SO,
                        UC_ZS,
                        UC_ZL,
                        UC_ZP,
                        UC_CC,
                        UC_CF,
                        UC_CO,
                        UC_CS,
                        UC_COUNT
};

#define UC_BIT(c) (UINT32_C(1) << (c))
#define UC_LETTER (UC_BIT(UC_LU) | UC_BIT(UC_LL) | UC_BIT(UC_LT) | UC_BIT(UC_LM) | UC_BIT(UC_LO))
#define UC_MARK (UC_BIT(UC_MN) | UC_BIT(UC_MC) | UC_BIT(UC_ME))
#define UC_NUMBER (UC_BIT(UC_ND) | UC_BIT(UC_NL) | UC_BIT(UC_NO))
#define UC_PUNCTUATION                                                                             \
    (UC_BIT(UC_PC) | UC_BIT(UC_PD) | UC_BIT(UC_PS) | UC_BIT(UC_PE) | UC_BIT(UC_PI) |               \
     UC_BIT(UC_PF) | UC_BIT(UC_PO))
#define UC_SYMBOL (UC_BIT(UC_SM) | UC_BIT(UC_SC) | UC_BIT(UC_SK) | UC_BIT(UC_SO))
#define UC_SEPARATOR (UC_BIT(UC_ZS) | UC_BIT(UC_ZL) | UC_BIT(UC_ZP))
#define UC_OTHER (UC_BIT(UC_CC) | UC_BIT(UC_CF) | UC_BIT(UC_CO) | UC_BIT(UC_CS) | UC_BIT(UC_CN))

enum { UNICODE_END = 0x110000 };

enum unicode_category unicode_category(uint32_t code_point);
bool unicode_is_space(uint32_t code_point); /* White_Space */
uint32_t unicode_to_lower(uint32_t code_point);
/* The code points whose lower case this is; how many there are. */
enum { UNICODE_UPPER_MAX = 4 };
size_t unicode_from_lower(uint32_t out[UNICODE_UPPER_MAX], uint32_t code_point);

/* Decode the code point at p of text that is known to be UTF-8; *length is its bytes. */
static inline uint32_t unicode_at(const uint8_t *p, size_t *length)
{
    if (p[0] < 0x80) {
        *length = 1;
        return p[0];
    }
    if (p[0] < 0xE0) {
        *length = 2;
        return (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
    }
    if (p[0] < 0xF0) {
        *length = 3;
        return (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    }
    *length = 4;
    return (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
}

enum normal_form { NORMAL_NFC, NORMAL_NFD, NORMAL_NFKC, NORMAL_NFKD };
/* Append the text (UTF-8) in a normal form. */
void unicode_normalise(struct buf *out, struct span text, enum normal_form form);

#endif
