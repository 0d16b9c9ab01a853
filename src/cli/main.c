/* Entry point; apart from everything else so that the tests can link the rest. */
#include <signal.h>
#include <stdlib.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
    int status = cli_main(argc, argv);
    if (status == EXIT_INTERRUPTED) {
        /* Die by the signal, so that a shell stops its loop as well. */
        signal(SIGINT, SIG_DFL);
        raise(SIGINT);
    }
    return status;
}
