/*
 * Model card: README.md as the Hugging Face Hub reads it, a YAML mapping
 * between two --- lines and Markdown after them. libyaml gives events; no tree
 * is built, aliases are never followed, and depth and nodes are bounded, so a
 * card costs no more than its length.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "assay/base/text.h"
#include "model/reader.h"

enum {
    CARD_MAX_FRONT = 4 << 20, /* bytes of front matter */
    CARD_MAX_NODES = 500000,  /* YAML events */
    CARD_MAX_DEPTH = 32,      /* mappings and lists within each other */
    CARD_MAX_LIST = 10000,    /* items kept of one list */
    CARD_SCRATCH = 256 << 20  /* bytes for keys while duplicates are looked for */
};

/* Where a field of the front matter goes in struct card. */
struct field {
    const char *key;
    size_t value; /* struct span; of a list field: struct span * */
    size_t count; /* size_t of a list field; 0: a single text */
};

#define ONE(key, member)                                                                           \
    {                                                                                              \
        key, offsetof(struct card, member), 0                                                      \
    }
#define LIST(key, member, count)                                                                   \
    {                                                                                              \
        key, offsetof(struct card, member), offsetof(struct card, count)                           \
    }

static const struct field fields[] = {
    ONE("license", license),
    ONE("license_name", license_name),
    ONE("license_link", license_link),
    ONE("library_name", library),
    ONE("pipeline_tag", pipeline),
    ONE("base_model_relation", base_model_relation),
    LIST("base_model", base_models, base_model_count),
    LIST("datasets", datasets, dataset_count),
    LIST("language", languages, language_count),
    LIST("tags", tags, tag_count),
};

struct level {
    bool mapping;
    bool key_next; /* the next node of a mapping is a key */
    uint32_t id;   /* number of the mapping, for its keys */
};

struct front {
    struct model *m;
    uint32_t file;
    struct span text;
    uint64_t offset;   /* of text in the file */
    size_t mark, byte; /* the same place in characters and bytes */
    struct level levels[CARD_MAX_DEPTH];
    size_t depth;
    uint32_t mappings;
    const struct field *field; /* the top mapping's current key, if known */
    size_t cap;                /* room in the list being filled */
    struct arena *scratch;
    struct map keys;
    bool stop;
    bool memory; /* out of memory */
};

/* libyaml counts characters; marks only grow. */
static uint64_t place(struct front *f, size_t index)
{
    if (index < f->mark)
        f->mark = f->byte = 0;
    for (; f->mark < index && f->byte < f->text.n; f->mark++)
        utf8_next(f->text, &f->byte);
    return f->offset + f->byte;
}

static void note(struct front *f, const yaml_event_t *e, enum rule_id rule, const char *what)
{
    model_note(f->m, f->file, place(f, e->start_mark.index), 0, rule, "line %zu: %s",
               e->start_mark.line + 2, what);
}

static void limit(struct front *f, const yaml_event_t *e, const char *what)
{
    note(f, e, RULE_READ_LIMIT, what);
    model_incomplete(f->m, f->file);
    f->stop = true;
}

static struct span *single(struct front *f)
{
    return (struct span *)(void *)((char *)&f->m->card + f->field->value);
}

static struct span **items(struct front *f)
{
    return (struct span **)(void *)((char *)&f->m->card + f->field->value);
}

static size_t *count(struct front *f)
{
    return (size_t *)(void *)((char *)&f->m->card + f->field->count);
}

/* The last of a repeated key counts, as for PyYAML. */
static void clear_field(struct front *f)
{
    if (f->field->count) {
        *items(f) = NULL;
        *count(f) = f->cap = 0;
    } else {
        *single(f) = SPAN_EMPTY;
    }
}

static struct span scalar_text(const yaml_event_t *e)
{
    return (struct span){e->data.scalar.value, e->data.scalar.length};
}

static bool is_null(const yaml_event_t *e)
{
    struct span s = scalar_text(e);
    if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return s.n == 0;
    return s.n == 0 || span_is(s, "~") || span_is(s, "null") || span_is(s, "Null") ||
           span_is(s, "NULL");
}

static void put_text(struct front *f, const yaml_event_t *e)
{
    if (is_null(e))
        return;
    struct span copy = arena_span(f->m->arena, scalar_text(e));
    f->memory = f->memory || !copy.p;
    if (!f->field->count) {
        if (single(f)->n == 0) /* of a list where one is expected: the first */
            *single(f) = copy;
        return;
    }
    if (*count(f) >= CARD_MAX_LIST) {
        limit(f, e, "a list is longer than is read");
        return;
    }
    struct span *grown = arena_grow(f->m->arena, *items(f), *count(f), &f->cap, sizeof *grown);
    if (!grown || f->memory) {
        f->memory = true;
        return;
    }
    *items(f) = grown;
    grown[(*count(f))++] = copy;
}

