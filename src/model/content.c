/*
 * Content by its bytes, wherever it stands. One table says which kinds there
 * are and what reads them; the bounds that a file may use up are kept here.
 */
#include "model/code.h"
#include "model/keras.h"
#include "model/numpy.h"
#include "model/onnx.h"
#include "model/torch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"

struct kind {
    enum format format;
    bool (*sniff)(struct span head, uint64_t size);
    bool (*examine)(const struct content *c);
};

static bool is_zip(struct span head, uint64_t size)
{
    (void)size;
    return head.n >= 4 && (load_u32le(head.p) == 0x04034b50 || load_u32le(head.p) == 0x06054b50);
}

static bool is_tar(struct span head, uint64_t size)
{
    (void)size;
    return tar_sniff(head);
}

static bool is_gzip(struct span head, uint64_t size)
{
    (void)size;
    return head.n >= 10 && head.p[0] == 0x1f && head.p[1] == 0x8b && head.p[2] == 8;
}

/* RFC 1950: a check in the first two bytes, deflate, a window of at most 32 KiB. */
static bool is_zlib(struct span head, uint64_t size)
{
    (void)size;
    return head.n >= 8 && head.p[0] == 0x78 && (head.p[0] << 8 | head.p[1]) % 31 == 0 &&
           !(head.p[1] & 0x20);
}

/* torch.save writes data.pkl first; a zip of another order is seen to be one when it is read. */
static bool is_torch_zip(struct span head, uint64_t size)
{
    enum { NAME_AT = 30, LENGTH_AT = 26 };
    if (!is_zip(head, size) || head.n < NAME_AT)
        return false;
    struct span name = span_sub(head, NAME_AT, load_u16le(head.p + LENGTH_AT));
    return span_ends(name, "/data.pkl");
}

static const struct kind kinds[] = {
    {FORMAT_PYTORCH, is_torch_zip, archive_examine_zip},
    {FORMAT_PYTORCH, torch_legacy_sniff, torch_legacy_examine},
    {FORMAT_NUMPY, numpy_sniff, numpy_examine},
    {FORMAT_HDF5, hdf5_sniff, hdf5_examine},
    {FORMAT_ZIP, is_zip, archive_examine_zip},
    {FORMAT_GZIP, is_gzip, archive_examine_gzip},
    {FORMAT_UNREAD, unread_sniff, unread_examine},
    {FORMAT_CODE, program_sniff, program_examine},
    {FORMAT_CODE, bytecode_sniff, bytecode_examine},
    {FORMAT_XML, xml_sniff, xml_examine},
    {FORMAT_ZLIB, is_zlib, archive_examine_zlib},
    {FORMAT_ONNX, onnx_sniff, onnx_examine},
    {FORMAT_PICKLE, pickle_sniff, pickle_examine},
    {FORMAT_TAR, is_tar, archive_examine_tar},
    {FORMAT_SAVEDMODEL, savedmodel_sniff, savedmodel_examine},
    {FORMAT_CODE, source_sniff, source_examine},
};

/* Readers of zip look at the end: whatever a file begins with, one that ends so is an archive. */
static bool ends_as_zip(const struct input *in)
{
    enum { TAIL = 1024, END = 22, COMMENT_AT = 20 };
    uint8_t tail[TAIL];
    struct err ignored = ERR_INIT;
    size_t n = in->size < sizeof tail ? (size_t)in->size : sizeof tail;
    if (n < END || !input_read(in, tail, in->size - n, n, &ignored))
        return false;
    for (size_t i = 0; i + END <= n; i++)
        if (load_u32le(tail + i) == 0x06054b50 && i + END + load_u16le(tail + i + COMMENT_AT) == n)
            return true;
    return false;
}

static const struct kind zip_kind = {FORMAT_ZIP, is_zip, archive_examine_zip};
static const struct kind pickle_kind = {FORMAT_PICKLE, pickle_sniff, pickle_examine};

static const struct kind *kind_of(const struct input *in)
{
    uint8_t head[CONTENT_HEAD];
    struct err ignored = ERR_INIT;
    size_t n = in->size < sizeof head ? (size_t)in->size : sizeof head;
    if (!n || !input_read(in, head, 0, n, &ignored))
        return NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].sniff((struct span){head, n}, in->size))
            return &kinds[i];
    if (pickle_sniff_beyond(in))
        return &pickle_kind;
    return ends_as_zip(in) ? &zip_kind : NULL;
}

enum format content_sniff(const struct input *in)
{
    const struct kind *k = kind_of(in);
    return k ? k->format : FORMAT_UNKNOWN;
}

/* ---- findings ---- */

void content_note(const struct content *c, enum rule_id rule, uint64_t at, uint64_t length,
                  const char *fmt, ...)
{
    char text[512], where[CONTENT_SHOWN];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    uint64_t origin = input_origin(&c->in, at);
    if (!*c->where)
        model_note(c->m, c->file, origin, length, rule, "%s", text);
    else if (!c->in.derived)
        model_note(c->m, c->file, origin, length, rule, "%s: %s",
                   text_shown(where, sizeof where, span_str(c->where)), text);
    else
        model_note(c->m, c->file, origin, 0, rule, "%s, byte %llu of it: %s",
                   text_shown(where, sizeof where, span_str(c->where)), (unsigned long long)at,
                   text);
}

