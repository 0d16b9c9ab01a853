/*
 * Values of metadata and configurations that are more than data: commands and
 * program text, markup that runs where it is shown, addresses to report to, and
 * values under the names of credentials. Models need none of these. A tokenizer
 * is left out, since it holds pieces of anything; so are cards, whose examples
 * are meant to be run.
 */
#include <ctype.h>
#include <string.h>

#include "assay/base/text.h"
#include "check/claims.h"

enum { DOCUMENT_MOST = 16 << 20, NAME_MOST = 64, SHOWN = 96, FETCH_REACH = 64 };

/* One value under its key, wherever it stands. */
struct valued {
    struct model *m;
    struct span key, text;
    struct origin origin;
};

static void note(const struct valued *v, enum rule_id rule, const char *what)
{
    char key[SHOWN];
    /* Never the value: it may be a secret, and a report is read in places that run markup. */
    verdict_add(&v->m->verdict, rule, v->origin, "\"%s\": %s", text_shown(key, sizeof key, v->key),
                what);
}

static const uint8_t *find(struct span s, const char *what)
{
    return s.n ? memmem(s.p, s.n, what, strlen(what)) : NULL;
}

/* ---- commands and code ---- */

/* What has '(' behind it is a call; prose only names it. */
static const struct {
    const char *word, *what;
    bool call;
} acts[] = {
    {"os.system", "runs commands", true},
    {"os.popen", "runs commands", true},
    {"subprocess.call", "runs commands", true},
    {"subprocess.run", "runs commands", true},
    {"subprocess.Popen", "runs commands", true},
    {"subprocess.check_", "runs commands", false},
    {"pty.spawn", "runs commands", true},
    {"__import__", "imports by name", true},
    {"importlib.import_module", "imports by name", true},
    {"exec(base64", "runs hidden code", false},
    {"eval(base64", "runs hidden code", false},
    {"exec(compile", "runs code", true},
    {"marshal.loads", "loads bytecode", true},
    {"rm -rf ", "deletes files", false},
    {"chmod 777 ", "changes permissions", false},
    {"chmod +x ", "makes a program of a file", false},
    {"/dev/tcp/", "opens connections", false},
    {"bash -i ", "opens a shell", false},
    {"nc -e ", "opens a shell", false},
    {"powershell -", "runs commands", false},
};

static bool acts_by(struct span s, const char *word, bool call)
{
    for (size_t from = 0; from < s.n;) {
        const uint8_t *p = find(span_sub(s, from, s.n), word);
        if (!p)
            return false;
        from = (size_t)(p - s.p) + strlen(word);
        if (!call || (from < s.n && s.p[from] == '('))
            return true;
    }
    return false;
}

/* "curl" or "wget" as a word, and an address soon after it. */
static bool fetches(struct span s)
{
    static const char *const words[] = {"curl ", "wget "};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        for (size_t from = 0; from < s.n;) {
            const uint8_t *p = find(span_sub(s, from, s.n), words[w]);
            if (!p)
                break;
            size_t at = (size_t)(p - s.p);
            from = at + 5;
            if ((at == 0 || !isalnum(s.p[at - 1])) && find(span_sub(s, at, FETCH_REACH), "http"))
                return true;
        }
    return false;
}

/* import os; ...: one line of statements. */
static bool is_statements(struct span s)
{
    return (span_starts(s, "import ") || span_starts(s, "from ")) && find(s, "import ") &&
           (find(s, ";") || find(s, "\n")) && find(s, "(");
}

static const char *act_of(struct span s)
{
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (acts_by(s, acts[i].word, acts[i].call))
            return acts[i].what;
    if (fetches(s))
        return "fetches from the network";
    return is_statements(s) ? "is program text" : NULL;
}

/* ---- keys ---- */

/* The last part of a key in lower case, with '_' between words. */
static struct span plain_name(uint8_t out[NAME_MOST], struct span key)
{
    size_t n = 0, from = key.n;
    while (from > 0 && key.p[from - 1] != '.' && key.p[from - 1] != '/')
        from--;
    for (size_t i = from; i < key.n && n < NAME_MOST; i++)
        out[n++] = (uint8_t)(key.p[i] == '-' ? '_' : tolower(key.p[i]));
    return (struct span){out, n};
}

/* The name itself, or its last words: "wandb_api_key". */
static bool ends_in(struct span name, const char *words)
{
    size_t n = strlen(words);
    return span_ends(name, words) && (name.n == n || name.p[name.n - n - 1] == '_');
}

static bool is_credential_name(struct span name)
{
    static const char *const names[] = {
        "api_key",       "apikey",       "secret",     "secret_key",  "password",   "passwd",
        "client_secret", "access_token", "auth_token", "private_key", "access_key", "bearer_token"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ends_in(name, names[i]))
            return true;
    return false;
}

