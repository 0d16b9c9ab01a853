/*
 * Tables of fields against a mapping. One loop over the document's members
 * finds unknown keys, one over the table finds what is missing, and a reader
 * per type says what was expected where something else stands.
 */
#include "assay/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

struct reading {
    const struct yaml *y;
    struct arena *arena;
    struct err *e;
};

static bool out_of_memory(struct reading *r)
{
    return err_set(r->e, ERR_MEMORY, "out of memory while reading the configuration");
}

/* In parentheses: analyzers know the name as a macro. */
bool(config_error)(const struct yaml *y, size_t line, struct err *e, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0)
        text[0] = '\0';
    if (!line)
        return err_at(e, ERR_CONFIG, y->file, ERR_NO_OFFSET, "%s", text);
    return err_at(e, ERR_CONFIG, y->file, ERR_NO_OFFSET, "%s at line %zu", text, line);
}

/* What stands there, for a person: 'yes' or a mapping. */
static const char *describe(char *out, size_t size, struct json v)
{
    char shown[80];
    enum json_type t = json_type(v);
    struct span s = json_text(v);
    if (t == JSON_STRING && json_string(v, &s))
        snprintf(out, size, "the text '%s'", text_shown(shown, sizeof shown, s));
    else if (t == JSON_OBJECT || t == JSON_ARRAY)
        snprintf(out, size, "%s", t == JSON_OBJECT ? "a mapping" : "a list");
    else if (t == JSON_NULL)
        snprintf(out, size, "nothing");
    else
        snprintf(out, size, "%s", text_shown(shown, sizeof shown, s));
    return out;
}

static bool expected(struct reading *r, const struct config_field *f, struct json v,
                     const char *what)
{
    char found[128];
    return config_error(r->y, yaml_line(r->y, v), r->e, "'%s': expected %s, found %s", f->name,
                        what, describe(found, sizeof found, v));
}

static bool in_range(struct reading *r, const struct config_field *f, struct json v, uint64_t n,
                     const char *unit)
{
    if (n >= f->min && (!f->max || n <= f->max))
        return true;
    char wanted[96];
    if (f->max)
        snprintf(wanted, sizeof wanted, "%llu to %llu%s", (unsigned long long)f->min,
                 (unsigned long long)f->max, unit);
    else
        snprintf(wanted, sizeof wanted, "at least %llu%s", (unsigned long long)f->min, unit);
    return expected(r, f, v, wanted);
}

static bool take_string(struct reading *r, const struct config_field *f, struct json v,
                        struct span *out)
{
    if (json_type(v) != JSON_STRING)
        return expected(r, f, v, "a text (put numbers and true or false in quotes)");
    struct span s;
    if (!json_string(v, &s))
        return out_of_memory(r);
    if (s.n && memchr(s.p, '\0', s.n))
        return expected(r, f, v, "a text without a NUL");
    *out = s;
    return true;
}

static bool read_text(struct reading *r, const struct config_field *f, struct json v, void *at)
{
    struct span s;
    if (!take_string(r, f, v, &s) || !in_range(r, f, v, s.n, " bytes of text"))
        return false;
    *(struct span *)at = s;
    return true;
}

static bool find_word(struct reading *r, const struct config_field *f, struct json v, struct span s,
                      int *out)
{
    struct suggestion near = suggest_start((const char *)s.p, s.n);
    for (int i = 0; f->words[i]; i++) {
        if (span_is(s, f->words[i])) {
            *out = i;
            return true;
        }
        suggest_offer(&near, f->words[i]);
    }
    char shown[80], words[256] = "";
    size_t used = 0;
    for (int i = 0; f->words[i] && used + strlen(f->words[i]) + 3 < sizeof words; i++)
        used +=
            (size_t)snprintf(words + used, sizeof words - used, "%s%s", i ? ", " : "", f->words[i]);
    text_shown(shown, sizeof shown, s);
    if (suggest_best(&near))
        return config_error(r->y, yaml_line(r->y, v), r->e,
                            "'%s' is no value of '%s' (did you mean '%s'?)", shown, f->name,
                            suggest_best(&near));
    return config_error(r->y, yaml_line(r->y, v), r->e, "'%s' is no value of '%s'; there are: %s",
                        shown, f->name, words);
}

static bool read_word(struct reading *r, const struct config_field *f, struct json v, void *at)
{
    struct span s;
    return take_string(r, f, v, &s) && find_word(r, f, v, s, at);
}

static bool read_integer(struct reading *r, const struct config_field *f, struct json v, void *at)
{
    uint64_t n;
    if (!json_u64(v, &n))
        return expected(r, f, v, "a whole number");
    if (!in_range(r, f, v, n, ""))
        return false;
    *(uint64_t *)at = n;
    return true;
}

static bool read_decimal(struct reading *r, const struct config_field *f, struct json v, void *at)
{
    double d;
    if (!json_double(v, &d))
        return expected(r, f, v, "a number");
    *(struct span *)at = json_text(v);
    return true;
}

static bool read_bool(struct reading *r, const struct config_field *f, struct json v, void *at)
{
    return json_bool(v, at) || expected(r, f, v, "true or false");
}

/* "7 GiB", "500MB", "12": what people write for sizes. */
static bool bytes_of(struct span s, uint64_t *out)
{
    static const struct {
        const char *unit;
        uint64_t bytes;
    } units[] = {{"", 1},
                 {"B", 1},
                 {"KiB", UINT64_C(1) << 10},
                 {"MiB", UINT64_C(1) << 20},
                 {"GiB", UINT64_C(1) << 30},
                 {"TiB", UINT64_C(1) << 40},
                 {"kB", 1000},
                 {"KB", 1000},
                 {"MB", 1000000},
                 {"GB", 1000000000},
                 {"TB", UINT64_C(1000000000000)}};
    size_t n = 0;
    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    size_t gap = n < s.n && s.p[n] == ' ';
    uint64_t number;
    if (!text_u64(span_sub(s, 0, n), &number))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (span_is(span_sub(s, n + gap, s.n), units[i].unit))
            return size_mul(out, number, units[i].bytes);
    return false;
}

