/*
 * Code that comes with weights: programs for a machine, Python source and
 * bytecode, scripts, notebooks, and the packages that are to be installed.
 * Source is searched for words, not understood: a finding says where to read.
 */
#include "model/code.h"

#include <string.h>
#include <strings.h>

#include "assay/base/text.h"

enum { TEXT_MOST = 16 << 20, LINE_SHOWN = 160, WORDS = 32 };

/* ---- programs ---- */

static const char *program_of(struct span h)
{
    if (h.n < 8)
        return NULL;
    uint32_t m = load_u32le(h.p);
    if (memcmp(h.p, "MZqFpD", 6) == 0)
        return "an executable for several systems (as llamafiles are)";
    if (memcmp(h.p,
               "\x7f"
               "ELF",
               4) == 0)
        return "an ELF executable or library";
    if (m == 0xfeedface || m == 0xfeedfacf || m == 0xcefaedfe || m == 0xcffaedfe)
        return "a Mach-O executable or library";
    if (m == 0xbebafeca)
        return "a Java class or Mach-O executable";
    if (memcmp(h.p, "\0asm\1\0\0\0", 8) == 0)
        return "WebAssembly";
    if (h.n >= 64 && h.p[0] == 'M' && h.p[1] == 'Z') {
        struct span sign = span_sub(h, load_u32le(h.p + 60), 4);
        return sign.n == 4 && memcmp(sign.p, "PE\0\0", 4) == 0 ? "a Windows executable or library"
                                                               : NULL;
    }
    return NULL;
}

bool program_sniff(struct span head, uint64_t size)
{
    (void)size;
    return program_of(head) != NULL;
}

/* Does a zip end the file? Llamafiles carry their weights so. */
static bool has_archive(const struct content *c)
{
    uint8_t tail[512];
    struct err ignored = ERR_INIT;
    size_t n = c->in.size < sizeof tail ? (size_t)c->in.size : sizeof tail;
    if (!input_read(&c->in, tail, c->in.size - n, n, &ignored))
        return false;
    for (size_t i = 0; i + 4 <= n; i++)
        if (load_u32le(tail + i) == 0x06054b50)
            return true;
    return false;
}

bool program_examine(const struct content *c)
{
    uint8_t head[CONTENT_HEAD];
    struct err ignored = ERR_INIT;
    size_t n = c->in.size < sizeof head ? (size_t)c->in.size : sizeof head;
    const char *what = NULL;
    if (input_read(&c->in, head, 0, n, &ignored))
        what = program_of((struct span){head, n});
    bool archive = has_archive(c);
    content_note(c, RULE_CODE_EXECUTABLE, 0, 0, "%s%s", what ? what : "a program",
                 archive ? " with an archive at its end" : "");
    return !archive || archive_examine_zip(c);
}

/* .pyc: a magic number of CPython 3, then CR LF. */
bool bytecode_sniff(struct span head, uint64_t size)
{
    return size > 16 && head.n > 16 && head.p[2] == '\r' && head.p[3] == '\n' &&
           load_u16le(head.p) >= 3000 && load_u16le(head.p) < 4000 && (head.p[16] | 0x80) == 0xe3;
}

bool bytecode_examine(const struct content *c)
{
    content_note(c, RULE_CODE_BYTECODE, 0, 0, "bytecode of CPython");
    return true;
}

/* ---- source ---- */

static bool has(struct span s, const char *what)
{
    return s.n && memmem(s.p, s.n, what, strlen(what)) != NULL;
}

/* Without bytes that no text has. */
static bool is_text(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' && !(s.p[i] >= '\t' && s.p[i] <= '\r') && s.p[i] != 0x1b)
            return false;
    return s.n > 0;
}

static struct span next_line(struct span s, size_t *at)
{
    size_t from = *at, to = from;
    while (to < s.n && s.p[to] != '\n')
        to++;
    *at = to + 1;
    return span_sub(s, from, to - from);
}

static bool is_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
}

/* import a.b, from a.b import, def f(, class C, @decorator before them */
static bool python_line(struct span l)
{
    if (span_starts(l, "import ") || span_starts(l, "def ") || span_starts(l, "async def "))
        return l.n > 8 && is_word(l.p[7]);
    if (span_starts(l, "class "))
        return memchr(l.p, ':', l.n) != NULL;
    return span_starts(l, "from ") && memmem(l.p, l.n, " import ", 8) != NULL;
}

