/* Techniques that need a container: archives that lie, weights that are code. */
#include "support/hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/torch_writer.h"
#include "support/zip_writer.h"

static void evil(struct buf *b)
{
    buf_init(b, 4096);
    hostile_call(b, "posix", "system", HOSTILE_GLOBAL);
}

/* One member with a pickle that calls, and a lie about it. */
static void one_member(struct buf *out, const char *name, bool deflate, const struct zip_lie *lie)
{
    struct zip_writer w;
    struct buf b;
    evil(&b);
    zw_init(&w);
    zw_add(&w, name, buf_span(&b), deflate, lie);
    zw_finish(&w);
    buf_put_span(out, buf_span(&w.out));
    zw_free(&w);
    buf_free(&b);
}

static void zip_plain(struct buf *out)
{
    one_member(out, "data.txt", true, NULL);
}

static void zip_names(struct buf *out)
{
    one_member(out, "archive/data.pkl", false, &(struct zip_lie){.local_name = "archive/data.txt"});
}

static void zip_flags(struct buf *out)
{
    one_member(out, "data.pkl", false, &(struct zip_lie){.central_flags = 0x20});
}

static void zip_encrypted_flag(struct buf *out)
{
    one_member(out, "data.pkl", false, &(struct zip_lie){.local_flags = 1, .central_flags = 1});
}

static void zip_encrypted_flag_inside(struct buf *out)
{
    one_member(out, "data.pkl", false, &(struct zip_lie){.local_flags = 1, .central_flags = 1});
}

static void zip_crc(struct buf *out)
{
    one_member(out, "data.pkl", false, &(struct zip_lie){.crc = 0x12345678});
}

static void zip_crc_deflated(struct buf *out)
{
    one_member(out, "data.pkl", true, &(struct zip_lie){.crc = 0x12345678});
}

static void zip_method(struct buf *out)
{
    one_member(out, "data.pkl", false, &(struct zip_lie){.central_method = 99});
}

static void zip_local_method(struct buf *out)
{
    one_member(out, "data.pkl", false, &(struct zip_lie){.local_method = 8});
}

static void zip_sizes(struct buf *out)
{
    one_member(out, "data.pkl", false, &(struct zip_lie){.local_size = 7});
}

static void zip_hidden(struct buf *out)
{
    struct zip_writer w;
    struct buf b;
    evil(&b);
    zw_init(&w);
    zw_add(&w, "readme.txt", span_str("hello"), false, NULL);
    zw_add(&w, "hidden.pkl", buf_span(&b), false, &(struct zip_lie){.unlisted = true});
    zw_add(&w, "more.txt", span_str("hello"), false, NULL);
    zw_finish(&w);
    buf_put_span(out, buf_span(&w.out));
    zw_free(&w);
    buf_free(&b);
}

static void zip_twins(struct buf *out)
{
    struct zip_writer w;
    struct buf b;
    evil(&b);
    zw_init(&w);
    zw_add(&w, "data.pkl", span_str("}."), false, NULL);
    zw_add(&w, "data.pkl", buf_span(&b), false, NULL);
    zw_finish(&w);
    buf_put_span(out, buf_span(&w.out));
    zw_free(&w);
    buf_free(&b);
}

static void zip_traversal(struct buf *out)
{
    one_member(out, "a/../../evil.pkl", false, NULL);
}

static void zip_absolute(struct buf *out)
{
    one_member(out, "/etc/evil.pkl", false, NULL);
}

static void zip_drive(struct buf *out)
{
    one_member(out, "C:\\evil.pkl", false, NULL);
}

/* Many entries of one member: small files that unpack to any size. */
static void zip_overlap(struct buf *out)
{
    struct zip_writer w;
    struct buf b;
    uint8_t entry[64];
    evil(&b);
    zw_init(&w);
    zw_add(&w, "data.pkl", buf_span(&b), false, NULL);
    size_t n = w.directory.n;
    memcpy(entry, w.directory.p, n);
    for (int i = 0; i < 300; i++, w.entries++)
        buf_put(&w.directory, entry, n);
    zw_finish(&w);
    buf_put_span(out, buf_span(&w.out));
    zw_free(&w);
    buf_free(&b);
}

