/*
 * A tokenizer.json, NUL, and a text: whatever the file says, making and
 * encoding end; a byte-level vocabulary of our own gives any text back.
 */
#include <stdlib.h>
#include <string.h>

#include "assay/tokenizer.h"
#include "model/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tokenizer *make(struct span json)
{
    struct model *m = NULL;
    struct tokenizer *t = NULL;
    struct err e = ERR_INIT;
    struct json root;
    if (!model_read_memory(&m, "folder", span_str("x"), &e))
        return NULL;
    m->documents[DOC_TOKENIZER].file = 0;
    if (json_parse(&root, json, JSON_KEEP_DUPLICATES, m->arena, &e)) {
        m->documents[DOC_TOKENIZER].root = root;
        (void)!tokenizer_new(&t, m, &e);
    }
    model_free(m);
    return t;
}

/* All bytes, a few merges: {"vocab":{...}} with GPT-2's characters. */
static struct tokenizer *all_bytes(void)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    buf_put_str(&b, "{\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (unsigned i = 0, next = 0x100; i < 256; i++) {
        bool shown = (i > ' ' && i < 0x7F) || (i > 0xA0 && i != 0xAD);
        buf_printf(&b, "%s\"\\u%04x\":%u", i ? "," : "", shown ? i : next++, i);
    }
    buf_put_str(&b, ",\"th\":256,\"the\":257,\"\\u0120the\":258},\"merges\":[\"t h\",\"th e\","
                    "\"\\u0120 the\"]},\"pre_tokenizer\":{\"type\":\"ByteLevel\","
                    "\"add_prefix_space\":false},\"decoder\":{\"type\":\"ByteLevel\"}}");
    struct tokenizer *t = make(buf_span(&b));
    buf_free(&b);
    return t;
}

static void check_round_trip(struct span text)
{
    static struct tokenizer *t;
    struct tokens ids = {0};
    struct err e = ERR_INIT;
    struct buf back;
    if (!t && !(t = all_bytes()))
        abort();
    buf_init(&back, text.n + 1);
    if (tokenizer_encode_text(&ids, t, text, false, 0, &e) &&
        (!tokenizer_decode(&back, t, ids.id, ids.n, 0, &e) || !span_eq(buf_span(&back), text)))
        abort();
    buf_free(&back);
    tokens_free(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t n = nul ? (size_t)(nul - data) : size;
    struct span text = nul ? (struct span){nul + 1, size - n - 1} : SPAN_EMPTY;
    struct tokenizer *t = make((struct span){data, n});
    struct tokens ids = {.max = 1 << 16};
    struct err e = ERR_INIT;
    if (t && tokenizer_encode_text(&ids, t, text, true, ENCODE_SPECIAL, &e)) {
        struct buf out;
        buf_init(&out, 1 << 22);
        (void)!tokenizer_decode(&out, t, ids.id, ids.n, DECODE_SPECIAL, &e);
        buf_free(&out);
    }
    tokens_free(&ids);
    tokenizer_free(t);
    check_round_trip(text);
    return 0;
}
