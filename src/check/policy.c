/*
 * Policies: the tables of what a policy may say, and what the tables cannot
 * check (rules that exist, dates in order, one waiver a name). What is not
 * understood is an error with its line, for a demand that is quietly ignored
 * is worse than none.
 */
#include "assay/policy.h"

#include <string.h>
#include <strings.h>

#include "assay/base/file.h"
#include "assay/base/map.h"
#include "assay/base/text.h"

const char *const policy_provenance_words[] = {"base_model", "dataset", "enrolled", "source", NULL};
const char *const policy_card_words[] = {"license",      "base_model", "base_model_relation",
                                         "datasets",     "language",   "library_name",
                                         "pipeline_tag", "tags",       NULL};
static const char *const severities[] = {"info",     "low",   "medium", "high",
                                         "critical", "never", NULL};

/* What only the reading needs. */
struct draft {
    struct policy p;
    uint64_t version;
    struct config_objects waivers;
    size_t signature_line;
};

#define TEXTS(key, owner, member, known)                                                           \
    {                                                                                              \
        .name = key, .type = CONFIG_TEXTS, .at = offsetof(owner, member), .max = POLICY_MAX_TEXTS, \
        .words = known                                                                             \
    }
#define LIMIT(key, kind, member)                                                                   \
    {                                                                                              \
        .name = key, .type = kind, .at = offsetof(struct draft, member), .min = 1                  \
    }
#define NEEDED(key, member)                                                                        \
    {                                                                                              \
        .name = key, .type = CONFIG_TEXT, .at = offsetof(struct waiver, member), .required = true, \
        .min = 1, .max = 2000                                                                      \
    }
#define END                                                                                        \
    {                                                                                              \
        .name = NULL                                                                               \
    }

static const struct config_field fail_fields[] = {
    {.name = "severity",
     .type = CONFIG_WORD,
     .at = offsetof(struct draft, p.fail.severity),
     .words = severities},
    TEXTS("rules", struct draft, p.fail.rules, NULL),
    TEXTS("except", struct draft, p.fail.except, NULL),
    END};
static const struct config_field allow_fields[] = {
    TEXTS("formats", struct draft, p.allow.formats, NULL),
    TEXTS("licences", struct draft, p.allow.licences, NULL),
    TEXTS("families", struct draft, p.allow.families, NULL), END};
static const struct config_field size_fields[] = {
    LIMIT("bytes", CONFIG_BYTES, p.size.bytes),
    LIMIT("file_bytes", CONFIG_BYTES, p.size.file_bytes),
    LIMIT("files", CONFIG_INTEGER, p.size.files),
    LIMIT("parameters", CONFIG_INTEGER, p.size.parameters), END};
static const struct config_field signature_fields[] = {
    {.name = "file",
     .type = CONFIG_TEXT,
     .at = offsetof(struct draft, p.require.by.file),
     .min = 1,
     .max = 4096},
    TEXTS("keys", struct draft, p.require.by.keys, NULL),
    TEXTS("certificates", struct draft, p.require.by.certificates, NULL),
    {.name = "unsigned_files",
     .type = CONFIG_BOOL,
     .at = offsetof(struct draft, p.require.by.unsigned_files)},
    END};
static const struct config_field require_fields[] = {
    {.name = "signature",
     .type = CONFIG_OBJECT,
     .at = 0,
     .fields = signature_fields,
     .line = CONFIG_LINE(struct draft, signature_line)},
    {.name = "pinned", .type = CONFIG_BOOL, .at = offsetof(struct draft, p.require.pinned)},
    TEXTS("provenance", struct draft, p.require.provenance, policy_provenance_words),
    TEXTS("card", struct draft, p.require.card, policy_card_words),
    END};
static const struct config_field waiver_fields[] = {{.name = "id",
                                                     .type = CONFIG_TEXT,
                                                     .at = offsetof(struct waiver, id),
                                                     .required = true,
                                                     .min = 1,
                                                     .max = 200,
                                                     .line = CONFIG_LINE(struct waiver, line)},
                                                    NEEDED("rule", rule),
                                                    NEEDED("subject", subject_text),
                                                    NEEDED("reason", reason),
                                                    NEEDED("approver", approver),
                                                    NEEDED("created", created_text),
                                                    NEEDED("expires", expires_text),
                                                    END};
