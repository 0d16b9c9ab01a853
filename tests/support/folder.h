/*
 * Temporary folders made from tables: files, folders, links, FIFOs. Removed by
 * folder_remove with everything below them; links are never followed.
 */
#ifndef SUPPORT_FOLDER_H
#define SUPPORT_FOLDER_H

#include "assay/base/bytes.h"

struct folder {
    char path[64];
};

enum folder_kind { FOLDER_FILE, FOLDER_FOLDER, FOLDER_LINK, FOLDER_FIFO };

struct folder_item {
    const char *name;
    const char *text; /* content of a file, target of a link */
    enum folder_kind kind;
};

bool folder_make(struct folder *f);
void folder_remove(struct folder *f);
/* Path of something in it; borrowed until the fourth next call. */
const char *folder_path(const struct folder *f, const char *name);
/* Folders on the way to a name are made. */
bool folder_put(const struct folder *f, const char *name, struct span bytes);
bool folder_items(const struct folder *f, const struct folder_item *items, size_t n);

#endif
