/* The front matter of a model card, in YAML that nobody can read otherwise. */
#include "assay/model_write.h"

/* JSON's strings are YAML's, whatever they hold. */
static void put_scalar(struct buf *out, struct span text)
{
    struct json_writer w;
    jw_init(&w, json_sink_buf, out, false);
    jw_string(&w, text);
}

void card_put(struct buf *out, const char *key, struct span text)
{
    if (text.n == 0)
        return;
    buf_printf(out, "%s: ", key);
    put_scalar(out, text);
    buf_put_str(out, "\n");
}

void card_put_list(struct buf *out, const char *key, const struct span *texts, size_t n)
{
    if (n == 0)
        return;
    buf_printf(out, "%s:\n", key);
    for (size_t i = 0; i < n; i++) {
        buf_put_str(out, "- ");
        put_scalar(out, texts[i]);
        buf_put_str(out, "\n");
    }
}