/* The groups write through offsets of the whole draft, so they begin at its start. */
static const struct config_field policy_fields[] = {
    {.name = "version",
     .type = CONFIG_INTEGER,
     .at = offsetof(struct draft, version),
     .required = true,
     .min = 1,
     .max = 1},
    {.name = "name",
     .type = CONFIG_TEXT,
     .at = offsetof(struct draft, p.name),
     .min = 1,
     .max = 200},
    {.name = "fail", .type = CONFIG_OBJECT, .at = 0, .fields = fail_fields},
    {.name = "allow", .type = CONFIG_OBJECT, .at = 0, .fields = allow_fields},
    {.name = "size", .type = CONFIG_OBJECT, .at = 0, .fields = size_fields},
    {.name = "require", .type = CONFIG_OBJECT, .at = 0, .fields = require_fields},
    {.name = "waivers",
     .type = CONFIG_OBJECTS,
     .at = offsetof(struct draft, waivers),
     .max = POLICY_MAX_WAIVERS,
     .fields = waiver_fields,
     .size = sizeof(struct waiver)},
    END};

void policy_default(struct policy *out)
{
    *out = (struct policy){.name = span_str("default")};
    out->fail.severity = SEV_HIGH;
}

/* ---- rules ---- */

/* "gguf.*": the family's name with its dot. */
static bool matches(struct span pattern, const char *id)
{
    if (pattern.n > 2 && span_ends(pattern, ".*"))
        return span_eq(span_sub(span_str(id), 0, pattern.n - 1),
                       span_sub(pattern, 0, pattern.n - 1));
    return span_is(pattern, id);
}

static bool any_rule(struct span pattern, struct suggestion *near)
{
    bool found = false;
    for (size_t i = 0; i < RULE_COUNT; i++) {
        found = found || matches(pattern, rules[i].id);
        suggest_offer(near, rules[i].id);
    }
    return found;
}

static bool check_rule(const struct yaml *y, struct span pattern, size_t line, struct err *e)
{
    char shown[120];
    struct suggestion near = suggest_start((const char *)pattern.p, pattern.n);
    if (any_rule(pattern, &near))
        return true;
    text_shown(shown, sizeof shown, pattern);
    return suggest_best(&near)
               ? config_error(y, line, e, "there is no rule '%s' (did you mean '%s'?)", shown,
                              suggest_best(&near))
               : config_error(y, line, e, "there is no rule '%s'", shown);
}

static bool check_rules(const struct yaml *y, const struct config_texts *t, struct err *e)
{
    for (size_t i = 0; i < t->count; i++)
        if (!check_rule(y, t->items[i], t->lines[i], e))
            return false;
    return true;
}

static bool named(const struct config_texts *t, const char *id)
{
    for (size_t i = 0; i < t->count; i++)
        if (matches(t->items[i], id))
            return true;
    return false;
}

bool policy_fails(const struct policy *p, enum rule_id rule)
{
    const char *id = rules[rule].id;
    if (span_starts(span_str(id), "policy."))
        return true;
    if (named(&p->fail.except, id))
        return false;
    return named(&p->fail.rules, id) || (int)rules[rule].severity >= p->fail.severity;
}

/* ---- what tables cannot say ---- */

static bool is_format(struct span s, enum format f)
{
    const char *name = format_name(f);
    return s.n == strlen(name) && strncasecmp((const char *)s.p, name, s.n) == 0;
}

bool policy_allows_format(const struct policy *p, enum format f)
{
    const struct config_texts *t = &p->allow.formats;
    for (size_t i = 0; i < t->count; i++)
        if (is_format(t->items[i], f))
            return true;
    return t->count == 0;
}

static bool check_formats(const struct yaml *y, const struct config_texts *t, struct err *e)
{
    char shown[120];
    for (size_t i = 0; i < t->count; i++) {
        bool known = false;
        struct suggestion near = suggest_start((const char *)t->items[i].p, t->items[i].n);
        for (int f = FORMAT_UNKNOWN + 1; f < FORMAT_COUNT; f++) {
            known = known || is_format(t->items[i], (enum format)f);
            suggest_offer(&near, format_name((enum format)f));
        }
        if (!known)
            return config_error(y, t->lines[i], e, "there is no format '%s'%s%s%s",
                                text_shown(shown, sizeof shown, t->items[i]),
                                suggest_best(&near) ? " (did you mean '" : "",
                                suggest_best(&near) ? suggest_best(&near) : "",
                                suggest_best(&near) ? "'?)" : "");
    }
    return true;
}

