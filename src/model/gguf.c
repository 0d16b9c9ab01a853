/*
 * GGUF 2 and 3, little- and big-endian: header and metadata pairs
 * (docs/gguf.md, gguf_header_t and gguf_metadata_kv_t). Each fault is a
 * finding; reading goes on wherever the next item's place is still known.
 */
#include "model/gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

enum { SHOWN = 96 }; /* bytes of a name in a finding */

bool gguf_sniff(struct span head, uint64_t size)
{
    (void)size;
    return span_starts(head, "GGUF");
}

/* ---- how reading ends ---- */

bool gguf_stop(struct gguf *g, uint64_t offset, uint64_t length, enum rule_id rule, const char *fmt,
               ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    model_note(g->m, g->file, offset, length, rule, "%s", text);
    model_incomplete(g->m, g->file);
    g->stopped = true;
    cursor_fault(&g->c, ERR_FORMAT, "reading ended here");
    return false;
}

bool gguf_fine(struct gguf *g, enum rule_id rule, const char *what)
{
    if (cursor_ok(&g->c))
        return true;
    if (!g->stopped)
        model_note_fault(g->m, g->file, &g->c, rule, what);
    g->stopped = true;
    return false;
}

static bool no_memory(struct gguf *g)
{
    g->no_memory = true;
    return gguf_stop(g, cursor_at(&g->c), 0, RULE_READ_LIMIT, "out of memory while reading here");
}

/* ---- strings ---- */

struct span gguf_string(struct gguf *g, const char *what)
{
    uint64_t at = cursor_at(&g->c), n = cursor_u64(&g->c);
    if (!cursor_ok(&g->c))
        return SPAN_EMPTY;
    if (n > cursor_left(&g->c) || n > GGUF_MAX_STRING) {
        gguf_stop(g, at, 8, RULE_GGUF_LENGTH,
                  "the length of %s is %" PRIu64 " bytes, and %zu bytes are left in the file", what,
                  n, cursor_left(&g->c));
        return SPAN_EMPTY;
    }
    return cursor_take(&g->c, n);
}

void gguf_text(struct gguf *g, struct span s, uint64_t offset, const char *what)
{
    char shown[SHOWN];
    size_t bad = utf8_invalid(s);
    if (bad != TEXT_VALID)
        model_note(g->m, g->file, offset + bad, 1, RULE_GGUF_UTF8,
                   "%s is not UTF-8 at its byte %zu: \"%s\"", what, bad,
                   text_shown(shown, sizeof shown, s));
    const uint8_t *nul = s.n ? memchr(s.p, 0, s.n) : NULL;
    if (nul)
        model_note(g->m, g->file, offset + (uint64_t)(nul - s.p), 1, RULE_GGUF_NUL,
                   "%s has a NUL at its byte %zu, where C readers see its end: \"%s\"", what,
                   (size_t)(nul - s.p), text_shown(shown, sizeof shown, s));
}

/* ---- header ---- */

static bool refuse_version(struct gguf *g, uint32_t version)
{
    if (version == 1)
        return gguf_stop(g, 4, 4, RULE_GGUF_VERSION,
                         "version 1, with counts and lengths of 32 bits, which loaders gave up in "
                         "2023: convert the original model again");
    return gguf_stop(g, 4, 4, RULE_GGUF_VERSION, "version %" PRIu32 ", expected 2 or 3", version);
}

/* Version 3 introduced big-endian files without a flag: the swapped number tells. */
static bool read_version(struct gguf *g)
{
    uint32_t version = cursor_u32(&g->c), swapped = __builtin_bswap32(version);
    if (!gguf_fine(g, RULE_GGUF_TRUNCATED, "reading the version"))
        return false;
    bool big = swapped >= 1 && swapped <= 3;
    struct model_file *f = &g->m->files[g->file];
    f->big_endian = g->c.big_endian = big;
    f->version = big ? swapped : version;
    if (f->version < 2 || f->version > 3)
        return refuse_version(g, f->version);
    if (big)
        model_note(g->m, g->file, 4, 4, RULE_GGUF_ENDIAN,
                   "version %" PRIu32 " in big-endian order: every number is read that way",
                   f->version);
    return true;
}

