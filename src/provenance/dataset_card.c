/*
 * Cards of data sets: Croissant 1.0 and 1.1 with RAI in all its spellings,
 * Hugging Face front matter, D&TA 1.0, and plain YAML with our own names. All
 * become one tree of base/json.h, so each is a table of where its facts stand.
 */
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/provenance.h"
#include "assay/yaml.h"

enum { SHOWN = 1000, LIST = 64, FILES = 2000 };

const char *card_kind_name(enum card_kind k)
{
    static const char *const names[] = {"none", "Croissant", "Hugging Face card", "D&TA", "YAML"};
    return names[k];
}

/* Where a fact stands: keys separated by '/', alternatives by '|'. A list counts as its items
 * joined; an object as its name, @id, code or description. */
struct place {
    size_t at; /* offsetof a const char * in struct dataset_card */
    const char *where;
};

#define AT(member) offsetof(struct dataset_card, member)
static const struct place croissant_places[] = {
    {AT(name), "name"},
    {AT(description), "description"},
    {AT(version), "version|sc:version"},
    {AT(licence), "license|sc:license"},
    {AT(url), "url|sc:url|sameAs"},
    {AT(creator), "creator|sc:creator|publisher"},
    {AT(published), "datePublished|sc:datePublished|dateCreated"},
    {AT(conforms), "conformsTo|dct:conformsTo"},
    {AT(source), "prov:wasDerivedFrom|wasDerivedFrom|isBasedOn|rai:dataCollectionRawData"},
    {AT(collection), "rai:dataCollection|dataCollection|rai:dataCollectionType|dataCollectionType|"
                     "rai:collectionMethod"},
    {AT(preprocessing), "rai:dataPreprocessingProtocol|dataPreprocessingProtocol|"
                        "rai:dataManipulationProtocol"},
    {AT(annotation), "rai:dataAnnotationProtocol|dataAnnotationProtocol|rai:dataAnnotationPlatform|"
                     "rai:annotationPlatform|annotationPlatform|rai:annotationsPerItem"},
    {AT(limits), "rai:dataLimitations|dataLimitations"},
    {AT(biases), "rai:dataBiases|dataBiases|rai:dataBias"},
    {AT(personal), "rai:personalSensitiveInformation|personalSensitiveInformation|"
                   "rai:personalAndSensitiveInformation"},
    {AT(consent), "rai:dataConsent|dataConsent|usageInfo"},
    {AT(synthetic), "rai:syntheticData|rai:hasSyntheticData|syntheticData"},
    {0, NULL},
};
static const struct place face_places[] = {
    {AT(name), "pretty_name|dataset_info/dataset_name"},
    {AT(licence), "license|license_name"},
    {AT(source), "source_datasets"},
    {AT(annotation), "annotations_creators"},
    {AT(collection), "language_creators"},
    {0, NULL},
};
static const struct place dta_places[] = {
    {AT(name), "source/title"},
    {AT(description), "source/description"},
    {AT(version), "source/version"},
    {AT(url), "source/location|source/id"},
    {AT(creator), "source/issuer"},
    {AT(source), "provenance/source|provenance/origin"},
    {AT(geography), "provenance/origin-geography"},
    {AT(published), "provenance/date"},
    {AT(collection), "provenance/generation-method"},
    {AT(from_date), "provenance/generation-period/start-date|provenance/generation-period/start"},
    {AT(to_date), "provenance/generation-period/end-date|provenance/generation-period/end"},
    {AT(licence), "use/license|use/licence"},
    {AT(consent), "use/consents"},
    {AT(personal), "use/classification"},
    {AT(limits), "use/processing-excluded"},
    {0, NULL},
};
static const struct place plain_places[] = {
    {AT(name), "name|title"},
    {AT(description), "description"},
    {AT(version), "version|revision"},
    {AT(licence), "licence|license"},
    {AT(url), "url|homepage"},
    {AT(creator), "creator|author|publisher"},
    {AT(published), "published|date"},
    {AT(source), "source"},
    {AT(collection), "collection|collection_method"},
    {AT(preprocessing), "preprocessing"},
    {AT(annotation), "annotation"},
    {AT(limits), "limitations|limits"},
    {AT(biases), "biases|bias"},
    {AT(personal), "personal_data|personal"},
    {AT(consent), "consent"},
    {AT(synthetic), "synthetic"},
    {AT(from_date), "from|dates/from"},
    {AT(to_date), "to|dates/to"},
    {0, NULL},
};
#undef AT

/* ---- facts out of a tree ---- */