static void zip_link_to(struct buf *out, const char *target)
{
    struct zip_writer w;
    zw_init(&w);
    zw_add(&w, "a/link", span_str(target), false, &(struct zip_lie){.mode = 0120777});
    zw_finish(&w);
    buf_put_span(out, buf_span(&w.out));
    zw_free(&w);
}

static void zip_link(struct buf *out)
{
    zip_link_to(out, "../../etc/passwd");
}

static void zip_link_absolute(struct buf *out)
{
    zip_link_to(out, "/etc/passwd");
}

static void zip_prefixed(struct buf *out)
{
    struct buf inner;
    buf_init(&inner, 1 << 20);
    one_member(&inner, "data.pkl", false, NULL);
    buf_put_str(out, "GIF89a, or so it says");
    buf_put_span(out, buf_span(&inner));
    buf_free(&inner);
}

static void zip_trailing(struct buf *out)
{
    one_member(out, "data.pkl", false, NULL);
    buf_put_str(out, "and something more");
}

static void zip_no_directory(struct buf *out)
{
    one_member(out, "data.pkl", true, NULL);
    out->n -= 40; /* nullifAI: the tail is broken, what stands before is loaded */
}

static void zip_bomb(struct buf *out)
{
    struct zip_writer w;
    size_t n = 80 << 20;
    uint8_t *zeros = calloc(n, 1);
    if (!zeros)
        abort();
    zw_init(&w);
    zw_add(&w, "zeros.bin", (struct span){zeros, n}, true, NULL);
    zw_finish(&w);
    buf_put_span(out, buf_span(&w.out));
    zw_free(&w);
    free(zeros);
}

static void zip_nested(struct buf *out)
{
    struct buf inner;
    buf_init(&inner, 1 << 20);
    one_member(&inner, "a.bin", true, NULL);
    for (int i = 0; i < 3; i++) {
        struct zip_writer w;
        zw_init(&w);
        zw_add(&w, "inner.dat", buf_span(&inner), i % 2, NULL);
        zw_finish(&w);
        buf_clear(&inner);
        buf_put_span(&inner, buf_span(&w.out));
        zw_free(&w);
    }
    buf_put_span(out, buf_span(&inner));
    buf_free(&inner);
}

static void zip_too_deep(struct buf *out)
{
    struct buf inner;
    buf_init(&inner, 1 << 20);
    one_member(&inner, "a.bin", true, NULL);
    for (int i = 0; i < 12; i++) {
        struct zip_writer w;
        zw_init(&w);
        zw_add(&w, "inner.dat", buf_span(&inner), false, NULL);
        zw_finish(&w);
        buf_clear(&inner);
        buf_put_span(&inner, buf_span(&w.out));
        zw_free(&w);
    }
    buf_put_span(out, buf_span(&inner));
    buf_free(&inner);
}

/* ---- tar ---- */

static void tar_member(struct buf *out, const char *name, char type, const char *link,
                       struct span bytes)
{
    uint8_t h[512] = {0};
    unsigned sum = 0;
    snprintf((char *)h, 100, "%s", name);
    snprintf((char *)h + 100, 8, "%07o", 0644u);
    snprintf((char *)h + 124, 12, "%011zo", bytes.n);
    memset(h + 148, ' ', 8);
    h[156] = (uint8_t)type;
    snprintf((char *)h + 157, 100, "%s", link);
    memcpy(h + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof h; i++)
        sum += h[i];
    snprintf((char *)h + 148, 8, "%06o", sum);
    buf_put(out, h, sizeof h);
    buf_put_span(out, bytes);
    for (size_t i = bytes.n; i % 512; i++)
        buf_put_u8(out, 0);
}

static void tar_end(struct buf *out)
{
    for (int i = 0; i < 1024; i++)
        buf_put_u8(out, 0);
}

static void tar_plain(struct buf *out)
{
    struct buf b;
    evil(&b);
    tar_member(out, "model/weights", '0', "", buf_span(&b));
    tar_end(out);
    buf_free(&b);
}

