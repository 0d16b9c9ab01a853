/*
 * Formats that are recognised and not read. Saying so is the point: a file of
 * one of these kinds has not been judged, and is never called clean.
 */
#include "model/code.h"

#include <string.h>

static const struct unread {
    const char *name;
    size_t offset, length;
    const char *magic;
    enum rule_id rule;
} kinds[] = {
    {"a 7z archive", 0, 6, "7z\xbc\xaf\x27\x1c", RULE_ARCHIVE_UNREAD},
    {"a RAR archive", 0, 6, "Rar!\x1a\x07", RULE_ARCHIVE_UNREAD},
    {"an xz archive", 0, 6, "\xfd\x37zXZ\0", RULE_ARCHIVE_UNREAD},
    {"a bzip2 archive", 4, 6, "1AY&SY", RULE_ARCHIVE_UNREAD},
    {"a bzip2 archive", 4, 6, "\x17\x72\x45\x38\x50\x90", RULE_ARCHIVE_UNREAD},
    {"a Zstandard archive", 0, 4, "\x28\xb5\x2f\xfd", RULE_ARCHIVE_UNREAD},
    {"an LZ4 archive", 0, 4, "\x04\x22\x4d\x18", RULE_ARCHIVE_UNREAD},
    {"an LZMA archive", 0, 5, "\x5d\0\0\x80\0", RULE_ARCHIVE_UNREAD},
    {"a Unix archive", 0, 8, "!<arch>\n", RULE_ARCHIVE_UNREAD},
    {"a cabinet archive", 0, 4, "MSCF", RULE_ARCHIVE_UNREAD},
    {"TensorFlow Lite", 4, 4, "TFL3", RULE_FOLDER_NOT_READ},
    {"ExecuTorch", 4, 4, "ET12", RULE_FOLDER_NOT_READ},
    {"Torch7", 0, 15, "\4\0\0\0\1\0\0\0\3\0\0\0V 1", RULE_FOLDER_NOT_READ},
    {"Torch7 as text", 0, 9, "4\n1\n3\nV 1", RULE_FOLDER_NOT_READ},
    {"parameters of MXNet", 0, 16, "\x12\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0", RULE_FOLDER_NOT_READ},
    {"an engine of TensorRT", 0, 4, "ptrt", RULE_FOLDER_NOT_READ},
    {"an engine of TensorRT", 0, 4, "ftrt", RULE_FOLDER_NOT_READ},
    {"CatBoost", 0, 4, "CBM1", RULE_FOLDER_NOT_READ},
    {"XGBoost in UBJSON", 0, 17, "{L\0\0\0\0\0\0\0\7learner", RULE_FOLDER_NOT_READ},
    {"XGBoost (before 1.0)", 0, 4, "binf", RULE_FOLDER_NOT_READ},
    {"RKNN", 0, 4, "RKNN", RULE_FOLDER_NOT_READ},
    {"ncnn", 0, 8, "7767517\n", RULE_FOLDER_NOT_READ},
    {"GGML (before GGUF)", 0, 4, "lmgg", RULE_FOLDER_NOT_READ},
    {"GGML (before GGUF)", 0, 4, "fmgg", RULE_FOLDER_NOT_READ},
    {"GGML (before GGUF)", 0, 4, "tjgg", RULE_FOLDER_NOT_READ},
    {"GGML (before GGUF)", 0, 4, "algg", RULE_FOLDER_NOT_READ},
    {"Flax in MessagePack", 0, 8, "\x81\xa6params", RULE_FOLDER_NOT_READ},
    {"Flax in MessagePack", 0, 8, "\x82\xa6params", RULE_FOLDER_NOT_READ},
    {"Flax in MessagePack", 0, 8, "\x83\xa6params", RULE_FOLDER_NOT_READ},
    {"an R workspace", 0, 5, "RDX3\n", RULE_FOLDER_NOT_READ},
    {"an R workspace", 0, 5, "RDX2\n", RULE_FOLDER_NOT_READ},
};

/* A magic of four letters begins a word as well: behind it stand numbers, with zeros in them. */
static bool is_word(const struct unread *u, struct span head)
{
    enum { NUMBERS = 16 };
    for (size_t i = 0; i < u->length; i++)
        if (u->length > 4 || u->magic[i] < '0' || u->magic[i] > 'z')
            return false;
    return head.n && !memchr(head.p, 0, head.n < NUMBERS ? head.n : NUMBERS);
}

static const struct unread *unread_of(struct span head)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct span at = span_sub(head, kinds[i].offset, kinds[i].length);
        if (at.n == kinds[i].length && memcmp(at.p, kinds[i].magic, at.n) == 0 &&
            !is_word(&kinds[i], head))
            return &kinds[i];
    }
    return NULL;
}

/* skops names types and functions in a schema of its own, which is not judged. */
bool skops_examine(const struct content *c, const struct archive *a)
{
    enum { SCHEMA_MOST = 1 << 20 };
    for (size_t i = 0; i < a->count; i++) {
        struct content within;
        struct spool *spool;
        struct span text = SPAN_EMPTY;
        struct err ignored = ERR_INIT;
        bool ok;
        if (!span_is(a->members[i].name, "schema.json"))
            continue;
        bool done = content_member(&within, &spool, c, &a->members[i], &ok);
        if (done && ok && input_load(&text, &within.in, 0, SCHEMA_MOST, c->m->arena, &ignored) &&
            (memmem(text.p, text.n, "_skops_version", 14) ||
             memmem(text.p, text.n, "__loader__", 10))) {
            content_note(c, RULE_FOLDER_NOT_READ, 0, 0, "skops is recognised and not read");
            content_incomplete(c);
        }
        spool_close(spool);
        return done;
    }
    return true;
}

bool unread_sniff(struct span head, uint64_t size)
{
    (void)size;
    return unread_of(head) != NULL;
}

bool unread_examine(const struct content *c)
{
    uint8_t head[32];
    struct err ignored = ERR_INIT;
    size_t n = c->in.size < sizeof head ? (size_t)c->in.size : sizeof head;
    const struct unread *u = NULL;
    if (input_read(&c->in, head, 0, n, &ignored))
        u = unread_of((struct span){head, n});
    content_note(c, u ? u->rule : RULE_FOLDER_NOT_READ, 0, 0, "%s is recognised and not read",
                 u ? u->name : "the content");
    content_incomplete(c);
    return true;
}
