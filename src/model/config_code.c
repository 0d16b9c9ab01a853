/*
 * What a configuration has its loader call. Hydra and its like call whatever
 * "_target_" names (CVE-2025-23304), with the arguments beside it, and readers
 * of YAML that allow its Python tags build any object. Only functions that run,
 * load or delete are named here: what else is instantiated is the model's own.
 */
#include "model/code.h"
#include "model/pickle.h"

#include <string.h>
#include <yaml.h>

#include "assay/base/json.h"
#include "assay/base/text.h"

enum { CONFIG_MOST = MODEL_MAX_DOCUMENT, EVENTS = 20000000, SHOWN = 120 };

struct look {
    const struct content *c;
    struct span key; /* of the value that comes next; empty: none that names a function */
    bool all;        /* every text may be named from elsewhere */
    bool indirect;   /* a function's name is taken from another place */
};

/* ---- names ---- */

static const struct {
    const char *module, *names;
} calls[] = {
#define OF_SYSTEM                                                                                  \
    "system popen execl execle execlp execlpe execv execve execvp execvpe spawnl spawnle spawnlp " \
    "spawnlpe spawnv spawnve spawnvp spawnvpe posix_spawn posix_spawnp startfile remove unlink "   \
    "rmdir removedirs fork forkpty"
#define OF_PYTHON "eval exec compile open getattr __import__ execfile"
    {"os", OF_SYSTEM},
    {"posix", OF_SYSTEM},
    {"nt", OF_SYSTEM},
    {"subprocess", "Popen run call check_call check_output getoutput getstatusoutput"},
    {"commands", "getoutput getstatusoutput"},
    {"pty", "spawn fork"},
    {"platform", "popen"},
    {"asyncio", "create_subprocess_exec create_subprocess_shell"},
    {"multiprocessing", "Process Pool"},
    {"builtins", OF_PYTHON},
    {"__builtin__", OF_PYTHON},
    {"importlib", "import_module reload __import__"},
    {"importlib.machinery", "SourceFileLoader SourcelessFileLoader ExtensionFileLoader"},
    {"runpy", "run_path run_module _run_code"},
    {"code", "interact InteractiveInterpreter InteractiveConsole"},
    {"timeit", "timeit repeat Timer"},
    {"pydoc", "locate pipepager"},
    {"pkgutil", "resolve_name"},
    {"ctypes", "CDLL PyDLL WinDLL OleDLL"},
    {"ctypes.cdll", "LoadLibrary"},
    {"marshal", "load loads"},
    {"pickle", "load loads Unpickler"},
    {"_pickle", "load loads Unpickler"},
    {"dill", "load loads Unpickler"},
    {"cloudpickle", "load loads"},
    {"joblib", "load"},
    {"numpy", "load"},
    {"pandas", "read_pickle"},
    {"torch", "load"},
    {"torch.serialization", "load"},
    {"torch.jit", "load"},
    {"torch.hub", "load"},
    {"torch.package", "PackageImporter"},
    {"shutil", "rmtree move"},
    {"webbrowser", "open"},
    {"socket", "socket create_connection"},
    {"urllib.request", "urlopen urlretrieve"},
    {"pip", "main"},
};

/* The last dot divides a module from a function; so does none before it. */
static size_t last_dot(struct span s)
{
    size_t dot = s.n;
    while (dot > 0 && s.p[dot - 1] != '.')
        dot--;
    return dot;
}

static bool is_call(struct span s)
{
    size_t dot = last_dot(s);
    for (size_t i = 0; dot > 1 && i < sizeof calls / sizeof *calls; i++)
        if (span_is(span_sub(s, 0, dot - 1), calls[i].module) &&
            span_among(span_sub(s, dot, s.n), calls[i].names))
            return true;
    return false;
}

static bool names_function(struct span key)
{
    return span_among(key, "_target_ __target__ target class_path _component_ _call_ path");
}

static void judge_value(struct look *l, struct span value)
{
    char shown[SHOWN], key[SHOWN];
    bool indirect = value.n && memchr(value.p, '$', value.n);
    l->indirect = l->indirect || (indirect && l->key.n);
    if ((l->key.n || l->all) && is_call(value))
        content_note(l->c, RULE_CONFIG_CALL, 0, 0, "%s\"%s\"%s%s", l->key.n ? "" : "somewhere, ",
                     text_shown(shown, sizeof shown, value), l->key.n ? " under " : "",
                     l->key.n ? text_shown(key, sizeof key, l->key) : "");
}

/* ---- JSON ---- */

/* As deep as JSON is read. */
static void walk(struct look *l, struct json v)
{
    struct span text;
    if (json_type(v) != JSON_OBJECT && json_type(v) != JSON_ARRAY)
        return;
    for (struct json i = json_first(v); json_type(i); i = json_next(i)) {
        struct span key = json_type(v) == JSON_OBJECT ? json_key(i) : SPAN_EMPTY;
        l->key = names_function(key) ? key : SPAN_EMPTY;
        if (json_string(i, &text))
            judge_value(l, text);
        else
            walk(l, i);
    }
}

