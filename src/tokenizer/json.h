/*
 * Private: reading tokenizer.json.
 */
#ifndef TOKENIZER_JSON_H
#define TOKENIZER_JSON_H

#include "tokenizer/tokenizer.h"

/* An error at a value of tokenizer.json; returns false. */
bool json_fault(struct err *e, struct json at, enum err_code code, const char *what);
bool json_is(struct json v, const char *key, const char *text);
bool json_flag(struct json v, const char *key, bool missing);
bool json_filled(struct json v, const char *key); /* a text that is not empty */

/* load_stages.c: normalizer, pre_tokenizer and decoder. */
bool load_stages(struct tokenizer *t, struct json root, struct err *e) ASSAY_MUST_CHECK;
/* What the post_processor puts around a text. */
bool load_around(struct tokenizer *t, struct json processor, struct err *e) ASSAY_MUST_CHECK;

#endif
