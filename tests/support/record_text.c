/* One row of each table here per type of member; both texts follow the C table. */
#include "support/record_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/table.h"

struct type_text {
    const char *shown;             /* in the Markdown */
    const char *type;              /* JSON Schema's */
    const char *pattern;           /* of strings */
    const char *minimum, *maximum; /* of integers */
};

#define NUMBER_PATTERN "^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?$"
#define MOST "9007199254740991"

static const struct type_text texts[MEMBER_TYPES] = {
    [MEMBER_COUNT] = {"count", "integer", NULL, "0", MOST},
    [MEMBER_INTEGER] = {"integer", "integer", NULL, "-" MOST, MOST},
    [MEMBER_BOOL] = {"bool", "boolean", NULL, NULL, NULL},
    [MEMBER_STRING] = {"text", "string", NULL, NULL, NULL},
    [MEMBER_DECIMAL] = {"decimal", "string", NUMBER_PATTERN, NULL, NULL},
    [MEMBER_FIELD] = {"field", "string", "^[a-z0-9._-]{1,64}$", NULL, NULL},
    [MEMBER_ID] = {"hex16", "string", "^[0-9a-f]{32}$", NULL, NULL},
    [MEMBER_DIGEST] = {"hex32", "string", "^[0-9a-f]{64}$", NULL, NULL},
    [MEMBER_SIGNATURE] = {"hex64", "string", "^[0-9a-f]{128}$", NULL, NULL},
    [MEMBER_WORD] = {"word", "string", NULL, NULL, NULL},
    [MEMBER_OBJECT] = {"object", "object", NULL, NULL, NULL},
    [MEMBER_KIND] = {"the kind", "string", NULL, NULL, NULL},
    [MEMBER_BODY] = {"object of the kind", "object", NULL, NULL, NULL},
    [MEMBER_SEALED] = {"list of `sealed_field`", "array", NULL, NULL, NULL},
};

/* ---- JSON Schema ---- */

static void key_str(struct json_writer *w, const char *key, const char *value)
{
    jw_key(w, key);
    jw_str(w, value);
}

static void schema_members(struct json_writer *w, const struct shape *s, enum record_kind k);

static void schema_type(struct json_writer *w, const struct member *m, enum record_kind k)
{
    const struct type_text *t = &texts[m->type];
    if (m->type == MEMBER_KIND) {
        key_str(w, "const", record_kind_name(k));
        return;
    }
    key_str(w, "type", t->type);
    if (t->pattern)
        key_str(w, "pattern", t->pattern);
    if (t->minimum) {
        jw_key(w, "minimum");
        jw_raw(w, span_str(t->minimum));
        jw_key(w, "maximum");
        jw_raw(w, span_str(t->maximum));
    }
    if (m->words) {
        jw_key(w, "enum");
        jw_array(w);
        for (const char *const *word = m->words; *word; word++)
            jw_str(w, *word);
        jw_end_array(w);
    }
    if (m->type == MEMBER_OBJECT)
        schema_members(w, m->shape, k);
    if (m->type == MEMBER_BODY)
        schema_members(w, &record_kinds[k], k);
}

static void schema_list(struct json_writer *w, const struct member *m, enum record_kind k)
{
    key_str(w, "type", "array");
    if (m->type == MEMBER_SEALED) {
        jw_key(w, "minItems");
        jw_u64(w, 1);
        jw_key(w, "maxItems");
        jw_u64(w, RECORD_MAX_FIELDS);
    }
    jw_key(w, "items");
    jw_object(w);
    if (m->type == MEMBER_SEALED) {
        key_str(w, "type", "object");
        schema_members(w, &record_sealed, k);
    } else {
        schema_type(w, m, k);
    }
    jw_end_object(w);
}

