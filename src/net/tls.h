/* Private to src/net: OpenSSL's contexts. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <openssl/ssl.h>

#include "assay/listener.h"

/* TLS 1.2 and 1.3, HTTP/1.1 by ALPN. */
bool tls_server(SSL_CTX **out, const struct listener_tls *files, struct err *e) ASSAY_MUST_CHECK;
/* SHA-256 of what the peer showed (DER); false when it showed nothing. */
bool tls_peer_digest(const SSL *ssl, uint8_t out[LISTENER_CERTIFICATE]);

/* HTTP/2 was agreed on, by ALPN. */
bool tls_speaks_h2(const SSL *ssl);

#endif
