/*
 * Names that a pickle imports. The exact pair of module and name is on the
 * list or it is not: no packages, no prefixes, no case. The other table only
 * says what well-known dangerous names do; nothing depends on it to be found.
 */
#include "model/pickle.h"

#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

static const struct pickle_allowed allowed[] = {
#define ALLOW(module, names, use, arguments, result)                                               \
    {module, names, USE_##use, arguments, RESULT_##result},
#include "model/pickle_allowed.def"
#include "model/pickle_allowed_ml.def"
#include "model/pickle_allowed_sklearn.def"
#include "model/pickle_allowed_vision.def"
#undef ALLOW
};

static const struct denied {
    const char *module;
    const char *names; /* "*": all of it and of its submodules */
    const char *what;
} denied[] = {
#define DENY(module, names, what) {module, names, what},
#include "model/pickle_denied.def"
#undef DENY
};

/* Tools that look at pickles before they are loaded. */
static const char *const scanners[] = {"picklescan", "modelscan", "fickling",   "modelaudit",
                                       "aisbom",     "assay",     "saferpickle"};

const struct pickle_allowed *pickle_allowed(struct span module, struct span name)
{
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (span_is(module, allowed[i].module) && span_among(name, allowed[i].names))
            return &allowed[i];
    return NULL;
}

/* The module itself or one below it. */
static bool below(struct span module, const char *parent)
{
    size_t n = strlen(parent);
    return span_starts(module, parent) && (module.n == n || module.p[n] == '.');
}

const char *pickle_denied(struct span module, struct span name, bool *scanner)
{
    *scanner = false;
    for (size_t i = 0; i < sizeof scanners / sizeof *scanners; i++)
        if (below(module, scanners[i])) {
            *scanner = true;
            return "reaches into a program that judges pickles";
        }
    for (size_t i = 0; i < sizeof denied / sizeof *denied; i++) {
        const struct denied *d = &denied[i];
        if (*d->names == '*' ? below(module, d->module)
                             : span_is(module, d->module) && span_among(name, d->names))
            return d->what;
    }
    return NULL;
}

const char *pickle_global_shown(const struct pickle *p, uint32_t g, char *out, size_t size)
{
    char module[160], name[160];
    if (g >= p->global_count)
        return "an unknown name";
    snprintf(out, size, "%s.%s", text_shown(module, sizeof module, p->globals[g].module),
             text_shown(name, sizeof name, p->globals[g].name));
    return out;
}

/* ---- importing ---- */

static bool identifier(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i], lower = c | 0x20;
        bool letter = (lower >= 'a' && lower <= 'z') || c == '_';
        if (!letter && !(i && c >= '0' && c <= '9'))
            return false;
    }
    return s.n > 0;
}

static bool dotted(struct span s)
{
    size_t from = 0;
    for (size_t i = 0; i <= s.n; i++)
        if (i == s.n || s.p[i] == '.') {
            if (!identifier(span_sub(s, from, i - from)))
                return false;
            from = i + 1;
        }
    return true;
}

static bool dunder(struct span s)
{
    return span_starts(s, "__") && span_ends(s, "__");
}

/* What is odd about the form of a name that is not on the list, or NULL. */
static const char *odd(struct span module, struct span name)
{
    if (!dotted(module))
        return "the module is no name that source code could write";
    if (!dotted(name))
        return "the name is none that source code could write";
    if (!identifier(name))
        return "the name leads through attributes to something else";
    return dunder(name) ? "the name belongs to Python's inner workings" : NULL;
}

static void judge(struct pickle *p, struct pickle_global *g, uint32_t index)
{
    char shown[360];
    bool scanner;
    if (g->told_import)
        return;
    g->told_import = true;
    pickle_global_shown(p, index, shown, sizeof shown);
    g->danger = pickle_denied(g->module, g->name, &scanner);
    if (scanner)
        pickle_note(p, RULE_PICKLE_TAMPER, "%s: %s", shown, g->danger);
    else if (g->danger)
        pickle_note(p, RULE_PICKLE_DANGEROUS, "%s: %s", shown, g->danger);
    else if (odd(g->module, g->name))
        pickle_note(p, RULE_PICKLE_NAME, "%s: %s", shown, odd(g->module, g->name));
    else
        pickle_note(p, RULE_PICKLE_IMPORT, "%s is not on the list of names that models need",
                    shown);
}

/* TorchScript's own classes are compiled from the archive's code, not imported. */
static const struct pickle_allowed script_class = {"__torch__", "", USE_CLASS, "", RESULT_INSTANCE};

static bool add_global(struct pickle *p, struct span module, struct span name, struct span key)
{
    if (p->global_count == PICKLE_NAMES)
        return pickle_over(p, "more different names than are followed");
    struct pickle_global *all =
        arena_grow(p->a, p->globals, p->global_count, &p->global_cap, sizeof *all);
    uint32_t previous;
    struct span own = all ? arena_span(p->a, key) : SPAN_EMPTY;
    if (!own.p || !map_put(&p->global_names, own, (uint32_t)p->global_count, &previous))
        return pickle_no_memory(p);
    p->globals = all;
    all[p->global_count++] = (struct pickle_global){.module = span_sub(own, 0, module.n),
                                                    .name = span_sub(own, module.n + 1, name.n),
                                                    .allowed = pickle_allowed(module, name)};
    if (!all[p->global_count - 1].allowed && p->script && below(module, "__torch__") &&
        dotted(module) && identifier(name))
        all[p->global_count - 1].allowed = &script_class;
    return true;
}

bool pickle_import(struct pickle *p, struct span module, struct span name, pv *out)
{
    uint8_t joined[2 * PICKLE_NAME + 1];
    *out = pv_make(PV_UNKNOWN, 0, 0);
    if (module.n > PICKLE_NAME || name.n > PICKLE_NAME)
        return pickle_over(p, "a name is longer than is read");
    memcpy(joined, module.p, module.n);
    joined[module.n] = '\n';
    memcpy(joined + module.n + 1, name.p, name.n);
    struct span key = {joined, module.n + name.n + 1};
    uint32_t g = map_get(&p->global_names, key);
    if (g == MAP_NONE) {
        g = (uint32_t)p->global_count;
        if (!add_global(p, module, name, key))
            return false;
        if (!p->globals[g].allowed)
            judge(p, &p->globals[g], g);
    }
    *out = pv_make(PV_GLOBAL, g, 0);
    return true;
}
