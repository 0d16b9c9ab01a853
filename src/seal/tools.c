/*
 * Cipher contexts that live as long as their thread. Between two uses they hold a key of
 * zeros, so that no key outlives its use in them.
 */
#include "seal/seal.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/err.h>

static EVP_CIPHER *gcm, *wrap, *block;
static pthread_key_t own;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool prepared;

static void tools_free(void *p)
{
    struct seal_tools *t = p;
    if (!t)
        return;
    EVP_CIPHER_CTX_free(t->gcm);
    EVP_CIPHER_CTX_free(t->wrap);
    EVP_CIPHER_CTX_free(t->block);
    free(t);
}

static void prepare(void)
{
    gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    wrap = EVP_CIPHER_fetch(NULL, "AES-256-WRAP", NULL);
    block = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
    prepared = gcm && wrap && block && pthread_key_create(&own, tools_free) == 0;
}

static EVP_CIPHER_CTX *context(const EVP_CIPHER *algorithm)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx)
        return NULL;
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_CipherInit_ex2(ctx, algorithm, NULL, NULL, 1, NULL) == 1)
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

struct seal_tools *seal_tools(void)
{
    static _Thread_local struct seal_tools *mine;
    if (mine)
        return mine;
    pthread_once(&once, prepare);
    struct seal_tools *t = prepared ? calloc(1, sizeof *t) : NULL;
    if (!t)
        return NULL;
    t->gcm = context(gcm);
    t->wrap = context(wrap);
    t->block = context(block);
    if (t->gcm && t->wrap && t->block && pthread_setspecific(own, t) == 0)
        mine = t;
    else
        tools_free(t);
    ERR_clear_error();
    return mine;
}

void seal_tool_forget(EVP_CIPHER_CTX *ctx)
{
    static const uint8_t zeros[SEAL_KEY];
    (void)EVP_CipherInit_ex2(ctx, NULL, zeros, NULL, -1, NULL);
    if (ERR_peek_error())
        ERR_clear_error();
}
