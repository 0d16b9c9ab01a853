/*
 * Claims that documents beside the weights make: front matter, the sections of
 * the card, licence texts. They are declared; what can be held against the bytes
 * is, by the comparisons of contradictions.c.
 */
#include <string.h>
#include <strings.h>

#include "assay/yaml.h"
#include "report/scores.h"

enum { SECTION_SHOWN = 600, LIST_SHOWN = 20, WORD_SHOWN = 300 };

/* Headings of cards, and what stands under them. The first that matches counts. */
static const struct {
    const char *words; /* in the heading, any letter case; '|' between alternatives */
    const char *property;
} sections[] = {
    {"out-of-scope|out of scope|misuse", "card.out-of-scope"},
    {"intended use|direct use|uses|use cases", "card.intended-use"},
    {"bias|risks|ethical|fairness", "card.bias"},
    {"limitation", "card.limitations"},
    {"training data|dataset", "card.training-data"},
    {"training procedure|training hyperparameters|training details|training",
     "card.training-procedure"},
    {"evaluation|results|benchmark", "card.evaluation"},
    {"environmental|energy|carbon", "card.energy"},
    {"how to get started|how to use|usage|quickstart|inference", "card.how-to-use"},
    {"contact", "card.contact"},
    {"citation", "card.citation"},
    {"model description|description|model details|overview|introduction", "card.description"},
};

static bool holds_word(struct span heading, const char *words)
{
    while (*words) {
        size_t n = strcspn(words, "|");
        for (size_t i = 0; n && i + n <= heading.n; i++)
            if (strncasecmp((const char *)heading.p + i, words, n) == 0)
                return true;
        words += n + (words[n] == '|');
    }
    return false;
}

static const char *section_property(struct span heading)
{
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        if (holds_word(heading, sections[i].words))
            return sections[i].property;
    return NULL;
}

static size_t lines_before(struct span text, size_t at)
{
    size_t n = 0;
    for (size_t i = 0; i < at && i < text.n; i++)
        n += text.p[i] == '\n';
    return n;
}

static struct span trimmed(struct span s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\n' || s.p[0] == '\r' || s.p[0] == '\t'))
        s = span_sub(s, 1, s.n - 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r' ||
                   s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '#'))
        s.n--;
    return s;
}

/* Source in the card: its file, a line counted in the whole file, and the words. */
static struct claim_source in_card(struct making *k, const struct report_model *m, size_t line,
                                   const char *says)
{
    uint32_t f = m->model->card.body.origin.file;
    bool hashed = f < m->model->file_count && m->scan->file_ok && m->scan->file_ok[f];
    struct claim_source s = {
        .path = f < m->model->file_count ? m->model->files[f].name : "README.md",
        .place = line ? make_text(k, "line %zu", line) : "front matter",
        .says = says,
        .has_digest = hashed,
    };
    if (hashed)
        s.digest = m->scan->file[f];
    return s;
}

static struct claim *declare(struct making *k, const struct report_model *m, const char *property,
                             const char *value, size_t line)
{
    struct claim *c = value ? make_claim(k, property, CLAIM_DECLARED, NULL) : NULL;
    if (!c)
        return NULL;
    c->value = value;
    struct claim_source s = in_card(k, m, line, NULL);
    claim_says(k->s, c, &s);
    claim_prove(k->s, c, prove_file(k, m, m->model->card.body.origin.file));
    return c;
}

/* ---- sections ---- */

static void section_claim(struct making *k, const struct report_model *m, struct span heading,
                          struct span content, size_t line)
{
    const char *property = section_property(heading);
    struct span said = trimmed(content);
    if (property && said.n && !claims_find(k->s, property))
        declare(k, m, property, make_shown(k, said, SECTION_SHOWN), line);
}

/* A heading's text at the start of a line, or an empty span. */
static struct span heading_at(struct span line)
{
    size_t level = 0;
    while (level < line.n && line.p[level] == '#')
        level++;
    return level && level <= 6 && level < line.n && line.p[level] == ' '
               ? trimmed(span_sub(line, level, line.n - level))
               : SPAN_EMPTY;
}

