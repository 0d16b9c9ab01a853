/* assay quantize IN OUT --type T: a GGUF model in another element type. */
#include <inttypes.h>

#include "assay/base/text.h"
#include "assay/model_write.h"
#include "cli/args.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/show.h"

#define QUANTIZE_TYPES "F32, F16, BF16, Q8_0, Q5_1, Q5_0, Q4_1, Q4_0"

struct quantize_args {
    const char *type;
};

static uint64_t bytes_of(const struct model *m)
{
    uint64_t n = 0;
    for (size_t i = 0; i < m->tensor_count; i++)
        n += m->tensors[i].data.length;
    return n;
}

static bool quantize(struct model **out, const char *to, enum dtype type, const char *from,
                     struct err *e)
{
    struct progress_bar bar;
    struct model *m = NULL;
    if (!model_read(&m, from, NULL, e))
        return false;
    struct progress p = progress_start(&bar);
    bool ok = model_quantize(m, type, to, &p, e);
    progress_stop(&bar);
    *out = m;
    return ok;
}

static int run_quantize(const struct call *call)
{
    const struct quantize_args *args = call->args;
    const char *from = call->operands[0], *to = call->operands[1];
    struct model *m = NULL, *written = NULL;
    struct err e = ERR_INIT;
    char shown[SHOW_SIZE], before[32], after[32];
    int status = EXIT_PASS;
    enum dtype type = dtype_from_name(span_str(args->type));
    if (!dtype_encodes(type)) {
        err_set(&e, ERR_USAGE, "--type says what to write: one of " QUANTIZE_TYPES);
        return usage_error(call->command, &e);
    }
    if (!quantize(&m, to, type, from, &e) || !model_read(&written, to, NULL, &e))
        status = cli_error(&e);
    else {
        show_text(shown, span_str(to), SHOW_NAME);
        out_printf(call->out, "%s is %s\n", shown, dtype_name(type));
        out_field(call->out, "tensors", "%s, were %s",
                  text_bytes(after, sizeof after, bytes_of(written)),
                  text_bytes(before, sizeof before, bytes_of(m)));
        out_field(call->out, "compare", "assay diff %s %s", from, to);
    }
    model_free(m);
    model_free(written);
    return status;
}

static const struct option quantize_options[] = {
    {"type", OPTION_TEXT, "TYPE", offsetof(struct quantize_args, type),
     "element type of the matrices: " QUANTIZE_TYPES},
    {NULL, OPTION_FLAG, NULL, 0, NULL},
};

const struct command quantize_command = {
    "quantize",
    "Models",
    "IN OUT",
    "write a GGUF model in another element type",
    "Rounds as llama.cpp's reference quantisers do, the same bytes on every machine. Matrices "
    "become the type asked for; where a row does not fill its blocks, F16. Vectors become F32. "
    "OUT is there only when it is whole; a file of that name is replaced.",
    quantize_options,
    2,
    2,
    run_quantize,
    "assay quantize model-f16.gguf model-q8_0.gguf --type Q8_0|8 bits a weight and a scale each "
    "32\n"};
