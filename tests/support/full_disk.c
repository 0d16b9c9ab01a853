/* A small file system in a mount namespace of its own. */
#include "support/full_disk.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

bool full_disk_small(const struct folder *f, const char *size)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", f->path, "tmpfs", 0, size) == 0;
}

void full_disk_fill(const struct folder *f)
{
    static const char block[4096] = "x";
    int fd = open(folder_path(f, "filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (fd >= 0 && write(fd, block, sizeof block) > 0)
        continue;
    close(fd);
}
