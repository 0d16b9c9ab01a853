/*
 * One owner: an OFD lock on the file `lock`, which the kernel drops with the
 * process however it ends.
 */
#include "log/store.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool owner_lock(struct log *l, bool *taken, struct err *e)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const char *path = l->path[PATH_LOCK];
    *taken = false;
    l->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->lock < 0)
        return err_errno(e, path, "the log's lock cannot be opened");
    if (fcntl(l->lock, F_OFD_SETLK, &all) == 0) {
        *taken = true;
        return true;
    }
    bool held = errno == EAGAIN || errno == EACCES;
    if (!held)
        err_errno(e, path, "the log cannot be locked");
    close(l->lock);
    l->lock = -1;
    return held;
}