/* The first line that is neither blank, comment nor docstring. */
static bool is_python(struct span head)
{
    bool quoted = false;
    for (size_t at = 0, lines = 0; at < head.n && lines < 200; lines++) {
        struct span l = next_line(head, &at);
        if (has(l, "\"\"\"")) {
            bool both = l.n >= 6 && span_starts(l, "\"\"\"") && span_ends(l, "\"\"\"");
            quoted = both ? quoted : !quoted;
            continue;
        }
        if (quoted || !l.p || !l.n || l.p[0] == '#' || l.p[0] == '\r')
            continue;
        return python_line(l);
    }
    return false;
}

/* "#!" and a path: the two alone begin a short string by chance. */
static bool names_interpreter(struct span head)
{
    size_t i = 2;
    while (i < head.n && head.p[i] == ' ')
        i++;
    return span_starts(head, "#!") && i < head.n && head.p[i] == '/';
}

bool source_sniff(struct span head, uint64_t size)
{
    (void)size;
    return is_text(head) && (names_interpreter(head) || is_python(head));
}

/* What to look for in Python; '(' at the end asks for a call that is no method. */
static const struct {
    const char *word, *what;
} dangers[] = {
    {"os.system", "runs commands"},
    {"os.popen", "runs commands"},
    {"os.exec", "runs commands"},
    {"os.spawn", "runs commands"},
    {"subprocess", "runs commands"},
    {"pty.spawn", "runs commands"},
    {"eval(", "evaluates text"},
    {"exec(", "evaluates text"},
    {"__import__(", "imports by name"},
    {"importlib.import_module", "imports by name"},
    {"compile(", "compiles text"},
    {"marshal.loads", "loads bytecode"},
    {"ctypes", "calls machine code"},
    {"socket.socket", "opens connections"},
    {"urllib.request", "opens connections"},
    {"requests.get", "opens connections"},
    {"requests.post", "opens connections"},
    {"http.client", "opens connections"},
    {"pickle.load", "loads a pickle"},
    {"dill.load", "loads a pickle"},
    {"shutil.rmtree", "deletes files"},
    {"b64decode", "decodes hidden content"},
    {"curl ", "fetches from the network"},
    {"wget ", "fetches from the network"},
    {"urllib2", "opens connections"},
    {"rm -rf", "deletes files"},
    {"/dev/tcp/", "opens connections"},
    {"powershell", "runs commands"},
};

static const uint8_t *find_word(struct span s, const char *word)
{
    size_t n = strlen(word);
    for (size_t from = 0; from + n <= s.n;) {
        const uint8_t *p = memmem(s.p + from, s.n - from, word, n);
        if (!p)
            return NULL;
        bool begins = p == s.p || !(is_word(p[-1]) || (p[-1] == '.' && word[n - 1] == '('));
        if (begins)
            return p;
        from = (size_t)(p - s.p) + 1;
    }
    return NULL;
}

const char *code_danger(struct span text, struct span *line)
{
    for (size_t i = 0; i < sizeof dangers / sizeof *dangers; i++) {
        const uint8_t *p = find_word(text, dangers[i].word);
        if (!p)
            continue;
        size_t at = (size_t)(p - text.p);
        while (at > 0 && text.p[at - 1] != '\n')
            at--;
        *line = next_line(text, &at);
        return dangers[i].what;
    }
    return NULL;
}

static void search(const struct content *c, struct span text)
{
    char shown[LINE_SHOWN];
    for (size_t i = 0; i < sizeof dangers / sizeof *dangers; i++) {
        const uint8_t *p = find_word(text, dangers[i].word);
        if (!p)
            continue;
        size_t from = (size_t)(p - text.p), to = from;
        while (from > 0 && text.p[from - 1] != '\n')
            from--;
        while (to < text.n && text.p[to] != '\n')
            to++;
        content_note(c, RULE_CODE_DANGEROUS, (uint64_t)(p - text.p), 0, "%s: %s", dangers[i].what,
                     text_shown(shown, sizeof shown, span_sub(text, from, to - from)));
    }
}