/* An item is a licence, with + or WITH at most; AND and OR belong to models. */
static bool check_licences(const struct yaml *y, const struct config_texts *t, struct arena *a,
                           struct err *e)
{
    char shown[120];
    for (size_t i = 0; i < t->count; i++) {
        struct err why = ERR_INIT;
        const struct spdx *x = NULL;
        struct config_texts itself = {&t->items[i], &t->lines[i], 1};
        if (!spdx_parse(&x, t->items[i], a, &why))
            return config_error(y, t->lines[i], e, "'%s' is no SPDX licence (%s)",
                                text_shown(shown, sizeof shown, t->items[i]), why.text);
        if (!spdx_allowed(x, &itself))
            return config_error(y, t->lines[i], e,
                                "'%s': write one licence an entry, without AND, OR and parentheses",
                                text_shown(shown, sizeof shown, t->items[i]));
    }
    return true;
}

static bool check_waiver(const struct yaml *y, struct waiver *w, struct err *e)
{
    char shown[120], id[80];
    text_shown(id, sizeof id, w->id);
    struct span hex = w->subject_text;
    if (span_starts(hex, "sha256:"))
        hex = span_sub(hex, strlen("sha256:"), hex.n);
    if (!digest_from_hex(&w->subject, hex))
        return config_error(y, w->line, e,
                            "waiver '%s': the subject must be a SHA-256 digest (64 hexadecimal "
                            "digits), as check shows it",
                            id);
    if (!policy_date(&w->created, w->created_text) || !policy_date(&w->expires, w->expires_text))
        return config_error(
            y, w->line, e, "waiver '%s': '%s' is no day; write it as 2026-11-25", id,
            text_shown(shown, sizeof shown,
                       policy_date(&w->created, w->created_text) ? w->expires_text
                                                                 : w->created_text));
    if (w->expires < w->created)
        return config_error(y, w->line, e, "waiver '%s': it expires before it was created", id);
    if (span_ends(w->rule, ".*"))
        return config_error(y, w->line, e, "waiver '%s': name one rule, not a family", id);
    return check_rule(y, w->rule, w->line, e);
}

static bool check_waivers(const struct yaml *y, struct policy *p, struct arena *a, struct err *e)
{
    struct map ids;
    char shown[80];
    if (!map_init(&ids, a, p->waiver_count))
        return err_set(e, ERR_MEMORY, "out of memory for the policy");
    for (size_t i = 0; i < p->waiver_count; i++) {
        uint32_t previous = MAP_NONE;
        if (!check_waiver(y, &p->waivers[i], e))
            return false;
        if (!map_put(&ids, p->waivers[i].id, (uint32_t)i, &previous))
            return err_set(e, ERR_MEMORY, "out of memory for the policy");
        if (previous != MAP_NONE)
            return config_error(y, p->waivers[i].line, e, "two waivers have the id '%s'",
                                text_shown(shown, sizeof shown, p->waivers[i].id));
    }
    return true;
}

static bool check_signature(const struct yaml *y, struct draft *d, struct err *e)
{
    struct policy *p = &d->p;
    p->require.signature = d->signature_line != 0;
    if (p->require.signature && p->require.by.keys.count + p->require.by.certificates.count == 0)
        return config_error(y, d->signature_line, e,
                            "'signature': name trusted 'keys' or 'certificates'; a signature by "
                            "anybody shows nothing");
    return true;
}

bool policy_parse(struct policy *out, struct span text, const char *name, struct arena *a,
                  struct err *e)
{
    struct draft d = {.version = 0};
    struct yaml y;
    policy_default(&d.p);
    d.p.file = name;
    d.p.name = span_str(name);
    d.p.digest = sha256_of(text);
    if (!yaml_parse(&y, text, name, a, e) || !config_read(&d, &y, y.root, policy_fields, a, e))
        return false;
    d.p.waivers = d.waivers.items;
    d.p.waiver_count = d.waivers.count;
    bool ok = check_rules(&y, &d.p.fail.rules, e) && check_rules(&y, &d.p.fail.except, e) &&
              check_formats(&y, &d.p.allow.formats, e) &&
              check_licences(&y, &d.p.allow.licences, a, e) && check_signature(&y, &d, e) &&
              check_waivers(&y, &d.p, a, e);
    *out = d.p;
    return ok;
}

bool policy_read(struct policy *out, const char *path, struct arena *a, struct err *e)
{
    struct span text;
    return file_read(&text, path, YAML_MAX_TEXT, false, a, e) &&
           policy_parse(out, text, path, a, e);
}
