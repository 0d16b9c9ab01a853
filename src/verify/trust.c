/*
 * C2SP tlog-policy: which logs are known, which witnesses, and which of them
 * must have cosigned. Names live in one namespace and are opaque octets; a
 * group may name only what stands above it, so that no rule can be circular.
 */
#include "assay/verify.h"

#include <string.h>

#include "assay/base/text.h"
#include "verify/verify.h"

enum { MAX_WORDS = 4 + 2 * TRUST_MAX };

struct words {
    struct span at[MAX_WORDS];
    size_t count;
};

struct named {
    struct span name;
    bool group;
    bool used; /* as a member: each name may be one only once */
    size_t index;
};

struct policy {
    struct trust *t;
    struct arena *a;
    struct named names[2 * TRUST_MAX];
    size_t name_count;
    bool decided; /* the quorum line was read */
    struct trust_group quorum;
};

bool take_line(struct span *rest, struct span *line)
{
    const uint8_t *lf = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    if (!lf)
        return false;
    size_t n = (size_t)(lf - rest->p);
    *line = span_sub(*rest, 0, n);
    *rest = span_sub(*rest, n + 1, rest->n);
    return true;
}

bool line_after(struct span line, const char *prefix, struct span *rest)
{
    if (!span_starts(line, prefix))
        return false;
    *rest = span_sub(line, strlen(prefix), line.n);
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static bool split(struct words *out, struct span line, struct err *e)
{
    out->count = 0;
    for (size_t i = 0; i < line.n;) {
        size_t from = i;
        while (i < line.n && !is_blank(line.p[i])) {
            if (line.p[i] < 0x20 || line.p[i] == 0x7F)
                return err_set(e, ERR_FORMAT, "a policy has no control characters");
            i++;
        }
        if (i > from) {
            if (out->count == MAX_WORDS)
                return err_set(e, ERR_LIMIT, "a line has at most %d words", MAX_WORDS);
            out->at[out->count++] = span_sub(line, from, i - from);
        }
        while (i < line.n && is_blank(line.p[i]))
            i++;
    }
    return true;
}

static struct named *find(struct policy *p, struct span name)
{
    for (size_t i = 0; i < p->name_count; i++)
        if (span_eq(p->names[i].name, name))
            return &p->names[i];
    return NULL;
}

static bool define(struct policy *p, struct span name, bool group, size_t index, struct err *e)
{
    char shown[128];
    if (span_is(name, "none") || find(p, name))
        return err_set(e, ERR_CONFIG, "the name %s is taken",
                       text_shown(shown, sizeof shown, name));
    struct named n = {arena_span(p->a, name), group, false, index};
    if (!n.name.p)
        return err_set(e, ERR_MEMORY, "out of memory for a policy");
    p->names[p->name_count++] = n;
    return true;
}

/* "Two vkeys are considered duplicate if they wrap the same public key." */
static bool add_key(struct policy *p, struct note_key *keys, size_t *count, struct span vkey,
                    enum note_type type, struct err *e)
{
    struct note_key k;
    if (*count == TRUST_MAX)
        return err_set(e, ERR_LIMIT, "a policy names at most %d logs and %d witnesses", TRUST_MAX,
                       TRUST_MAX);
    if (!note_key_parse(&k, vkey, p->a, e))
        return false;
    if (k.type != type)
        return err_set(e, ERR_CONFIG, "a key of type 0x%02x cannot be used here, only 0x%02x",
                       (unsigned)k.type, (unsigned)type);
    for (size_t i = 0; i < *count; i++)
        if (memcmp(keys[i].key.b, k.key.b, SIGN_PUBLIC) == 0)
            return err_set(e, ERR_CONFIG, "the same public key is named twice");
    keys[(*count)++] = k;
    return true;
}

/* log VKEY [URL] */
static bool read_log(struct policy *p, const struct words *w, struct err *e)
{
    if (w->count < 2 || w->count > 3)
        return err_set(e, ERR_FORMAT, "expected: log VKEY [URL]");
    return add_key(p, p->t->log_keys, &p->t->log_key_count, w->at[1], NOTE_ED25519, e);
}

/* witness NAME VKEY [URL] */
static bool read_witness(struct policy *p, const struct words *w, struct err *e)
{
    size_t index = p->t->witness_count;
    if (w->count < 3 || w->count > 4)
        return err_set(e, ERR_FORMAT, "expected: witness NAME VKEY [URL]");
    return add_key(p, p->t->witnesses, &p->t->witness_count, w->at[2], NOTE_COSIGNATURE, e) &&
           define(p, w->at[1], false, index, e);
}

static bool add_member(struct policy *p, struct trust_group *g, struct span name, struct err *e)
{
    char shown[128];
    struct named *n = find(p, name);
    if (!n || n->used)
        return err_set(e, ERR_CONFIG, "%s is %s", text_shown(shown, sizeof shown, name),
                       n ? "a member already" : "not defined above this line");
    n->used = true;
    *(n->group ? &g->groups : &g->witnesses) |= UINT64_C(1) << n->index;
    return true;
}

/* all, any, or a number from 1 to the members */
static bool read_need(size_t *need, struct span word, size_t members, struct err *e)
{
    uint64_t k = span_is(word, "any") ? 1 : members;
    bool said = span_is(word, "any") || span_is(word, "all");
    if (!said && (!text_u64(word, &k) || word.p[0] == '0' || k > members))
        return err_set(e, ERR_CONFIG, "expected all, any or a number from 1 to %zu", members);
    *need = (size_t)k;
    return true;
}

/* group NAME all|any|K NAME... */
static bool read_group(struct policy *p, const struct words *w, struct err *e)
{
    struct trust_group g = {0, 0, 0};
    if (w->count < 4)
        return err_set(e, ERR_FORMAT, "expected: group NAME all|any|K NAME...");
    if (p->t->group_count == TRUST_MAX)
        return err_set(e, ERR_LIMIT, "a policy has at most %d groups", TRUST_MAX);
    if (!read_need(&g.need, w->at[2], w->count - 3, e))
        return false;
    for (size_t i = 3; i < w->count; i++)
        if (!add_member(p, &g, w->at[i], e))
            return false;
    p->t->groups[p->t->group_count] = g;
    return define(p, w->at[1], true, p->t->group_count++, e);
}

/* quorum NAME|none */
static bool read_quorum(struct policy *p, const struct words *w, struct err *e)
{
    if (w->count != 2 || p->decided)
        return err_set(e, ERR_FORMAT, "expected exactly one line: quorum NAME|none");
    p->decided = true;
    if (span_is(w->at[1], "none"))
        return true;
    const struct named *n = find(p, w->at[1]);
    char shown[128];
    if (!n)
        return err_set(e, ERR_CONFIG, "%s is not defined above this line",
                       text_shown(shown, sizeof shown, w->at[1]));
    p->quorum.need = 1;
    *(n->group ? &p->quorum.groups : &p->quorum.witnesses) = UINT64_C(1) << n->index;
    return true;
}

static const struct {
    const char *word;
    bool (*read)(struct policy *, const struct words *, struct err *);
} lines[] = {
    {"log", read_log}, {"witness", read_witness}, {"group", read_group}, {"quorum", read_quorum}};

static bool read_line(struct policy *p, struct span line, struct err *e)
{
    struct words w;
    char shown[128];
    size_t first = 0;
    while (first < line.n && is_blank(line.p[first]))
        first++;
    if (first == line.n || line.p[first] == '#')
        return true;
    if (!split(&w, line, e))
        return false;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (span_is(w.at[0], lines[i].word))
            return lines[i].read(p, &w, e);
    return err_set(e, ERR_FORMAT, "expected log, witness, group or quorum, not %s",
                   text_shown(shown, sizeof shown, w.at[0]));
}

static bool read_policy(struct policy *p, struct span rest, struct err *e)
{
    struct span line;
    for (size_t number = 1; take_line(&rest, &line); number++) {
        struct err inner = ERR_INIT;
        if (!read_line(p, line, &inner))
            return err_set(e, inner.code, "policy, line %zu: %s", number, inner.text);
    }
    if (rest.n)
        return err_set(e, ERR_FORMAT, "the policy's last line does not end");
    if (!p->decided)
        return err_set(e, ERR_FORMAT, "a policy needs a line: quorum NAME|none");
    /* The quorum is a group of one member behind all others; none demands nothing. */
    p->t->groups[p->t->group_count++] = p->quorum;
    return true;
}

bool trust_parse(struct trust *out, struct span policy, struct arena *a, struct err *e)
{
    *out = (struct trust){.required = 0};
    if (policy.n > TRUST_MAX_POLICY)
        return err_set(e, ERR_LIMIT, "a policy has at most %d bytes", TRUST_MAX_POLICY);
    struct policy *p = arena_alloc(a, sizeof *p);
    out->log_keys = arena_array(a, TRUST_MAX, sizeof *out->log_keys);
    out->witnesses = arena_array(a, TRUST_MAX, sizeof *out->witnesses);
    out->groups = arena_array(a, TRUST_MAX + 1, sizeof *out->groups);
    if (!p || !out->log_keys || !out->witnesses || !out->groups)
        return err_set(e, ERR_MEMORY, "out of memory for a policy");
    p->t = out;
    p->a = a;
    return read_policy(p, policy, e);
}