static bool load_text(const struct content *c, struct arena *a, struct span *text)
{
    struct err ignored = ERR_INIT;
    if (c->in.size > TEXT_MOST)
        content_limit(c, TEXT_MOST, "the rest of the source is not searched");
    return input_load(text, &c->in, 0, TEXT_MOST, a, &ignored);
}

static const char *own_name(const struct content *c)
{
    return *c->where ? c->where : c->m->files[c->file].name;
}

bool source_examine(const struct content *c)
{
    struct span text = SPAN_EMPTY;
    struct arena *a = arena_new((size_t)64 << 20);
    struct span name = span_str(own_name(c));
    if (!a)
        return false;
    if (load_text(c, a, &text)) {
        bool script = span_starts(text, "#!") && !is_python(text);
        bool torch = strstr(own_name(c), "code/__torch__") != NULL && span_ends(name, ".py");
        content_note(c,
                     torch    ? RULE_CODE_TORCHSCRIPT
                     : script ? RULE_CODE_SCRIPT
                              : RULE_CODE_PYTHON,
                     0, text.n, "%llu bytes of %s", (unsigned long long)c->in.size,
                     script ? "script" : "Python source");
        search(c, text);
    }
    arena_free(a);
    return true;
}

/* ---- packages ---- */

static struct span trimmed(struct span l)
{
    while (l.n && (l.p[0] == ' ' || l.p[0] == '\t'))
        l = span_sub(l, 1, l.n);
    for (size_t i = 0; i < l.n; i++)
        if (l.p[i] == '#' && (i == 0 || l.p[i - 1] == ' '))
            l.n = i;
    while (l.n && (l.p[l.n - 1] == ' ' || l.p[l.n - 1] == '\r' || l.p[l.n - 1] == '\\'))
        l.n--;
    return l;
}

/* pip's requirements file format. */
static void judge_requirement(const struct content *c, struct span l, uint64_t at)
{
    char shown[LINE_SHOWN];
    static const char *const indices[] = {"--index-url",    "-i ",          "--extra-index-url",
                                          "--trusted-host", "--find-links", "-f "};
    bool url = has(l, "://") || has(l, " @ ") || has(l, "git+") || span_starts(l, "./") ||
               span_starts(l, "-e ");
    for (size_t i = 0; i < sizeof indices / sizeof *indices; i++)
        url = url || span_starts(l, indices[i]);
    text_shown(shown, sizeof shown, l);
    if (url)
        content_note(c, RULE_CODE_REQUIREMENT_URL, at, l.n, "%s", shown);
    else if (l.p[0] != '-' && !has(l, "=="))
        content_note(c, RULE_CODE_REQUIREMENT, at, l.n, "%s", shown);
}

static bool requirements_examine(const struct content *c)
{
    struct span text = SPAN_EMPTY;
    struct arena *a = arena_new((size_t)64 << 20);
    if (!a)
        return false;
    if (load_text(c, a, &text) && is_text(text))
        for (size_t at = 0; at < text.n;) {
            size_t from = at;
            struct span l = trimmed(next_line(text, &at));
            if (l.n)
                judge_requirement(c, l, from);
        }
    arena_free(a);
    return true;
}

/* Kinds that only a name tells apart from other text. */
bool code_by_name(const struct content *c, const char *name, bool *known)
{
    static const char *const scripts[] = {".sh", ".bat", ".cmd", ".ps1", ".ipynb", ".vbs", ".js"};
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    struct span s = span_str(base);
    *known = true;
    if (strncmp(base, "requirements", 12) == 0 && span_ends(s, ".txt"))
        return requirements_examine(c);
    if (span_ends(s, ".py"))
        return source_examine(c);
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
        if (span_ends(s, scripts[i])) {
            struct span text = SPAN_EMPTY;
            struct arena *a = arena_new((size_t)64 << 20);
            if (!a)
                return false;
            content_note(c, RULE_CODE_SCRIPT, 0, 0, "%s", scripts[i]);
            if (load_text(c, a, &text))
                search(c, text);
            arena_free(a);
            return true;
        }
    *known = false;
    return config_examine(c, base);
}
