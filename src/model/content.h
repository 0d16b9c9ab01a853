/*
 * Content of any kind, wherever it stands: a file, a member of an archive, a
 * string within a pickle. It is recognised by its bytes and handed to what
 * reads its kind, which may find further content in it; depth, bytes unpacked
 * and pieces are bounded for the file as a whole. Private to src/model.
 */
#ifndef MODEL_CONTENT_H
#define MODEL_CONTENT_H

#include "assay/archive.h"
#include "model/reader.h"

enum {
    CONTENT_DEPTH = 8,              /* archives, strings and streams within one another */
    CONTENT_HEAD = 4096,            /* bytes that a sniff sees */
    CONTENT_PIECES = 200000,        /* pieces of content of one file */
    CONTENT_UNPACKED_MIB = 8 << 10, /* of one file, in MiB */
    CONTENT_AGAIN = 16,             /* times that a byte may be examined on the average */
    CONTENT_SHOWN = 200
};

/* Shared by everything that is found in one file. */
struct content_budget {
    uint64_t pieces;
    uint64_t unpacked; /* bytes */
    uint64_t examined; /* bytes of all pieces, however they share those of the file */
    bool told;         /* that one of them is used up */
    bool pickle;       /* that there is a pickle */
};

struct content {
    struct model *m;
    uint32_t file;
    struct input in;
    const char *where; /* "" for the file itself; names of members, outermost first */
    unsigned depth;
    struct content_budget *budget;
    bool inputs; /* examples of inputs: their tensors are none of the model's */
};

/* A finding about byte `at` of the content. */
void content_note(const struct content *c, enum rule_id rule, uint64_t at, uint64_t length,
                  const char *fmt, ...) ASSAY_PRINTF(5, 6);
/* Something of it was not read. */
void content_incomplete(const struct content *c);
/* All of it was judged, and tensors of it are not in the model's list: it has no tensor root. */
void content_unlisted(const struct content *c);
/* A limit of this program, as a finding and incomplete. */
void content_limit(const struct content *c, uint64_t at, const char *what);
/* Why a window stopped, as a finding under `rule`, and incomplete. */
void content_note_fault(const struct content *c, const struct window *w, enum rule_id rule,
                        const char *what);

/* Content found within `c`. False when a bound is reached, which is said once. */
bool content_within(struct content *out, const struct content *c, struct input in,
                    const char *name);
/* Recognise and read. False only when out of memory. */
bool content_examine(const struct content *c);
/* A whole file, for readers[]. */
bool content_parse_file(struct model *m, uint32_t file);
struct input content_input(const struct source *s);
/* The format of these first bytes; FORMAT_UNKNOWN for none that is known here. */
enum format content_sniff(const struct input *in);
bool content_of_file(struct content *c, struct content_budget *b, struct model *m, uint32_t file);

/* Unpack a member of an archive (stored: a range; deflated: a spool, which the
 * caller closes). *ok is false when its bytes cannot be had, which is said. */
bool content_member(struct content *out, struct spool **spool, const struct content *c,
                    const struct archive_member *m, bool *ok);

/* What reads one kind: content_*.c, pickle_*.c, torch*.c and so on. */
bool archive_examine_zip(const struct content *c);
bool archive_examine_tar(const struct content *c);
bool archive_examine_gzip(const struct content *c);
bool archive_examine_zlib(const struct content *c);
bool pickle_examine(const struct content *c);
bool pickle_sniff(struct span head, uint64_t size);
/* The same past opcodes that are longer than a head: protocols 0 and 1 need not say what they are. */
bool pickle_sniff_beyond(const struct input *in);

#endif
