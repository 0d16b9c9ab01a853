/* Names at the end of a path, which clients escape: of receipts and of calls to be replayed. */
#include <string.h>

#include "assay/http.h"
#include "serve/handlers/handlers.h"

bool handlers_name(char *out, size_t size, struct span path)
{
    struct buf name;
    buf_init(&name, path.n + 1);
    http_unescape(&name, path);
    bool ok = buf_ok(&name) && name.n && name.n < size && !memchr(name.p, '\0', name.n);
    if (ok) {
        memcpy(out, name.p, name.n);
        out[name.n] = '\0';
    }
    buf_free(&name);
    return ok;
}