static void tar_traversal(struct buf *out)
{
    tar_member(out, "../evil", '0', "", span_str("x"));
    tar_end(out);
}

static void tar_link(struct buf *out)
{
    tar_member(out, "a/link", '2', "../../outside", SPAN_EMPTY);
    tar_end(out);
}

static void tar_long_name(struct buf *out)
{
    tar_member(out, "././@LongLink", 'L', "", span_str("../../a-name-of-gnu"));
    tar_member(out, "short", '0', "", span_str("x"));
    tar_end(out);
}

static void tar_pax_name(struct buf *out)
{
    tar_member(out, "pax", 'x', "", span_str("20 path=../../evil1\n"));
    tar_member(out, "short", '0', "", span_str("x"));
    tar_end(out);
}

static void tar_device(struct buf *out)
{
    tar_member(out, "dev", '3', "", SPAN_EMPTY);
    tar_end(out);
}

static void tar_trailing(struct buf *out)
{
    tar_member(out, "a", '0', "", span_str("x"));
    tar_end(out);
    buf_put_str(out, "more");
}

/* ---- formats ---- */

static void npy_objects(struct buf *out)
{
    buf_put(out, "\x93NUMPY\1\0\x46\0", 10);
    buf_put_str(out, "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }            \n");
    while (out->n < 80)
        buf_put_u8(out, '\n');
    out->p[8] = (uint8_t)(out->n - 10);
    hostile_call(out, "posix", "system", HOSTILE_STACK_GLOBAL);
}

static void npy_code(struct buf *out)
{
    static const char header[] =
        "{'descr': __import__('os').system('x'), 'fortran_order': False, 'shape': (1,), }\n";
    buf_put(out, "\x93NUMPY\1\0", 8);
    buf_put_u16le(out, sizeof header - 1);
    buf_put_str(out, header);
}

static void torch_payload(struct buf *out)
{
    struct zip_writer w;
    struct buf b;
    evil(&b);
    zw_init(&w);
    zw_add(&w, "archive/data.pkl", buf_span(&b), false, NULL);
    zw_add(&w, "archive/version", span_str("3\n"), false, NULL);
    zw_finish(&w);
    buf_put_span(out, buf_span(&w.out));
    zw_free(&w);
    buf_free(&b);
}

static void torch_legacy_magic_call(struct buf *out)
{
    /* GHSA-97f8: the magic number is what a call returns. */
    buf_put_str(out, "cbuiltins\neval\n(S'0x1950a86a20f9469cfc6c'\ntR.\x80\x02M\xe9\x03.");
}

static void keras(struct buf *out, const char *config)
{
    struct zip_writer w;
    zw_init(&w);
    zw_add(&w, "metadata.json", span_str("{}"), false, NULL);
    zw_add(&w, "config.json", span_str(config), true, NULL);
    zw_finish(&w);
    buf_put_span(out, buf_span(&w.out));
    zw_free(&w);
}

static void keras_lambda(struct buf *out)
{
    keras(out, "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":\"Lambda\","
               "\"config\":{\"function\":[\"4wEAAAA=\",null,null]}}]}}");
}

static void keras_nested_lambda(struct buf *out)
{
    keras(out, "{\"class_name\":\"Functional\",\"config\":{\"layers\":[{\"class_name\":"
               "\"TimeDistributed\",\"config\":{\"layer\":{\"class_name\":\"Lambda\",\"config\":"
               "{}}}}]}}");
}

static void keras_module(struct buf *out)
{
    keras(out, "{\"module\":\"keras\",\"class_name\":\"Sequential\",\"config\":{\"layers\":["
               "{\"module\":\"os\",\"class_name\":\"function\",\"config\":\"system\"}]}}");
}

static void keras_get_file(struct buf *out)
{
    keras(out, "{\"module\":\"keras\",\"class_name\":\"Sequential\",\"config\":{\"f\":{\"module\":"
               "\"keras.utils\",\"class_name\":\"function\",\"config\":\"get_file\"}}}");
}

