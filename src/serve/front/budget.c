/*
 * What a key may still ask for: requests and tokens run in by the minute, sealed bytes by the day.
 * A call's request is counted when it comes, and its tokens and bytes when they are known, so that
 * a budget can be overdrawn by the calls in flight and by no more.
 */
#include "serve/front/budget.h"

#include <stdlib.h>
#include <string.h>

#include "serve/service.h"

enum { MINUTE_MS = 60000, DAY_MS = 86400000 };

static struct budget *budget_of(struct service *s, const struct key_config *k)
{
    for (struct budget *b = s->budgets; b; b = b->next)
        if (span_eq(b->name, k->name))
            return b;
    struct budget *b = calloc(1, sizeof *b + k->name.n);
    if (!b)
        return NULL;
    if (k->name.n)
        memcpy(b + 1, k->name.p, k->name.n);
    b->name = (struct span){(const uint8_t *)(b + 1), k->name.n};
    b->requests = (double)k->requests_per_minute;
    b->tokens = (double)k->tokens_per_minute;
    b->filled_ms = loop_now_ms(s->loop);
    b->next = s->budgets;
    s->budgets = b;
    return b;
}

static double filled(double have, uint64_t per_minute, uint64_t ms)
{
    double now = have + (double)per_minute * (double)ms / MINUTE_MS;
    return now < (double)per_minute ? now : (double)per_minute;
}

const char *budget_take(struct service *s, const struct key_config *k)
{
    uint64_t now = loop_now_ms(s->loop), day = service_now_us() / 1000 / DAY_MS;
    if (!k || (!k->requests_per_minute && !k->tokens_per_minute && !k->bytes_per_day))
        return NULL;
    struct budget *b = budget_of(s, k);
    if (!b)
        return "out_of_memory";
    b->requests = filled(b->requests, k->requests_per_minute, now - b->filled_ms);
    b->tokens = filled(b->tokens, k->tokens_per_minute, now - b->filled_ms);
    b->filled_ms = now;
    if (b->day != day) {
        b->day = day;
        b->sealed = 0;
    }
    if (k->requests_per_minute && b->requests < 1)
        return "requests_per_minute";
    if (k->tokens_per_minute && b->tokens <= 0)
        return "tokens_per_minute";
    if (k->bytes_per_day && b->sealed >= k->bytes_per_day)
        return "sealed_per_day";
    b->requests -= 1;
    return NULL;
}

void budget_spend(struct service *s, const struct key_config *k, uint64_t tokens, uint64_t sealed)
{
    if (!k || (!k->tokens_per_minute && !k->bytes_per_day))
        return;
    struct budget *b = budget_of(s, k);
    if (!b)
        return;
    b->tokens -= (double)tokens;
    b->sealed += sealed;
}

void budgets_free(struct service *s)
{
    while (s->budgets) {
        struct budget *next = s->budgets->next;
        free(s->budgets);
        s->budgets = next;
    }
}
