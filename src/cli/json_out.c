/* JSON to standard output: streaming, same bytes for the same facts. */
#include "cli/json_out.h"

#include <inttypes.h>
#include <string.h>

#include "assay/base/text.h"

static bool to_file(void *arg, const void *p, size_t n)
{
    return fwrite(p, 1, n, arg) == n;
}

static bool put_escape(FILE *f, uint32_t c)
{
    if (c > 0xFFFF && fprintf(f, "\\u%04x", (unsigned)(0xD7C0 + (c >> 10))) < 0)
        return false;
    return fprintf(f, "\\u%04x", (unsigned)(c > 0xFFFF ? 0xDC00 | (c & 0x3FF) : c)) >= 0;
}

/*
 * A terminal acts upon some characters that JSON need not escape (U+009B begins a
 * command) and does not show others; outside strings there are none. What goes to
 * a file or a pipe stays as it is: an entry's leaf is printed as it is hashed.
 */
static bool to_terminal(void *arg, const void *p, size_t n)
{
    struct span s = {p, n};
    size_t from = 0;
    for (size_t pos = 0, at; pos < n;) {
        at = pos;
        uint32_t c = utf8_next(s, &pos);
        if (c < 0x7F || !unicode_is_hidden(c))
            continue;
        if (!to_file(arg, s.p + from, at - from) || !put_escape(arg, c))
            return false;
        from = pos;
    }
    return to_file(arg, s.p + from, n - from);
}

void jo_start(struct json_writer *w, struct out *o, bool pretty)
{
    jw_init(w, o->terminal ? to_terminal : to_file, o->f, pretty);
    jw_object(w);
}

void jo_head(struct json_writer *w, const char *schema)
{
    jo_str(w, "schema", schema);
    jo_str(w, "version", ASSAY_VERSION);
}

void jo_finish(struct json_writer *w, struct out *o)
{
    jw_end_object(w);
    out_put(o, "\n");
}

void jo_number(struct json_writer *w, uint64_t v)
{
    char digits[24];
    if (v <= JSON_SAFE_INTEGER) {
        jw_u64(w, v);
        return;
    }
    snprintf(digits, sizeof digits, "%" PRIu64, v);
    jw_str(w, digits);
}

void jo_signed(struct json_writer *w, int64_t v)
{
    char digits[24];
    if (v >= -(int64_t)JSON_SAFE_INTEGER && v <= (int64_t)JSON_SAFE_INTEGER) {
        jw_i64(w, v);
        return;
    }
    snprintf(digits, sizeof digits, "%" PRId64, v);
    jw_str(w, digits);
}

void jo_u64(struct json_writer *w, const char *key, uint64_t v)
{
    jw_key(w, key);
    jo_number(w, v);
}

void jo_known(struct json_writer *w, const char *key, uint64_t v)
{
    jw_key(w, key);
    if (v)
        jo_number(w, v);
    else
        jw_null(w);
}

void jo_double(struct json_writer *w, const char *key, double v)
{
    jw_key(w, key);
    jw_double(w, v);
}

void jo_bool(struct json_writer *w, const char *key, bool v)
{
    jw_key(w, key);
    jw_bool(w, v);
}

void jo_str(struct json_writer *w, const char *key, const char *s)
{
    jw_key(w, key);
    jw_str(w, s);
}

void jo_span(struct json_writer *w, const char *key, struct span s)
{
    jw_key(w, key);
    if (s.n)
        jw_string(w, s);
    else
        jw_null(w);
}

void jo_spans(struct json_writer *w, const char *key, const struct span *s, size_t n)
{
    jw_key(w, key);
    jw_array(w);
    for (size_t i = 0; i < n; i++)
        jw_string(w, s[i]);
    jw_end_array(w);
}

void jo_digest(struct json_writer *w, const char *key, const struct digest *d, bool known)
{
    char hex[DIGEST_HEX + 1];
    jo_str(w, key, known ? digest_hex(hex, d) : NULL);
}

void jo_origin(struct json_writer *w, const struct model *m, struct origin o)
{
    jo_str(w, "file", origin_file(m, o));
    jo_u64(w, "offset", o.offset);
    jo_u64(w, "length", o.length);
}

void jo_finding(struct json_writer *w, const struct model *m, const struct finding *f)
{
    const struct rule *r = &rules[f->rule];
    jo_str(w, "id", r->id);
    jo_str(w, "severity", severity_name(r->severity));
    jo_str(w, "breaks", breaks_name(r->breaks));
    jo_str(w, "title", r->title);
    jo_str(w, "detail", f->detail);
    jo_str(w, "remedy", r->remedy);
    jo_origin(w, m, f->origin);
    jo_u64(w, "count", f->count);
}

void jo_unreadable(struct out *o, const char *schema, const char *path, const struct err *e,
                   bool pretty)
{
    struct json_writer w;
    jo_start(&w, o, pretty);
    jo_head(&w, schema);
    jo_str(&w, "path", path);
    jo_bool(&w, "complete", false);
    jw_key(&w, "error");
    jw_object(&w);
    jo_str(&w, "code", err_name(e->code));
    jo_str(&w, "file", e->file[0] ? e->file : NULL);
    jw_key(&w, "offset");
    if (e->offset == ERR_NO_OFFSET)
        jw_null(&w);
    else
        jo_number(&w, e->offset);
    jo_str(&w, "text", e->text);
    jw_end_object(&w);
    jo_finish(&w, o);
}

void jo_tensor(struct json_writer *w, const struct tensor *t)
{
    jw_key(w, "name");
    jw_string(w, t->name);
    jo_str(w, "type", t->dtype == DTYPE_NONE ? NULL : dtype_name(t->dtype));
    jw_key(w, "shape");
    jw_array(w);
    for (uint32_t i = 0; i < t->rank; i++)
        jo_number(w, t->shape[i]);
    jw_end_array(w);
}

/* The verdict is sorted: findings of one rule stand together. */
void jo_finding_counts(struct json_writer *w, const struct verdict *v)
{
    if (v->count == 0)
        return;
    jw_key(w, "findings");
    jw_array(w);
    for (size_t i = 0; i < v->count;) {
        enum rule_id rule = v->findings[i].rule;
        uint64_t count = 0;
        for (; i < v->count && v->findings[i].rule == rule; i++)
            count += v->findings[i].count;
        jw_object(w);
        jo_u64(w, "count", count);
        jo_str(w, "rule", rules[rule].id);
        jo_str(w, "severity", severity_name(rules[rule].severity));
        jw_end_object(w);
    }
    jw_end_array(w);
}

void jo_licences(struct json_writer *w, const struct model *m, const struct facts *f)
{
    jw_key(w, "licences");
    jw_array(w);
    for (size_t i = 0; i < f->licence_count; i++) {
        jw_object(w);
        jo_str(w, "where", f->licences[i].where);
        jo_span(w, "named", f->licences[i].named);
        jo_str(w, "spdx", f->licences[i].spdx);
        jo_origin(w, m, f->licences[i].origin);
        jw_end_object(w);
    }
    jw_end_array(w);
}
