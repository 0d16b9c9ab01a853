/*
 * Archives as content: what is odd about them becomes findings, and every
 * member is examined by its bytes whatever it is called.
 */
#include "model/code.h"
#include "model/keras.h"
#include "model/torch.h"

#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

enum { METHOD_STORED = 0, METHOD_DEFLATED = 8, CRC_MOST = 1 << 20 };

static void note_quirk(void *arg, enum archive_quirk quirk, uint64_t at, const char *text)
{
    static const struct {
        enum rule_id rule;
        bool incomplete;
    } rows[ARCHIVE_QUIRKS] = {
        [ARCHIVE_NAMES] = {RULE_ARCHIVE_NAMES, false},
        [ARCHIVE_HEADERS] = {RULE_ARCHIVE_HEADERS, false},
        [ARCHIVE_ENCRYPTED] = {RULE_ARCHIVE_ENCRYPTED, true},
        [ARCHIVE_METHOD] = {RULE_ARCHIVE_UNREAD, true},
        [ARCHIVE_CRC] = {RULE_ARCHIVE_CRC, false},
        [ARCHIVE_DUPLICATE] = {RULE_ARCHIVE_DUPLICATE, false},
        [ARCHIVE_HIDDEN] = {RULE_ARCHIVE_HIDDEN, false},
        [ARCHIVE_GAP] = {RULE_ARCHIVE_GAP, false},
        [ARCHIVE_PREFIX] = {RULE_ARCHIVE_PREFIX, false},
        [ARCHIVE_TRAILING] = {RULE_ARCHIVE_TRAILING, false},
        [ARCHIVE_OVERLAP] = {RULE_ARCHIVE_OVERLAP, false},
        [ARCHIVE_DIRECTORY_BROKEN] = {RULE_ARCHIVE_DIRECTORY, true},
        [ARCHIVE_TRUNCATED] = {RULE_ARCHIVE_TRUNCATED, true},
        [ARCHIVE_TRAVERSAL] = {RULE_ARCHIVE_TRAVERSAL, false},
        [ARCHIVE_LINK] = {RULE_ARCHIVE_LINK, false},
        [ARCHIVE_LINK_OUTSIDE] = {RULE_ARCHIVE_LINK_OUTSIDE, false},
        [ARCHIVE_SPECIAL] = {RULE_ARCHIVE_LINK_OUTSIDE, false},
        [ARCHIVE_NAME_ODD] = {RULE_ARCHIVE_NAME, false},
        [ARCHIVE_CHECKSUM] = {RULE_ARCHIVE_HEADERS, false},
        [ARCHIVE_LIMIT] = {RULE_READ_LIMIT, true},
    };
    const struct content *c = arg;
    content_note(c, rows[quirk].rule, at, 0, "%s", text);
    if (rows[quirk].incomplete)
        content_incomplete(c);
}

/* ---- members ---- */

static const char *name_shown(const struct archive_member *m, char out[CONTENT_SHOWN])
{
    return text_shown(out, CONTENT_SHOWN, m->name);
}

/* How many bytes may still be unpacked of this file; none is said as a limit. */
static bool may_unpack(const struct content *c, uint64_t *most)
{
    uint64_t all = (uint64_t)CONTENT_UNPACKED_MIB << 20, used = c->budget->unpacked;
    *most = used < all ? all - used : 0;
    if (*most > INFLATE_MOST)
        *most = INFLATE_MOST;
    if (!*most)
        content_limit(c, 0, "the file unpacks to more than is read");
    return *most > 0;
}

