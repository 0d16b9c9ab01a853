/*
 * Reads a framework's YAML into requirements, by the tables below. Everything
 * that a person could mistype (a member, a property, a date, a recipient) is
 * looked up and named with its line and the nearest thing that is known; within
 * a requirement it is that requirement's fault, and the others stand.
 */
#include "assay/framework.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/embed.h"
#include "assay/base/file.h"
#include "assay/base/text.h"
#include "assay/config.h"

#define FOLDER "schema/frameworks/"

const struct property properties[] = {
#define PROPERTY(id, title, unit, fill) {id, title, unit, fill},
#include "assay/properties.def"
#undef PROPERTY
};
const size_t property_count = sizeof properties / sizeof properties[0];

const struct property *property_find(struct span id)
{
    for (size_t i = 0; i < property_count; i++)
        if (span_is(id, properties[i].id))
            return &properties[i];
    return NULL;
}

/* As the file has it; texts become NUL-terminated below. */
struct raw_requirement {
    struct span id, title, part, note, from, until, when;
    struct config_texts claims, evidence, recipients;
    size_t line;
};

struct raw {
    struct span id, title, version, source, dated, note;
    struct json requirements;
};

enum { WORD_MAX = 200, NOTE_MAX = 2000 };

static const char *const fills[] = {"weights", "card", "data", "training", "log", "human", NULL};
static const char *const recipients[] = {"AIO", "NCA", "DP", NULL};

#define IN(member) offsetof(struct raw_requirement, member)
static const struct config_field requirement_fields[] = {
    {.name = "id",
     .at = IN(id),
     .required = true,
     .min = 1,
     .max = WORD_MAX,
     .line = CONFIG_LINE(struct raw_requirement, line)},
    {.name = "title", .at = IN(title), .required = true, .min = 1, .max = NOTE_MAX},
    {.name = "part", .at = IN(part), .max = WORD_MAX},
    {.name = "note", .at = IN(note), .max = NOTE_MAX},
    {.name = "from", .at = IN(from), .max = WORD_MAX},
    {.name = "until", .at = IN(until), .max = WORD_MAX},
    {.name = "when", .at = IN(when), .max = WORD_MAX},
    {.name = "claims",
     .type = CONFIG_TEXTS,
     .at = IN(claims),
     .required = true,
     .min = 1,
     .max = REQUIREMENT_CLAIMS},
    {.name = "evidence", .type = CONFIG_TEXTS, .at = IN(evidence), .words = fills},
    {.name = "recipients", .type = CONFIG_TEXTS, .at = IN(recipients), .words = recipients},
    {.name = NULL},
};
#undef IN
#define IN(member) offsetof(struct raw, member)
static const struct config_field framework_fields[] = {
    {.name = "framework", .at = IN(id), .required = true, .min = 1, .max = WORD_MAX},
    {.name = "title", .at = IN(title), .required = true, .min = 1, .max = WORD_MAX},
    {.name = "version", .at = IN(version), .required = true, .min = 1, .max = WORD_MAX},
    {.name = "source", .at = IN(source), .required = true, .min = 1, .max = NOTE_MAX},
    {.name = "dated", .at = IN(dated), .required = true, .max = WORD_MAX},
    {.name = "note", .at = IN(note), .max = NOTE_MAX},
    {.name = "requirements", .type = CONFIG_ANY, .at = IN(requirements), .required = true},
    {.name = NULL},
};
#undef IN

bool date_ok(struct span s)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-')
        return false;
    for (size_t i = 0; i < 10; i++)
        if (i != 4 && i != 7 && (s.p[i] < '0' || s.p[i] > '9'))
            return false;
    int year = (s.p[0] - '0') * 1000 + (s.p[1] - '0') * 100 + (s.p[2] - '0') * 10 + s.p[3] - '0';
    int month = (s.p[5] - '0') * 10 + s.p[6] - '0', day = (s.p[8] - '0') * 10 + s.p[9] - '0';
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool keep(const char **out, struct span s, struct arena *a, struct err *e)
{
    *out = s.n ? arena_str(a, s) : NULL;
    return !s.n || *out || err_set(e, ERR_MEMORY, "out of memory for a framework");
}

