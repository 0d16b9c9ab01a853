/*
 * A clock for make.sh: seconds that the file named by EXAMPLE_CLOCK holds, and real
 * time from then on. Made to be loaded before a program that writes a log of a
 * month in a minute; nothing that is shipped uses it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long seconds(void)
{
    char text[32] = "";
    const char *path = getenv("EXAMPLE_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)!read(fd, text, sizeof text - 1);
        close(fd);
    }
    return strtol(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    static struct timespec started;
    static long shown;
    int rc = (int)syscall(SYS_clock_gettime, clock, t);
    if (rc != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME))
        return rc;
    struct timespec real;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &real);
    long now = seconds();
    if (now != shown) {
        shown = now;
        started = real;
    }
    long ns = (real.tv_sec - started.tv_sec) * 1000000000L + real.tv_nsec - started.tv_nsec;
    t->tv_sec = (clock == CLOCK_REALTIME ? now : now - 1790000000L) + ns / 1000000000L;
    t->tv_nsec = ns % 1000000000L;
    return 0;
}
