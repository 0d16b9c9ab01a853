/*
 * Split sets: prefix-NNNNN-of-NNNNN.gguf (llama_split_path), each part a GGUF
 * file with split.no, split.count and split.tensors.count. All parts are found
 * from the name of any, and judged against one another when all are read.
 */
#include "model/gguf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "assay/base/text.h"

enum { DIGITS = 5, SUFFIX = 20 /* -NNNNN-of-NNNNN.gguf */, MISSING_SHOWN = 8, SHOWN = 128 };

static bool number_at(struct span s, size_t at, uint32_t *out)
{
    uint32_t n = 0;
    for (size_t i = at; i < at + DIGITS; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        n = n * 10 + (s.p[i] - '0');
    }
    *out = n;
    return true;
}

bool gguf_part_name(struct gguf_part *out, const char *name)
{
    struct span s = span_str(name);
    if (s.n < SUFFIX || !span_ends(s, ".gguf"))
        return false;
    size_t stem = s.n - SUFFIX;
    bool form = s.p[stem] == '-' && number_at(s, stem + 1, &out->number) &&
                memcmp(s.p + stem + 6, "-of-", 4) == 0 && number_at(s, stem + 10, &out->count);
    out->stem = (struct span){s.p, stem};
    return form && out->number >= 1 && out->number <= out->count;
}

/* ---- finding the parts ---- */

/* Write another part's number into a name or path of a part. */
static void put_number(char *path, uint32_t number)
{
    char *digits = path + strlen(path) - SUFFIX + 1;
    for (size_t i = DIGITS; i-- > 0; number /= 10)
        digits[i] = (char)('0' + number % 10);
}

static bool is_gguf(const struct source *s)
{
    uint8_t head[4];
    return source_size(s) >= sizeof head && source_read(s, head, 0, sizeof head, NULL) &&
           gguf_sniff((struct span){head, sizeof head}, source_size(s));
}

/* A sibling that exists is added; a missing one is found missing later. */
static bool add_sibling(struct model *m, char *name, char *path, uint32_t number)
{
    struct stat st;
    uint32_t file;
    put_number(name, number);
    put_number(path, number);
    return lstat(path, &st) != 0 || model_add_file(m, name, path, &file);
}

bool gguf_add_set(struct model *m, const char *name, struct source *s)
{
    struct gguf_part part;
    if (!gguf_part_name(&part, name) || !is_gguf(s))
        return model_adopt_file(m, name, m->path, s);
    char *other = arena_str(m->arena, span_str(name));
    char *path = arena_str(m->arena, span_str(m->path));
    bool ok = other && path, adopted = false;
    for (uint32_t i = 1; i <= part.count && ok; i++) {
        if (i != part.number) {
            ok = add_sibling(m, other, path, i);
            continue;
        }
        adopted = true;
        ok = model_adopt_file(m, name, m->path, s);
    }
    if (!adopted)
        source_close(s);
    return ok;
}

/* ---- judging the set ---- */

/* One GGUF file as a part. */
struct part {
    struct gguf_part name;               /* count 0: not named as a part */
    size_t tensor, tensors, pair, pairs; /* where this file's begin, how many */
    const struct metadata *no, *count, *total;
    uint32_t next; /* file of the next part of the set, or MAP_NONE */
};

struct set {
    struct model *m;
    struct arena *scratch;
    struct part *parts; /* one per file of the model */
    uint32_t first;     /* file */
    size_t members;
    uint64_t tensors;
};

static void collect(struct model *m, struct part *parts)
{
    for (size_t i = 0; i < m->file_count; i++) {
        struct gguf_part *name = &parts[i].name;
        if (m->files[i].format != FORMAT_GGUF || m->files[i].beside ||
            !gguf_part_name(name, m->files[i].name))
            name->count = 0;
    }
    for (size_t i = m->tensor_count; i-- > 0;) {
        struct part *p = &parts[m->tensors[i].entry.file];
        p->tensor = i;
        p->tensors++;
    }
    for (size_t i = m->metadata_count; i-- > 0;) {
        const struct metadata *d = &m->metadata[i];
        struct part *p = &parts[d->origin.file];
        p->pair = i;
        p->pairs++;
        if (span_is(d->key, "split.no"))
            p->no = d;
        else if (span_is(d->key, "split.count"))
            p->count = d;
        else if (span_is(d->key, "split.tensors.count"))
            p->total = d;
    }
}

