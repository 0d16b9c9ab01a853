/*
 * What tokens mean, as far as their texts tell: which end a generation, which
 * mark structure although the file calls them ordinary, which the chat
 * template writes. Files are often wrong here, and a control token that passes
 * for text is how a user's words become a turn of the conversation; the lists
 * are llama.cpp's (llama-vocab.cpp).
 */
#include "tokenizer/tokenizer.h"

#include <string.h>

struct known {
    const char *text;
    bool turn; /* ends a turn: an eot, in this order of preference */
};

static const struct known ends[] = {
    {"<|eot_id|>", true},
    {"<|im_end|>", true},
    {"<|end|>", true},
    {"<end_of_turn>", true},
    {"<|endoftext|>", true},
    {"<|end_of_text|>", true},
    {"<EOT>", true},
    {"_<EOT>", true},
    {"[EOT]", true},
    {"<\xEF\xBD\x9C"
     "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>",
     true},
    {"<end_of_utterance>", true},
    {"<|return|>", false},
    {"<|call|>", false},
    {"<|flush|>", false},
    {"<|calls|>", false},
    {"</s>", false},
    {"<|eom_id|>", false},
    {"[EOS]", false},
    {"<eos>", false},
    {"<turn|>", false},
    {"<|tool_response>", false},
    {"[e~[", false},
    {"<|fim_pad|>", false},
    {"<fim-pad>", false},
    {"<fim_pad>", false},
    {"<|fim_repo|>", false},
    {"<|repo_name|>", false},
    {"<fim-repo>", false},
    {"<reponame>", false},
    {"<|file_sep|>", false},
};
enum { ENDS = sizeof ends / sizeof *ends };

/* Structure in files that call it text: "<|...|>" in either width, fill-in-the-middle. */
static bool looks_control(struct span s)
{
    static const char *const more[] = {"<fim-prefix>", "<fim_prefix>", "<fim-suffix>",
                                       "<fim_suffix>", "<fim-middle>", "<fim_middle>",
                                       "<PRE>",        "<SUF>",        "<MID>"};
    if ((span_starts(s, "<|") && span_ends(s, "|>") && s.n > 4) ||
        (span_starts(s, "<\xEF\xBD\x9C") && span_ends(s, "\xEF\xBD\x9C>") && s.n > 8))
        return true;
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (span_is(s, more[i]))
            return true;
    return false;
}

/* "<tool_call>", "[INST]": what a template writes to structure a conversation. */
static bool looks_protocol(struct span s)
{
    if (s.n < 3)
        return false;
    uint8_t first = s.p[0], last = s.p[s.n - 1];
    return (first == '<' && last == '>') || (first == '[' && last == ']');
}

static bool in_templates(const struct model *m, struct span s)
{
    for (size_t i = 0; i < m->template_count; i++)
        if (memmem(m->templates[i].bytes.p, m->templates[i].bytes.n, s.p, s.n))
            return true;
    return false;
}

static void make_control(struct entry *x)
{
    x->type = TOKEN_CONTROL;
    x->added = true;
    x->normalised = false;
}

/* The ids of the texts of ends[], TOKEN_NONE where the vocabulary has none. */
static void find_ends(struct tokenizer *t, uint32_t found[ENDS])
{
    for (size_t k = 0; k < ENDS; k++)
        found[k] = TOKEN_NONE;
    for (size_t i = 0; i < t->count; i++) {
        struct span text = t->entries[i].text;
        bool candidate = text.n && text.n <= 32 && strchr("<[_", text.p[0]) && text.p[0];
        for (size_t k = 0; candidate && k < ENDS; k++)
            if (span_is(text, ends[k].text))
                found[k] = (uint32_t)i;
    }
}

static uint32_t found_id(const uint32_t found[ENDS], const char *text)
{
    for (size_t k = 0; k < ENDS; k++)
        if (strcmp(ends[k].text, text) == 0)
            return found[k];
    return TOKEN_NONE;
}

static void mark_ends(struct tokenizer *t)
{
    uint32_t found[ENDS];
    struct token_roles *r = &t->roles;
    find_ends(t, found);
    /* Gemma 4 keeps a "</s>" that means nothing; harmony's "<|end|>" ends a message only. */
    bool gemma4 = found_id(found, "<|tool_response>") != TOKEN_NONE;
    bool harmony =
        found_id(found, "<|return|>") != TOKEN_NONE || found_id(found, "<|flush|>") != TOKEN_NONE;
    for (size_t k = 0; k < ENDS; k++) {
        struct entry *x = found[k] == TOKEN_NONE ? NULL : &t->entries[found[k]];
        if (!x || (gemma4 && strcmp(ends[k].text, "</s>") == 0))
            continue;
        /* Qwen's vocabulary holds an ordinary "</s>": an end is added, or looks like nothing else. */
        if (!x->added && !ends[k].turn && !looks_control(x->text))
            continue;
        make_control(x);
        if (harmony && strcmp(ends[k].text, "<|end|>") == 0)
            continue;
        x->ends = true;
        if (ends[k].turn && r->eot == TOKEN_NONE)
            r->eot = found[k];
    }
    if (r->eom == TOKEN_NONE)
        r->eom = found_id(found, "<|eom_id|>");
    const uint32_t said[] = {r->eos, r->eot, r->eom};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (said[i] < t->count)
            t->entries[said[i]].ends = true;
}

/* Phi-3's control tokens swallow the white space after them (its tokenizer.json says so). */
static void phi_3(struct tokenizer *t, const struct model *m)
{
    struct span name;
    char low[128] = "";
    if (!metadata_string(m, "general.name", &name))
        return;
    for (size_t i = 0; i < name.n && i + 1 < sizeof low; i++)
        low[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] | 0x20 : name.p[i]);
    if (!strstr(low, "phi-3") && !strstr(low, "phi3"))
        return;
    for (size_t i = 0; i < t->count; i++) {
        struct entry *x = &t->entries[i];
        x->right_strip = x->added && !span_is(x->text, "<unk>") && !span_is(x->text, "<s>") &&
                         !span_is(x->text, "<|endoftext|>");
    }
}

/* generation_config.json may name several ends. */
static void configured_ends(struct tokenizer *t, const struct model *m)
{
    struct json ids = json_get(m->documents[DOC_GENERATION_CONFIG].root, "eos_token_id");
    uint64_t id;
    if (json_u64(ids, &id) && id < t->count)
        t->entries[id].ends = true;
    for (struct json i = json_first(ids); json_type(i); i = json_next(i))
        if (json_u64(i, &id) && id < t->count)
            t->entries[id].ends = true;
}

void finish_roles(struct tokenizer *t, const struct model *m)
{
    for (size_t i = 0; i < t->count; i++) {
        struct entry *x = &t->entries[i];
        if (x->added && x->type == TOKEN_USER_DEFINED && looks_control(x->text))
            x->type = TOKEN_CONTROL;
        x->protocol = x->added && x->type == TOKEN_USER_DEFINED && looks_protocol(x->text) &&
                      in_templates(m, x->text);
        /* Sought as they are written: marks end where text is normalised. */
        x->normalised = x->normalised && x->type != TOKEN_CONTROL && !x->protocol;
    }
    mark_ends(t);
    phi_3(t, m);
    configured_ends(t, m);
}
