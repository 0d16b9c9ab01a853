/*
 * Giving up root, once for all: sockets are bound and the TLS key and upstream keys are read
 * before, the log is opened after.
 */
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "serve/service.h"

bool privileges_drop(const struct settings *s, struct err *e)
{
    const char *name = s->user.n ? arena_str(s->arena, s->user) : NULL;
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (s->user.n == 0)
        return true;
    if (!name)
        return err_set(e, ERR_MEMORY, "out of memory");
    const struct passwd *who = getpwnam(name);
    if (!who)
        return err_set(e, ERR_CONFIG, "there is no user %s", name);
    if (geteuid() == who->pw_uid)
        return true;
    if (initgroups(name, who->pw_gid) != 0 || setgid(who->pw_gid) != 0 || setuid(who->pw_uid) != 0)
        return err_errno(e, NULL, "cannot become the configured user");
    return setuid(0) != 0 || err_set(e, ERR_CONFIG, "root could be had again after giving it up");
}