static void keras_wrapper(struct buf *out)
{
    keras(out, "{\"class_name\":\"TorchModuleWrapper\",\"module\":\"keras.layers\",\"config\":{}}");
}

static void keras_vocabulary(struct buf *out)
{
    keras(out, "{\"class_name\":\"StringLookup\",\"module\":\"keras.layers\",\"config\":"
               "{\"vocabulary\":\"/etc/passwd\"}}");
}

static void keras_custom(struct buf *out)
{
    keras(out, "{\"class_name\":\"Sequential\",\"config\":{\"layers\":[{\"class_name\":"
               "\"MyOwnLayer\",\"config\":{}}]}}");
}

/* ---- protocol buffers ---- */

static void field(struct buf *out, unsigned number, struct span s)
{
    buf_put_u8(out, (uint8_t)(number << 3 | 2));
    buf_put_u8(out, (uint8_t)s.n);
    buf_put_span(out, s);
}

static void field_text(struct buf *out, unsigned number, const char *s)
{
    field(out, number, span_str(s));
}

static void wrap(struct buf *out, unsigned number, void (*inner)(struct buf *b))
{
    struct buf b;
    buf_init(&b, 4096);
    inner(&b);
    field(out, number, buf_span(&b));
    buf_free(&b);
}

static void pyfunc_node(struct buf *b)
{
    field_text(b, 1, "bad");
    field_text(b, 2, "PyFunc");
}

static void write_file_node(struct buf *b)
{
    field_text(b, 1, "w");
    field_text(b, 2, "WriteFile");
}

static void function_body(struct buf *b)
{
    field_text(b, 1,
               "\x0a\x01"
               "f");
    wrap(b, 3, write_file_node);
}

static void library(struct buf *b)
{
    wrap(b, 1, function_body);
}

static void first_node(struct buf *b)
{
    field_text(b, 1, "a");
    field_text(b, 2, "Const");
}

static void graph_python(struct buf *b)
{
    wrap(b, 1, first_node);
    wrap(b, 1, pyfunc_node);
}

static void graph_function(struct buf *b)
{
    wrap(b, 1, first_node);
    wrap(b, 2, library);
}

static void meta_python(struct buf *b)
{
    wrap(b, 2, graph_python);
}

static void meta_function(struct buf *b)
{
    wrap(b, 2, graph_function);
}

static void tf_python(struct buf *out)
{
    wrap(out, 2, meta_python);
}

static void tf_function(struct buf *out)
{
    wrap(out, 2, meta_function);
}

static void external_entry(struct buf *b)
{
    field_text(b, 1, "location");
    field_text(b, 2, "../../etc/passwd");
}

static void external_tensor(struct buf *b)
{
    buf_put(b, "\x08\x02\x10\x01", 4);
    field_text(b, 8, "W");
    wrap(b, 13, external_entry);
    buf_put(b, "\x70\x01", 2);
}

static void onnx_graph_external(struct buf *b)
{
    wrap(b, 5, external_tensor);
}

static void custom_node(struct buf *b)
{
    field_text(b, 4, "Thing");
    field_text(b, 7, "some.where");
}

static void python_node(struct buf *b)
{
    field_text(b, 4, "PyOp");
    field_text(b, 7, "com.microsoft");
}

static void onnx_graph_custom(struct buf *b)
{
    wrap(b, 1, custom_node);
}

static void onnx_graph_python(struct buf *b)
{
    wrap(b, 1, python_node);
}

static void onnx(struct buf *out, void (*graph)(struct buf *b))
{
    buf_put(out, "\x08\x08", 2);
    field_text(out, 2, "writer");
    wrap(out, 7, graph);
}

static void onnx_path(struct buf *out)
{
    onnx(out, onnx_graph_external);
}

static void onnx_custom(struct buf *out)
{
    onnx(out, onnx_graph_custom);
}

static void onnx_python(struct buf *out)
{
    onnx(out, onnx_graph_python);
}

static void onnx_cut(struct buf *out)
{
    onnx(out, onnx_graph_custom);
    out->n -= 3;
}

/* ---- what is only recognised, and code ---- */

