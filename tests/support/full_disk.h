/* A small disk of a child's own, and filling it. */
#ifndef TESTS_FULL_DISK_H
#define TESTS_FULL_DISK_H

#include "support/folder.h"

/* Mount a tmpfs of `size` ("size=24m") over the folder, for this process and its children alone; false
 * where that may not be done. */
bool full_disk_small(const struct folder *f, const char *size);
/* Until nothing more goes onto it: a file called filler. */
void full_disk_fill(const struct folder *f);

#endif
