/* Short writers for JSON that others define. */
#include "report/put.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void put_str(struct json_writer *w, const char *key, const char *s)
{
    if (!s)
        return;
    jw_key(w, key);
    jw_str(w, s);
}

void put_span(struct json_writer *w, const char *key, struct span s)
{
    if (s.n == 0)
        return;
    jw_key(w, key);
    jw_string(w, s);
}

void put_fmt(struct json_writer *w, const char *key, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    put_str(w, key, text);
}

void put_count(struct json_writer *w, const char *key, uint64_t n)
{
    put_fmt(w, key, "%" PRIu64, n);
}

void put_hex(struct json_writer *w, const char *key, const struct digest *d)
{
    char hex[DIGEST_HEX + 1];
    put_str(w, key, digest_hex(hex, d));
}

void put_open(struct json_writer *w, const char *key)
{
    jw_key(w, key);
    jw_object(w);
}

void put_list(struct json_writer *w, const char *key)
{
    jw_key(w, key);
    jw_array(w);
}

const char *put_uuid(char out[48], const struct digest *d)
{
    const uint8_t *b = d->b;
    snprintf(out, 48,
             "urn:uuid:%02x%02x%02x%02x-%02x%02x-4%01x%02x-%01x%01x%02x-%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6] & 15, b[7], 8 + (b[8] & 3), b[8] >> 4, b[9],
             b[10], b[11], b[12], b[13], b[14], b[15]);
    return out;
}

bool put_done(const struct json_writer *w, struct buf *out, struct err *e)
{
    buf_put_str(out, "\n");
    return (buf_ok(out) && !w->failed) ||
           err_set(e, ERR_LIMIT, "the report is larger than there is room for");
}

struct span report_name(const struct report *r)
{
    const struct report_model *m = r->in->model;
    return m && m->facts->name.n ? m->facts->name : m ? span_str(m->shown) : r->head.origin;
}

const char *report_value(const struct report *r, const char *property)
{
    for (size_t i = 0; i < r->claims.count; i++)
        if (strcmp(r->claims.claim[i]->property, property) == 0 && r->claims.claim[i]->value)
            return r->claims.claim[i]->value;
    return NULL;
}

const char *report_spdx(const struct report *r)
{
    const struct report_model *m = r->in->model;
    for (size_t i = 0; m && i < m->facts->licence_count; i++)
        if (m->facts->licences[i].spdx &&
            strncmp(m->facts->licences[i].spdx, "LicenseRef", 10) != 0)
            return m->facts->licences[i].spdx;
    return NULL;
}