static void seven_zip(struct buf *out)
{
    buf_put(out, "7z\xbc\xaf\x27\x1c\0\4 and more", 17);
}

static void seven_zip_inside(struct buf *out)
{
    struct zip_writer w;
    struct buf b;
    buf_init(&b, 4096);
    seven_zip(&b);
    zw_init(&w);
    zw_add(&w, "weights.pkl", buf_span(&b), false, NULL);
    zw_finish(&w);
    buf_put_span(out, buf_span(&w.out));
    zw_free(&w);
    buf_free(&b);
}

static void gguf_inside(struct buf *out)
{
    struct zip_writer w;
    zw_init(&w);
    zw_add(&w, "model.gguf",
           (struct span){(const uint8_t *)"GGUF\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24},
           false, NULL);
    zw_finish(&w);
    buf_put_span(out, buf_span(&w.out));
    zw_free(&w);
}

static void tflite(struct buf *out)
{
    buf_put(out, "\x1c\0\0\0TFL3\0\0\0\0\0\0\0\0", 16);
}

static void elf(struct buf *out)
{
    buf_put(out,
            "\x7f"
            "ELF\2\1\1\0\0\0\0\0\0\0\0\0",
            16);
}

static void windows_program(struct buf *out)
{
    uint8_t head[128] = "MZ";
    head[60] = 64;
    head[64] = 'P';
    head[65] = 'E';
    buf_put(out, head, sizeof head);
}

static void llamafile(struct buf *out)
{
    struct buf inner;
    buf_init(&inner, 1 << 20);
    buf_put_str(out, "MZqFpD='\n\n");
    while (out->n < 512)
        buf_put_u8(out, 'x');
    one_member(&inner, "model.gguf", false, NULL);
    buf_put_span(out, buf_span(&inner));
    buf_free(&inner);
}

static void python_source(struct buf *out)
{
    buf_put_str(out, "import os\nos.system('x')\n");
}

const struct hostile_container hostile_containers[] = {
    {"zip-plain.bin", zip_plain, RULE_PICKLE_DANGEROUS},
    {"zip-local-name.pt", zip_names, RULE_ARCHIVE_NAMES}, /* CVE-2025-1944 */
    {"zip-flags.pt", zip_flags, RULE_ARCHIVE_HEADERS},    /* CVE-2025-1945 */
    {"zip-encrypted-flag.pt", zip_encrypted_flag, RULE_ARCHIVE_ENCRYPTED},
    {"zip-encrypted-inside.pt", zip_encrypted_flag_inside, RULE_PICKLE_DANGEROUS},
    {"zip-crc.pt", zip_crc, RULE_ARCHIVE_CRC}, /* CVE-2025-10156 */
    {"zip-crc-deflated.pt", zip_crc_deflated, RULE_ARCHIVE_CRC},
    {"zip-method.pt", zip_method, RULE_ARCHIVE_UNREAD},
    {"zip-local-method.pt", zip_local_method, RULE_ARCHIVE_HEADERS},
    {"zip-sizes.pt", zip_sizes, RULE_ARCHIVE_HEADERS},
    {"zip-hidden.zip", zip_hidden, RULE_ARCHIVE_HIDDEN},
    {"zip-hidden-payload.zip", zip_hidden, RULE_PICKLE_DANGEROUS},
    {"zip-twins.zip", zip_twins, RULE_ARCHIVE_DUPLICATE},
    {"zip-traversal.zip", zip_traversal, RULE_ARCHIVE_TRAVERSAL},
    {"zip-absolute.zip", zip_absolute, RULE_ARCHIVE_TRAVERSAL},
    {"zip-drive.zip", zip_drive, RULE_ARCHIVE_TRAVERSAL},
    {"zip-overlap.zip", zip_overlap, RULE_ARCHIVE_OVERLAP},
    {"zip-link.zip", zip_link, RULE_ARCHIVE_LINK_OUTSIDE},
    {"zip-link-absolute.zip", zip_link_absolute, RULE_ARCHIVE_LINK_OUTSIDE},
    {"zip-prefixed.gif", zip_prefixed, RULE_ARCHIVE_PREFIX},
    {"zip-prefixed-payload.gif", zip_prefixed, RULE_PICKLE_DANGEROUS},
    {"zip-trailing.zip", zip_trailing, RULE_ARCHIVE_TRAILING},
    {"zip-no-directory.zip", zip_no_directory, RULE_ARCHIVE_DIRECTORY},
    {"zip-no-directory-payload.zip", zip_no_directory, RULE_PICKLE_DANGEROUS},
    {"zip-bomb.zip", zip_bomb, RULE_ARCHIVE_BOMB},
    {"zip-nested.zip", zip_nested, RULE_PICKLE_DANGEROUS},
    {"zip-too-deep.zip", zip_too_deep, RULE_READ_LIMIT},
    {"tar-plain.tar", tar_plain, RULE_PICKLE_DANGEROUS},
    {"tar-traversal.tar", tar_traversal, RULE_ARCHIVE_TRAVERSAL},
    {"tar-link.tar", tar_link, RULE_ARCHIVE_LINK_OUTSIDE},
    {"tar-long-name.tar", tar_long_name, RULE_ARCHIVE_TRAVERSAL},
    {"tar-pax-name.tar", tar_pax_name, RULE_ARCHIVE_TRAVERSAL},
    {"tar-device.tar", tar_device, RULE_ARCHIVE_LINK_OUTSIDE},
    {"tar-trailing.tar", tar_trailing, RULE_ARCHIVE_TRAILING},
    {"objects.npy", npy_objects, RULE_PICKLE_DANGEROUS},
    {"header-code.npy", npy_code, RULE_NUMPY_HEADER},
    {"payload.pt", torch_payload, RULE_PICKLE_DANGEROUS},
    {"magic-call.pt", torch_legacy_magic_call, RULE_PICKLE_DANGEROUS}, /* GHSA-97f8 */
    {"lambda.keras", keras_lambda, RULE_KERAS_LAMBDA},                 /* CVE-2024-3660 */
    {"nested-lambda.keras", keras_nested_lambda, RULE_KERAS_LAMBDA},
    {"module.keras", keras_module, RULE_KERAS_MODULE},       /* CVE-2025-1550 */
    {"get-file.keras", keras_get_file, RULE_KERAS_MODULE},   /* CVE-2025-8747 */
    {"wrapper.keras", keras_wrapper, RULE_KERAS_WRAPPER},    /* CVE-2025-49655 */
    {"vocabulary.keras", keras_vocabulary, RULE_KERAS_PATH}, /* CVE-2025-12058 */
    {"custom.keras", keras_custom, RULE_KERAS_CUSTOM},
    {"saved_model.pb", tf_python, RULE_SAVEDMODEL_PYTHON},
    {"function.pb", tf_function, RULE_SAVEDMODEL_FILE},
    {"path.onnx", onnx_path, RULE_ONNX_PATH}, /* CVE-2022-25882 */
    {"custom.onnx", onnx_custom, RULE_ONNX_CUSTOM},
    {"python.onnx", onnx_python, RULE_ONNX_PYTHON},
    {"cut.onnx", onnx_cut, RULE_ONNX_MALFORMED},
    {"payload.7z", seven_zip, RULE_ARCHIVE_UNREAD},
    {"7z-inside.zip", seven_zip_inside, RULE_ARCHIVE_UNREAD},
    {"gguf-inside.zip", gguf_inside, RULE_FOLDER_NOT_READ},
    {"model.tflite", tflite, RULE_FOLDER_NOT_READ},
    {"program.bin", elf, RULE_CODE_EXECUTABLE},
    {"program.exe", windows_program, RULE_CODE_EXECUTABLE},
    {"model.llamafile", llamafile, RULE_CODE_EXECUTABLE},
    {"llamafile-payload.llamafile", llamafile, RULE_PICKLE_DANGEROUS},
    {"handler.txt", python_source, RULE_CODE_DANGEROUS},
};

const size_t hostile_container_count = sizeof hostile_containers / sizeof *hostile_containers;
