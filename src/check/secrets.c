/*
 * Credentials in what a model carries as text: configurations, card, templates
 * and metadata. A key is known by its issuer's prefix, its length and alphabet,
 * and enough entropy that it is no placeholder. Vocabularies are left out: they
 * hold pieces of anything.
 */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "assay/base/text.h"
#include "check/claims.h"

/* Alphabets of keys. */
enum alphabet { UPPER, MIXED, WORD, DASHED };

static const struct issuer {
    const char *name, *prefix;
    size_t least, most; /* characters after the prefix */
    enum alphabet alphabet;
} issuers[] = {
    {"an AWS access key", "AKIA", 16, 16, UPPER},
    {"an AWS session key", "ASIA", 16, 16, UPPER},
    {"a GitHub token", "ghp_", 36, 36, MIXED},
    {"a GitHub token", "gho_", 36, 36, MIXED},
    {"a GitHub token", "ghs_", 36, 36, MIXED},
    {"a GitHub token", "github_pat_", 40, 120, WORD},
    {"a GitLab token", "glpat-", 20, 60, DASHED},
    {"a Hugging Face token", "hf_", 34, 40, MIXED},
    {"an OpenAI key", "sk-proj-", 40, 200, DASHED},
    {"an Anthropic key", "sk-ant-", 40, 200, DASHED},
    {"an OpenAI key", "sk-", 48, 48, MIXED},
    {"a Google API key", "AIza", 35, 35, DASHED},
    {"a Slack token", "xoxb-", 20, 120, DASHED},
    {"a Slack token", "xoxp-", 20, 120, DASHED},
    {"a Stripe key", "sk_live_", 24, 120, MIXED},
    {"an npm token", "npm_", 36, 36, MIXED},
    {"a PyPI token", "pypi-AgEI", 50, 300, DASHED},
    {"a Weights & Biases key", "wandb_v1_", 40, 120, WORD},
};

enum { LEAST_ENTROPY_TENTHS = 30, MARK_MAX = 80 };

static bool fits(enum alphabet a, uint8_t c)
{
    if (a == UPPER)
        return isupper(c) || isdigit(c);
    return isalnum(c) || (a >= WORD && c == '_') || (a == DASHED && c == '-');
}

/* Random letters are of both cases; the name of a function or file is not. */
static bool is_mixed(struct span s)
{
    bool lower = false, upper = false;
    for (size_t i = 0; i < s.n; i++) {
        lower = lower || islower(s.p[i]);
        upper = upper || isupper(s.p[i]);
    }
    return lower && upper;
}

/* Bits a character, by how often each stands there. */
static double entropy(struct span s)
{
    size_t seen[256] = {0};
    double bits = 0;
    for (size_t i = 0; i < s.n; i++)
        seen[s.p[i]]++;
    for (size_t c = 0; c < 256; c++)
        if (seen[c])
            bits -= (double)seen[c] / (double)s.n * log2((double)seen[c] / (double)s.n);
    return bits;
}

/* Length of the key that begins at `at`, prefix and all; 0 when none does. */
static size_t key_length(const struct issuer *k, struct span s, size_t at)
{
    size_t prefix = strlen(k->prefix), n = 0;
    if (s.n - at < prefix + k->least || memcmp(s.p + at, k->prefix, prefix) != 0 ||
        (at > 0 && fits(DASHED, s.p[at - 1])))
        return 0;
    while (at + prefix + n < s.n && fits(k->alphabet, s.p[at + prefix + n]))
        n++;
    if (n < k->least || n > k->most)
        return 0;
    struct span key = span_sub(s, at + prefix, n);
    bool random = entropy(key) * 10 >= LEAST_ENTROPY_TENTHS;
    return random && (k->alphabet == UPPER || is_mixed(key)) ? prefix + n : 0;
}

/* "-----BEGIN ... PRIVATE KEY-----" */
static size_t private_key_length(struct span s, size_t at)
{
    static const char begin[] = "-----BEGIN ", end[] = "PRIVATE KEY-----";
    if (s.n - at < sizeof begin || memcmp(s.p + at, begin, sizeof begin - 1) != 0)
        return 0;
    struct span head = span_sub(s, at, MARK_MAX);
    const uint8_t *found = memmem(head.p, head.n, end, sizeof end - 1);
    return found ? (size_t)(found - head.p) + sizeof end - 1 : 0;
}

