/*
 * TLS as the server offers it. Client certificates, where they are asked for, are
 * checked by OpenSSL against the authorities given; who they are is for the caller.
 */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

static bool fail(struct err *e, const char *file, const char *what)
{
    char words[200] = "";
    ERR_error_string_n(ERR_get_error(), words, sizeof words);
    ERR_clear_error();
    return err_at(e, ERR_CONFIG, file, ERR_NO_OFFSET, "%s: %s", what, words);
}

static int choose(SSL *ssl, const unsigned char **out, unsigned char *length,
                  const unsigned char *in, unsigned n, void *arg)
{
    static const unsigned char ours[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char *found = NULL;
    (void)ssl, (void)arg;
    if (SSL_select_next_proto(&found, length, ours, sizeof ours, in, n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = found;
    return SSL_TLSEXT_ERR_OK;
}

static bool load(SSL_CTX *ctx, const struct listener_tls *files, struct err *e)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, files->certificate) != 1)
        return fail(e, files->certificate, "cannot use this certificate");
    if (SSL_CTX_use_PrivateKey_file(ctx, files->key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return fail(e, files->key, "cannot use this key with the certificate");
    if (!files->client_ca)
        return true;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(files->client_ca);
    if (!names || SSL_CTX_load_verify_locations(ctx, files->client_ca, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return fail(e, files->client_ca, "cannot use these authorities");
    }
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return true;
}

bool tls_server(SSL_CTX **out, const struct listener_tls *files, struct err *e)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    *out = NULL;
    if (!ctx)
        return err_set(e, ERR_MEMORY, "out of memory for TLS");
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(ctx, choose, NULL);
    static const unsigned char session[] = "assay";
    SSL_CTX_set_session_id_context(ctx, session, sizeof session - 1);
    if (!load(ctx, files, e)) {
        SSL_CTX_free(ctx);
        return false;
    }
    *out = ctx;
    return true;
}

bool tls_peer_digest(const SSL *ssl, uint8_t out[LISTENER_CERTIFICATE])
{
    X509 *x = SSL_get1_peer_certificate(ssl);
    unsigned n = 0;
    unsigned char digest[EVP_MAX_MD_SIZE];
    bool ok = x && X509_digest(x, EVP_sha256(), digest, &n) == 1 && n == LISTENER_CERTIFICATE;
    X509_free(x);
    if (ok)
        memcpy(out, digest, LISTENER_CERTIFICATE);
    return ok;
}

bool tls_speaks_h2(const SSL *ssl)
{
    const unsigned char *name = NULL;
    unsigned n = 0;
    SSL_get0_alpn_selected(ssl, &name, &n);
    return n == 2 && memcmp(name, "h2", 2) == 0;
}
