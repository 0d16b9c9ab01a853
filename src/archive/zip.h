/* Private to the zip reader: what its two readings share. */
#ifndef ARCHIVE_ZIP_H
#define ARCHIVE_ZIP_H

#include "assay/archive.h"

enum {
    ZIP_LOCAL = 0x04034b50,
    ZIP_CENTRAL = 0x02014b50,
    ZIP_END = 0x06054b50,
    ZIP_END64 = 0x06064b50,
    ZIP_LOCATOR64 = 0x07064b50,
    ZIP_DESCRIPTOR = 0x08074b50,
    ZIP_LOCAL_SIZE = 30,
    ZIP_CENTRAL_SIZE = 46,
    ZIP_END_SIZE = 22,
    ZIP_END64_SIZE = 56,
    ZIP_LOCATOR_SIZE = 20,
    ZIP_STORED = 0,
    ZIP_DEFLATED = 8,
    ZIP_ENCRYPTED = 1 << 0,
    ZIP_SIZES_FOLLOW = 1 << 3,
    ZIP_STRONG = 1 << 6,
    ZIP_MASKED = 1 << 13,
    ZIP_PATCHED = 1 << 5
};

/* One header, local or central. */
struct zip_header {
    uint16_t flags, method;
    uint32_t crc;
    uint64_t stored, size, offset;
    uint32_t attributes; /* external; central only */
    uint16_t made_by;
    struct span name;
    uint64_t end; /* first byte after the header, in the archive */
};

struct zip {
    const struct input *in;
    struct arena *a;
    struct archive *out;
    size_t cap;
    archive_note *note;
    void *arg;
    struct err *e;
    bool failed;        /* memory or a read: e says why */
    uint64_t directory; /* where the central directory begins and how long it is */
    uint64_t directory_size;
    uint64_t end;   /* first byte after the end record and its comment */
    uint64_t tail;  /* first byte of the records at the end */
    uint64_t shift; /* bytes before the archive that its offsets do not count */
};

void zip_note(struct zip *z, enum archive_quirk quirk, uint64_t at, const char *fmt, ...)
    ASSAY_PRINTF(4, 5);
/* The local header at `at`; false when there is none or it is cut off. */
bool zip_local(struct zip *z, uint64_t at, struct zip_header *h);
/* Sizes and offset from the zip64 field of `extra` where the header says so. */
void zip_extra64(struct zip_header *h, struct span extra, bool central);
struct archive_member *zip_add(struct zip *z);
/* Local members in [from, to), which no directory entry explains. */
void zip_gap(struct zip *z, uint64_t from, uint64_t to);

#endif
