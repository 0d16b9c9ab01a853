/*
 * libyaml's events become JSON text, which the strict JSON reader parses: one
 * kind of tree, one set of typed reads. A side table keeps the line of every
 * node by its offset in that text. Nothing is expanded, so the tree is never
 * larger than a small multiple of the document.
 */
#include "assay/yaml.h"

#include <string.h>
#include <yaml.h>

#include "assay/base/file.h"
#include "assay/base/map.h"
#include "assay/base/text.h"
#include "yaml/scalar.h"

/* In order of `offset`, which is how they are made. */
struct yaml_place {
    uint32_t offset; /* of the node in the JSON text */
    uint32_t line;   /* from 1 */
};

struct level {
    bool mapping, key_next, first;
    uint32_t id; /* number of the mapping, for its keys */
};

struct reader {
    struct span text;
    const char *file;
    struct err *e;
    struct arena *arena;   /* of the result */
    struct arena *scratch; /* for the keys met so far */
    struct map keys;
    struct buf json;
    struct yaml_place *places;
    size_t place_count, place_cap;
    struct level levels[YAML_MAX_DEPTH];
    size_t depth;
    uint32_t mappings;
    unsigned documents;
    bool done;
};

/* libyaml counts characters. */
static uint64_t byte_at(struct span text, size_t characters)
{
    size_t pos = span_starts(text, "\xEF\xBB\xBF") ? 3 : 0;
    for (size_t i = 0; i < characters && pos < text.n; i++)
        utf8_next(text, &pos);
    return pos;
}

static bool refuse(struct reader *r, const yaml_mark_t *at, const char *what)
{
    return err_at(r->e, ERR_CONFIG, r->file, byte_at(r->text, at->index),
                  "line %zu, column %zu: %s", at->line + 1, at->column + 1, what);
}

static bool no_memory(struct reader *r)
{
    return err_at(r->e, ERR_MEMORY, r->file, ERR_NO_OFFSET, "out of memory while reading YAML");
}

/* Note where the node that is written next stands. */
static bool place(struct reader *r, const yaml_mark_t *at)
{
    if (r->place_count == YAML_MAX_NODES)
        return refuse(r, at, "the document has more values than are read");
    struct yaml_place *grown =
        arena_grow(r->arena, r->places, r->place_count, &r->place_cap, sizeof *grown);
    if (!grown)
        return no_memory(r);
    r->places = grown;
    grown[r->place_count++] = (struct yaml_place){(uint32_t)r->json.n, (uint32_t)at->line + 1};
    return true;
}

static void put_text(struct reader *r, struct span s)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, &r->json, false);
    jw_string(&w, s);
}

/* Keys of all mappings share one map: the mapping's number stands before each. */
static bool enter_key(struct reader *r, struct span key, const yaml_mark_t *at)
{
    uint32_t id = r->levels[r->depth - 1].id, previous = MAP_NONE;
    uint8_t *full = arena_alloc(r->scratch, key.n + sizeof id);
    if (!full)
        return no_memory(r);
    memcpy(full, &id, sizeof id);
    if (key.n)
        memcpy(full + sizeof id, key.p, key.n);
    if (!map_put(&r->keys, (struct span){full, key.n + sizeof id}, (uint32_t)at->line + 1,
                 &previous))
        return no_memory(r);
    if (previous == MAP_NONE)
        return true;
    char shown[128];
    return err_at(r->e, ERR_CONFIG, r->file, byte_at(r->text, at->index),
                  "line %zu, column %zu: the key '%s' stands in this mapping already, at line %u",
                  at->line + 1, at->column + 1, text_shown(shown, sizeof shown, key), previous);
}

static bool put_key(struct reader *r, const yaml_event_t *e)
{
    struct span key = {e->data.scalar.value, e->data.scalar.length};
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && scalar_is_null(key))
        return refuse(r, &e->start_mark, "a key is empty; write its name");
    if (plain && span_is(key, "<<"))
        return refuse(r, &e->start_mark, "merge keys are not read; write the values out");
    if (!enter_key(r, key, &e->start_mark) || !place(r, &e->start_mark))
        return false;
    put_text(r, key);
    return true;
}

static bool put_value(struct reader *r, const yaml_event_t *e)
{
    struct span s = {e->data.scalar.value, e->data.scalar.length};
    const char *fault = NULL;
    if (!place(r, &e->start_mark))
        return false;
    if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        put_text(r, s);
    else
        fault = scalar_plain(&r->json, s);
    return fault ? refuse(r, &e->start_mark, fault) : true;
}

/* A comma or colon before the node; *key when the node is a mapping's key. */
static void separate(struct reader *r, bool *key)
{
    struct level *top = r->depth ? &r->levels[r->depth - 1] : NULL;
    *key = top && top->mapping && top->key_next;
    if (!top)
        return;
    if (top->mapping && !top->key_next)
        buf_put_u8(&r->json, ':');
    else if (!top->first)
        buf_put_u8(&r->json, ',');
    top->first = false;
    top->key_next = top->mapping && !*key;
}

static bool begin_container(struct reader *r, const yaml_event_t *e)
{
    bool mapping = e->type == YAML_MAPPING_START_EVENT, key;
    if (r->depth == YAML_MAX_DEPTH)
        return refuse(r, &e->start_mark, "lists and mappings stand too deep within each other");
    separate(r, &key);
    if (key)
        return refuse(r, &e->start_mark, "a key must be a text, not a list or mapping");
    if (!place(r, &e->start_mark))
        return false;
    buf_put_u8(&r->json, mapping ? '{' : '[');
    r->levels[r->depth++] = (struct level){mapping, mapping, true, r->mappings};
    r->mappings += mapping;
    return true;
}

