/*
 * A folder as Hugging Face lays it out, or the set that an index names: list
 * the files, open each once, then weights and documents. What loaders would
 * take is the model (sets.c); everything else is listed and named.
 */
#include "model/folder.h"

#include <string.h>
#include <sys/resource.h>

#include "assay/base/text.h"

/* Every file stays open until its bytes are hashed: ask for as many as there are. */
static void allow_files(size_t count)
{
    enum { SPARE = 64 };
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= count + SPARE)
        return;
    r.rlim_cur = r.rlim_max < count + SPARE ? r.rlim_max : count + SPARE;
    setrlimit(RLIMIT_NOFILE, &r);
}

/* JSON, Markdown and text have no magic: the name says it and the bytes agree. */
static void guess_format(struct model_file *f)
{
    static const struct {
        const char *extension;
        enum format format;
    } names[] = {{".json", FORMAT_JSON},    {".md", FORMAT_MARKDOWN}, {".txt", FORMAT_TEXT},
                 {".jinja", FORMAT_TEXT},   {".jsonl", FORMAT_TEXT},  {".py", FORMAT_TEXT},
                 {".yaml", FORMAT_TEXT},    {".yml", FORMAT_TEXT},    {".j2", FORMAT_TEXT},
                 {".template", FORMAT_TEXT}};
    uint8_t head[READER_HEAD];
    size_t n = f->size < sizeof head ? (size_t)f->size : sizeof head;
    struct err ignored = ERR_INIT;
    if (f->format != FORMAT_UNKNOWN || !f->source || !n ||
        !source_read(f->source, head, 0, n, &ignored) || memchr(head, 0, n))
        return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (span_ends(span_str(f->name), names[i].extension))
            f->format = names[i].format;
}

static bool add_found(struct model *m, const struct found *found, size_t count)
{
    allow_files(count);
    for (size_t i = 0; i < count; i++) {
        uint32_t file;
        if (!model_add_file(m, found[i].name, found[i].path, &file))
            return false;
        m->files[file].link_outside = found[i].outside;
        if (!weights_check(m, file))
            return false;
        guess_format(&m->files[file]);
    }
    return true;
}

bool folder_read(struct model *m, struct err *e)
{
    struct found *found;
    size_t count;
    if (!m->folder)
        return index_read(m, e);
    if (!folder_walk(m, &found, &count, e))
        return false;
    bool ok =
        add_found(m, found, count) && sets_read(m) && content_read_others(m) && documents_read(m);
    return ok || err_at(e, ERR_MEMORY, m->path, ERR_NO_OFFSET, "out of memory");
}
