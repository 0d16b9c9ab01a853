/* What the files of keys and certificates share. */
#ifndef SIGN_PKEY_PRIVATE_H
#define SIGN_PKEY_PRIVATE_H

#include <openssl/evp.h>

#include "assay/pkey.h"

struct pkey {
    EVP_PKEY *evp;
    enum pkey_kind kind;
};

/* Takes ownership of `evp`, which may be NULL (an error). */
bool pkey_wrap(struct pkey **out, EVP_PKEY *evp, const char *path, struct err *e) ASSAY_MUST_CHECK;

#endif
