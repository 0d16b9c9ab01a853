/*
 * Ed25519 verification with one verdict per signature. OpenSSL refuses S >= L
 * and compares R as bytes (cofactorless, so a non-canonical R fails); it
 * accepts public keys that are not canonical or of small order, for which
 * others disagree or anything verifies: those are refused here first.
 */
#include "assay/sign.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

/* y of the points of order 1, 2, 4 and 8 (two), little-endian, sign bit clear. */
static const uint8_t small_order[5][SIGN_PUBLIC] = {
    {1},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

/* y < p = 2^255 - 19 (RFC 8032 section 5.1.3, step 1). */
static bool canonical(const uint8_t y[SIGN_PUBLIC])
{
    if (y[0] < 0xed || y[SIGN_PUBLIC - 1] != 0x7f)
        return true;
    for (size_t i = 1; i < SIGN_PUBLIC - 1; i++)
        if (y[i] != 0xff)
            return true;
    return false;
}

static bool acceptable(const struct sign_public *k)
{
    uint8_t y[SIGN_PUBLIC];
    memcpy(y, k->b, sizeof y);
    y[SIGN_PUBLIC - 1] &= 0x7f;
    for (size_t i = 0; i < sizeof small_order / sizeof *small_order; i++)
        if (memcmp(y, small_order[i], sizeof y) == 0)
            return false;
    return canonical(y);
}

bool sign_verify(const struct sign_public *k, struct span message,
                 const uint8_t signature[SIGN_SIGNATURE])
{
    if (!acceptable(k))
        return false;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->b, SIGN_PUBLIC);
    EVP_MD_CTX *ctx = pkey ? EVP_MD_CTX_new() : NULL;
    bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
              EVP_DigestVerify(ctx, signature, SIGN_SIGNATURE, message.p, message.n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return ok;
}
