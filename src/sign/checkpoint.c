/*
 * C2SP tlog-checkpoint v1.0.0: three lines, origin, size in decimal without
 * leading zeros, root in base64. We write no extension lines and refuse them:
 * nothing audits what stands there.
 */
#include "assay/sign.h"

#include <string.h>

#include "assay/base/text.h"

static bool take_line(struct span *rest, struct span *line)
{
    const uint8_t *lf = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    if (!lf)
        return false;
    size_t n = (size_t)(lf - rest->p);
    *line = span_sub(*rest, 0, n);
    *rest = span_sub(*rest, n + 1, rest->n);
    return true;
}

bool checkpoint_parse(struct checkpoint *out, struct span text, struct err *e)
{
    struct span origin, size, root, raw = SPAN_EMPTY;
    struct checkpoint c = {.size = 0};
    if (!take_line(&text, &origin) || !take_line(&text, &size) || !take_line(&text, &root))
        return err_set(e, ERR_FORMAT, "a checkpoint has three lines: origin, size, root");
    if (text.n)
        return err_set(e, ERR_UNSUPPORTED, "a checkpoint with extension lines is not accepted");
    if (origin.n == 0)
        return err_set(e, ERR_FORMAT, "a checkpoint's origin is empty");
    bool leading = size.n > 1 && size.p[0] == '0';
    if (leading || !text_u64(size, &c.size) || c.size > INT64_MAX)
        return err_set(e, ERR_FORMAT, "a checkpoint's size is not a plain decimal number");
    struct arena *a = arena_new(4096);
    bool ok = a && base64_decode(root, a, &raw) && raw.n == DIGEST_SIZE;
    if (ok)
        memcpy(c.root.b, raw.p, DIGEST_SIZE);
    arena_free(a);
    if (!ok)
        return err_set(e, ERR_FORMAT, "a checkpoint's root is not the base64 of 32 bytes");
    c.origin = origin;
    *out = c;
    return true;
}

void checkpoint_put(struct buf *out, const struct checkpoint *c)
{
    buf_put_span(out, c->origin);
    buf_printf(out, "\n%llu\n", (unsigned long long)c->size);
    base64_put(out, (struct span){c->root.b, DIGEST_SIZE});
    buf_put_u8(out, '\n');
}