void content_incomplete(const struct content *c)
{
    model_incomplete(c->m, c->file);
}

void content_unlisted(const struct content *c)
{
    c->m->unlisted = true;
}

void content_limit(const struct content *c, uint64_t at, const char *what)
{
    content_note(c, RULE_READ_LIMIT, at, 0, "%s", what);
    content_incomplete(c);
}

void content_note_fault(const struct content *c, const struct window *w, enum rule_id rule,
                        const char *what)
{
    if (w->fault_code == ERR_IO)
        rule = w->error.code == ERR_CHANGED ? RULE_READ_CHANGED : RULE_READ_IO;
    else if (w->fault_code == ERR_LIMIT)
        rule = RULE_READ_LIMIT;
    content_note(c, rule, w->fault_at, 0, "%s: %s", what,
                 w->fault_code == ERR_IO && w->error.text[0] ? w->error.text : w->fault);
    content_incomplete(c);
}

/* ---- content within content ---- */

static bool spend(const struct content *c, bool over, const char *what)
{
    if (over && !c->budget->told) {
        c->budget->told = true;
        content_limit(c, 0, what);
    }
    return !over;
}

/* Weights that have a reader of their own are read as files, not as members. */
static void note_weights(const struct content *c)
{
    uint8_t head[CONTENT_HEAD];
    struct err ignored = ERR_INIT;
    size_t n = c->in.size < sizeof head ? (size_t)c->in.size : sizeof head;
    struct span s = {head, n};
    if (!c->depth || !n || !input_read(&c->in, head, 0, n, &ignored))
        return;
    bool gguf = gguf_sniff(s, c->in.size);
    if (!gguf && !safetensors_sniff(s, c->in.size))
        return;
    content_note(c, RULE_FOLDER_NOT_READ, 0, 0, "%s within an archive is recognised and not read",
                 gguf ? "GGUF" : "safetensors");
    content_incomplete(c);
}

/* Members that share bytes cost each time; so a small file could be examined without end. */
bool content_examine(const struct content *c)
{
    const struct kind *k = kind_of(&c->in);
    uint64_t own = c->m->files ? c->m->files[c->file].size : 0;
    c->budget->examined += c->in.size;
    if (!k)
        note_weights(c);
    if (!k || !spend(c,
                     c->depth && c->budget->examined / CONTENT_AGAIN >
                                     own + c->budget->unpacked + CONTENT_HEAD,
                     "pieces of the file share bytes and are not all examined"))
        return true;
    return k->examine(c);
}

bool content_within(struct content *out, const struct content *c, struct input in, const char *name)
{
    char *where = *c->where ? arena_printf(c->m->arena, "%s: %s", c->where, name)
                            : arena_str(c->m->arena, span_str(name));
    if (!where ||
        !spend(c, c->depth + 1 > CONTENT_DEPTH, "content is nested deeper than is followed") ||
        !spend(c, ++c->budget->pieces > CONTENT_PIECES,
               "the file holds more pieces of content than are read"))
        return false;
    *out = *c;
    out->in = in;
    out->where = where;
    out->depth = c->depth + 1;
    return true;
}

static bool file_read(const void *arg, void *buf, uint64_t offset, size_t n, struct err *e)
{
    return source_read(arg, buf, offset, n, e);
}

struct input content_input(const struct source *s)
{
    return (struct input){.read = file_read, .arg = s, .size = source_size(s)};
}

bool content_of_file(struct content *c, struct content_budget *b, struct model *m, uint32_t file)
{
    const struct model_file *f = &m->files[file];
    if (!f->source)
        return false;
    *b = (struct content_budget){0};
    *c = (struct content){
        .m = m, .file = file, .in = content_input(f->source), .where = "", .budget = b};
    return true;
}

bool content_parse_file(struct model *m, uint32_t file)
{
    struct content c;
    struct content_budget budget;
    if (!content_of_file(&c, &budget, m, file))
        return true;
    m->files[file].walked = true;
    /* By its name alone, see recognise() in model.c. */
    if (m->files[file].format == FORMAT_SAVEDMODEL)
        return savedmodel_examine(&c);
    return content_examine(&c);
}

/* What only its name tells from other text. */
bool content_examine_named(struct model *m, uint32_t file)
{
    struct content c;
    struct content_budget budget;
    bool known;
    if (!content_of_file(&c, &budget, m, file))
        return true;
    bool ok = code_by_name(&c, m->files[file].name, &known);
    if (known && m->files[file].format == FORMAT_UNKNOWN)
        m->files[file].format = FORMAT_CODE;
    return ok;
}

bool content_read_others(struct model *m)
{
    for (uint32_t i = 0; i < m->file_count; i++) {
        const struct model_file *f = &m->files[i];
        bool known = false;
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            known = known || kinds[k].format == f->format;
        if (known ? !f->walked && !content_parse_file(m, i) : !content_examine_named(m, i))
            return false;
    }
    return true;
}
