/* Inside check: what each family of checks adds to the model's verdict. */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "assay/check.h"

/* Appends findings; false when out of memory or interrupted. */
typedef bool check_step(const struct check_input *in, struct err *e);

check_step check_signatures;      /* signatures.c: the model's own signature */
check_step check_secrets;         /* secrets.c */
check_step check_texts;           /* texts.c: metadata and configuration that acts */
check_step check_template_rules;  /* template_rules.c */
check_step check_tokenizer_rules; /* tokenizer_rules.c */
check_step check_weights;         /* weights.c */
check_step check_claims_numbers;  /* claims_*.c: what is declared against what is there */
check_step check_claims_parameters;
check_step check_claims_text;
check_step check_claims_languages;
check_step check_claims_base;
check_step check_claims_dates;
check_step check_policy_rules; /* policy_rules.c: formats, licences, sizes, what must be there */

/* The fingerprint that a baseline knows a finding by. */
struct digest check_fingerprint(const struct model *m, const struct finding *f);
/* A document: text with lines, and no weights in it. */
bool check_is_text(const struct model_file *f);
/* How often the baseline holds it; 0: it is new. */
uint32_t baseline_count(const struct baseline *b, const struct digest *fingerprint);

#endif
