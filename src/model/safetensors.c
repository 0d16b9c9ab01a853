/*
 * safetensors: eight bytes of length, a JSON header, the tensors' bytes. The
 * reference implementation is more lenient than its README; what only the
 * README forbids and what the reference refuses too have rules of their own.
 * Sources: safetensors README "Format", safetensors/src/tensor.rs.
 */
#include "model/safetensors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

enum { SHOWN = 128, NAME_SEEN = 8 };

static const size_t scratch_cap = (size_t)4 << 30;

void header_note(struct header *h, size_t from, size_t to, enum rule_id rule, const char *fmt, ...)
{
    char detail[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    model_note(h->m, h->file, SAFETENSORS_PREFIX + from, to - from, rule, "%s", detail);
}

/* ---- recognition ---- */

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A length that the format allows, or one that no text begins with, then a
 * JSON object. */
/* Numbers of eight bytes hold a brace and what may follow it often enough, and zeros behind them. */
static bool is_json(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' && !is_space(s.p[i]))
            return false;
    return true;
}

bool safetensors_sniff(struct span head, uint64_t size)
{
    if (head.n <= SAFETENSORS_PREFIX || size <= SAFETENSORS_PREFIX)
        return false;
    bool binary = memchr(head.p, 0, SAFETENSORS_PREFIX) != NULL;
    size_t i = SAFETENSORS_PREFIX;
    while (i < head.n && is_space(head.p[i]))
        i++;
    if (i == head.n || head.p[i] != '{' || (!binary && load_u64le(head.p) > MODEL_MAX_SAFETENSORS))
        return false;
    for (i++; i < head.n && is_space(head.p[i]);)
        i++;
    if (i == head.n)
        return size > head.n;
    return (head.p[i] == '"' || head.p[i] == '}') && is_json(span_sub(head, i, NAME_SEEN));
}

/* ---- __metadata__ ---- */

/* Scratch memory ends with the header: what was decoded there is copied. */
static bool keep(struct header *h, struct span *s)
{
    bool borrowed = s->p >= h->text.p && s->p < h->text.p + h->text.n;
    if (borrowed || !s->n)
        return true;
    *s = arena_span(h->m->arena, *s);
    return s->p != NULL;
}

static bool add_metadata(struct header *h, struct map *keys, struct json v, size_t first)
{
    char shown[SHOWN];
    size_t from = json_key_offset(v), to = json_end(v);
    struct span key = json_key(v), text;
    uint32_t previous = MAP_NONE;
    text_shown(shown, sizeof shown, key);
    if (json_type(v) != JSON_STRING) {
        header_note(h, json_offset(v), to, RULE_ST_METADATA,
                    "__metadata__ \"%s\": expected a string, found %s", shown,
                    json_type_name(json_type(v)));
        return true;
    }
    uint32_t slot = (uint32_t)(h->m->metadata_count - first);
    if (!json_string(v, &text) || !keep(h, &key) || !keep(h, &text) ||
        !map_put(keys, key, slot, &previous))
        return false;
    if (previous != MAP_NONE)
        header_note(h, from, to, RULE_ST_METADATA_DUPLICATE,
                    "__metadata__ holds \"%s\" more than once; the last one counts", shown);
    struct metadata *d =
        previous == MAP_NONE ? model_add_metadata(h->m) : &h->m->metadata[first + previous];
    if (!d)
        return false;
    *d = (struct metadata){.key = key,
                           .value = {.type = VALUE_STRING, .string = text},
                           .origin = {h->file, SAFETENSORS_PREFIX + from, to - from}};
    return true;
}

static bool read_metadata(struct header *h, struct json v)
{
    struct map keys;
    size_t first = h->m->metadata_count;
    if (json_type(v) == JSON_NULL) {
        header_note(h, json_offset(v), json_end(v), RULE_ST_METADATA_NULL,
                    "__metadata__ is null; the format says an object of strings");
        return true;
    }
    if (json_type(v) != JSON_OBJECT) {
        header_note(h, json_offset(v), json_end(v), RULE_ST_METADATA,
                    "__metadata__: expected an object of strings, found %s",
                    json_type_name(json_type(v)));
        return true;
    }
    if (!map_init(&keys, h->scratch, 16))
        return false;
    for (struct json m = json_first(v); json_type(m); m = json_next(m))
        if (!add_metadata(h, &keys, m, first))
            return false;
    return true;
}

/* ---- members ---- */

static bool add_entry(struct header *h, struct map *names, struct json member)
{
    struct entry e;
    uint32_t previous;
    char shown[SHOWN];
    if (!entry_read(h, member, &e)) {
        h->unread++;
        model_incomplete(h->m, h->file);
        return !h->no_memory;
    }
    if (!keep(h, &e.t.name) || !map_put(names, e.t.name, (uint32_t)h->count, &previous))
        return false;
    if (previous != MAP_NONE) { /* as the reference: the last one counts */
        struct entry *old = &h->entries[previous];
        header_note(h, json_key_offset(member), json_end(member), RULE_ST_DUPLICATE,
                    "tensor \"%s\" is declared again; the entry at offset %llu with bytes "
                    "%llu to %llu no longer counts",
                    text_shown(shown, sizeof shown, e.t.name),
                    (unsigned long long)old->t.entry.offset, (unsigned long long)old->begin,
                    (unsigned long long)old->end);
        *old = e;
        return true;
    }
    struct entry *all = arena_grow(h->scratch, h->entries, h->count, &h->cap, sizeof *all);
    if (!all)
        return false;
    h->entries = all;
    all[h->count++] = e;
    return true;
}

static bool read_members(struct header *h, struct json root)
{
    struct map names;
    bool seen_metadata = false;
    /* What is reserved follows from bytes, not from the count of members. */
    size_t expect = h->text.n / SAFETENSORS_MIN_ENTRY;
    if (expect > json_count(root))
        expect = json_count(root);
    if (!map_init(&names, h->scratch, expect))
        return false;
    h->entries = arena_array(h->scratch, expect + 1, sizeof *h->entries);
    h->cap = h->entries ? expect + 1 : 0;
    for (struct json m = json_first(root); json_type(m); m = json_next(m)) {
        if (!span_is(json_key(m), "__metadata__")) {
            if (!add_entry(h, &names, m))
                return false;
            continue;
        }
        if (seen_metadata)
            header_note(h, json_key_offset(m), json_end(m), RULE_ST_METADATA,
                        "__metadata__ stands in the header more than once");
        seen_metadata = true;
        if (!read_metadata(h, m))
            return false;
    }
    return layout_add(h);
}

/* ---- the header as text ---- */

/*
 * The text up to the last complete member before the fault at `end`, closed:
 * what stands before a fault or the end of a cut file is still shown.
 */
static struct span close_early(struct header *h, size_t end)
{
    size_t depth = 0, comma = 0;
    bool string = false;
    for (size_t i = 0; i < end; i++) {
        uint8_t c = h->text.p[i];
        if (c == '\\' && string)
            i++;
        else if (c == '"')
            string = !string;
        else if (string)
            continue;
        else if (c == '{' || c == '[')
            depth++;
        else if ((c == '}' || c == ']') && depth)
            depth--;
        else if (c == ',' && depth == 1)
            comma = i;
    }
    uint8_t *copy = comma ? arena_alloc(h->scratch, comma + 1) : NULL;
    if (!copy)
        return SPAN_EMPTY;
    memcpy(copy, h->text.p, comma);
    copy[comma] = '}';
    return (struct span){copy, comma + 1};
}

static void note_text(struct header *h, const struct err *why)
{
    size_t at = why->offset == ERR_NO_OFFSET ? 0 : (size_t)why->offset;
    size_t bad = utf8_invalid(h->text);
    if (why->code == ERR_MEMORY)
        header_note(h, at, at, RULE_READ_LIMIT, "the header needs too much memory: %s", why->text);
    else if (bad != TEXT_VALID && !h->cut)
        header_note(h, bad, bad, RULE_ST_UTF8, "expected UTF-8, found byte 0x%02x", h->text.p[bad]);
    else if (!h->cut)
        header_note(h, at, at, RULE_ST_JSON, "%s", why->text);
    model_incomplete(h->m, h->file);
}

static bool parse_text(struct header *h, struct json *root)
{
    struct err why = ERR_INIT;
    const unsigned flags = JSON_KEEP_DUPLICATES | JSON_PREFIX;
    if (json_parse(root, h->text, flags, h->scratch, &why))
        return true;
    note_text(h, &why);
    size_t at = why.offset < h->text.n ? (size_t)why.offset : h->text.n;
    struct span early = why.code == ERR_MEMORY ? SPAN_EMPTY : close_early(h, at);
    struct err again = ERR_INIT;
    return early.n && json_parse(root, early, flags, h->scratch, &again);
}

/* What stands before and after the object: README says nothing and spaces. */
static void check_frame(struct header *h, struct json root)
{
    if (json_offset(root) > 0)
        header_note(h, 0, json_offset(root), RULE_ST_START,
                    "expected '{' as the header's first byte, found 0x%02x", h->text.p[0]);
    size_t end = json_end(root), odd = SIZE_MAX;
    for (size_t i = end; i < h->text.n; i++) {
        if (!is_space(h->text.p[i])) {
            header_note(h, i, h->text.n, RULE_ST_JSON,
                        "expected nothing but spaces after the header's object, found 0x%02x",
                        h->text.p[i]);
            return;
        }
        if (h->text.p[i] != ' ' && odd == SIZE_MAX)
            odd = i;
    }
    if (odd != SIZE_MAX)
        header_note(h, odd, h->text.n, RULE_ST_PADDING,
                    "the header is padded with 0x%02x; the format says 0x20", h->text.p[odd]);
    if (h->data % 8 && !h->cut)
        header_note(h, end, h->text.n, RULE_ST_ALIGNMENT,
                    "the data begin at offset %llu, which is no multiple of 8",
                    (unsigned long long)h->data);
}

static bool read_header(struct header *h)
{
    struct json root;
    if (!parse_text(h, &root))
        return true;
    if (root.doc && json_type(root) != JSON_OBJECT) {
        header_note(h, json_offset(root), json_end(root), RULE_ST_JSON,
                    "the header is %s; expected an object", json_type_name(json_type(root)));
        model_incomplete(h->m, h->file);
        return true;
    }
    if (!h->m->files[h->file].incomplete)
        check_frame(h, root);
    return read_members(h, root);
}

/* ---- the file ---- */

/* The eight bytes before the header; false when no header can be read. */
static bool read_length(struct model *m, uint32_t file, struct cursor *c, uint64_t *n)
{
    if (m->files[file].size < SAFETENSORS_PREFIX) {
        model_note(m, file, 0, m->files[file].size, RULE_ST_SHORT,
                   "expected at least 8 bytes, the file has %llu",
                   (unsigned long long)m->files[file].size);
        model_incomplete(m, file);
        return false;
    }
    *n = cursor_u64(c);
    if (!cursor_ok(c)) {
        model_note_fault(m, file, c, RULE_ST_SHORT, "the header's length");
        return false;
    }
    if (*n > MODEL_MAX_SAFETENSORS) {
        model_note(m, file, 0, SAFETENSORS_PREFIX, RULE_ST_HEADER_LIMIT,
                   "the header claims %llu bytes, at most %d are allowed", (unsigned long long)*n,
                   MODEL_MAX_SAFETENSORS);
        model_incomplete(m, file);
        return false;
    }
    return true;
}

bool safetensors_parse(struct model *m, uint32_t file)
{
    struct cursor c =
        source_cursor(m->files[file].source, SAFETENSORS_PREFIX + MODEL_MAX_SAFETENSORS);
    uint64_t n;
    if (!read_length(m, file, &c, &n))
        return true;
    struct header h = {.m = m, .file = file, .data = SAFETENSORS_PREFIX + n};
    uint64_t left = cursor_left(&c);
    if (n > left) {
        h.cut = true;
        model_note(m, file, 0, SAFETENSORS_PREFIX, RULE_ST_HEADER_LENGTH,
                   "the header claims %llu bytes and %llu follow", (unsigned long long)n,
                   (unsigned long long)left);
        model_incomplete(m, file);
    }
    h.text = cursor_take(&c, h.cut ? left : n);
    if (!cursor_ok(&c)) {
        model_note_fault(m, file, &c, RULE_ST_HEADER_LENGTH, "the header");
        return true;
    }
    m->files[file].parsed = SAFETENSORS_PREFIX + h.text.n;
    m->files[file].data = h.cut ? 0 : h.data;
    h.scratch = arena_new(scratch_cap);
    bool ok = h.scratch && read_header(&h);
    arena_free(h.scratch);
    return ok;
}