static void schema_members(struct json_writer *w, const struct shape *s, enum record_kind k)
{
    jw_key(w, "additionalProperties");
    jw_bool(w, false);
    jw_key(w, "required");
    jw_array(w);
    for (size_t i = 0; i < s->count; i++)
        if (s->members[i].required)
            jw_str(w, s->members[i].name);
    jw_end_array(w);
    jw_key(w, "properties");
    jw_object(w);
    for (size_t i = 0; i < s->count; i++) {
        const struct member *m = &s->members[i];
        jw_key(w, m->name);
        jw_object(w);
        key_str(w, "description", m->says);
        if (s == &record_envelope && i == AT_VERSION) {
            jw_key(w, "const");
            jw_u64(w, RECORD_VERSION);
        } else if (m->list || m->type == MEMBER_SEALED) {
            schema_list(w, m, k);
        } else {
            schema_type(w, m, k);
        }
        jw_end_object(w);
    }
    jw_end_object(w);
}

void record_schema_text(struct buf *out, enum record_kind k)
{
    struct json_writer w;
    char id[128];
    snprintf(id, sizeof id, "https://assay.invalid/schema/records/%s.schema.json",
             record_kind_name(k));
    jw_init(&w, json_sink_buf, out, true);
    jw_object(&w);
    key_str(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
    key_str(&w, "$id", id);
    key_str(&w, "title", record_kind_name(k));
    key_str(&w, "description", record_kinds[k].says);
    key_str(&w, "type", "object");
    schema_members(&w, &record_envelope, k);
    jw_end_object(&w);
    buf_put_str(out, "\n");
}

/* ---- Markdown ---- */

static void shown_type(struct buf *out, const struct member *m)
{
    if (m->list)
        buf_put_str(out, "list of ");
    if (m->type == MEMBER_OBJECT)
        buf_printf(out, "`%s`", m->shape->name);
    else if (m->type != MEMBER_WORD)
        buf_put_str(out, texts[m->type].shown);
    for (const char *const *w = m->words; w && *w; w++)
        buf_printf(out, "%s`%s`", w == m->words ? "" : ", ", *w);
}

static void members_table(struct buf *out, const struct shape *s)
{
    buf_put_str(out, "| member | | type | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < s->count; i++) {
        const struct member *m = &s->members[i];
        buf_printf(out, "| `%s` | %s | ", m->name, m->required ? "must" : "may");
        shown_type(out, m);
        buf_printf(out, " | %s |\n", m->says);
    }
    buf_put_str(out, "\n");
}

enum { OBJECTS_MAX = 64 };

struct objects {
    const struct shape *shape[OBJECTS_MAX];
    size_t count;
};

static void collect(struct objects *o, const struct shape *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct shape *inner = s->members[i].shape;
        size_t seen = 0;
        while (inner && seen < o->count && o->shape[seen] != inner)
            seen++;
        if (!inner || seen < o->count || o->count == OBJECTS_MAX)
            continue;
        o->shape[o->count++] = inner;
        collect(o, inner);
    }
}

static int by_name(const void *a, const void *b)
{
    const struct shape *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

void record_kinds_text(struct buf *out)
{
    struct objects o = {.count = 0};
    buf_put_str(out, "### The envelope\n\n");
    members_table(out, &record_envelope);
    buf_put_str(out, "### `sealed_field`\n\n");
    members_table(out, &record_sealed);
    for (unsigned k = 0; k < RECORD_KINDS; k++) {
        buf_printf(out, "### Kind %u: `%s`\n\nWritten when %s.\n\n", k, record_kinds[k].name,
                   record_kinds[k].says);
        members_table(out, &record_kinds[k]);
        collect(&o, &record_kinds[k]);
    }
    qsort(o.shape, o.count, sizeof *o.shape, by_name);
    buf_put_str(out, "### Objects inside them\n\n");
    for (size_t i = 0; i < o.count; i++) {
        buf_printf(out, "#### `%s`: %s\n\n", o.shape[i]->name, o.shape[i]->says);
        members_table(out, o.shape[i]);
    }
}
