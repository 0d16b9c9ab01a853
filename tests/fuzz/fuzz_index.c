/* An index of any bytes against two shards that are there. */
#include "model/folder.h"
#include "support/prefixes.h"
#include "support/safetensors_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static bool add(struct model *m, const char *name, struct span bytes)
{
    struct source *s = NULL;
    return source_memory(&s, name, bytes, NULL) && model_adopt_file(m, name, name, s);
}

static bool add_shard(struct model *m, struct safetensors_writer *w, const char *name,
                      const char *tensor)
{
    sw_init(w);
    sw_tensor(w, tensor, DTYPE_F32, (const uint64_t[]){1, SW_END});
    return add(m, name, sw_finish(w, 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct safetensors_writer w[2];
    struct model *m = NULL;
    if (!model_read_memory(&m, "README", SPAN_EMPTY, NULL))
        return 0;
    m->verdict.incomplete = m->unlisted = false; /* of the empty file that began the model */
    bool ok = add_shard(m, &w[0], "model-00001-of-00002.safetensors", "a");
    ok = add_shard(m, &w[1], "model-00002-of-00002.safetensors", "b") && ok;
    ok = ok && add(m, "model.safetensors.index.json", (struct span){bytes, n}) && sets_read(m) &&
         documents_read(m);
    volatile uint64_t sink = ok ? model_walk(m) : 0;
    (void)sink;
    model_free(m);
    sw_free(&w[0]);
    sw_free(&w[1]);
    return 0;
}
