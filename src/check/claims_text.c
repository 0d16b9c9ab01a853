/*
 * Declared words against what the files hold: the architecture's two names,
 * the tokens that a chat template writes, modality, and claims of safety.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"
#include "assay/tokenizer.h"
#include "check/claims.h"

enum { WORD = 64, TOKENS_LISTED = 8, TOKEN_LONGEST = 64 };

/* ---- 4: architecture ---- */

/* Letters and digits in lower case, "LlamaForCausalLM" without what says its task. */
static void plain_word(char out[WORD], struct span s)
{
    static const char *const tasks[] = {"for", "lmhead", "model", "pretrained"};
    size_t n = 0;
    for (size_t i = 0; i < s.n && n + 1 < WORD; i++)
        if (isalnum(s.p[i]))
            out[n++] = (char)tolower(s.p[i]);
    out[n] = '\0';
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        char *task = strstr(out, tasks[i]);
        if (task && task != out)
            *task = '\0';
    }
}

static bool begins(const char *a, const char *b)
{
    return strncmp(a, b, strlen(b)) == 0;
}

static void check_architecture(const struct check_input *in)
{
    const struct model *m = in->model;
    char a[WORD], b[WORD], shown[80], named[80];
    struct span class, type;
    struct claimed classes = claim_of(m, DOC_CONFIG, "architectures");
    struct claimed model_type = claim_of(m, DOC_CONFIG, "model_type");
    if (!json_string(json_at(classes.value, 0), &class) || !json_string(model_type.value, &type))
        return;
    plain_word(a, class);
    plain_word(b, type);
    if (!*a || !*b || begins(a, b) || begins(b, a))
        return;
    verdict_add(&in->model->verdict, RULE_CLAIM_ARCHITECTURE, classes.origin,
                "config.json's architectures names %s, its model_type %s",
                text_shown(shown, sizeof shown, class), text_shown(named, sizeof named, type));
    verdict_against(&in->model->verdict, model_type.origin);
}

/* ---- 10, 13: what the template writes ---- */

/* "<|im_end|>" at `at`; 0 when no such token begins there. */
static size_t token_length(struct span s, size_t at)
{
    size_t n = 2;
    if (s.n - at < 5 || s.p[at] != '<' || s.p[at + 1] != '|')
        return 0;
    while (at + n < s.n && n < TOKEN_LONGEST && (isalnum(s.p[at + n]) || s.p[at + n] == '_'))
        n++;
    bool closed = n > 2 && at + n + 1 < s.n && s.p[at + n] == '|' && s.p[at + n + 1] == '>';
    return closed ? n + 2 : 0;
}

struct written {
    const struct check_input *in;
    const struct tokenizer *t;
    const struct text *text;
    struct span unknown[TOKENS_LISTED]; /* each is said once */
    size_t unknown_count;
    struct span end; /* the last token that ends a turn by its name */
    size_t end_at;
};