static void section_claims(struct making *k, const struct report_model *m)
{
    const struct card *card = &m->model->card;
    struct span body = card->body.bytes, heading = SPAN_EMPTY;
    size_t first = 3 + lines_before(card->front.bytes, card->front.bytes.n);
    size_t from = 0, heading_line = 0, number = card->front.bytes.n ? first : 1;
    bool fenced = false;
    for (size_t at = 0; at < body.n; number++) {
        const uint8_t *end = memchr(body.p + at, '\n', body.n - at);
        size_t n = end ? (size_t)(end - (body.p + at)) : body.n - at;
        struct span line = span_sub(body, at, n);
        struct span h = fenced ? SPAN_EMPTY : heading_at(line);
        fenced ^= span_starts(line, "```");
        if (h.n) {
            if (heading.n)
                section_claim(k, m, heading, span_sub(body, from, at - from), heading_line);
            heading = h;
            from = at + n;
            heading_line = number;
        }
        at += n + 1;
    }
    if (heading.n && from < body.n)
        section_claim(k, m, heading, span_sub(body, from, body.n - from), heading_line);
}

/* ---- front matter ---- */

static const char *joined(struct making *k, const struct span *list, size_t n)
{
    struct buf b;
    buf_init(&b, CLAIM_MAX_TEXT);
    for (size_t i = 0; i < n && i < LIST_SHOWN; i++) {
        if (i)
            buf_put_str(&b, ", ");
        buf_put_str(&b, make_shown(k, list[i], WORD_SHOWN));
    }
    if (n > LIST_SHOWN)
        buf_printf(&b, " and %zu more", n - LIST_SHOWN);
    const char *text = b.n ? make_shown(k, buf_span(&b), CLAIM_MAX_TEXT) : NULL;
    buf_free(&b);
    return text;
}

static void list_claim(struct making *k, const struct report_model *m, const char *property,
                       const struct span *list, size_t n)
{
    if (n)
        declare(k, m, property, joined(k, list, n), 0);
}

static void word_claim(struct making *k, const struct report_model *m, const char *property,
                       struct span word)
{
    if (word.n)
        declare(k, m, property, make_shown(k, word, WORD_SHOWN), 0);
}

static void front_claims(struct making *k, const struct report_model *m)
{
    const struct card *c = &m->model->card;
    const struct facts *f = m->facts;
    word_claim(k, m, "model.task", c->pipeline);
    word_claim(k, m, "model.library", c->library);
    word_claim(k, m, "model.base.relation", c->base_model_relation);
    list_claim(k, m, "model.tags", c->tags, c->tag_count);
    list_claim(k, m, "model.base", f->base_models, f->base_model_count);
    list_claim(k, m, "model.datasets", f->datasets, f->dataset_count);
    list_claim(k, m, "model.languages", f->languages, f->language_count);
}

/* ---- licences: every place that names one ---- */

static const char *licence_name(struct making *k, const struct licence_claim *l)
{
    return l->spdx ? l->spdx : make_shown(k, l->named, WORD_SHOWN);
}

static void licence_claim_add(struct making *k, const struct report_model *m)
{
    const struct facts *f = m->facts;
    if (f->licence_count == 0) {
        make_missing(k, "model.licence", "neither card nor metadata nor a licence text names one");
        return;
    }
    struct claim *c =
        make_claim(k, "model.licence", CLAIM_DECLARED,
                   "names are mapped to SPDX ids, and every place must name the same");
    if (!c)
        return;
    c->value = licence_name(k, &f->licences[0]);
    for (size_t i = 0; i < f->licence_count; i++) {
        const struct licence_claim *l = &f->licences[i];
        uint32_t file = l->origin.file;
        bool in_file = file < m->model->file_count;
        struct claim_source s = {.path = in_file ? m->model->files[file].name : m->shown,
                                 .place = l->where,
                                 .says = licence_name(k, l)};
        claim_says(k->s, c, &s);
        if (in_file)
            claim_prove(k->s, c, prove_file(k, m, file));
        if (l->spdx && f->licences[0].spdx && strcmp(l->spdx, f->licences[0].spdx) != 0) {
            c->status = CLAIM_CONTRADICTED;
            c->observed = l->spdx;
            c->reason = "two places name different licences";
        }
    }
}