uint64_t gguf_claimed(struct gguf *g, uint64_t claimed, size_t min_size, uint64_t limit,
                      uint64_t at, const char *what, bool *honest)
{
    uint64_t most = cursor_left(&g->c) / min_size;
    *honest = claimed <= most && claimed <= limit;
    if (*honest)
        return claimed;
    if (claimed > most)
        model_note(g->m, g->file, at, 8, RULE_GGUF_COUNT,
                   "the header claims %" PRIu64 " %s; the %zu bytes after it hold at most %" PRIu64,
                   claimed, what, cursor_left(&g->c), most);
    else
        model_note(g->m, g->file, at, 8, RULE_READ_LIMIT,
                   "the header claims %" PRIu64 " %s; at most %" PRIu64 " are read", claimed, what,
                   limit);
    model_incomplete(g->m, g->file);
    return most < limit ? most : limit;
}

/* gguf_header_t. `honest`: tensor count, pair count. */
static bool read_header(struct gguf *g, bool honest[2])
{
    cursor_take(&g->c, 4);
    if (!read_version(g))
        return false;
    uint64_t tensors = cursor_u64(&g->c), pairs = cursor_u64(&g->c);
    if (!gguf_fine(g, RULE_GGUF_TRUNCATED, "reading the header's counts"))
        return false;
    g->tensors =
        gguf_claimed(g, tensors, GGUF_MIN_INFO, GGUF_MAX_TENSORS, 8, "tensors", &honest[0]);
    g->pairs =
        gguf_claimed(g, pairs, GGUF_MIN_PAIR, GGUF_MAX_PAIRS, 16, "metadata pairs", &honest[1]);
    return true;
}

/* ---- metadata ---- */