static const struct field *field_named(struct span key)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (span_is(key, fields[i].key))
            return &fields[i];
    return NULL;
}

/* Keys of all mappings share one map: the mapping's number stands before each. */
static void enter_key(struct front *f, const yaml_event_t *e)
{
    struct span key = scalar_text(e);
    struct level *top = &f->levels[f->depth - 1];
    uint8_t *full = arena_alloc(f->scratch, key.n + sizeof top->id);
    uint32_t previous = MAP_NONE;
    if (!full) {
        limit(f, e, "the keys are too many to compare");
        return;
    }
    memcpy(full, &top->id, sizeof top->id);
    if (key.n)
        memcpy(full + sizeof top->id, key.p, key.n);
    struct span name = {full, key.n + sizeof top->id};
    if (!map_put(&f->keys, name, 0, &previous)) {
        limit(f, e, "the keys are too many to compare");
        return;
    }
    if (previous != MAP_NONE) {
        char shown[128], words[192];
        snprintf(words, sizeof words, "the key \"%s\" stands twice in one mapping",
                 text_shown(shown, sizeof shown, key));
        note(f, e, RULE_CARD_DUPLICATE, words);
    }
    if (f->depth == 1) {
        f->field = field_named(key);
        if (f->field)
            clear_field(f);
    }
}

static void note_type(struct front *f, const yaml_event_t *e, const char *what)
{
    char words[128];
    snprintf(words, sizeof words, "%s %s", f->field ? f->field->key : "the front matter", what);
    note(f, e, RULE_CARD_TYPE, words);
}

/* A node begins: is it a key, and of what kind is the value? */
static void begin_node(struct front *f, const yaml_event_t *e)
{
    struct level *top = f->depth ? &f->levels[f->depth - 1] : NULL;
    bool scalar = e->type == YAML_SCALAR_EVENT;
    if (!top) {
        if (e->type != YAML_MAPPING_START_EVENT)
            note_type(f, e, "is no mapping of keys to values");
        return;
    }
    bool key = top->mapping && top->key_next;
    top->key_next = top->mapping && !key;
    if (key && scalar) {
        enter_key(f, e);
        return;
    }
    if (key && f->depth == 1)
        f->field = NULL; /* an alias, list or mapping as a key */
    if (key || !f->field || f->depth > 2)
        return;
    bool in_list = f->depth == 2 && !top->mapping;
    if (scalar && (f->depth == 1 || in_list))
        put_text(f, e);
    else if (e->type == YAML_MAPPING_START_EVENT && (f->depth == 1 || in_list))
        note_type(f, e, "is a mapping where a text is expected");
    else if (e->type == YAML_SEQUENCE_START_EVENT && (in_list || !f->field->count))
        note_type(f, e, "is a list where a text is expected");
}

static void push_level(struct front *f, const yaml_event_t *e)
{
    if (f->depth == CARD_MAX_DEPTH) {
        limit(f, e, "values stand too deep within each other");
        return;
    }
    bool mapping = e->type == YAML_MAPPING_START_EVENT;
    f->levels[f->depth++] = (struct level){mapping, mapping, f->mappings};
    f->mappings += mapping;
}

static void take_event(struct front *f, const yaml_event_t *e, unsigned *documents)
{
    switch ((int)e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if ((*documents)++ == 1) {
            note(f, e, RULE_CARD_DOCUMENTS, "a second document begins and is not read");
            f->stop = true;
        }
        break;
    case YAML_ALIAS_EVENT:
        note(f, e, RULE_CARD_ALIAS, "an alias is not followed");
        begin_node(f, e);
        break;
    case YAML_SCALAR_EVENT:
        begin_node(f, e);
        break;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        begin_node(f, e);
        push_level(f, e);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        f->depth--;
        break;
    case YAML_STREAM_END_EVENT:
        f->stop = true;
        break;
    default:
        break;
    }
}

static void note_error(struct front *f, const yaml_parser_t *p)
{
    const char *problem = p->problem ? p->problem : "not valid";
    bool bytes = p->error == YAML_READER_ERROR;
    uint64_t at = bytes ? f->offset + p->problem_offset : place(f, p->problem_mark.index);
    model_note(f->m, f->file, at, 0, RULE_CARD_YAML, "line %zu, column %zu: %s",
               p->problem_mark.line + 2, p->problem_mark.column + 1, problem);
    model_incomplete(f->m, f->file);
}