static bool keep_date(const char **out, struct span s, const struct yaml *y, size_t line,
                      struct arena *a, struct err *e)
{
    char shown[80];
    if (s.n && !date_ok(s))
        return config_error(y, line, e, "expected a date such as 2026-11-23, not '%s'",
                            text_shown(shown, sizeof shown, s));
    return keep(out, s, a, e);
}

static unsigned bits_of(const struct config_texts *t, const char *const *words)
{
    unsigned bits = 0;
    for (size_t i = 0; i < t->count; i++)
        for (unsigned k = 0; words[k]; k++)
            if (span_is(t->items[i], words[k]))
                bits |= 1u << k;
    return bits;
}

/* ---- properties ---- */

/* human.WORD: lower-case letters, digits, - and . */
static bool human_property(struct span s)
{
    if (!span_starts(s, "human.") || s.n < 7 || s.n > 100)
        return false;
    for (size_t i = 6; i < s.n; i++)
        if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9') &&
            s.p[i] != '-' && s.p[i] != '.')
            return false;
    return true;
}

static bool no_property(const struct yaml *y, size_t line, struct span s, struct err *e)
{
    char shown[120];
    text_shown(shown, sizeof shown, s);
    struct suggestion near = suggest_start(shown, strlen(shown));
    for (size_t i = 0; i < property_count; i++)
        suggest_offer(&near, properties[i].id);
    const char *best = suggest_best(&near);
    return config_error(y, line, e, "no property is called '%s'%s%s%s", shown,
                        best ? " (did you mean '" : "", best ? best : "", best ? "'?)" : "");
}

/* The first fault of a requirement; out of memory is nobody's typo. */
static bool fault(struct requirement *q, struct err *why, struct arena *a, struct err *e)
{
    if (why->code == ERR_MEMORY || why->code == ERR_NONE)
        return err_set(e, ERR_MEMORY, "out of memory for a framework");
    if (!q->fault)
        q->fault = arena_str(a, span_str(why->text));
    err_clear(why);
    return q->fault || err_set(e, ERR_MEMORY, "out of memory for a framework");
}

static bool keep_claims(struct requirement *q, const struct config_texts *t, const struct yaml *y,
                        struct arena *a, struct err *e)
{
    struct err why = ERR_INIT;
    const char **names = arena_array(a, t->count + 1, sizeof *names);
    if (!names)
        return err_set(e, ERR_MEMORY, "out of memory for a framework");
    q->claims = names;
    for (size_t i = 0; i < t->count; i++) {
        const struct property *p = property_find(t->items[i]);
        if (!p && !human_property(t->items[i])) {
            (void)no_property(y, t->lines[i], t->items[i], &why);
            if (!fault(q, &why, a, e))
                return false;
            continue;
        }
        const char *name = p ? p->id : arena_str(a, t->items[i]);
        if (!name)
            return err_set(e, ERR_MEMORY, "out of memory for a framework");
        names[q->claim_count++] = name;
    }
    return true;
}

/* A requirement of which only some could be read still has its place. */
static bool keep_names(struct requirement *q, const struct framework *f,
                       const struct raw_requirement *w, struct arena *a, struct err *e)
{
    if (!keep(&q->id, w->id, a, e) || !keep(&q->title, w->title, a, e) ||
        !keep(&q->part, w->part, a, e) || !keep(&q->note, w->note, a, e) ||
        !keep(&q->when, w->when, a, e))
        return false;
    if (!q->id)
        q->id = arena_printf(a, "line %zu", q->line);
    if (!q->title)
        q->title = "A requirement that cannot be read";
    if (!q->part) /* a part holds until the next one begins */
        q->part = f->count ? f->requirements[f->count - 1].part : "Requirements";
    return q->id || err_set(e, ERR_MEMORY, "out of memory for a framework");
}

static bool keep_dates(struct requirement *q, const struct raw_requirement *w, const struct yaml *y,
                       struct arena *a, struct err *e)
{
    struct err why = ERR_INIT;
    if (!keep_date(&q->from, w->from, y, q->line, a, &why) && !fault(q, &why, a, e))
        return false;
    return keep_date(&q->until, w->until, y, q->line, a, &why) || fault(q, &why, a, e);
}