/* A number of split.* as the name has it. */
static void check_number(struct set *s, uint32_t file, const struct metadata *d, const char *key,
                         uint64_t expected)
{
    uint64_t v;
    if (d && value_u64(&d->value, &v) && v == expected)
        return;
    struct origin o = d ? d->origin : (struct origin){file, 0, 0};
    if (!d)
        model_note(s->m, file, 0, 0, RULE_GGUF_SPLIT, "%s is missing, expected %" PRIu64, key,
                   expected);
    else
        model_note(s->m, file, o.offset, o.length, RULE_GGUF_SPLIT,
                   "%s does not agree with the file's name, which says %" PRIu64, key, expected);
}

/* "1, 3-5": the numbers before `upto` that no part has. */
static void note_range(char *out, size_t size, uint32_t from, uint32_t upto, size_t *listed)
{
    size_t n = strlen(out);
    const char *comma = n ? ", " : "";
    if (from >= upto || ++*listed > MISSING_SHOWN)
        return;
    if (from + 1 == upto)
        snprintf(out + n, size - n, "%s%" PRIu32, comma, from);
    else
        snprintf(out + n, size - n, "%s%" PRIu32 "-%" PRIu32, comma, from, upto - 1);
}

static bool check_missing(struct set *s)
{
    char ranges[256] = "";
    size_t listed = 0;
    uint32_t expected = 1, count = s->parts[s->first].name.count;
    if (s->members == count)
        return false;
    for (uint32_t f = s->first; f != MAP_NONE; f = s->parts[f].next) {
        note_range(ranges, sizeof ranges, expected, s->parts[f].name.number, &listed);
        expected = s->parts[f].name.number + 1;
    }
    note_range(ranges, sizeof ranges, expected, count + 1, &listed);
    model_note(s->m, s->first, 0, 0, RULE_GGUF_SPLIT_MISSING,
               "%zu of %" PRIu32 " parts are missing beside this file: %s%s", count - s->members,
               count, ranges, listed > MISSING_SHOWN ? ", ..." : "");
    model_incomplete(s->m, ORIGIN_NO_FILE);
    return true;
}

static void check_total(struct set *s, bool missing)
{
    for (uint32_t f = s->first; f != MAP_NONE; f = s->parts[f].next) {
        const struct metadata *d = s->parts[f].total;
        uint64_t v;
        if (!d || (missing && f != s->first))
            continue;
        bool fine = value_u64(&d->value, &v) && (missing ? v >= s->tensors : v == s->tensors);
        if (!fine)
            model_note(s->m, f, d->origin.offset, d->origin.length, RULE_GGUF_SPLIT_TENSORS,
                       "split.tensors.count does not agree with the %" PRIu64
                       " tensors of all parts",
                       s->tensors);
    }
}

static bool check_duplicates(struct set *s)
{
    struct map names;
    char shown[SHOWN];
    if (!map_init(&names, s->scratch, 0))
        return false;
    for (uint32_t f = s->first; f != MAP_NONE; f = s->parts[f].next) {
        const struct part *p = &s->parts[f];
        for (size_t i = p->tensor; i < p->tensor + p->tensors; i++) {
            const struct tensor *t = &s->m->tensors[i];
            uint32_t previous;
            if (!map_put(&names, t->name, (uint32_t)i, &previous))
                return false;
            if (previous == MAP_NONE || s->m->tensors[previous].entry.file == f)
                continue;
            uint32_t other = s->m->tensors[previous].entry.file;
            model_note(s->m, f, t->entry.offset, t->entry.length, RULE_GGUF_SPLIT_DUPLICATE,
                       "\"%s\" is in part %" PRIu32 " already",
                       text_shown(shown, sizeof shown, t->name), s->parts[other].name.number);
        }
    }
    return true;
}

static bool same_value(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    if (a->type == VALUE_STRING)
        return span_eq(a->string, b->string);
    if (a->type == VALUE_ARRAY)
        return a->element == b->element && a->count == b->count && span_eq(a->items, b->items);
    return a->u == b->u; /* the bits, of whatever scalar */
}