/* Keys are ASCII: unless it is written as an escape, a key stands there as it is. */
static bool may_name(struct span s)
{
    static const char *const keys[] = {"target_\"", "\"target\"", "\"class_path\"",
                                       "\"_component_\"", "\"_call_\""};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (memmem(s.p, s.n, keys[i], strlen(keys[i])))
            return true;
    for (size_t i = 0; i + 5 < s.n; i++)
        if (s.p[i] == '\\' && s.p[i + 1] == 'u' && s.p[i + 2] == '0' && s.p[i + 3] == '0' &&
            s.p[i + 4] >= '2' && s.p[i + 4] < '8')
            return true;
    return false;
}

static void judge_json(struct look *l, struct span text, struct arena *a)
{
    struct json root;
    struct err ignored = ERR_INIT; /* what is no JSON is said where it is read */
    if (!may_name(text) || !json_parse(&root, text, JSON_KEEP_DUPLICATES, a, &ignored))
        return;
    walk(l, root);
    l->all = l->indirect;
    if (l->all)
        walk(l, root);
}

/* ---- YAML ---- */

/* "tag:yaml.org,2002:python/object/apply:os.system"; tuples, texts and numbers name nothing. */
static void judge_tag(const struct look *l, const yaml_char_t *tag)
{
    static const char *const kinds[] = {
        "object/apply:", "object/new:", "object:", "name:", "module:"};
    static const char python[] = "tag:yaml.org,2002:python/";
    char shown[SHOWN];
    bool scanner;
    struct span s = tag ? span_str((const char *)tag) : SPAN_EMPTY;
    if (!span_starts(s, python))
        return;
    s = span_sub(s, sizeof python - 1, s.n);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!span_starts(s, kinds[i]))
            continue;
        struct span value = span_sub(s, strlen(kinds[i]), s.n);
        size_t dot = last_dot(value);
        struct span module = span_sub(value, 0, dot ? dot - 1 : 0);
        struct span name = span_sub(value, dot, value.n);
        if (is_call(value) || pickle_denied(dot ? module : value, name, &scanner))
            content_note(l->c, RULE_CONFIG_CALL, 0, 0, "a tag of Python, \"%s\"",
                         text_shown(shown, sizeof shown, value));
        else if (!pickle_allowed(module, name))
            content_note(l->c, RULE_CONFIG_TAG, 0, 0, "\"%s\"",
                         text_shown(shown, sizeof shown, value));
        return;
    }
}

/* Keys come before their values, and aliases after what they repeat: an anchor counts at once. */
static void judge_event(struct look *l, const yaml_event_t *e)
{
    struct span key = l->key, text;
    l->key = SPAN_EMPTY;
    if (e->type == YAML_MAPPING_START_EVENT) {
        judge_tag(l, e->data.mapping_start.tag);
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        judge_tag(l, e->data.sequence_start.tag);
    } else if (e->type == YAML_SCALAR_EVENT) {
        bool all = l->all;
        text = (struct span){e->data.scalar.value, e->data.scalar.length};
        judge_tag(l, e->data.scalar.tag);
        l->key = key;
        l->all = all || e->data.scalar.anchor;
        judge_value(l, text);
        l->all = all;
        l->key = SPAN_EMPTY;
        if (!key.n && names_function(text))
            l->key = span_str(span_among(text, "_target_") ? "_target_" : "such a key");
    }
}

static bool judge_events(struct look *l, struct span text)
{
    yaml_parser_t parser;
    yaml_event_t event;
    bool ends = false;
    if (!yaml_parser_initialize(&parser))
        return false;
    l->key = SPAN_EMPTY;
    yaml_parser_set_input_string(&parser, text.p, text.n);
    /* What breaks here breaks in a loader, too, which builds objects only of a whole document. */
    size_t i = 0;
    for (; !ends && i < EVENTS && yaml_parser_parse(&parser, &event); i++) {
        ends = event.type == YAML_STREAM_END_EVENT;
        judge_event(l, &event);
        yaml_event_delete(&event);
    }
    if (i == EVENTS)
        content_limit(l->c, 0, "the rest of the configuration is not judged");
    yaml_parser_delete(&parser);
    return true;
}

static bool judge_yaml(struct look *l, struct span text)
{
    if (!judge_events(l, text))
        return false;
    l->all = l->indirect;
    return !l->all || judge_events(l, text);
}

bool config_examine(const struct content *c, const char *name)
{
    struct look l = {.c = c, .key = SPAN_EMPTY};
    struct err ignored = ERR_INIT;
    struct span text, s = span_str(name);
    bool json = span_ends(s, ".json"), ok = true;
    if (!json && !span_ends(s, ".yaml") && !span_ends(s, ".yml"))
        return true;
    if (c->in.size > CONFIG_MOST) {
        content_limit(c, CONFIG_MOST, "the configuration is longer than is read");
        return true;
    }
    struct arena *a = arena_new((size_t)64 * CONFIG_MOST);
    if (!a)
        return false;
    if (c->in.size && input_load(&text, &c->in, 0, (size_t)c->in.size, a, &ignored)) {
        if (json)
            judge_json(&l, text, a);
        else
            ok = judge_yaml(&l, text);
    }
    arena_free(a);
    return ok;
}
