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

void allowance_fill(struct allowance *a, uint64_t per_minute, uint64_t now_ms)
{
    double most = (double)per_minute;
    double have = a->have + most * (double)(now_ms - a->filled_ms) / MINUTE_MS;
    a->have = a->begun && have < most ? have : most;
    a->begun = true;
    a->filled_ms = now_ms;
}

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
    allowance_fill(&b->requests, k->requests_per_minute, loop_now_ms(s->loop));
    allowance_fill(&b->tokens, k->tokens_per_minute, loop_now_ms(s->loop));
    b->next = s->budgets;
    s->budgets = b;
    return b;
}

const char *budget_take(struct service *s, const struct key_config *k)
{
    uint64_t now = loop_now_ms(s->loop), day = service_now_us() / 1000 / DAY_MS;
    if (!k || (!k->requests_per_minute && !k->tokens_per_minute && !k->bytes_per_day))
        return NULL;
    struct budget *b = budget_of(s, k);
    if (!b)
        return "out_of_memory";
    allowance_fill(&b->requests, k->requests_per_minute, now);
    allowance_fill(&b->tokens, k->tokens_per_minute, now);
    if (b->day != day) {
        b->day = day;
        b->sealed = 0;
    }
    if (k->requests_per_minute && b->requests.have < 1)
        return "requests_per_minute";
    if (k->tokens_per_minute && b->tokens.have <= 0)
        return "tokens_per_minute";
    if (k->bytes_per_day && b->sealed >= k->bytes_per_day)
        return "sealed_per_day";
    if (k->requests_per_minute) /* no debt is left for a limit that comes with a reload */
        b->requests.have -= 1;
    return NULL;
}

void budget_spend(struct service *s, const struct key_config *k, uint64_t tokens, uint64_t sealed)
{
    if (!k || (!k->tokens_per_minute && !k->bytes_per_day))
        return;
    struct budget *b = budget_of(s, k);
    if (!b)
        return;
    if (k->tokens_per_minute)
        b->tokens.have -= (double)tokens;
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
