/*
 * Weights by their names: against what their bytes say, and where bytes say
 * nothing. A folder whose weights nobody looked at is never called clean.
 */
#include "model/folder.h"

#include <string.h>

#include "assay/base/text.h"

/* ---- names ---- */

const char *name_base(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

struct span name_folder(const char *name)
{
    const char *base = name_base(name);
    return (struct span){(const uint8_t *)name, base > name ? (size_t)(base - name) - 1 : 0};
}

static bool five_digits(struct span s, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        *out = *out * 10 + (s.p[i] - '0');
    }
    return s.n == 5;
}

bool parted_name(struct parted *out, const char *name, const char *extension)
{
    enum { TAIL = 15 }; /* -NNNNN-of-NNNNN */
    struct span s = span_str(name);
    if (!span_ends(s, extension) || s.n < strlen(extension) + TAIL)
        return false;
    size_t at = s.n - strlen(extension) - TAIL;
    out->prefix = span_sub(s, 0, at);
    return s.p[at] == '-' && five_digits(span_sub(s, at + 1, 5), &out->number) &&
           span_is(span_sub(s, at + 6, 4), "-of-") &&
           five_digits(span_sub(s, at + 10, 5), &out->count);
}

/* ---- content ---- */

enum { TEXT_SEEN = 512, TEXT_LEAST = 24 };

static const char *const gguf_extensions[8] = {".gguf"};
static const char *const safetensors_extensions[8] = {".safetensors"};

/* Names under which weights come whose bytes have no magic. */
static const char *const weight_extensions[] = {".safetensors", ".gguf",
                                                ".pt",          ".pth",
                                                ".ckpt",        ".pkl",
                                                ".pickle",      ".h5",
                                                ".hdf5",        ".onnx",
                                                ".npy",         ".npz",
                                                ".tflite",      ".keras",
                                                ".msgpack",     ".nemo",
                                                ".mlmodel",     ".pb",
                                                ".ggml",        ".joblib",
                                                ".engine",      ".ckpt.data-00000-of-00001",
                                                ".t7",          ".pdmodel",
                                                ".pdiparams",   ".pdparams",
                                                ".caffemodel",  ".params",
                                                ".mlpackage",   ".plan",
                                                ".trt",         ".pte",
                                                ".rknn",        ".cbm",
                                                ".ubj",         ".skops",
                                                ".mar",         ".llamafile"};

static bool belongs(struct span name, const char *const extensions[8])
{
    for (size_t i = 0; i < 8 && extensions[i]; i++)
        if (span_ends(name, extensions[i]))
            return true;
    return false;
}

static const char *weight_extension(struct span name)
{
    for (size_t i = 0; i < sizeof weight_extensions / sizeof *weight_extensions; i++)
        if (span_ends(name, weight_extensions[i]))
            return weight_extensions[i];
    return span_ends(name, "pytorch_model.bin") ? ".bin" : NULL;
}

static void note_contradiction(struct model *m, uint32_t file, const char *content)
{
    model_note(m, file, 0, 0, RULE_FOLDER_CONTENT, "the name says %s, the content is %s",
               weight_extension(span_str(m->files[file].name)), content);
}

/* Pickles and archives come under many names, but not under those of formats that hold no code. */
static bool foreign_name(enum format format, struct span name)
{
    static const struct {
        const char *extension;
        enum format format;
    } plain[] = {{".safetensors", FORMAT_SAFETENSORS},
                 {".gguf", FORMAT_GGUF},
                 {".onnx", FORMAT_ONNX},
                 {".tflite", FORMAT_UNREAD},
                 {".h5", FORMAT_HDF5},
                 {".hdf5", FORMAT_HDF5},
                 {".ggml", FORMAT_UNREAD},
                 {".msgpack", FORMAT_UNREAD},
                 {".npy", FORMAT_NUMPY}};
    if (format == FORMAT_GGUF)
        return !belongs(name, gguf_extensions);
    if (format == FORMAT_SAFETENSORS)
        return !belongs(name, safetensors_extensions);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (span_ends(name, plain[i].extension))
            return format != plain[i].format;
    return false;
}

static void check_read_format(struct model *m, uint32_t file)
{
    const struct model_file *f = &m->files[file];
    struct span name = span_str(f->name);
    if (weight_extension(name) && foreign_name(f->format, name))
        note_contradiction(m, file, format_name(f->format));
}

/* What a failed download leaves behind is mostly text; NULL when it is none. */
static const char *text_instead(struct source *s)
{
    struct cursor c = source_cursor(s, TEXT_SEEN);
    struct span head =
        cursor_take(&c, source_size(s) < TEXT_SEEN ? (size_t)source_size(s) : TEXT_SEEN);
    for (size_t i = 0; i < head.n; i++)
        if (head.p[i] >= 0x7f || (head.p[i] < ' ' && !(head.p[i] && strchr("\t\n\r\f", head.p[i]))))
            return NULL;
    if (head.n < TEXT_LEAST)
        return NULL;
    return span_starts(head, "version https://git-lfs.github.com/spec/")
               ? "a pointer of Git LFS, and the file itself was not downloaded"
               : "text";
}

/* Beside a graph of TensorFlow: five hashes and an identifier, which nothing but comparisons read. */
static bool is_fingerprint(const struct model_file *f)
{
    enum { MOST = 256 };
    return span_ends(span_str(f->name), "fingerprint.pb") && f->size <= MOST;
}

bool weights_check(struct model *m, uint32_t file)
{
    struct model_file *f = &m->files[file];
    struct span name = span_str(f->name);
    if (!f->size || !f->source)
        return true;
    if (f->format != FORMAT_UNKNOWN) {
        check_read_format(m, file);
        return true;
    }
    const char *extension = weight_extension(name);
    if (!extension || is_fingerprint(f))
        return true;
    const char *text = text_instead(f->source);
    if (text)
        note_contradiction(m, file, text);
    else if (belongs(name, gguf_extensions) || belongs(name, safetensors_extensions))
        note_contradiction(m, file, "of no known format");
    else
        model_note(m, file, 0, 0, RULE_FOLDER_NOT_READ, "%s is recognised and not read", extension);
    model_incomplete(m, file);
    return true;
}
