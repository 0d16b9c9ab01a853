/*
 * The tokenizer digest: entries by id, merges by rank, special ids, read from
 * GGUF metadata or tokenizer.json into one form, so that a byte-level BPE
 * vocabulary gives the same digest in both. docs/formats/identity.md says
 * where the two cannot agree.
 */
#include "inspect/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TYPE_NORMAL = 1, TYPE_CONTROL = 3, TYPE_USER = 4, TYPE_UNUSED = 5 };

struct entry {
    uint64_t id;
    struct span text;
    uint32_t score; /* bits of the F32 */
    uint8_t type;   /* as tokenizer.ggml.token_type */
    bool has_score;
    bool added; /* wins over the vocabulary's entry of the same id */
};

struct entries {
    struct entry *all;
    size_t count, cap;
};

static bool add(struct entries *list, struct entry entry)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 1024;
        struct entry *all =
            cap < SIZE_MAX / sizeof *all ? realloc(list->all, cap * sizeof *all) : NULL;
        if (!all)
            return false;
        list->all = all;
        list->cap = cap;
    }
    list->all[list->count++] = entry;
    return true;
}

/* By id; of equal ids the added one first, then by text, so that order in the file is no matter. */
static int by_id(const void *pa, const void *pb)
{
    const struct entry *a = pa, *b = pb;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    if (a->added != b->added)
        return a->added ? -1 : 1;
    return span_cmp(a->text, b->text);
}

static void sort_entries(struct entries *list)
{
    size_t kept = 0;
    if (list->count)
        qsort(list->all, list->count, sizeof *list->all, by_id);
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || list->all[i].id != list->all[kept - 1].id)
            list->all[kept++] = list->all[i];
    list->count = kept;
}

static void put_entries(struct encoder *x, const struct entries *list)
{
    encode_u64(x, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct entry *entry = &list->all[i];
        uint8_t tail[2 + 4] = {entry->type, entry->has_score};
        for (int b = 0; b < 4; b++)
            tail[2 + b] = (uint8_t)(entry->score >> (24 - 8 * b));
        encode_u64(x, entry->id);
        encode_span(x, entry->text);
        encode_raw(x, tail, entry->has_score ? sizeof tail : 2);
    }
}

/* "left right": the space that parts them is the first after the first byte. */
static void put_merge(struct encoder *x, struct span s)
{
    const uint8_t *space = s.n > 1 ? memchr(s.p + 1, ' ', s.n - 1) : NULL;
    size_t left = space ? (size_t)(space - s.p) : s.n;
    encode_span(x, span_sub(s, 0, left));
    encode_span(x, span_sub(s, left + 1, s.n));
}

static int by_role(const void *pa, const void *pb)
{
    const struct special *const *a = pa, *const *b = pb;
    int order = strcmp((*a)->role, (*b)->role);
    return order ? order : ((*a)->id > (*b)->id) - ((*a)->id < (*b)->id);
}

static void put_special(struct encoder *x, const struct tokenizer_facts *t)
{
    const struct special *sorted[sizeof t->special / sizeof *t->special];
    size_t n = 0;
    for (size_t i = 0; i < t->special_count; i++)
        if (t->special[i].has_id && t->special[i].role)
            sorted[n++] = &t->special[i];
    if (n)
        qsort(sorted, n, sizeof *sorted, by_role);
    encode_u64(x, n);
    for (size_t i = 0; i < n; i++) {
        encode_span(x, span_str(sorted[i]->role));
        encode_u64(x, sorted[i]->id);
    }
}

/* ---- GGUF ---- */

static const struct value *array_of(const struct model *m, const char *key)
{
    const struct metadata *d = model_metadata(m, key);
    return d && d->value.type == VALUE_ARRAY ? &d->value : NULL;
}

/* Entries that converters append to fill the embedding's rows: "[PAD151665]", unused. */
static void drop_fillers(struct entries *list)
{
    while (list->count) {
        const struct entry *last = &list->all[list->count - 1];
        char filler[32];
        snprintf(filler, sizeof filler, "[PAD%llu]", (unsigned long long)last->id);
        if (last->type != TYPE_UNUSED || !span_is(last->text, filler))
            return;
        list->count--;
    }
}

