/* The streaming JSON writer: commas, indentation and escapes, no tree. */
#include "assay/base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

enum { WRITER_MAX_DEPTH = 63 };

void jw_init(struct json_writer *w, json_sink *sink, void *arg, bool pretty)
{
    *w = (struct json_writer){.sink = sink, .arg = arg, .pretty = pretty};
}

bool json_sink_buf(void *buf, const void *p, size_t n)
{
    struct buf *b = buf;
    buf_put(b, p, n);
    return buf_ok(b);
}

static void put(struct json_writer *w, const void *p, size_t n)
{
    if (!w->failed && n && !w->sink(w->arg, p, n))
        w->failed = true;
}

static void new_line(struct json_writer *w)
{
    static const char spaces[] = "                                ";
    if (!w->pretty)
        return;
    put(w, "\n", 1);
    for (size_t left = (size_t)w->depth * 2; left;) {
        size_t n = left < sizeof spaces - 1 ? left : sizeof spaces - 1;
        put(w, spaces, n);
        left -= n;
    }
}

/* Whatever must stand between the last thing written and a new item. */
static void separate(struct json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    uint64_t bit = UINT64_C(1) << w->depth;
    if (w->has_items & bit)
        put(w, ",", 1);
    w->has_items |= bit;
    if (w->depth)
        new_line(w);
}

static void open_container(struct json_writer *w, const char *bracket)
{
    separate(w);
    put(w, bracket, 1);
    if (w->depth == WRITER_MAX_DEPTH) {
        w->failed = true;
        return;
    }
    w->depth++;
    w->has_items &= ~(UINT64_C(1) << w->depth);
}

static void close_container(struct json_writer *w, const char *bracket)
{
    if (w->depth == 0) {
        w->failed = true;
        return;
    }
    bool had_items = w->has_items >> w->depth & 1;
    w->depth--;
    if (had_items)
        new_line(w);
    put(w, bracket, 1);
}

void jw_object(struct json_writer *w)
{
    open_container(w, "{");
}

void jw_end_object(struct json_writer *w)
{
    close_container(w, "}");
}

void jw_array(struct json_writer *w)
{
    open_container(w, "[");
}

void jw_end_array(struct json_writer *w)
{
    close_container(w, "]");
}

static void put_escape(struct json_writer *w, uint8_t c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *named = c ? strchr(from, c) : NULL;
    char out[8];
    int n = named ? snprintf(out, sizeof out, "\\%c", to[named - from])
                  : snprintf(out, sizeof out, "\\u%04x", c);
    put(w, out, (size_t)n);
}

/* Runs of plain text go out in one piece; bad bytes become U+FFFD one by one. */
static void put_quoted(struct json_writer *w, struct span s)
{
    size_t run = 0, i = 0;
    put(w, "\"", 1);
    while (i < s.n) {
        uint8_t c = s.p[i];
        size_t n = c < 0x80 ? 1 : utf8_length(s.p + i, s.n - i);
        if (n && c >= 0x20 && c != '"' && c != '\\' && c != 0x7F) {
            i += n;
            continue;
        }
        put(w, s.p + run, i - run);
        if (n)
            put_escape(w, c);
        else
            put(w, "\xEF\xBF\xBD", 3);
        run = ++i;
    }
    if (run < s.n)
        put(w, s.p + run, s.n - run);
    put(w, "\"", 1);
}

void jw_key(struct json_writer *w, const char *key)
{
    jw_key_span(w, span_str(key));
}

void jw_key_span(struct json_writer *w, struct span key)
{
    separate(w);
    put_quoted(w, key);
    if (w->pretty)
        put(w, ": ", 2);
    else
        put(w, ":", 1);
    w->after_key = true;
}

void jw_string(struct json_writer *w, struct span s)
{
    separate(w);
    put_quoted(w, s);
}

static void put_word(struct json_writer *w, const char *text)
{
    separate(w);
    put(w, text, strlen(text));
}

void jw_str(struct json_writer *w, const char *s)
{
    if (s)
        jw_string(w, span_str(s));
    else
        jw_null(w);
}

void jw_u64(struct json_writer *w, uint64_t v)
{
    char text[24]; /* from its end: 2^64 has 20 digits */
    char *at = text + sizeof text - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    put_word(w, at);
}

void jw_i64(struct json_writer *w, int64_t v)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)v);
    put_word(w, text);
}

/* JSON has no number for them. */
static bool put_unreal(struct json_writer *w, double v)
{
    if (isnan(v))
        jw_str(w, "NaN");
    else if (isinf(v))
        jw_str(w, v < 0 ? "-Infinity" : "Infinity");
    return isnan(v) || isinf(v);
}

void jw_double(struct json_writer *w, double v)
{
    char text[40];
    if (!put_unreal(w, v))
        put_word(w, text_double(text, sizeof text, v));
}

void jw_float(struct json_writer *w, float v)
{
    char text[40];
    if (!put_unreal(w, (double)v))
        put_word(w, text_float(text, sizeof text, v));
}

void jw_bool(struct json_writer *w, bool v)
{
    put_word(w, v ? "true" : "false");
}

void jw_null(struct json_writer *w)
{
    put_word(w, "null");
}

void jw_raw(struct json_writer *w, struct span json)
{
    separate(w);
    put(w, json.p, json.n);
}