static bool read_bytes(struct reading *r, const struct config_field *f, struct json v, void *at)
{
    uint64_t n;
    struct span s;
    if (!json_u64(v, &n) && !(json_string(v, &s) && bytes_of(s, &n)))
        return expected(r, f, v, "a size such as 4096, '512 MiB' or '7 GB'");
    if (!in_range(r, f, v, n, " bytes"))
        return false;
    *(uint64_t *)at = n;
    return true;
}

static bool read_texts(struct reading *r, const struct config_field *f, struct json v, void *at)
{
    bool list = json_type(v) == JSON_ARRAY;
    size_t n = list ? json_count(v) : 1, i = 0;
    struct config_texts t = {arena_array(r->arena, n, sizeof *t.items),
                             arena_array(r->arena, n, sizeof *t.lines), n};
    if (!t.items || !t.lines)
        return out_of_memory(r);
    if (!in_range(r, f, v, n, " texts"))
        return false;
    for (struct json item = list ? json_first(v) : v; i < n; item = json_next(item), i++) {
        int word;
        if (!take_string(r, f, item, &t.items[i]) ||
            (f->words && !find_word(r, f, item, t.items[i], &word)))
            return false;
        t.lines[i] = yaml_line(r->y, item);
    }
    *(struct config_texts *)at = t;
    return true;
}

static bool read_mapping(struct reading *r, void *out, struct json v,
                         const struct config_field *fields, const char *name);

static bool read_object(struct reading *r, const struct config_field *f, struct json v, void *at)
{
    return read_mapping(r, at, v, f->fields, f->name);
}

static bool read_objects(struct reading *r, const struct config_field *f, struct json v, void *at)
{
    if (json_type(v) != JSON_ARRAY)
        return expected(r, f, v, "a list of mappings");
    struct config_objects o = {arena_array(r->arena, json_count(v), f->size), json_count(v)};
    if (!o.items)
        return out_of_memory(r);
    if (!in_range(r, f, v, o.count, " entries"))
        return false;
    char *one = o.items;
    for (struct json item = json_first(v); json_type(item); item = json_next(item), one += f->size)
        if (!read_mapping(r, one, item, f->fields, f->name))
            return false;
    *(struct config_objects *)at = o;
    return true;
}

static bool read_any(struct reading *r, const struct config_field *f, struct json v, void *at)
{
    (void)r;
    (void)f;
    *(struct json *)at = v;
    return true;
}

static bool (*const readers[])(struct reading *, const struct config_field *, struct json,
                               void *) = {
    [CONFIG_TEXT] = read_text,       [CONFIG_WORD] = read_word,     [CONFIG_INTEGER] = read_integer,
    [CONFIG_DECIMAL] = read_decimal, [CONFIG_BOOL] = read_bool,     [CONFIG_BYTES] = read_bytes,
    [CONFIG_TEXTS] = read_texts,     [CONFIG_OBJECT] = read_object, [CONFIG_OBJECTS] = read_objects,
    [CONFIG_ANY] = read_any,
};

static bool unknown_key(struct reading *r, struct json member, const struct config_field *fields)
{
    struct span key = json_key(member);
    struct suggestion near = suggest_start((const char *)key.p, key.n);
    for (; fields->name; fields++)
        suggest_offer(&near, fields->name);
    char shown[80];
    text_shown(shown, sizeof shown, key);
    size_t line = yaml_key_line(r->y, member);
    const char *best = suggest_best(&near);
    return best ? err_at(r->e, ERR_CONFIG, r->y->file, ERR_NO_OFFSET,
                         "unknown key '%s' at line %zu; did you mean '%s'?", shown, line, best)
                : config_error(r->y, line, r->e, "unknown key '%s'", shown);
}

static bool read_member(struct reading *r, char *out, struct json member,
                        const struct config_field *fields)
{
    for (const struct config_field *f = fields; f->name; f++) {
        if (!span_is(json_key(member), f->name))
            continue;
        if (f->line) {
            size_t line = yaml_line(r->y, member);
            memcpy(out + f->line - 1, &line, sizeof line);
        }
        return readers[f->type](r, f, member, out + f->at);
    }
    return unknown_key(r, member, fields);
}

/* `name` is the field that holds the mapping, NULL for the document itself. */
static bool read_mapping(struct reading *r, void *out, struct json v,
                         const struct config_field *fields, const char *name)
{
    char found[128];
    size_t line = yaml_line(r->y, v);
    if (json_type(v) != JSON_OBJECT)
        return config_error(r->y, line, r->e,
                            "%s%s%sexpected a mapping of keys to values, found %s", name ? "'" : "",
                            name ? name : "", name ? "': " : "", describe(found, sizeof found, v));
    for (struct json m = json_first(v); json_type(m); m = json_next(m))
        if (!read_member(r, out, m, fields))
            return false;
    for (const struct config_field *f = fields; f->name; f++)
        if (f->required && json_type(json_get(v, f->name)) == JSON_MISSING)
            return config_error(r->y, line, r->e, "the key '%s' is missing in the mapping",
                                f->name);
    return true;
}

bool config_read(void *out, const struct yaml *y, struct json v, const struct config_field *fields,
                 struct arena *a, struct err *e)
{
    struct reading r = {y, a, e};
    return read_mapping(&r, out, v, fields, NULL);
}