static const yaml_char_t *tag_of(const yaml_event_t *e)
{
    switch ((int)e->type) {
    case YAML_SCALAR_EVENT:
        return e->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return e->data.mapping_start.tag;
    default:
        return NULL;
    }
}

static const yaml_char_t *anchor_of(const yaml_event_t *e)
{
    switch ((int)e->type) {
    case YAML_SCALAR_EVENT:
        return e->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT:
        return e->data.mapping_start.anchor;
    default:
        return NULL;
    }
}

static bool begin_document(struct reader *r, const yaml_event_t *e)
{
    if (r->documents++)
        return refuse(r, &e->start_mark, "a second document begins; one file holds one");
    if (e->data.document_start.tag_directives.start != e->data.document_start.tag_directives.end)
        return refuse(r, &e->start_mark, "tags are not read; write plain values");
    return true;
}

static bool take_scalar(struct reader *r, const yaml_event_t *e)
{
    bool key;
    separate(r, &key);
    return key ? put_key(r, e) : put_value(r, e);
}

static bool take_event(struct reader *r, const yaml_event_t *e)
{
    if (tag_of(e))
        return refuse(r, &e->start_mark, "tags are not read; write plain values");
    if (anchor_of(e) || e->type == YAML_ALIAS_EVENT)
        return refuse(r, &e->start_mark,
                      "anchors and aliases are not read; write the value out where it is used");
    switch ((int)e->type) {
    case YAML_DOCUMENT_START_EVENT:
        return begin_document(r, e);
    case YAML_SCALAR_EVENT:
        return take_scalar(r, e);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return begin_container(r, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        buf_put_u8(&r->json, e->type == YAML_MAPPING_END_EVENT ? '}' : ']');
        r->depth--;
        return true;
    case YAML_STREAM_END_EVENT:
        r->done = true;
        return true;
    default:
        return true;
    }
}

static bool parser_error(struct reader *r, const yaml_parser_t *p)
{
    if (p->error == YAML_MEMORY_ERROR)
        return no_memory(r);
    if (p->error == YAML_READER_ERROR)
        return err_at(r->e, ERR_CONFIG, r->file, p->problem_offset,
                      "the text is not plain UTF-8: %s", p->problem);
    return refuse(r, &p->problem_mark, p->problem ? p->problem : "this is not YAML");
}

static bool read_events(struct reader *r)
{
    yaml_parser_t p;
    if (!yaml_parser_initialize(&p))
        return no_memory(r);
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, r->text.p, r->text.n);
    bool ok = true;
    while (ok && !r->done) {
        yaml_event_t e;
        if (!yaml_parser_parse(&p, &e)) {
            ok = parser_error(r, &p);
            break;
        }
        ok = take_event(r, &e);
        yaml_event_delete(&e);
        ok = ok && (buf_ok(&r->json) || no_memory(r));
    }
    yaml_parser_delete(&p);
    return ok;
}

static bool build_tree(struct yaml *out, struct reader *r)
{
    if (r->json.n == 0)
        buf_put_str(&r->json, "null");
    struct span text = arena_span(r->arena, buf_span(&r->json));
    if (!buf_ok(&r->json) || !text.p)
        return no_memory(r);
    if (!json_parse(&out->root, text, JSON_STRICT, r->arena, r->e)) {
        err_in_file(r->e, r->file);
        return false;
    }
    out->file = r->file;
    out->places = r->places;
    out->place_count = r->place_count;
    return true;
}

bool yaml_parse(struct yaml *out, struct span text, const char *file, struct arena *a,
                struct err *e)
{
    /* libyaml takes a byte order mark for a column, and the lines that follow for less indented. */
    if (span_starts(text, "\xef\xbb\xbf"))
        text = span_sub(text, 3, text.n);
    struct reader r = {.text = text, .file = file, .e = e, .arena = a};
    *out = (struct yaml){JSON_NOTHING, file, NULL, 0};
    if (text.n > YAML_MAX_TEXT)
        return err_at(e, ERR_CONFIG, file, YAML_MAX_TEXT, "the document is longer than %d bytes",
                      YAML_MAX_TEXT);
    size_t bad = utf8_invalid(text);
    if (bad != TEXT_VALID)
        return err_at(e, ERR_CONFIG, file, bad, "byte 0x%02x is no part of UTF-8; save as UTF-8",
                      text.p[bad]);
    r.scratch = arena_new((size_t)YAML_MAX_TREE);
    buf_init(&r.json, YAML_MAX_TREE);
    bool ok = r.scratch && map_init(&r.keys, r.scratch, 0) ? read_events(&r) && build_tree(out, &r)
                                                           : no_memory(&r);
    buf_free(&r.json);
    arena_free(r.scratch);
    return ok;
}

bool yaml_read(struct yaml *out, const char *path, struct arena *a, struct err *e)
{
    struct span text;
    *out = (struct yaml){JSON_NOTHING, path, NULL, 0};
    return file_read(&text, path, YAML_MAX_TEXT, false, a, e) && yaml_parse(out, text, path, a, e);
}

static size_t line_of(const struct yaml *y, size_t offset)
{
    size_t low = 0, high = y->place_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (y->places[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < y->place_count && y->places[low].offset == offset ? y->places[low].line : 0;
}

size_t yaml_line(const struct yaml *y, struct json v)
{
    return json_type(v) == JSON_MISSING || v.doc != y->root.doc ? 0 : line_of(y, json_offset(v));
}

size_t yaml_key_line(const struct yaml *y, struct json member)
{
    bool keyed = json_type(member) != JSON_MISSING && member.doc == y->root.doc &&
                 json_key(member).p != NULL;
    return keyed ? line_of(y, json_key_offset(member)) : 0;
}