static bool gguf_entries(struct entries *list, const struct model *m, const struct value *tokens)
{
    const struct value *scores = array_of(m, "tokenizer.ggml.scores");
    const struct value *types = array_of(m, "tokenizer.ggml.token_type");
    struct value_iter at = value_items(tokens), score_at = {0}, type_at = {0};
    struct value text, v;
    if (scores)
        score_at = value_items(scores);
    if (types)
        type_at = value_items(types);
    for (uint64_t id = 0; value_next(&at, &text); id++) {
        struct entry entry = {.id = id, .text = text.string, .type = TYPE_NORMAL};
        uint64_t type;
        double score;
        if (types && value_next(&type_at, &v) && value_u64(&v, &type))
            entry.type = (uint8_t)type;
        if (scores && value_next(&score_at, &v) && value_double(&v, &score)) {
            float narrow = (float)score;
            memcpy(&entry.score, &narrow, sizeof narrow);
            entry.has_score = true;
        }
        if (!add(list, entry))
            return false;
    }
    drop_fillers(list);
    return true;
}

static void gguf_merges(struct encoder *x, const struct model *m)
{
    const struct value *merges = array_of(m, "tokenizer.ggml.merges");
    if (!merges || merges->element != VALUE_STRING) {
        encode_u64(x, 0);
        return;
    }
    struct value_iter at = value_items(merges);
    struct value v;
    encode_u64(x, merges->count);
    while (value_next(&at, &v))
        put_merge(x, v.string);
}

/* ---- tokenizer.json ---- */

/* BPE, WordPiece, WordLevel: {text: id}. Unigram: [[text, score]...], ids by place. */
static bool json_vocabulary(struct entries *list, struct json vocab)
{
    uint64_t place = 0;
    for (struct json v = json_first(vocab); json_type(v); v = json_next(v), place++) {
        struct entry entry = {.id = place, .type = TYPE_NORMAL};
        double score;
        if (json_type(vocab) == JSON_OBJECT) {
            entry.text = json_key(v);
            if (!json_u64(v, &entry.id))
                continue;
        } else {
            if (!json_string(json_at(v, 0), &entry.text))
                continue;
            if (json_double(json_at(v, 1), &score)) {
                float narrow = (float)score;
                memcpy(&entry.score, &narrow, sizeof narrow);
                entry.has_score = true;
            }
        }
        if (!add(list, entry))
            return false;
    }
    return true;
}

static bool json_added(struct entries *list, struct json added)
{
    for (struct json v = json_first(added); json_type(v); v = json_next(v)) {
        struct entry entry = {.added = true};
        bool special = false;
        if (!json_u64(json_get(v, "id"), &entry.id) ||
            !json_string(json_get(v, "content"), &entry.text))
            continue;
        json_bool(json_get(v, "special"), &special);
        entry.type = special ? TYPE_CONTROL : TYPE_USER;
        if (!add(list, entry))
            return false;
    }
    return true;
}

/* Either "left right" or ["left", "right"]. */
static void json_merges(struct encoder *x, struct json merges)
{
    struct span left, right;
    encode_u64(x, json_count(merges));
    for (struct json v = json_first(merges); json_type(v); v = json_next(v)) {
        left = right = SPAN_EMPTY;
        if (json_type(v) == JSON_STRING) {
            if (json_string(v, &left))
                put_merge(x, left);
            continue;
        }
        json_string(json_at(v, 0), &left);
        json_string(json_at(v, 1), &right);
        encode_span(x, left);
        encode_span(x, right);
    }
}

bool identity_tokenizer(struct digest *out, bool *has, const struct model *m, const struct facts *f)
{
    const struct value *tokens = array_of(m, "tokenizer.ggml.tokens");
    struct json document = m->documents[DOC_TOKENIZER].root;
    struct json model = json_get(document, "model");
    struct entries list = {0};
    struct encoder x = {0};
    bool gguf = tokens && tokens->element == VALUE_STRING;
    if (!gguf && !json_count(json_get(model, "vocab")))
        return true;
    bool ok = gguf ? gguf_entries(&list, m, tokens)
                   : json_vocabulary(&list, json_get(model, "vocab")) &&
                         json_added(&list, json_get(document, "added_tokens"));
    ok = ok && encode_start(&x, "assay/tokenizer/v1");
    if (ok) {
        sort_entries(&list);
        put_entries(&x, &list);
        if (gguf)
            gguf_merges(&x, m);
        else
            json_merges(&x, json_get(model, "merges"));
        put_special(&x, &f->tokenizer);
        encode_finish(&x, out);
        *has = true;
    }
    free(list.all);
    return ok;
}