static bool read_events(struct front *f)
{
    yaml_parser_t p;
    if (!yaml_parser_initialize(&p))
        return false;
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, f->text.p, f->text.n);
    unsigned documents = 0;
    for (size_t n = 0; !f->stop && !f->memory; n++) {
        yaml_event_t e;
        if (!yaml_parser_parse(&p, &e)) {
            f->memory = p.error == YAML_MEMORY_ERROR;
            if (!f->memory)
                note_error(f, &p);
            break;
        }
        if (n == CARD_MAX_NODES)
            limit(f, &e, "the front matter has too many values");
        else
            take_event(f, &e, &documents);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&p);
    return !f->memory;
}

static bool read_front(struct model *m, uint32_t file)
{
    struct text *t = &m->card.front;
    struct front f = {.m = m, .file = file, .text = t->bytes, .offset = t->origin.offset};
    if (f.text.n > CARD_MAX_FRONT) {
        model_note(m, file, f.offset, f.text.n, RULE_READ_LIMIT,
                   "the front matter is longer than %d bytes and was not read", CARD_MAX_FRONT);
        model_incomplete(m, file);
        return true;
    }
    f.scratch = arena_new(CARD_SCRATCH);
    bool ok = f.scratch && map_init(&f.keys, f.scratch, 0) && read_events(&f);
    arena_free(f.scratch);
    return ok;
}

/* The line at `at` without its end; *next is where the next one begins. */
static struct span line_at(struct span s, size_t at, size_t *next)
{
    size_t end = at;
    while (end < s.n && s.p[end] != '\n' && s.p[end] != '\r')
        end++;
    *next = end + (end < s.n);
    if (*next < s.n && s.p[end] == '\r' && s.p[*next] == '\n')
        ++*next;
    while (end > at && (s.p[end - 1] == ' ' || s.p[end - 1] == '\t'))
        end--;
    return span_sub(s, at, end - at);
}

static struct text part(uint32_t file, struct span s, size_t from, size_t to)
{
    return (struct text){.bytes = span_sub(s, from, to - from), .origin = {file, from, to - from}};
}

/* huggingface_hub, repocard.py: --- after white space only, then up to a line ---. */
static void split(struct model *m, uint32_t file, struct span s, size_t at)
{
    size_t begin, next = at;
    struct card *c = &m->card;
    c->body = part(file, s, at, s.n);
    struct span line = line_at(s, at, &next);
    while (line.n == 0 && next < s.n)
        line = line_at(s, next, &next);
    if (!span_is(line, "---")) {
        model_note(m, file, at, 0, RULE_CARD_FRONT_MATTER,
                   "the first line is not ---, so license and base model are not given");
        return;
    }
    begin = next;
    while (next < s.n) {
        size_t start = next;
        if (!span_is(line_at(s, next, &next), "---"))
            continue;
        c->front = part(file, s, begin, start);
        c->body = part(file, s, next, s.n);
        return;
    }
    c->body = part(file, s, begin, s.n);
    model_note(m, file, begin, s.n - begin, RULE_CARD_UNTERMINATED,
               "no line --- follows the first one; everything was taken as text");
}

static size_t check_encoding(struct model *m, uint32_t file, struct span s)
{
    size_t bad = utf8_invalid(s);
    if (bad != TEXT_VALID)
        model_note(m, file, bad, 0, RULE_CARD_ENCODING, "byte 0x%02x is no part of UTF-8",
                   s.p[bad]);
    bool mark = span_starts(s, "\xEF\xBB\xBF");
    if (mark)
        model_note(
            m, file, 0, 3, RULE_CARD_ENCODING,
            "a byte order mark stands before the front matter; readers that keep it see none");
    return mark ? 3 : 0;
}

bool card_read(struct model *m, uint32_t file)
{
    struct model_file *f = &m->files[file];
    if (!f->source || f->size == 0)
        return true;
    struct cursor c = source_cursor(f->source, MODEL_MAX_DOCUMENT);
    struct span bytes = cursor_take(&c, f->size);
    if (!cursor_ok(&c)) {
        model_note_fault(m, file, &c, RULE_READ_IO, "model card");
        return true;
    }
    f->format = FORMAT_MARKDOWN;
    f->parsed = f->size;
    m->has_card = true;
    m->card = (struct card){0};
    split(m, file, bytes, check_encoding(m, file, bytes));
    return m->card.front.bytes.n == 0 || read_front(m, file);
}
