/*
 * A chat's prompt: messages through the model's own template, its marks carried
 * on to the tokenizer, so that no message can write a control token.
 */
#include "engine/state.h"

#include <string.h>

static bool is_tools(void *arg, const struct template_node *node, unsigned depth)
{
    (void)arg;
    (void)depth;
    return !(node->kind == TEMPLATE_NAME && span_is(node->name, "tools"));
}

static bool mentions(struct span source, const char *word)
{
    return source.n && memmem(source.p, source.n, word, strlen(word)) != NULL;
}

static enum engine_tools tools_of(const struct template *t, struct span source)
{
    if (template_walk(template_root(t), is_tools, NULL))
        return ENGINE_TOOLS_NONE;
    if (mentions(source, "<tool_call>") && !mentions(source, "<function="))
        return ENGINE_TOOLS_HERMES;
    if (mentions(source, "[TOOL_CALLS]"))
        return ENGINE_TOOLS_MISTRAL;
    if (mentions(source, "<|python_tag|>") ||
        mentions(source, "\"parameters\": dictionary of argument"))
        return ENGINE_TOOLS_LLAMA;
    return ENGINE_TOOLS_UNKNOWN;
}

enum engine_tools engine_chat_tools(const struct engine *g)
{
    return g->tools;
}

void chat_load(struct engine *g)
{
    const struct model *m = g->model;
    for (size_t i = 0; i < m->template_count; i++) {
        if (m->templates[i].name.n != 0)
            continue;
        if (!template_new(&g->template, m->templates[i].bytes, &g->no_template))
            g->template = NULL;
        else
            g->tools = tools_of(g->template, m->templates[i].bytes);
        return;
    }
    err_set(&g->no_template, ERR_UNSUPPORTED, "the model has no chat template");
}

bool engine_chats(const struct engine *g, struct err *e)
{
    if (g->template != NULL && g->tokenizer != NULL)
        return true;
    if (e != NULL)
        *e = g->no_template;
    return false;
}

bool engine_chat_prompt(const struct engine *g, struct json variables, int64_t now,
                        struct tokens *out, struct buf *text, struct err *e)
{
    if (!engine_chats(g, e))
        return false;
    struct template_word words[TOKENIZER_WORDS];
    tokenizer_words(words, g->tokenizer);
    struct template_input in = {.variables = variables,
                                .words = words,
                                .word_count = TOKENIZER_WORDS,
                                .add_generation_prompt = true,
                                .now = now};
    struct rendered r = {.count = 0};
    bool ok = template_render(&r, g->template, &in, e) &&
              tokenizer_encode(out, g->tokenizer, r.parts, r.count, ENCODE_SPECIAL, e);
    if (ok && text != NULL) {
        buf_put_span(text, buf_span(&r.text));
        ok = buf_ok(text) || err_set(e, ERR_LIMIT, "the prompt is too long to keep as text");
    }
    rendered_free(&r);
    return ok;
}