static bool inflate_member(struct input *bytes, struct spool **spool, const struct content *c,
                           const struct archive_member *m, const struct input *stored)
{
    struct inflated out;
    struct err why = ERR_INIT;
    char name[CONTENT_SHOWN];
    uint64_t most;
    if (!may_unpack(c, &most))
        return false;
    bool ok = inflate_input(&out, stored, INFLATE_RAW, most, &why);
    *spool = out.spool;
    *bytes = out.bytes;
    name_shown(m, name);
    if (!ok) {
        content_note(c, RULE_READ_IO, m->header, 0, "\"%s\": %s", name, why.text);
        content_incomplete(c);
        return false;
    }
    c->budget->unpacked += out.bytes.size;
    if (!out.whole) {
        content_note(c, out.code == ERR_LIMIT ? RULE_ARCHIVE_BOMB : RULE_ARCHIVE_TRUNCATED,
                     m->header, 0, "\"%s\": %s", name, out.why);
        content_incomplete(c);
    } else if (m->has_crc && m->crc != out.crc) {
        content_note(c, RULE_ARCHIVE_CRC, m->header, 0,
                     "\"%s\": CRC %08x is declared, the bytes have %08x", name, (unsigned)m->crc,
                     (unsigned)out.crc);
    }
    if (out.whole && m->size != out.bytes.size && !m->hidden)
        content_note(c, RULE_ARCHIVE_HEADERS, m->header, 0,
                     "\"%s\": %llu bytes are declared and %llu come out", name,
                     (unsigned long long)m->size, (unsigned long long)out.bytes.size);
    return true;
}

static void check_crc(const struct content *c, const struct archive_member *m,
                      const struct input *bytes)
{
    uint32_t crc;
    struct err ignored = ERR_INIT;
    char name[CONTENT_SHOWN];
    if (!m->has_crc || m->method != METHOD_STORED || m->encrypted || bytes->size > CRC_MOST ||
        !input_crc(&crc, bytes, &ignored) || crc == m->crc)
        return;
    content_note(c, RULE_ARCHIVE_CRC, m->header, 0,
                 "\"%s\": CRC %08x is declared, the bytes have %08x", name_shown(m, name),
                 (unsigned)m->crc, (unsigned)crc);
}

bool content_member(struct content *out, struct spool **spool, const struct content *c,
                    const struct archive_member *m, bool *ok)
{
    char name[CONTENT_SHOWN];
    struct input bytes = input_part(&c->in, m->data, m->stored);
    *spool = NULL;
    *ok = false;
    if (m->broken || m->folder)
        return true;
    /* A flag that says encrypted, over bytes that are not: readers that ignore it see them. */
    if (m->method == METHOD_DEFLATED &&
        !(m->encrypted && content_sniff(&bytes) != FORMAT_UNKNOWN)) {
        struct input stored = bytes;
        if (!inflate_member(&bytes, spool, c, m, &stored))
            return true;
    }
    check_crc(c, m, &bytes);
    *ok = content_within(out, c, bytes, name_shown(m, name));
    return true;
}

static bool examine_member(const struct content *c, const struct archive_member *m)
{
    struct content within;
    struct spool *spool;
    bool ok, done = content_member(&within, &spool, c, m, &ok);
    if (done && ok) {
        bool known = false;
        char *plain = arena_str(c->m->arena, m->name);
        done = plain && (content_sniff(&within.in) != FORMAT_UNKNOWN ||
                         code_by_name(&within, plain, &known));
        done = done && (known || content_examine(&within));
    }
    spool_close(spool);
    return done;
}

static bool examine_members(const struct content *c, const struct archive *a, struct arena *scratch,
                            bool zip)
{
    const struct archive_member *pickle = zip ? torch_zip_pickle(a) : NULL;
    bool *seen = arena_array(scratch, a->count + 1, sizeof *seen);
    bool keras = false;
    if (!seen || (pickle && !torch_zip_examine(c, a, pickle, seen)) ||
        (zip && (!keras_zip_examine(c, a, &keras) || !skops_examine(c, a) ||
                 !torch_export_examine(c, a, scratch, seen))) ||
        (!zip && torch_tar_sniff(a) && !torch_tar_examine(c, a, seen)))
        return false;
    bool arrays = zip && a->count > 0 && !*c->where;
    for (size_t i = 0; i < a->count; i++)
        arrays = arrays && span_ends(a->members[i].name, ".npy");
    if (arrays)
        c->m->files[c->file].format = FORMAT_NUMPY;
    for (size_t i = 0; i < a->count; i++)
        if (!seen[i] && !examine_member(c, &a->members[i]))
            return false;
    return true;
}