static bool contains_folded(struct span s, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= s.n; i++) {
        size_t k = 0;
        while (k < n && tolower(s.p[i + k]) == word[k])
            k++;
        if (k == n)
            return true;
    }
    return false;
}

/* What stands where a secret would: a variable, a hint, a file's name. */
static bool is_placeholder(struct span s)
{
    static const char *const words[] = {"your",     "xxx",  "placeholder", "changeme", "example",
                                        "redacted", "none", "null",        "optional", "todo"};
    static const char *const ends[] = {".pem", ".key", ".json", ".txt", ".env"};
    for (size_t i = 0; i < s.n; i++)
        if (strchr("<>{}$*", s.p[i]) || isspace(s.p[i]) || !s.p[i])
            return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (contains_folded(s, words[i]))
            return true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (span_ends(s, ends[i]))
            return true;
    return s.n < 4;
}

/* A key of any other name whose value calls itself secret. */
static bool says_secret(struct span name, struct span text)
{
    bool digit = false;
    if (!ends_in(name, "key") && !ends_in(name, "token"))
        return false;
    for (size_t i = 0; i < text.n; i++)
        digit = digit || isdigit(text.p[i]);
    return digit && (contains_folded(text, "secret") || contains_folded(text, "api_key"));
}

static bool reports_to(struct span name, struct span text)
{
    static const char *const words[] = {"callback", "webhook", "exfil", "beacon"};
    if (!span_starts(text, "http://") && !span_starts(text, "https://"))
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (contains_folded(name, words[i]))
            return true;
    return false;
}

/* ---- values ---- */

static void look_at(const struct valued *v)
{
    uint8_t room[NAME_MOST];
    struct span name = plain_name(room, v->key);
    const char *act = act_of(v->text);
    if (act)
        note(v, RULE_TEXT_CODE, act);
    if (contains_folded(v->text, "<script") || contains_folded(v->text, "javascript:"))
        note(v, RULE_TEXT_MARKUP, "runs in a page");
    if (reports_to(name, v->text))
        note(v, RULE_TEXT_CALLBACK, "an address");
    if ((is_credential_name(name) || says_secret(name, v->text)) && !is_placeholder(v->text))
        note(v, RULE_SECRET_NAMED, "a value of its own");
}

/* As deep as JSON is read. */
static void walk(const struct valued *document, struct json v)
{
    struct valued item = *document;
    if (json_type(v) != JSON_OBJECT && json_type(v) != JSON_ARRAY)
        return;
    for (struct json i = json_first(v); json_type(i); i = json_next(i)) {
        if (json_type(v) == JSON_OBJECT)
            item.key = json_key(i);
        size_t from = json_offset(i);
        item.origin = (struct origin){document->origin.file, from, json_end(i) - from};
        if (json_string(i, &item.text) && !span_ends(item.key, "chat_template"))
            look_at(&item); /* templates have rules of their own */
        else
            walk(&item, i);
    }
}

/* A configuration: no vocabulary, and no log or data set, whose texts are anybody's. */
static bool is_configuration(const struct model_file *f)
{
    static const char *const others[] = {"vocab", "added_tokens", "merges", "special_tokens",
                                         "tokenizer.json"};
    const char *slash = strrchr(f->name, '/'), *base = slash ? slash + 1 : f->name;
    if (f->format != FORMAT_JSON || !f->source || f->size > DOCUMENT_MOST)
        return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strncmp(base, others[i], strlen(others[i])) == 0)
            return false;
    return true;
}

static bool look_at_document(struct model *m, uint32_t file, struct err *e)
{
    struct json root;
    struct err why = ERR_INIT;
    struct valued v = {.m = m, .origin = {file, 0, 0}};
    struct cursor c = source_cursor(m->files[file].source, DOCUMENT_MOST);
    struct arena *a = arena_new((size_t)64 * DOCUMENT_MOST);
    if (!a)
        return err_set(e, ERR_MEMORY, "out of memory for a document");
    /* What is no JSON was said when the document was read. */
    if (json_parse(&root, cursor_take(&c, m->files[file].size), JSON_KEEP_DUPLICATES, a, &why))
        walk(&v, root);
    arena_free(a);
    return true;
}

bool check_texts(const struct check_input *in, struct err *e)
{
    struct model *m = in->model;
    for (uint32_t i = 0; i < m->file_count; i++)
        if (is_configuration(&m->files[i]) && !look_at_document(m, i, e))
            return false;
    for (size_t i = 0; i < m->metadata_count; i++) {
        const struct metadata *d = &m->metadata[i];
        struct valued v = {m, d->key, d->value.string, d->origin};
        if (d->value.type == VALUE_STRING && !span_starts(d->key, "tokenizer."))
            look_at(&v);
    }
    return true;
}