static bool keep_requirement(struct framework *f, struct json v, const struct yaml *y,
                             struct arena *a, struct err *e)
{
    struct raw_requirement w = {.line = 0};
    struct requirement *q = &f->requirements[f->count];
    struct err why = ERR_INIT;
    *q = (struct requirement){.line = yaml_line(y, v)};
    if (!config_read(&w, y, v, requirement_fields, a, &why) && !fault(q, &why, a, e))
        return false;
    q->fill = bits_of(&w.evidence, fills);
    q->recipients = bits_of(&w.recipients, recipients);
    if (!q->recipients)
        q->recipients = FOR_ALL;
    if (!keep_names(q, f, &w, a, e) || !keep_dates(q, &w, y, a, e) ||
        !keep_claims(q, &w.claims, y, a, e))
        return false;
    for (size_t i = 0; i < f->count && !q->fault; i++)
        if (strcmp(q->id, f->requirements[i].id) == 0) {
            (void)config_error(y, q->line, &why, "the requirement '%s' stands at line %zu too",
                               q->id, f->requirements[i].line);
            if (!fault(q, &why, a, e))
                return false;
        }
    f->faults += q->fault != NULL;
    f->count++;
    return true;
}

bool framework_parse(struct framework *out, struct span text, const char *name, struct arena *a,
                     struct err *e)
{
    struct yaml y;
    struct raw w = {.id = SPAN_EMPTY};
    *out = (struct framework){.name = name, .digest = sha256_of(text)};
    if (!yaml_parse(&y, text, name, a, e) || !config_read(&w, &y, y.root, framework_fields, a, e) ||
        !keep(&out->id, w.id, a, e) || !keep(&out->title, w.title, a, e) ||
        !keep(&out->version, w.version, a, e) || !keep(&out->source, w.source, a, e) ||
        !keep_date(&out->dated, w.dated, &y, 1, a, e) || !keep(&out->note, w.note, a, e))
        return false;
    size_t n = json_type(w.requirements) == JSON_ARRAY ? json_count(w.requirements) : 0;
    if (n == 0 || n > REQUIREMENT_MAX)
        return config_error(&y, yaml_line(&y, w.requirements), e,
                            "'requirements' must be a list of 1 to %d", REQUIREMENT_MAX);
    out->requirements = arena_array(a, n, sizeof *out->requirements);
    if (!out->requirements)
        return err_set(e, ERR_MEMORY, "out of memory for a framework");
    for (struct json v = json_first(w.requirements); json_type(v); v = json_next(v))
        if (!keep_requirement(out, v, &y, a, e))
            return false;
    return true;
}

static const struct embedded *embedded_framework(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < embedded_count; i++) {
        const char *file = embedded[i].name;
        if (strncmp(file, FOLDER, sizeof FOLDER - 1) == 0 &&
            strncmp(file + sizeof FOLDER - 1, name, n) == 0 &&
            strcmp(file + sizeof FOLDER - 1 + n, ".yaml") == 0)
            return &embedded[i];
    }
    return NULL;
}

const char *framework_name(size_t n, struct arena *a)
{
    for (size_t i = 0; i < embedded_count; i++) {
        struct span file = span_str(embedded[i].name);
        if (span_starts(file, FOLDER) && n-- == 0)
            return arena_str(a, span_sub(file, sizeof FOLDER - 1,
                                         file.n - (sizeof FOLDER - 1) - strlen(".yaml")));
    }
    return NULL;
}

static bool no_such(const char *name, struct arena *a, struct err *e)
{
    char list[400] = "";
    const char *known;
    size_t n = 0;
    for (size_t i = 0; (known = framework_name(i, a)); i++) {
        int put = snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", known);
        n += put > 0 && (size_t)put < sizeof list - n ? (size_t)put : 0;
    }
    return err_set(e, ERR_USAGE, "no framework is called '%s' and no file either; there are: %s",
                   name, list);
}

bool framework_load(struct framework *out, const char *name, struct arena *a, struct err *e)
{
    const struct embedded *own = embedded_framework(name);
    struct span text = own ? own->bytes : SPAN_EMPTY;
    bool path = strchr(name, '/') || span_ends(span_str(name), ".yaml");
    if (!own && !path)
        return no_such(name, a, e);
    if (!own && !file_read(&text, name, YAML_MAX_TEXT, false, a, e))
        return false;
    if (framework_parse(out, text, own ? own->name : name, a, e))
        return true;
    err_in_file(e, own ? own->name : name);
    return false;
}

bool requirement_applies(const struct requirement *r, const char *day)
{
    return (!r->from || strcmp(r->from, day) <= 0) && (!r->until || strcmp(day, r->until) <= 0);
}