/* Later parts may repeat keys of the first; they may not contradict them. */
static bool check_metadata(struct set *s)
{
    struct map keys;
    char shown[SHOWN];
    if (!map_init(&keys, s->scratch, 0))
        return false;
    for (uint32_t f = s->first; f != MAP_NONE; f = s->parts[f].next) {
        const struct part *p = &s->parts[f];
        for (size_t i = p->pair; i < p->pair + p->pairs; i++) {
            const struct metadata *d = &s->m->metadata[i];
            uint32_t previous;
            if (span_is(d->key, "split.no"))
                continue;
            if (!map_put(&keys, d->key, (uint32_t)i, &previous))
                return false;
            if (previous == MAP_NONE || same_value(&d->value, &s->m->metadata[previous].value))
                continue;
            uint32_t other = s->m->metadata[previous].origin.file;
            model_note(s->m, f, d->origin.offset, d->origin.length, RULE_GGUF_SPLIT_METADATA,
                       "\"%s\" has another value than in part %" PRIu32,
                       text_shown(shown, sizeof shown, d->key), s->parts[other].name.number);
        }
    }
    return true;
}

static bool check_set(struct set *s)
{
    s->members = 0;
    s->tensors = 0;
    for (uint32_t f = s->first; f != MAP_NONE; f = s->parts[f].next) {
        const struct part *p = &s->parts[f];
        s->members++;
        s->tensors += p->tensors;
        if (p->name.count == 1 && !p->count)
            return true; /* a whole model that is only named like a part */
        check_number(s, f, p->no, "split.no", p->name.number - 1);
        check_number(s, f, p->count, "split.count", p->name.count);
    }
    check_total(s, check_missing(s));
    return s->members < 2 || (check_duplicates(s) && check_metadata(s));
}

/* A part by its metadata whose name does not lead to the others. */
static void check_unnamed(struct model *m, uint32_t file, const struct part *p)
{
    uint64_t count;
    if (p->name.count || !p->count || !value_u64(&p->count->value, &count) || count < 2)
        return;
    model_note(m, file, p->count->origin.offset, p->count->origin.length, RULE_GGUF_SPLIT_NAME,
               "split.count is %" PRIu64 ", and the name does not end in -NNNNN-of-NNNNN.gguf, so "
               "that the other parts are not found",
               count);
    model_incomplete(m, file);
}

/* Chain the files of each set in the order of the files, which is that of the parts. */
static bool check_sets(struct model *m, struct arena *scratch)
{
    struct part *parts = arena_array(scratch, m->file_count, sizeof *parts);
    struct map last; /* set -> its last file so far */
    if (!parts || !map_init(&last, scratch, 0))
        return false;
    collect(m, parts);
    uint32_t *tails = arena_array(scratch, m->file_count, sizeof *tails);
    bool *later = arena_array(scratch, m->file_count, sizeof *later);
    if (!tails || !later)
        return false;
    for (uint32_t f = 0; f < m->file_count; f++) {
        struct part *p = &parts[f];
        p->next = MAP_NONE;
        check_unnamed(m, f, p);
        if (!p->name.count)
            continue;
        const char *key = arena_printf(scratch, "%.*s/%" PRIu32, (int)p->name.stem.n,
                                       (const char *)p->name.stem.p, p->name.count);
        uint32_t first;
        if (!key || !map_put(&last, span_str(key), f, &first))
            return false;
        tails[f] = f;
        if (first == MAP_NONE)
            continue;
        parts[tails[first]].next = f;
        tails[first] = f;
        later[f] = true;
    }
    struct set s = {.m = m, .scratch = scratch, .parts = parts};
    for (s.first = 0; s.first < m->file_count; s.first++)
        if (parts[s.first].name.count && !later[s.first] && !check_set(&s))
            return false;
    return true;
}

bool gguf_check_parts(struct model *m)
{
    bool any = false;
    for (size_t i = 0; i < m->file_count && !any; i++)
        any = m->files[i].format == FORMAT_GGUF;
    if (!any)
        return true;
    struct arena *scratch = arena_new(SIZE_MAX);
    bool ok = scratch && check_sets(m, scratch);
    arena_free(scratch);
    return ok;
}
