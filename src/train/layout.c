/*
 * Where an assistant's turn begins and ends is found by rendering: what the
 * template writes before the turn, with its invitation to answer, and what it
 * writes with the turn must both be beginnings of the whole chat.
 */
#include "train/layout.h"

#include <string.h>

enum { RENDER_ARENA = 256 << 20, MESSAGES_MAX = 64 << 20 };

struct laying {
    const struct template *template;
    const struct tokenizer *tokenizer;
    const struct layout_message *messages;
    struct arena *a; /* of this chat alone */
    struct err *e;
};

/* {"messages":[{"content":...,"role":...},...]}, the first n. */
static bool variables(struct json *out, struct laying *l, size_t n)
{
    struct json_writer w;
    struct buf text;
    buf_init(&text, MESSAGES_MAX);
    jw_init(&w, json_sink_buf, &text, false);
    jw_object(&w);
    jw_key(&w, "messages");
    jw_array(&w);
    for (size_t i = 0; i < n; i++) {
        jw_object(&w);
        jw_key(&w, "content");
        jw_string(&w, l->messages[i].content);
        jw_key(&w, "role");
        jw_string(&w, l->messages[i].role);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jw_end_object(&w);
    struct span kept = buf_ok(&text) ? arena_span(l->a, buf_span(&text)) : SPAN_EMPTY;
    buf_free(&text);
    return (kept.n || err_set(l->e, ERR_MEMORY, "out of memory for a chat")) &&
           json_parse(out, kept, JSON_STRICT, l->a, l->e);
}

/* Tokens of the first n messages; `invite`: with what the template writes for an answer to follow. */
static bool render(struct tokens *out, struct laying *l, size_t n, bool invite)
{
    struct template_word words[TOKENIZER_WORDS];
    tokenizer_words(words, l->tokenizer);
    struct template_input in = {
        .words = words, .word_count = TOKENIZER_WORDS, .add_generation_prompt = invite};
    struct rendered r = {.count = 0};
    out->n = 0;
    bool ok = variables(&in.variables, l, n) && template_render(&r, l->template, &in, l->e) &&
              tokenizer_encode(out, l->tokenizer, r.parts, r.count, ENCODE_SPECIAL, l->e);
    rendered_free(&r);
    return ok;
}

static bool begins(const struct tokens *whole, const struct tokens *part)
{
    return part->n <= whole->n &&
           (part->n == 0 || memcmp(whole->id, part->id, part->n * sizeof *part->id) == 0);
}

static bool mark_turn(struct laying *l, const struct tokens *whole, size_t turn, uint8_t *counts)
{
    struct tokens before = {.n = 0}, after = {.n = 0};
    bool ok = render(&before, l, turn, true) && render(&after, l, turn + 1, false);
    if (ok && (!begins(whole, &before) || !begins(whole, &after) || before.n > after.n))
        ok = err_set(
            l->e, ERR_UNSUPPORTED,
            "the base's chat template writes message %zu otherwise when more follows it, so "
            "what the assistant says has no place of its own; shorten such chats to their "
            "first answer",
            turn + 1);
    size_t end = after.n;
    while (ok && end > before.n && !tokenizer_ends(l->tokenizer, whole->id[end - 1]))
        end--;
    if (ok && end == before.n) /* no token ends a turn here */
        end = after.n;
    if (ok)
        memset(counts + before.n, 1, end - before.n);
    tokens_free(&before);
    tokens_free(&after);
    return ok;
}

bool layout_chat(struct tokens *ids, uint8_t **counts, const struct template *t,
                 const struct tokenizer *k, const struct layout_message *messages, size_t n,
                 struct arena *a, struct err *e)
{
    struct laying l = {t, k, messages, arena_new(RENDER_ARENA), e};
    bool ok =
        (l.a || err_set(e, ERR_MEMORY, "out of memory for a chat")) && render(ids, &l, n, false);
    *counts = ok ? arena_alloc(a, ids->n + 1) : NULL;
    ok = ok && (*counts || err_set(e, ERR_MEMORY, "out of memory for a chat"));
    if (ok)
        memset(*counts, 0, ids->n + 1);
    for (size_t i = 0; ok && i < n; i++)
        ok = !span_is(messages[i].role, "assistant") || mark_turn(&l, ids, i, *counts);
    arena_free(l.a);
    return ok;
}
