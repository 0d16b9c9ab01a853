/* Private to src/serve: the server's own answers, which carry nothing of a model's. */
#ifndef SERVE_REPLY_H
#define SERVE_REPLY_H

#include "assay/listener.h"

enum { PARAM_MAX = 320 };

/* What a caller did wrong, for the error that they get: its text is in the struct err. */
struct complaint {
    char param[PARAM_MAX]; /* the field, like "messages[2].role"; empty: the body as a whole */
    const char *code;      /* NULL: the general one of where it was found */
    unsigned status;       /* 0: 400 */
};

/* Fills both and returns false. The text begins with the field's name, in quotes, by itself. */
bool complain(struct complaint *c, struct err *e, const char *code, const char *param,
              const char *fmt, ...) ASSAY_PRINTF(5, 6);

/* The code by which Anthropic's clients learn that no conversation is kept; they send all of it then. */
#define REPLY_NO_THREADS "thread_unsupported_request"
/* `type` is what OpenAI's clients read; in Anthropic's shape, on its routes, the status gives it. */
void reply_error_body(struct buf *out, const struct conn *c, unsigned status, const char *type,
                      const char *code, const char *message);
void reply_error(struct conn *c, unsigned status, const char *type, const char *code,
                 const char *message);
/* 405, with the method that there is. */
void reply_other_method(struct conn *c, const char *allowed);
/* With the field that is wrong. `code` stands where the complaint has none. */
void reply_wrong(struct conn *c, const struct complaint *w, const char *code, const char *message);
/* To what was no request; the connection ends. */
void reply_malformed(struct conn *c, unsigned status, const char *why);
/* With a body that was made before; the connection goes on. */
void reply_with(struct conn *c, unsigned status, const char *content_type, struct span body);
void reply_json(struct conn *c, struct span body);
/* Without a copy of the body. */
void reply_large(struct conn *c, const char *content_type, struct span body);
void reply_text(struct conn *c, const char *content_type, struct span body);

#endif