static void put_text(struct buf *out, struct json v, unsigned depth)
{
    static const char *const names[] = {"name", "description", "code",   "country", "@id",
                                        "id",   "url",         "@value", NULL};
    struct span s;
    bool truth;
    if (json_string(v, &s))
        text_show(out, s, SHOWN);
    else if (json_bool(v, &truth))
        buf_put_str(out, truth ? "true" : "false");
    else if (json_type(v) == JSON_NUMBER)
        buf_put_span(out, json_text(v));
    else if (json_type(v) == JSON_ARRAY && depth < 4) {
        size_t n = 0;
        for (struct json i = json_first(v); json_type(i) && n < LIST; i = json_next(i), n++) {
            if (n)
                buf_put_str(out, ", ");
            put_text(out, i, depth + 1);
        }
    } else if (json_type(v) == JSON_OBJECT && depth < 4)
        for (size_t i = 0; names[i]; i++)
            if (json_type(json_get(v, names[i]))) {
                put_text(out, json_get(v, names[i]), depth + 1);
                return;
            }
}

static const char *text_at(struct json v, struct arena *a)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    put_text(&b, v, 0);
    const char *s = buf_ok(&b) && b.n ? arena_str(a, buf_span(&b)) : NULL;
    buf_free(&b);
    return s;
}

/* One alternative: keys from the root down. */
static struct json follow(struct json v, const char *keys, size_t n)
{
    while (n) {
        size_t k = 0;
        while (k < n && keys[k] != '/')
            k++;
        v = json_get_span(v, (struct span){(const uint8_t *)keys, k});
        keys += k < n ? k + 1 : k;
        n -= k < n ? k + 1 : k;
    }
    return v;
}

static struct json find(struct json root, const char *where)
{
    while (*where) {
        size_t n = strcspn(where, "|");
        struct json v = follow(root, where, n);
        if (json_type(v) > JSON_NULL)
            return v;
        where += n + (where[n] == '|');
    }
    return JSON_NOTHING;
}

static void fill(struct dataset_card *c, const struct place *places, struct json root,
                 struct arena *a)
{
    for (size_t i = 0; places[i].where; i++) {
        const char *text = text_at(find(root, places[i].where), a);
        if (text)
            *(const char **)(void *)((char *)c + places[i].at) = text;
    }
}

static void fill_languages(struct dataset_card *c, struct json v, struct arena *a)
{
    size_t n = json_type(v) == JSON_ARRAY ? json_count(v) : json_type(v) == JSON_STRING;
    c->languages = arena_array(a, n + 1, sizeof *c->languages);
    if (!c->languages)
        return;
    if (json_type(v) == JSON_STRING) {
        c->languages[0] = text_at(v, a);
        c->language_count = c->languages[0] != NULL;
    }
    for (struct json i = json_first(v); json_type(v) == JSON_ARRAY && json_type(i);
         i = json_next(i)) {
        const char *code = text_at(i, a);
        if (code && c->language_count < LIST)
            c->languages[c->language_count++] = code;
    }
}

static uint64_t count_at(struct json v)
{
    uint64_t n = 0;
    struct span s;
    if (json_u64(v, &n))
        return n;
    /* "1234", "1234 B" */
    if (json_string(v, &s)) {
        size_t k = 0;
        while (k < s.n && s.p[k] >= '0' && s.p[k] <= '9')
            k++;
        if (!text_u64(span_sub(s, 0, k), &n))
            n = 0;
    }
    return n;
}

/* ---- Croissant ---- */

static void fill_files(struct dataset_card *c, struct json list, struct arena *a)
{
    size_t n = json_count(list);
    c->files = arena_array(a, (n < FILES ? n : FILES) + 1, sizeof *c->files);
    for (struct json v = json_first(list); c->files && json_type(v) && c->file_count < FILES;
         v = json_next(v)) {
        struct card_file f = {
            .name = text_at(find(v, "contentUrl|sc:contentUrl|name|@id"), a),
            .sha256 = text_at(find(v, "sha256|sc:sha256"), a),
            .bytes = count_at(find(v, "contentSize|sc:contentSize")),
        };
        if (f.name)
            c->files[c->file_count++] = f;
    }
}

static void read_croissant(struct dataset_card *c, struct json root, struct arena *a)
{
    static const char *const must[] = {"name",    "description",   "license",      "url",
                                       "creator", "datePublished", "distribution", "conformsTo"};
    char missing[200] = "";
    c->kind = CARD_CROISSANT;
    fill(c, croissant_places, root, a);
    fill_files(c, json_get(root, "distribution"), a);
    fill_languages(c, find(root, "inLanguage|sc:inLanguage|language"), a);
    for (size_t i = 0; i < sizeof must / sizeof must[0]; i++) {
        char where[64];
        size_t n = strlen(missing);
        snprintf(where, sizeof where, "%s|sc:%s|dct:%s", must[i], must[i], must[i]);
        if (!json_type(find(root, where)))
            snprintf(missing + n, sizeof missing - n, "%s%s", n ? ", " : "", must[i]);
    }
    if (missing[0])
        c->trouble = arena_printf(a, "members that Croissant requires are missing: %s", missing);
}