static void licence_text_claim(struct making *k, const struct report_model *m)
{
    const struct model *x = m->model;
    const struct licence_text *best = NULL;
    for (size_t i = 0; i < x->licence_count; i++)
        if (x->licences[i].spdx && !best)
            best = &x->licences[i];
    if (x->licence_count == 0) {
        make_missing(k, "model.licence.text",
                     "no LICENSE file stands beside the weights: a tag alone grants little");
        return;
    }
    struct claim *c = make_claim(k, "model.licence.text", CLAIM_VERIFIED,
                                 "the text's words are matched in order with the licence's own");
    if (!c)
        return;
    const struct licence_text *l = best ? best : &x->licences[0];
    c->value = l->spdx ? make_text(k, "%s, %.1f %% of its words", l->spdx, 100.0 * l->match)
                       : "a text that matches no known licence";
    claim_prove(k->s, c, prove_place(k, m, l->text.origin));
}

/* model-index: what was measured, on what; the strict reader, for numbers as they are written. */
static void index_claims(struct making *k, const struct report_model *m)
{
    struct yaml y;
    size_t n = 0;
    if (!m->model->card.front.bytes.n ||
        !yaml_parse(&y, m->model->card.front.bytes, NULL, k->a, NULL))
        return;
    struct json models = json_get(y.root, "model-index");
    for (struct json one = json_first(models); json_type(one); one = json_next(one))
        for (struct json r = json_first(json_get(one, "results")); json_type(r); r = json_next(r))
            for (struct json x = json_first(json_get(r, "metrics")); json_type(x) && n < LIST_SHOWN;
                 x = json_next(x), n++) {
                struct span set = SPAN_EMPTY, metric = SPAN_EMPTY;
                struct json value = json_get(x, "value"), data = json_get(r, "dataset");
                (void)json_string(json_get(data, "name"), &set);
                if (!json_string(json_get(x, "name"), &metric))
                    (void)json_string(json_get(x, "type"), &metric);
                struct claim *c =
                    declare(k, m, "model.evaluation",
                            make_text(k, "%s %s on %s", make_shown(k, metric, 80),
                                      make_shown(k, json_text(value), 60), make_shown(k, set, 120)),
                            yaml_line(&y, x) + 1);
                score_add(k, metric, set, json_text(value), c);
                if (c && json_type(json_get(data, "revision")) == JSON_MISSING)
                    c->reason = "which revision of the data set was used is not said";
            }
}

/* Metadata of GGUF files has a place for it; cards have none. */
static void version_claim(struct making *k, const struct report_model *m)
{
    const struct metadata *d = model_metadata(m->model, "general.version");
    struct span version = SPAN_EMPTY;
    struct claim *c = d && metadata_string(m->model, "general.version", &version) && version.n
                          ? make_claim(k, "model.version", CLAIM_DECLARED, NULL)
                          : NULL;
    if (!c)
        return;
    c->value = make_shown(k, version, WORD_SHOWN);
    claim_says(k->s, c, &(struct claim_source){.path = m->shown, .place = "general.version"});
    claim_prove(k->s, c, prove_place(k, m, d->origin));
}

void claims_from_card(struct making *k, const struct report_model *m)
{
    struct claim *c;
    if (m->facts->name.n) {
        c = make_claim(k, "model.name", CLAIM_DECLARED, NULL);
        if (c) {
            c->value = make_shown(k, m->facts->name, WORD_SHOWN);
            struct claim_source s = {.path = m->shown, .place = "metadata, configuration or card"};
            claim_says(k->s, c, &s);
        }
    } else
        make_missing(k, "model.name", "nothing in the model names it");
    version_claim(k, m);
    licence_claim_add(k, m);
    licence_text_claim(k, m);
    if (!m->model->has_card) {
        make_missing(k, "model.card", "no README.md stands beside the weights");
        list_claim(k, m, "model.base", m->facts->base_models, m->facts->base_model_count);
        return;
    }
    c = declare(k, m, "model.card", "a model card", 0);
    if (c)
        c->value =
            make_text(k, "%zu bytes", m->model->card.front.bytes.n + m->model->card.body.bytes.n);
    front_claims(k, m);
    index_claims(k, m);
    section_claims(k, m);
}