/* What documentation writes where the password stands: words that say so, and no digit. */
static bool is_example(struct span s)
{
    enum { MOST = 64 };
    static const char *const words[] = {"pass", "pwd",  "secret",   "token", "key",
                                        "xxx",  "****", "changeme", "your"};
    char lower[MOST + 1];
    for (size_t i = 0; i < s.n; i++) {
        if (s.n > MOST || isdigit(s.p[i]))
            return false;
        lower[i] = (char)tolower(s.p[i]);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (s.n && memmem(lower, s.n, words[i], strlen(words[i])))
            return true;
    return false;
}

static bool is_host(uint8_t c)
{
    return isalnum(c) || strchr(".-_:%[]", c) != NULL;
}

/* "://user:password@host" at `at`, the colon; 0 when it is no such address. */
static size_t credentials_length(struct span s, size_t at)
{
    size_t n = 3, colon = 0;
    if (s.n - at < 8 || memcmp(s.p + at, "://", 3) != 0)
        return 0;
    for (; at + n < s.n && n < 200 && isgraph(s.p[at + n]) && !strchr("/\"'<>`", s.p[at + n]);
         n++) {
        if (s.p[at + n] == ':' && !colon)
            colon = n;
        if (s.p[at + n] != '@')
            continue;
        bool filled = colon > 3 && n > colon + 1 && at + n + 1 < s.n && is_host(s.p[at + n + 1]);
        bool pattern = memchr(s.p + at, '{', n) || memchr(s.p + at, '$', n);
        bool example = filled && is_example(span_sub(s, at + colon + 1, n - colon - 1));
        return filled && !pattern && !example ? n + 1 : 0;
    }
    return 0;
}

struct text_place {
    struct model *m;
    struct span text;
    struct origin origin;
    bool exact; /* offsets of `text` are those of the file */
};

static void note(const struct text_place *t, enum rule_id rule, size_t at, size_t n,
                 const char *what)
{
    struct origin o = t->origin;
    if (t->exact)
        o = (struct origin){o.file, o.offset + at, n};
    /* Never the secret itself: a report is read by more people than the model. */
    verdict_add(&t->m->verdict, rule, o, "%s, %zu characters", what, n);
}

static void scan(const struct text_place *t)
{
    struct span s = t->text;
    for (size_t i = 0; i < s.n; i++) {
        size_t n = s.p[i] == '-' ? private_key_length(s, i) : 0;
        if (n) {
            note(t, RULE_SECRET_PRIVATE_KEY, i, n, "the beginning of a private key");
            i += n - 1;
            continue;
        }
        n = s.p[i] == ':' ? credentials_length(s, i) : 0;
        if (n)
            note(t, RULE_SECRET_ADDRESS, i, n, "an address with user name and password");
        for (size_t k = 0; !n && k < sizeof issuers / sizeof *issuers; k++)
            if (s.p[i] == (uint8_t)issuers[k].prefix[0] && (n = key_length(&issuers[k], s, i)) > 0)
                note(t, RULE_SECRET_KEY, i, n, issuers[k].name);
        i += n ? n - 1 : 0;
    }
}

static bool is_vocabulary(const struct model *m, size_t file)
{
    static const char *const names[] = {"tokenizer.json", "vocab.json", "merges.txt", "vocab.txt"};
    const char *base = strrchr(m->files[file].name, '/');
    base = base ? base + 1 : m->files[file].name;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(base, names[i]) == 0)
            return true;
    return m->documents[DOC_TOKENIZER].file == file;
}

bool check_secrets(const struct check_input *in, struct err *e)
{
    struct model *m = in->model;
    (void)e;
    for (size_t i = 0; i < m->file_count; i++) {
        const struct model_file *f = &m->files[i];
        if (!check_is_text(f) || !f->source || f->size > MODEL_MAX_DOCUMENT || is_vocabulary(m, i))
            continue;
        struct cursor c = source_cursor(f->source, MODEL_MAX_DOCUMENT);
        struct text_place t = {m, cursor_take(&c, f->size), {(uint32_t)i, 0, 0}, true};
        scan(&t);
    }
    for (size_t i = 0; i < m->metadata_count; i++) {
        const struct metadata *d = &m->metadata[i];
        if (d->value.type != VALUE_STRING)
            continue;
        struct text_place t = {m, d->value.string, d->origin, false};
        scan(&t);
    }
    return true;
}