/* ---- Hugging Face ---- */

static void read_splits(struct dataset_card *c, struct json info, struct arena *a)
{
    struct json list = json_get(info, "splits");
    for (struct json v = json_first(list); c->splits && json_type(v) && c->split_count < LIST;
         v = json_next(v)) {
        struct card_split s = {text_at(json_get(v, "name"), a),
                               count_at(json_get(v, "num_examples"))};
        if (s.name)
            c->splits[c->split_count++] = s;
    }
    /* Of the files; dataset_size is that of the tables made of them, where both are said. */
    c->bytes += count_at(find(info, "download_size|dataset_size"));
}

static bool tagged(struct json list, const char *word)
{
    struct span s;
    for (struct json v = json_first(list); json_type(v); v = json_next(v))
        if (json_string(v, &s) && memmem(s.p, s.n, word, strlen(word)))
            return true;
    return false;
}

static void read_face(struct dataset_card *c, struct json root, struct arena *a)
{
    struct json info = json_get(root, "dataset_info");
    c->kind = CARD_HUGGING_FACE;
    fill(c, face_places, root, a);
    fill_languages(c, find(root, "language|languages"), a);
    c->splits = arena_array(a, LIST, sizeof *c->splits);
    if (json_type(info) == JSON_OBJECT)
        read_splits(c, info, a);
    for (info = json_type(info) == JSON_ARRAY ? json_first(info) : JSON_NOTHING; json_type(info);
         info = json_next(info)) /* one a configuration */
        read_splits(c, info, a);
    if (tagged(json_get(root, "tags"), "synthetic"))
        c->synthetic = "tagged synthetic";
}

/* The text between the first two lines of ---. */
static bool front_matter(struct span bytes, struct span *front)
{
    if (!span_starts(bytes, "---\n") && !span_starts(bytes, "---\r\n"))
        return false;
    size_t from = bytes.p[3] == '\r' ? 5 : 4;
    for (size_t at = from; at < bytes.n;) {
        const uint8_t *end = memchr(bytes.p + at, '\n', bytes.n - at);
        size_t n = end ? (size_t)(end - (bytes.p + at)) : bytes.n - at;
        struct span line = span_sub(bytes, at, n);
        if (span_is(line, "---") || span_is(line, "---\r")) {
            *front = span_sub(bytes, from, at - from);
            return true;
        }
        at += n + 1;
    }
    return false;
}

/* ---- which is it ---- */

static bool is_croissant(struct json root)
{
    struct span s;
    return json_type(json_get(root, "distribution")) || json_type(json_get(root, "recordSet")) ||
           (json_string(json_get(root, "@type"), &s) && span_ends(s, "Dataset"));
}

static void read_tree(struct dataset_card *c, struct json root, struct arena *a)
{
    if (is_croissant(root))
        read_croissant(c, root, a);
    else if (json_type(json_get(root, "source")) == JSON_OBJECT &&
             json_type(json_get(root, "provenance"))) {
        c->kind = CARD_DTA;
        fill(c, dta_places, root, a);
        fill_languages(c, find(root, "use/language|source/language"), a);
    } else if (json_type(root) == JSON_OBJECT) {
        c->kind = CARD_PLAIN;
        fill(c, plain_places, root, a);
        fill_languages(c, find(root, "languages|language"), a);
        c->rows = count_at(json_get(root, "rows"));
        c->bytes = count_at(json_get(root, "bytes"));
    } else
        c->trouble = "it holds no mapping";
}

static bool broken(struct dataset_card *c, const struct err *why, struct arena *a, struct err *e)
{
    c->trouble = arena_printf(a, "cannot be read: %s", why->text);
    return c->trouble || err_set(e, ERR_MEMORY, "out of memory for a card");
}

bool dataset_card_read(struct dataset_card *out, const char *path, struct span bytes,
                       struct arena *a, struct err *e)
{
    struct err why = ERR_INIT;
    struct json root;
    struct yaml y;
    struct span front;
    bool json = span_ends(span_str(path), ".json") || span_ends(span_str(path), ".jsonld");
    const char *slash = strrchr(path, '/');
    *out = (struct dataset_card){.path = slash ? slash + 1 : path, .digest = sha256_of(bytes)};
    if (json) {
        if (!json_parse(&root, bytes, JSON_KEEP_DUPLICATES, a, &why))
            return broken(out, &why, a, e);
        read_tree(out, root, a);
        return true;
    }
    bool card = span_ends(span_str(path), ".md");
    if (card && !front_matter(bytes, &front))
        return true; /* a text without facts */
    if (!yaml_parse(&y, card ? front : bytes, path, a, &why)) {
        out->kind = card ? CARD_HUGGING_FACE : CARD_PLAIN;
        return broken(out, &why, a, e);
    }
    if (card)
        read_face(out, y.root, a);
    else
        read_tree(out, y.root, a);
    return true;
}
