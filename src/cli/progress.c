/*
 * The progress bar and the SIGINT flag. Rate and remaining time are over the
 * whole run: a moving window would jump with the page cache.
 */
#include "cli/progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "assay/base/text.h"

#define SECOND 1000000000u

enum { BAR = 24, LINE_MAX_COLUMNS = 160 };

static volatile sig_atomic_t stop_asked;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

void interrupt_watch(void)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = on_interrupt;
    a.sa_flags = (int)(SA_RESETHAND | SA_RESTART);
    sigaction(SIGINT, &a, NULL);
}

bool interrupted(void)
{
    return stop_asked != 0;
}

static unsigned columns(void)
{
    struct winsize w;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col : 80;
}

static void draw(const char *what, uint64_t done, uint64_t total, uint64_t elapsed)
{
    char line[LINE_MAX_COLUMNS + 1], bar[BAR + 1], label[40], rate[32];
    double seconds = (double)elapsed / SECOND;
    double share = done < total ? (double)done / (double)total : 1;
    size_t full = (size_t)(share * BAR);
    memset(bar, '#', full);
    memset(bar + full, '.', BAR - full);
    bar[BAR] = '\0';
    text_bytes(rate, sizeof rate, (uint64_t)((double)done / seconds));
    text_shown(label, sizeof label, span_str(what));
    if (total == 0)
        snprintf(line, sizeof line, "%s  %s/s", label, rate);
    else {
        uint64_t left = share > 0 ? (uint64_t)(seconds / share - seconds + 0.5) : 0;
        snprintf(line, sizeof line, "%s [%s] %3.0f %%  %s/s  %llu:%02llu left", label, bar,
                 100 * share, rate, (unsigned long long)(left / 60),
                 (unsigned long long)(left % 60));
    }
    fprintf(stderr, "\r%.*s\033[K", (int)columns() - 1, line);
    fflush(stderr);
}

static bool report(void *arg, const char *what, uint64_t done, uint64_t total)
{
    struct progress_bar *b = arg;
    uint64_t elapsed = clock_monotonic() - b->started;
    if (b->terminal && elapsed >= SECOND) {
        draw(what, done, total, elapsed);
        b->shown = true;
    }
    return !interrupted();
}

struct progress progress_start(struct progress_bar *b)
{
    *b = (struct progress_bar){clock_monotonic(), isatty(STDERR_FILENO) == 1, false};
    return (struct progress){report, b};
}

void progress_stop(struct progress_bar *b)
{
    if (b->shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    b->shown = false;
}
