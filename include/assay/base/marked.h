/*
 * Text whose parts come from different hands.
 *
 * A chat prompt mixes what the model's own template wrote with what people
 * and tools sent. The marks travel with the text from the template to the
 * tokenizer, so that words sent by a user never become control tokens.
 */
#ifndef ASSAY_BASE_MARKED_H
#define ASSAY_BASE_MARKED_H

#include "assay/base/bytes.h"

/* Adjacent parts are one text: a token may span them, a control token only trusted ones. */
struct marked {
    struct span text;
    bool trusted; /* written by the template or the operator, not sent by a user */
};

#endif
