/* Costs of a child, as the system counts them. */
#include "support/cost.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "assay/base/clock.h"

struct cost cost_of(const char *const *argv)
{
    struct rusage used = {0};
    int status = 0;
    uint64_t start = clock_monotonic();
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &used) != child)
        return (struct cost){.status = 255};
    return (struct cost){(double)(clock_monotonic() - start) / 1e9, (double)used.ru_maxrss / 1024.0,
                         WIFEXITED(status) ? WEXITSTATUS(status) : 255};
}
