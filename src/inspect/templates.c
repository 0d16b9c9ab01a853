/*
 * Chat templates: a model's copies (GGUF metadata, tokenizer_config.json, a
 * template file) must be one text, and must show everything they contain. A
 * template runs on every prompt, so a copy that differs changes the model.
 */
#include "inspect/vocabulary.h"

#include "assay/base/text.h"

/* Jinja drops one line end at the end of a template (keep_trailing_newline). */
static struct span without_last_line_end(struct span s)
{
    if (s.n && s.p[s.n - 1] == '\n')
        s.n--;
    if (s.n && s.p[s.n - 1] == '\r')
        s.n--;
    return s;
}

static const char *file_name(const struct model *m, const struct text *t)
{
    return t->origin.file < m->file_count ? m->files[t->origin.file].name : "the model";
}

static void compare(struct model *m, const struct text *a, const struct text *b)
{
    struct span x = without_last_line_end(a->bytes), y = without_last_line_end(b->bytes);
    if (span_eq(x, y))
        return;
    size_t at = 0;
    while (at < x.n && at < y.n && x.p[at] == y.p[at])
        at++;
    char name[80] = "default", first[96], second[96];
    if (b->name.n)
        text_shown(name, sizeof name, b->name);
    verdict_add(&m->verdict, RULE_TEMPLATE_DISAGREEMENT, b->origin,
                "the %s template differs from byte %zu on: \"%s\" here, \"%s\" in %s", name, at,
                text_shown(second, sizeof second, span_sub(y, at, 32)),
                text_shown(first, sizeof first, span_sub(x, at, 32)), file_name(m, a));
}

static void check_hidden(struct model *m, const struct text *t)
{
    uint32_t c;
    size_t at = first_hidden(t->bytes, &c);
    if (at == SIZE_MAX)
        return;
    bool verbatim = t->origin.length == t->bytes.n; /* no JSON escapes in between */
    struct origin o = {t->origin.file, t->origin.offset + (verbatim ? at : 0), 0};
    verdict_add(&m->verdict, RULE_TEMPLATE_HIDDEN, o, "U+%04X at byte %zu of the template",
                (unsigned)c, at);
}

bool check_templates(struct model *m)
{
    struct map seen;
    if (!map_init(&seen, m->arena, m->template_count))
        return false;
    for (size_t i = 0; i < m->template_count; i++) {
        uint32_t previous;
        check_hidden(m, &m->templates[i]);
        if (!map_put(&seen, m->templates[i].name, (uint32_t)i, &previous))
            return false;
        if (previous != MAP_NONE)
            compare(m, &m->templates[previous], &m->templates[i]);
    }
    return true;
}
