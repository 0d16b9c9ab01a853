/*
 * Chat templates in YAML: every scalar that holds a template's marks, decoded
 * as YAML writes it. Tokens are enough for that: no tree is built, aliases are
 * never followed, and what is no YAML is left to be read as the text it is.
 */
#include "model/folder.h"

#include <string.h>
#include <yaml.h>

#include "assay/base/text.h"

enum { YAML_TOKENS = 500000 };

/* "${{" is a variable of a pipeline, and no template. */
bool template_marked(struct span text)
{
    for (size_t i = 0; i + 1 < text.n; i++)
        if (text.p[i] == '{' &&
            (text.p[i + 1] == '%' || (text.p[i + 1] == '{' && !(i > 0 && text.p[i - 1] == '$'))))
            return true;
    return false;
}

/* How far the text was followed: libyaml counts characters, and its marks come in order. */
struct followed {
    struct span text;
    size_t characters, at;
};

static uint64_t byte_of(struct followed *f, size_t characters)
{
    for (; f->characters < characters && f->at < f->text.n; f->characters++)
        utf8_next(f->text, &f->at);
    return f->at;
}

static bool add_scalar(struct model *m, uint32_t file, struct followed *f, const yaml_token_t *t,
                       bool lone)
{
    struct span value = {t->data.scalar.value, t->data.scalar.length};
    if (!template_marked(value))
        return true;
    uint8_t *copy = arena_alloc(m->arena, value.n);
    bool first = lone && !m->template_count;
    struct span name = first ? SPAN_EMPTY : template_own_name(m, file);
    struct text *added = copy ? model_add_template(m) : NULL;
    if (!added)
        return false;
    memcpy(copy, value.p, value.n);
    uint64_t from = byte_of(f, t->start_mark.index), to = byte_of(f, t->end_mark.index);
    *added = (struct text){.bytes = {copy, value.n},
                           .name = name,
                           .origin = {file, from, to - from},
                           .beside = !first};
    return true;
}

bool document_yaml(struct model *m, uint32_t file, struct span text, bool lone, bool *understood)
{
    yaml_parser_t parser;
    yaml_token_t token;
    bool ok = true, ends = false;
    struct followed f = {.text = text};
    *understood = false;
    if (!yaml_parser_initialize(&parser))
        return false;
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, text.p, text.n);
    for (size_t i = 0; ok && !ends && i < YAML_TOKENS && yaml_parser_scan(&parser, &token); i++) {
        ends = token.type == YAML_STREAM_END_TOKEN;
        ok = token.type != YAML_SCALAR_TOKEN || add_scalar(m, file, &f, &token, lone);
        yaml_token_delete(&token);
    }
    *understood = ends;
    yaml_parser_delete(&parser);
    return ok;
}
