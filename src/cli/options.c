/*
 * The option parser: walks argv once, looks every `--name` up in the tables
 * and stores its value at the row's offset. Operands are gathered at the front
 * of argv so that options may stand anywhere.
 */
#include "cli/options.h"

#include <string.h>

#include "assay/base/text.h"

struct found {
    const struct option *option;
    void *into;
};

static struct found find(const struct option_set *sets, size_t count, const char *name, size_t n,
                         struct suggestion *near)
{
    for (size_t i = 0; i < count; i++)
        for (const struct option *o = sets[i].table; o && o->name; o++) {
            if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
                return (struct found){o, (char *)sets[i].into + o->at};
            suggest_offer(near, o->name);
        }
    return (struct found){NULL, NULL};
}

static bool unknown(const char *argument, const struct suggestion *near, struct err *e)
{
    char shown[160];
    text_shown(shown, sizeof shown, span_str(argument));
    const char *best = suggest_best(near);
    if (best)
        return err_set(e, ERR_USAGE, "unknown option '%s'; did you mean '--%s'?", shown, best);
    return err_set(e, ERR_USAGE, "unknown option '%s'; put '--' before a path that begins with '-'",
                   shown);
}

static bool take_number(const struct option *o, const char *value, unsigned *into, struct err *e)
{
    uint64_t n;
    char shown[80];
    if (!text_u64(span_str(value), &n) || n < 1 || n > OPTION_MAX_NUMBER)
        return err_set(e, ERR_USAGE, "--%s: expected a number from 1 to %d, not '%s'", o->name,
                       OPTION_MAX_NUMBER, text_shown(shown, sizeof shown, span_str(value)));
    *into = (unsigned)n;
    return true;
}

static bool take_u64(const struct option *o, const char *value, struct option_u64 *into,
                     struct err *e)
{
    char shown[80];
    if (!text_u64(span_str(value), &into->value) || into->value > OPTION_MAX_U64)
        return err_set(e, ERR_USAGE, "--%s: expected a number, not '%s'", o->name,
                       text_shown(shown, sizeof shown, span_str(value)));
    into->given = true;
    return true;
}

static bool take_text(const struct option *o, const char *value, struct option_texts *into,
                      struct err *e)
{
    if (into->count == OPTION_MAX_TEXTS)
        return err_set(e, ERR_USAGE, "--%s may be given %d times at most", o->name,
                       OPTION_MAX_TEXTS);
    into->text[into->count++] = value;
    return true;
}

static bool take_choice(const struct option *o, const char *value, int *into, struct err *e)
{
    size_t n = strlen(value);
    int index = 0;
    for (const char *p = o->value; p; index++) {
        const char *bar = strchr(p, '|');
        size_t length = bar ? (size_t)(bar - p) : strlen(p);
        if (n == length && memcmp(p, value, n) == 0) {
            *into = index;
            return true;
        }
        p = bar ? bar + 1 : NULL;
    }
    char shown[80];
    return err_set(e, ERR_USAGE, "--%s: expected %s, not '%s'", o->name, o->value,
                   text_shown(shown, sizeof shown, span_str(value)));
}

static bool take_value(const struct found *f, const char *value, struct err *e)
{
    switch (f->option->kind) {
    case OPTION_FLAG:
        *(bool *)f->into = true;
        return true;
    case OPTION_NUMBER:
        return take_number(f->option, value, f->into, e);
    case OPTION_U64:
        return take_u64(f->option, value, f->into, e);
    case OPTION_TEXTS:
        return take_text(f->option, value, f->into, e);
    case OPTION_TEXT:
        *(const char **)f->into = value;
        return true;
    case OPTION_CHOICE:
        return take_choice(f->option, value, f->into, e);
    }
    return true;
}

/* argv[*i] is an option: take it and, when it stands apart, its value. */
static bool take_option(const struct option_set *sets, size_t set_count, int argc, char **argv,
                        int *i, struct err *e)
{
    const char *argument = strcmp(argv[*i], "-h") == 0 ? "--help" : argv[*i];
    bool is_long = argument[1] == '-';
    const char *name = argument + (is_long ? 2 : 1);
    const char *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    struct suggestion near = suggest_start(name, n);
    struct found f = find(sets, set_count, name, n, &near);
    if (!f.option || !is_long) {
        if (f.option)
            suggest_offer(&near, f.option->name);
        return unknown(argument, &near, e);
    }
    if (f.option->kind == OPTION_FLAG)
        return equals ? err_set(e, ERR_USAGE, "--%s takes no value", f.option->name)
                      : take_value(&f, NULL, e);
    if (equals)
        return take_value(&f, equals + 1, e);
    if (*i + 1 >= argc)
        return err_set(e, ERR_USAGE, "--%s needs a value: %s", f.option->name, f.option->value);
    return take_value(&f, argv[++*i], e);
}

bool options_parse(const struct option_set *sets, size_t set_count, int argc, char **argv,
                   size_t *operands, struct err *e)
{
    size_t kept = 0;
    bool ended = false;
    for (int i = 0; i < argc; i++) {
        if (ended || argv[i][0] != '-' || argv[i][1] == '\0')
            argv[kept++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            ended = true;
        else if (!take_option(sets, set_count, argc, argv, &i, e))
            return false;
    }
    *operands = kept;
    return true;
}
