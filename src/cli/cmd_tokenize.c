/*
 * assay tokenize MODEL [TEXT]: the token ids of a text by the model's own
 * tokenizer, and what each stands for.
 */
#include <stdlib.h>
#include <unistd.h>

#include "assay/base/text.h"
#include "assay/tokenizer.h"
#include "cli/cli.h"
#include "cli/json_out.h"
#include "cli/show.h"

enum { TEXT_MAX = 64 << 20 };

struct tokenize_args {
    bool ids, json, special, plain;
};

static bool input(struct buf *out, const struct call *call, struct err *e)
{
    uint8_t piece[65536];
    ssize_t n = 0;
    buf_init(out, TEXT_MAX);
    if (call->count > 1)
        buf_put_str(out, call->operands[1]);
    while (call->count < 2 && (n = read(STDIN_FILENO, piece, sizeof piece)) > 0)
        buf_put(out, piece, (size_t)n);
    if (n < 0)
        return err_errno(e, NULL, "cannot read standard input");
    return buf_ok(out) || err_set(e, ERR_LIMIT, "the text is larger than %d bytes", TEXT_MAX);
}

static void say_json(struct out *o, const struct tokenizer *t, const struct tokens *ids)
{
    struct json_writer w;
    jo_start(&w, o, true);
    jo_head(&w, "assay.tokenize/1");
    jo_str(&w, "rule", tokenizer_rule(t));
    jw_key(&w, "tokens");
    jw_array(&w);
    for (size_t i = 0; i < ids->n; i++) {
        struct token token;
        jw_object(&w);
        jo_u64(&w, "id", ids->id[i]);
        if (tokenizer_token(&token, t, ids->id[i])) {
            jw_key(&w, "text");
            jw_string(&w, token.text);
        }
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jw_end_object(&w);
    out_put(o, "\n");
}

static void say(struct out *o, const struct tokenizer *t, const struct tokens *ids, bool bare)
{
    for (size_t i = 0; i < ids->n; i++) {
        struct token token;
        char shown[SHOW_SIZE];
        if (bare)
            out_printf(o, "%s%u", i ? " " : "", ids->id[i]);
        else if (tokenizer_token(&token, t, ids->id[i]))
            out_printf(o, "%8u  %s\n", ids->id[i], show_text(shown, token.bytes, SHOW_NAME));
    }
    if (bare)
        out_put(o, "\n");
}

static int run_tokenize(const struct call *call)
{
    const struct tokenize_args *args = call->args;
    unsigned flags = args->plain ? ENCODE_PLAIN : ENCODE_SPECIAL;
    struct model *m = NULL;
    struct tokenizer *t = NULL;
    struct tokens ids = {0};
    struct buf text;
    struct err e = ERR_INIT;
    bool ok =
        input(&text, call, &e) && model_read(&m, call->operands[0], NULL, &e) &&
        tokenizer_new(&t, m, &e) &&
        tokenizer_encode_text(&ids, t, buf_span(&text), args->special, flags | ENCODE_PROTOCOL, &e);
    if (ok && args->json)
        say_json(call->out, t, &ids);
    else if (ok)
        say(call->out, t, &ids, args->ids);
    tokens_free(&ids);
    tokenizer_free(t);
    model_free(m);
    buf_free(&text);
    return ok ? EXIT_PASS : cli_error(&e);
}

#define AT(member) offsetof(struct tokenize_args, member)
static const struct option tokenize_options[] = {
    {"ids", OPTION_FLAG, NULL, AT(ids), "write the ids alone, on one line"},
    {"plain", OPTION_FLAG, NULL, AT(plain), "add no token that begins or ends a text"},
    {"special", OPTION_FLAG, NULL, AT(special), "recognise control tokens in the text"},
    {"json", OPTION_FLAG, NULL, AT(json), "write JSON"},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};
#undef AT

const struct command tokenize_command = {
    "tokenize",
    "Engine",
    "MODEL [TEXT]",
    "show how a model's tokenizer cuts a text",
    "Writes the token ids of the operand, or of standard input, and what each stands for.",
    tokenize_options,
    1,
    2,
    run_tokenize,
    "assay tokenize model.gguf \"Hello\"|ids and pieces",
};