/* ---- kinds of archive ---- */

static bool examine_archive(const struct content *c, bool zip)
{
    struct archive a;
    struct err why = ERR_INIT;
    struct content own = *c;
    struct arena *scratch = arena_new((size_t)1 << 30);
    if (!scratch)
        return false;
    bool ok = zip ? zip_read(&a, &c->in, scratch, note_quirk, &own, &why)
                  : tar_read(&a, &c->in, scratch, note_quirk, &own, &why);
    if (!ok && why.code != ERR_MEMORY) {
        content_note(c, why.code == ERR_CHANGED ? RULE_READ_CHANGED : RULE_READ_IO, 0, 0, "%s",
                     why.text);
        content_incomplete(c);
    }
    bool done = ok ? examine_members(c, &a, scratch, zip) : why.code != ERR_MEMORY;
    arena_free(scratch);
    return done;
}

bool archive_examine_zip(const struct content *c)
{
    return examine_archive(c, true);
}

bool archive_examine_tar(const struct content *c)
{
    return examine_archive(c, false);
}

/* A file is of no known format then, and named accordingly. */
static bool no_stream(const struct content *c)
{
    if (c->depth)
        return true;
    c->m->files[c->file].format = FORMAT_UNKNOWN;
    return weights_check(c->m, c->file);
}

/* One compressed stream; gzip may hold several, one after another. */
static bool examine_stream(const struct content *c, enum inflate_kind kind)
{
    struct input rest = c->in;
    for (uint64_t at = 0; at < c->in.size;) {
        struct inflated out;
        struct content within;
        struct err why = ERR_INIT;
        uint64_t most;
        if (!may_unpack(c, &most))
            return true;
        rest = input_part(&c->in, at, UINT64_MAX);
        bool ran = inflate_input(&out, &rest, kind, most, &why);
        /* Two bytes are a weak sign: what does not inflate to anything known was no zlib. */
        if (ran && kind == INFLATE_ZLIB && !out.whole &&
            content_sniff(&out.bytes) == FORMAT_UNKNOWN) {
            spool_close(out.spool);
            return no_stream(c);
        }
        if (!ran || !out.whole) {
            content_note(c, out.code == ERR_LIMIT ? RULE_ARCHIVE_BOMB : RULE_ARCHIVE_TRUNCATED, at,
                         0, "%s", out.why ? out.why : why.text);
            content_incomplete(c);
        }
        c->budget->unpacked += out.bytes.size;
        bool ok = !out.bytes.size || !content_within(&within, c, out.bytes, "unpacked") ||
                  content_examine(&within);
        spool_close(out.spool);
        if (!ok || !out.whole)
            return ok;
        at += out.used;
        uint8_t next[2] = {0, 0};
        struct err ignored = ERR_INIT;
        bool more = kind == INFLATE_GZIP && c->in.size - at > 2 &&
                    input_read(&c->in, next, at, 2, &ignored) && next[0] == 0x1f && next[1] == 0x8b;
        if (!more && at < c->in.size)
            content_note(c, RULE_ARCHIVE_TRAILING, at, c->in.size - at,
                         "%llu bytes follow the end of the compressed stream",
                         (unsigned long long)(c->in.size - at));
        if (!more)
            return true;
    }
    return true;
}

bool archive_examine_gzip(const struct content *c)
{
    return examine_stream(c, INFLATE_GZIP);
}

bool archive_examine_zlib(const struct content *c)
{
    return examine_stream(c, INFLATE_ZLIB);
}