/* lower_snake_case segments separated by dots (gguf_metadata_kv_t.key). */
static bool key_is_proper(struct span key)
{
    bool segment = false;
    for (size_t i = 0; i < key.n; i++) {
        uint8_t ch = key.p[i];
        bool letter = (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '_';
        if (!letter && !(ch == '.' && segment))
            return false;
        segment = letter;
    }
    return segment && key.n <= GGUF_MAX_KEY;
}

static bool check_key(struct gguf *g, struct span key, uint64_t at)
{
    uint32_t index = (uint32_t)g->m->metadata_count, previous;
    char shown[SHOWN];
    if (key.n == 0)
        model_note(g->m, g->file, at, 8, RULE_GGUF_KEY_EMPTY, "the key here is empty");
    else if (!key_is_proper(key) && g->odd_keys++ == 0) {
        g->odd_key = key;
        g->odd_key_at = at;
    }
    gguf_text(g, key, at + 8, "a key");
    if (!map_put(&g->keys, key, index, &previous))
        return no_memory(g);
    if (previous != MAP_NONE)
        model_note(g->m, g->file, at, key.n + 8, RULE_GGUF_KEY_DUPLICATE,
                   "\"%s\" stands at offset %" PRIu64 " already",
                   text_shown(shown, sizeof shown, key), g->m->metadata[previous].origin.offset);
    return true;
}

static void note_odd_keys(struct gguf *g)
{
    char shown[SHOWN];
    if (g->odd_keys)
        model_note(g->m, g->file, g->odd_key_at, g->odd_key.n + 8, RULE_GGUF_KEY,
                   "%" PRIu64 " keys are not lower_snake_case segments joined by dots of at most "
                   "65,535 bytes; the first is \"%s\"",
                   g->odd_keys, text_shown(shown, sizeof shown, g->odd_key));
}

/* One finding for all bad items of an array. */
struct bad_items {
    uint64_t count, first, at;
};

static void bad_item(struct bad_items *b, uint64_t index, uint64_t at)
{
    if (b->count++ == 0) {
        b->first = index;
        b->at = at;
    }
}

static void note_bad_items(struct gguf *g, const struct bad_items *b, enum rule_id rule,
                           struct span key, const char *what)
{
    char shown[SHOWN];
    if (b->count)
        model_note(g->m, g->file, b->at, 0, rule,
                   "%" PRIu64 " items of \"%s\" are %s; the first is item %" PRIu64, b->count,
                   text_shown(shown, sizeof shown, key), what, b->first);
}

static void read_strings(struct gguf *g, const struct value *v, struct span key)
{
    struct bad_items bad = {0};
    for (uint64_t i = 0; i < v->count && cursor_ok(&g->c); i++) {
        uint64_t at = cursor_at(&g->c);
        struct span s = gguf_string(g, "a string of an array");
        if (utf8_invalid(s) != TEXT_VALID)
            bad_item(&bad, i, at);
    }
    note_bad_items(g, &bad, RULE_GGUF_UTF8, key, "not UTF-8");
}

static void check_bools(struct gguf *g, const struct value *v, struct span key, uint64_t at)
{
    struct bad_items bad = {0};
    for (size_t i = 0; i < v->items.n; i++)
        if (v->items.p[i] > 1)
            bad_item(&bad, i, at + i);
    note_bad_items(g, &bad, RULE_GGUF_BOOL, key, "booleans other than 0 and 1");
}

/* The items of an array of known element type, as stored. */
static bool read_items(struct gguf *g, struct value *v, struct span key)
{
    size_t size = value_type_size(v->element), least = size ? size : 8;
    uint64_t at = cursor_at(&g->c);
    char shown[SHOWN];
    if (v->count > cursor_left(&g->c) / least || v->count > GGUF_MAX_ITEMS)
        return gguf_stop(g, at - 8, 8, RULE_GGUF_LENGTH,
                         "the array \"%s\" claims %" PRIu64 " items of type %s, and %zu bytes are "
                         "left in the file",
                         text_shown(shown, sizeof shown, key), v->count,
                         value_type_name(v->element), cursor_left(&g->c));
    if (v->element != VALUE_STRING) {
        value_take_items(&g->c, v);
        if (v->element == VALUE_BOOL)
            check_bools(g, v, key, at);
        return cursor_ok(&g->c);
    }
    size_t start = g->c.pos;
    read_strings(g, v, key);
    if (cursor_ok(&g->c))
        v->items = (struct span){g->c.base + start, g->c.pos - start};
    return cursor_ok(&g->c);
}

static bool read_type(struct gguf *g, enum value_type *out, struct span key, const char *what)
{
    uint64_t at = cursor_at(&g->c);
    uint32_t type = cursor_u32(&g->c);
    char shown[SHOWN];
    if (cursor_ok(&g->c) && type >= VALUE_TYPES)
        return gguf_stop(g, at, 4, RULE_GGUF_VALUE_TYPE,
                         "%s of \"%s\" is %" PRIu32 ", expected 0 to %d: where the value ends is "
                         "unknown",
                         what, text_shown(shown, sizeof shown, key), type, VALUE_TYPES - 1);
    *out = (enum value_type)type;
    return cursor_ok(&g->c);
}

static bool read_array(struct gguf *g, struct value *v, struct span key)
{
    uint64_t at = cursor_at(&g->c);
    char shown[SHOWN];
    if (!read_type(g, &v->element, key, "the element type"))
        return false;
    v->count = cursor_u64(&g->c);
    if (!cursor_ok(&g->c))
        return false;
    if (v->element == VALUE_ARRAY)
        model_note(g->m, g->file, at, 12, RULE_GGUF_NESTED,
                   "\"%s\" is an array of arrays, which the specification allows and no loader "
                   "reads",
                   text_shown(shown, sizeof shown, key));
    return read_items(g, v, key);
}

static bool read_value(struct gguf *g, struct value *v, struct span key)
{
    uint64_t at = cursor_at(&g->c);
    char shown[SHOWN], what[SHOWN + 32];
    if (v->type == VALUE_ARRAY)
        return read_array(g, v, key);
    if (v->type != VALUE_STRING) {
        value_read(&g->c, v);
        if (v->type == VALUE_BOOL && v->u > 1)
            model_note(g->m, g->file, at, 1, RULE_GGUF_BOOL,
                       "the boolean \"%s\" is %" PRIu64 ", expected 0 or 1",
                       text_shown(shown, sizeof shown, key), v->u);
        return cursor_ok(&g->c);
    }
    snprintf(what, sizeof what, "the string \"%s\"", text_shown(shown, sizeof shown, key));
    v->string = gguf_string(g, what);
    gguf_text(g, v->string, at + 8, what);
    return cursor_ok(&g->c);
}

/* gguf_metadata_kv_t. */
static bool read_pair(struct gguf *g)
{
    uint64_t at = cursor_at(&g->c);
    struct value v = {.big_endian = g->c.big_endian};
    struct span key = gguf_string(g, "a key");
    if (!cursor_ok(&g->c) || !check_key(g, key, at) ||
        !read_type(g, &v.type, key, "the value type") || !read_value(g, &v, key))
        return false;
    struct metadata *d = model_add_metadata(g->m);
    if (!d)
        return no_memory(g);
    *d = (struct metadata){key, v, {g->file, at, cursor_at(&g->c) - at}};
    g->m->files[g->file].parsed = g->c.pos;
    return true;
}

/* A false claim is followed only while what it yields is flawless. */
static bool read_pairs(struct gguf *g, bool honest)
{
    char what[64];
    size_t findings = g->m->verdict.count;
    for (uint64_t i = 0; i < g->pairs; i++) {
        if (!read_pair(g)) {
            snprintf(what, sizeof what, "reading metadata pair %" PRIu64 " of %" PRIu64, i + 1,
                     g->pairs);
            return gguf_fine(g, RULE_GGUF_TRUNCATED, what);
        }
        if (!honest && g->m->verdict.count > findings)
            break;
    }
    return honest;
}

const struct metadata *gguf_pair(const struct gguf *g, const char *key)
{
    uint32_t i = map_get(&g->keys, span_str(key));
    return i < g->m->metadata_count ? &g->m->metadata[i] : NULL;
}

/* The loader wants a power of two in a u32, the specification a multiple of 8. */
static void find_alignment(struct gguf *g)
{
    const struct metadata *d = gguf_pair(g, "general.alignment");
    g->alignment = GGUF_DEFAULT_ALIGNMENT;
    if (!d)
        return;
    struct origin o = d->origin;
    uint64_t v = 0;
    bool usable = value_u64(&d->value, &v) && v > 0 && v <= UINT32_MAX;
    if (d->value.type != VALUE_U32 || !usable || (v & (v - 1)) != 0)
        model_note(g->m, g->file, o.offset, o.length, RULE_GGUF_ALIGNMENT,
                   "general.alignment is %" PRIu64 " of type %s, expected a power of two of type "
                   "u32%s",
                   v, value_type_name(d->value.type), usable ? "" : "; 32 is taken instead");
    else if (v % 8 != 0)
        model_note(g->m, g->file, o.offset, o.length, RULE_GGUF_ALIGNMENT_SPEC,
                   "general.alignment is %" PRIu64 ", expected a multiple of 8", v);
    if (usable && v > GGUF_LARGE_ALIGNMENT)
        model_note(g->m, g->file, o.offset, o.length, RULE_GGUF_ALIGNMENT_LARGE,
                   "general.alignment is %" PRIu64 "; writers use 32 or little more", v);
    if (usable)
        g->alignment = (uint32_t)v;
}

/* ---- the file ---- */

static void read_file(struct gguf *g)
{
    bool honest[2] = {true, true};
    if (!read_header(g, honest))
        return;
    struct model_file *f = &g->m->files[g->file];
    f->parsed = g->c.pos;
    bool all = read_pairs(g, honest[1]);
    note_odd_keys(g);
    find_alignment(g);
    f->alignment = g->alignment;
    if (all)
        gguf_read_tensors(g, honest[0]);
    gguf_check_keys(g);
}

bool gguf_parse(struct model *m, uint32_t file)
{
    struct gguf g = {.m = m,
                     .file = file,
                     .c = source_cursor(m->files[file].source, GGUF_MAX_HEADER),
                     .scratch = arena_new(SIZE_MAX),
                     .first_tensor = m->tensor_count,
                     .first_pair = m->metadata_count};
    bool ok = g.scratch && map_init(&g.keys, g.scratch, 0) && map_init(&g.foreign, g.scratch, 0);
    if (ok)
        read_file(&g);
    arena_free(g.scratch);
    return ok && !g.no_memory;
}
