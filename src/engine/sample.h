/*
 * Private to src/engine: which token comes next. Pure functions of one row of
 * logits, the tokens before it, the parameters and the position.
 */
#ifndef ENGINE_SAMPLE_H
#define ENGINE_SAMPLE_H

#include "assay/engine.h"
#include "engine/form.h"

struct candidate {
    float z, e; /* logit after bias, penalties and temperature; exp(z - the largest) */
    uint32_t id;
};

struct sampler {
    uint32_t vocabulary;
    const struct tokenizer *tokenizer; /* NULL: the model has none; of draws with a form */
    float *z, *e;
    uint32_t *seen; /* how often a token stands in the history */
    struct candidate *all;
    struct form_state *then; /* of a form, behind a token that is tried */
    struct engine_choice top[ENGINE_MAX_TOP];
};

bool sampler_new(struct sampler *s, uint32_t vocabulary, struct err *e) ASSAY_MUST_CHECK;
void sampler_free(struct sampler *s);
bool sampling_check(const struct engine_sampling *p, uint32_t vocabulary,
                    struct err *e) ASSAY_MUST_CHECK;

/* A place where a token is drawn. */
struct draw {
    const float *logits;
    const uint32_t *history; /* all tokens before */
    uint32_t position;       /* of the token that is drawn; as many tokens are before it */
    const struct engine_sampling *p;
    const struct form_state *form; /* NULL: any token may follow */
};

/* The octets that a token stands for where an answer is held to a form; empty: it cannot stand
 * there. *control: it can stand in the texts around values alone. */
struct span form_octets(const struct tokenizer *t, uint32_t id, bool *control);
/* The octets that are tokens of their own. */
struct form_octet_set form_alphabet(const struct tokenizer *t);

/* The token that comes next. */
uint32_t sample(struct sampler *s, const struct draw *d);
/* By how much the drawn token's score beats `given`'s; infinite when a filter leaves it out.
 * Valid after sample for the same draw. */
float sample_margin(struct sampler *s, const struct draw *d, uint32_t drawn, uint32_t given);
/* log softmax of the model's own logits: of `id`, and of the likeliest p->top in s->top. */
float sample_logprobs(struct sampler *s, const struct draw *d, uint32_t id);

#endif