static bool ends_turn_by_name(struct span token)
{
    static const char *const words[] = {"<|im_end|>",      "<|eot_id|>",    "<|end|>",   "<|eot|>",
                                        "<|end_of_turn|>", "<|endofturn|>", "<|return|>"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (span_is(token, words[i]))
            return true;
    return false;
}

static void meet_unknown(struct written *w, struct span token, size_t at)
{
    char shown[TOKEN_LONGEST + 16];
    for (size_t i = 0; i < w->unknown_count; i++)
        if (span_eq(w->unknown[i], token))
            return;
    if (w->unknown_count == TOKENS_LISTED)
        return;
    w->unknown[w->unknown_count++] = token;
    struct origin o = w->text->origin;
    if (o.length == w->text->bytes.n)
        o = (struct origin){o.file, o.offset + at, token.n};
    verdict_add(&w->in->model->verdict, RULE_CLAIM_TEMPLATE_TOKEN, o,
                "the template writes %s, and the vocabulary has no such token",
                text_shown(shown, sizeof shown, token));
    const struct document *d = &w->in->model->documents[DOC_TOKENIZER];
    verdict_against(&w->in->model->verdict,
                    d->file == ORIGIN_NO_FILE
                        ? claim_metadata(w->in->model, "tokenizer.ggml.tokens")
                        : (struct origin){d->file, 0, 0});
}

static void walk_template(struct written *w)
{
    struct span s = w->text->bytes;
    for (size_t i = 0; i < s.n; i++) {
        size_t n = token_length(s, i);
        if (!n)
            continue;
        struct span token = span_sub(s, i, n);
        if (tokenizer_id(w->t, token) == TOKEN_NONE)
            meet_unknown(w, token, i);
        else if (ends_turn_by_name(token)) {
            w->end = token;
            w->end_at = i;
        }
        i += n - 1;
    }
}

/* generation_config.json may name several ends, which a tokenizer's own roles do not show. */
static bool is_generation_end(const struct model *m, uint32_t id)
{
    struct json v = claim_of(m, DOC_GENERATION_CONFIG, "eos_token_id").value;
    uint64_t one;
    if (json_u64(v, &one))
        return one == id;
    for (struct json i = json_first(v); json_type(i); i = json_next(i))
        if (json_u64(i, &one) && one == id)
            return true;
    return false;
}

static void check_turn_end(const struct written *w)
{
    const struct model *m = w->in->model;
    char shown[TOKEN_LONGEST + 16];
    const struct token_roles *roles = tokenizer_roles(w->t);
    uint32_t id = w->end.n ? tokenizer_id(w->t, w->end) : TOKEN_NONE;
    if (id == TOKEN_NONE || id == roles->eos || id == roles->eot || id == roles->eom ||
        is_generation_end(m, id))
        return;
    verdict_add(&w->in->model->verdict, RULE_CLAIM_TURN_END, w->text->origin,
                "the template ends a turn with %s, and no document names it as an end of "
                "generation",
                text_shown(shown, sizeof shown, w->end));
    struct claimed eos = claim_of(m, DOC_GENERATION_CONFIG, "eos_token_id");
    if (eos.origin.file == ORIGIN_NO_FILE)
        eos = claim_of(m, DOC_CONFIG, "eos_token_id");
    verdict_against(&w->in->model->verdict, eos.origin.file != ORIGIN_NO_FILE
                                                ? eos.origin
                                                : claim_metadata(m, "tokenizer.ggml.eos_token_id"));
}

static void check_templates(const struct check_input *in)
{
    struct tokenizer *t = NULL;
    struct err why = ERR_INIT;
    if (!in->model->template_count || !tokenizer_new(&t, in->model, &why))
        return; /* a vocabulary that cannot be used contradicts nothing */
    for (size_t i = 0; i < in->model->template_count; i++) {
        struct written w = {.in = in, .t = t, .text = &in->model->templates[i]};
        walk_template(&w);
        if (i == 0)
            check_turn_end(&w);
    }
    tokenizer_free(t);
}

/* ---- 26: modality ---- */

static const struct tensor *first_of(const struct model *m, const char *const *words)
{
    for (size_t i = 0; i < m->tensor_count; i++)
        for (const char *const *w = words; *w; w++)
            if (memmem(m->tensors[i].name.p, m->tensors[i].name.n, *w, strlen(*w)))
                return &m->tensors[i];
    return NULL;
}

static bool has_word(struct span s, const char *word)
{
    return s.n && memmem(s.p, s.n, word, strlen(word)) != NULL;
}

static void check_modality(const struct check_input *in)
{
    static const char *const sees[] = {"vision", "visual",      "image", "mm_projector",
                                       "v.blk.", "patch_embed", NULL};
    static const char *const hears[] = {"audio", "speech",       "conv1d", "a.blk.",
                                        "mel",   "encoder.conv", NULL};
    const struct model *m = in->model;
    struct span task = m->card.pipeline;
    char shown[80];
    const char *lacks = NULL;
    if (!task.n || m->unlisted || in->facts->architecture.is_adapter)
        return;
    if (has_word(task, "image-text") && !first_of(m, sees))
        lacks = "an image encoder";
    else if ((has_word(task, "audio-text") || span_is(task, "automatic-speech-recognition")) &&
             !first_of(m, hears))
        lacks = "an audio encoder";
    const struct tensor *extra = span_is(task, "text-generation") ? first_of(m, sees) : NULL;
    if (!lacks && !extra)
        return;
    struct origin o = m->card.front.origin;
    text_shown(shown, sizeof shown, task);
    if (lacks)
        verdict_add(&in->model->verdict, RULE_CLAIM_MODALITY, o,
                    "the card declares %s; no tensor is of %s", shown, lacks);
    else
        verdict_add(&in->model->verdict, RULE_CLAIM_MODALITY, o,
                    "the card declares %s; there are tensors of an image encoder", shown);
    verdict_against(&in->model->verdict, extra ? extra->entry : claim_tensors(m));
}

/* ---- 28: safe by its own words ---- */

static bool tagged(const struct card *c, const char *tag)
{
    for (size_t i = 0; i < c->tag_count; i++)
        if (span_is(c->tags[i], tag))
            return true;
    return false;
}

static void check_safe(const struct check_input *in)
{
    const struct model *m = in->model;
    if (!m->has_card || !tagged(&m->card, "safetensors"))
        return;
    for (size_t i = 0; i < m->file_count; i++) {
        if (m->files[i].format != FORMAT_PICKLE && m->files[i].format != FORMAT_PYTORCH)
            continue;
        verdict_add(&in->model->verdict, RULE_CLAIM_SAFE, m->card.front.origin,
                    "the card tags the model safetensors; \"%s\" is a pickle", m->files[i].name);
        verdict_against(&in->model->verdict, (struct origin){(uint32_t)i, 0, 0});
    }
    struct claimed code = claim_of(m, DOC_CONFIG, "auto_map");
    if (json_count(code.value) == 0)
        return;
    verdict_add(&in->model->verdict, RULE_CLAIM_SAFE, m->card.front.origin,
                "the card tags the model safetensors; config.json names code to run (auto_map)");
    verdict_against(&in->model->verdict, code.origin);
}

bool check_claims_text(const struct check_input *in, struct err *e)
{
    (void)e;
    check_architecture(in);
    check_templates(in);
    if (in->facts && in->model->tensor_count)
        check_modality(in);
    check_safe(in);
    return true;
}
