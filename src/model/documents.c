/*
 * The JSON documents and chat templates of a folder. Read strictly: a key that
 * stands twice, text after the end or a number that JSON does not have is a
 * place where two readers can disagree about the same model.
 */
#include "model/folder.h"

#include <string.h>

#include "assay/base/text.h"

static const char *const document_names[DOC_COUNT] = {
    [DOC_CONFIG] = "config.json",
    [DOC_GENERATION_CONFIG] = "generation_config.json",
    [DOC_TOKENIZER] = "tokenizer.json",
    [DOC_TOKENIZER_CONFIG] = "tokenizer_config.json",
    [DOC_SPECIAL_TOKENS_MAP] = "special_tokens_map.json",
    [DOC_ADAPTER_CONFIG] = "adapter_config.json",
    [DOC_INDEX] = NULL, /* sets.c: the model's own */
};

/* ---- text and JSON ---- */

bool document_text(struct model *m, uint32_t file, struct span *out)
{
    struct model_file *f = &m->files[file];
    *out = SPAN_EMPTY;
    if (!f->source || !f->size)
        return false;
    struct cursor c = source_cursor(f->source, MODEL_MAX_DOCUMENT);
    *out = cursor_take(&c, f->size);
    if (!cursor_ok(&c)) {
        model_note_fault(m, file, &c, RULE_READ_IO, "the document");
        return false;
    }
    f->parsed = f->size;
    return true;
}

/* Python writes and reads these three; JSON has none of them. */
static size_t nonfinite_at(struct span s, size_t i)
{
    static const char *const words[] = {"NaN", "-Infinity", "Infinity"};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        if (span_starts(span_sub(s, i, s.n), words[w]))
            return strlen(words[w]);
    return 0;
}

/* A copy of equal length with null or "" in their place, so that offsets stay true.
 * Empty when there is none, or no memory. */
static struct span without_nonfinite(struct model *m, struct span s, size_t *first)
{
    uint8_t *copy = NULL;
    bool string = false;
    for (size_t i = 0; i < s.n; i++) {
        if (string && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            string = !string;
        size_t n = string || i >= s.n ? 0 : nonfinite_at(s, i);
        if (!n)
            continue;
        if (!copy) {
            *first = i;
            copy = arena_alloc(m->arena, s.n);
            if (!copy)
                return SPAN_EMPTY;
            memcpy(copy, s.p, s.n);
        }
        memset(copy + i, ' ', n);
        memcpy(copy + i, n < 4 ? "\"\"" : "null", n < 4 ? 2 : 4); /* NaN has no room for null */
        i += n - 1;
    }
    return copy ? (struct span){copy, s.n} : SPAN_EMPTY;
}

static bool parse_again(struct model *m, uint32_t file, struct span text, struct json *root)
{
    size_t at = 0;
    struct err ignored = ERR_INIT;
    struct span other = without_nonfinite(m, text, &at);
    if (!other.n || !json_parse(root, other, JSON_KEEP_DUPLICATES, m->arena, &ignored))
        return false;
    model_note(m, file, at, 0, RULE_DOC_NUMBER,
               "NaN or Infinity stands where JSON wants a number or null");
    return true;
}

static void note_broken(struct model *m, uint32_t file, struct span text, const struct err *why)
{
    size_t bad = utf8_invalid(text);
    if (why->code == ERR_MEMORY || why->code == ERR_LIMIT)
        model_note(m, file, why->offset, 0, RULE_READ_LIMIT, "%s", why->text);
    else if (bad != TEXT_VALID)
        model_note(m, file, bad, 0, RULE_DOC_UTF8, "expected UTF-8, found byte 0x%02x",
                   text.p[bad]);
    else
        model_note(m, file, why->offset, 0, RULE_DOC_JSON, "%s", why->text);
    model_incomplete(m, file);
}

bool document_parse(struct model *m, uint32_t file, struct json *root)
{
    struct span text, key;
    struct err why = ERR_INIT;
    char shown[FOLDER_SHOWN];
    size_t at;
    *root = JSON_NOTHING;
    if (!document_text(m, file, &text))
        return false;
    if (!json_parse(root, text, JSON_KEEP_DUPLICATES, m->arena, &why) &&
        !parse_again(m, file, text, root)) {
        note_broken(m, file, text, &why);
        *root = JSON_NOTHING;
        return false;
    }
    m->files[file].format = FORMAT_JSON;
    if (json_type(*root) != JSON_OBJECT) {
        model_note(m, file, json_offset(*root), 0, RULE_DOC_JSON, "expected an object, found %s",
                   json_type_name(json_type(*root)));
        *root = JSON_NOTHING;
        return false;
    }
    if (json_duplicate(*root, &at, &key))
        model_note(m, file, at, key.n, RULE_DOC_DUPLICATE,
                   "the key \"%s\" stands more than once in its object; the last one is taken",
                   text_shown(shown, sizeof shown, key));
    return true;
}

/* ---- chat templates ---- */

static bool add_template(struct model *m, uint32_t file, struct span bytes, struct span name,
                         uint64_t offset, uint64_t length)
{
    struct text *t = model_add_template(m);
    if (!t)
        return false;
    *t = (struct text){.bytes = bytes, .name = name, .origin = {file, offset, length}};
    return true;
}

static bool add_template_file(struct model *m, uint32_t file, struct span name)
{
    struct span text;
    if (!document_text(m, file, &text))
        return true;
    size_t bad = utf8_invalid(text);
    if (bad != TEXT_VALID)
        model_note(m, file, bad, 0, RULE_DOC_UTF8, "expected UTF-8, found byte 0x%02x",
                   text.p[bad]);
    m->files[file].format = FORMAT_TEXT;
    return add_template(m, file, text, name, 0, text.n);
}

static bool add_template_value(struct model *m, uint32_t file, struct json v, struct span name)
{
    struct span text;
    if (!json_string(v, &text)) {
        model_note(m, file, json_offset(v), 0, RULE_DOC_TEMPLATE,
                   "expected a chat template as a string, found %s", json_type_name(json_type(v)));
        return true;
    }
    size_t from = json_offset(v);
    return add_template(m, file, text, name, from, json_end(v) - from);
}

/* A string, which gets `own` as its name, or a list of {name, template}. */
static bool add_template_member(struct model *m, uint32_t file, struct json v, struct span own)
{
    if (json_type(v) == JSON_MISSING || json_type(v) == JSON_NULL)
        return true;
    if (json_type(v) != JSON_ARRAY)
        return add_template_value(m, file, v, own);
    for (struct json i = json_first(v); json_type(i); i = json_next(i)) {
        struct span name = SPAN_EMPTY;
        if (!json_string(json_get(i, "name"), &name) || !name.n)
            model_note(m, file, json_offset(i), 0, RULE_DOC_TEMPLATE,
                       "expected a name beside each chat template of a list");
        if (span_is(name, "default"))
            name = SPAN_EMPTY;
        if (!add_template_value(m, file, json_get(i, "template"), name))
            return false;
    }
    return true;
}

/* additional_chat_templates/NAME.jinja */
static bool additional_name(const char *file, struct span *name)
{
    static const char folder[] = "additional_chat_templates/", end[] = ".jinja";
    struct span s = span_str(file);
    if (!span_starts(s, folder) || !span_ends(s, end) || strchr(file + sizeof folder - 1, '/') ||
        s.n < sizeof folder + sizeof end - 2)
        return false;
    *name = span_sub(s, sizeof folder - 1, s.n - sizeof folder - sizeof end + 2);
    return true;
}

static uint32_t file_named(const struct model *m, const char *name)
{
    for (uint32_t i = 0; i < m->file_count; i++)
        if (strcmp(m->files[i].name, name) == 0)
            return i;
    return ORIGIN_NO_FILE;
}

/* In the order in which transformers prefers them. */
static bool read_templates(struct model *m)
{
    const struct document *config = &m->documents[DOC_TOKENIZER_CONFIG];
    uint32_t own = file_named(m, "chat_template.jinja"), old = file_named(m, "chat_template.json");
    struct json root;
    struct span name;
    if (own != ORIGIN_NO_FILE && !add_template_file(m, own, SPAN_EMPTY))
        return false;
    if (old != ORIGIN_NO_FILE && document_parse(m, old, &root) &&
        !add_template_member(m, old, json_get(root, "chat_template"), SPAN_EMPTY))
        return false;
    if (config->file != ORIGIN_NO_FILE &&
        !add_template_member(m, config->file, json_get(config->root, "chat_template"), SPAN_EMPTY))
        return false;
    for (uint32_t i = 0; i < m->file_count; i++)
        if (additional_name(m->files[i].name, &name) && !add_template_file(m, i, name))
            return false;
    return true;
}

/* ---- card and licences ---- */

static bool is_licence(const char *name)
{
    static const char *const stems[] = {"license", "licence", "copying", "notice"};
    static const char *const ends[] = {"", ".txt", ".md", ".rst", ".html"};
    if (strchr(name, '/'))
        return false;
    for (size_t i = 0; i < sizeof stems / sizeof *stems; i++) {
        if (strncasecmp(name, stems[i], strlen(stems[i])) != 0)
            continue;
        const char *dot = strrchr(name, '.');
        for (size_t k = 0; k < sizeof ends / sizeof *ends; k++)
            if (!dot || strcasecmp(dot, ends[k]) == 0)
                return true;
        /* LICENSE-2.0 and the like */
        return strspn(dot + 1, "0123456789") == strlen(dot + 1);
    }
    return false;
}

/* ---- templates elsewhere ---- */

struct span template_own_name(struct model *m, uint32_t file)
{
    return span_str(arena_printf(m->arena, "%s#%zu", m->files[file].name, m->template_count));
}

/* Every "chat_template" and "my_chat_template", however deep: tools have names of their own. In
 * a lone file the first kind is the model's. */
static bool add_templates_within(struct model *m, uint32_t file, struct json v, bool lone)
{
    if (json_type(v) != JSON_OBJECT && json_type(v) != JSON_ARRAY)
        return true;
    for (struct json i = json_first(v); json_type(i); i = json_next(i)) {
        struct span key = json_type(v) == JSON_OBJECT ? json_key(i) : SPAN_EMPTY, own = SPAN_EMPTY;
        bool template = span_ends(key, "chat_template");
        if (template && !(lone && span_is(key, "chat_template")))
            own = template_own_name(m, file);
        if (template ? !add_template_member(m, file, i, own)
                     : !add_templates_within(m, file, i, lone))
            return false;
    }
    return true;
}

static bool add_templates_of_text(struct model *m, uint32_t file, struct span text, bool lone)
{
    struct span name = span_str(m->files[file].name);
    bool understood = false, yaml = span_ends(name, ".yaml") || span_ends(name, ".yml");
    if (!template_marked(text))
        return true;
    if (yaml && !document_yaml(m, file, text, lone, &understood))
        return false;
    return understood ||
           add_template(m, file, text, lone ? SPAN_EMPTY : template_own_name(m, file), 0, text.n);
}

static bool has_templates(const struct model *m, uint32_t file)
{
    for (size_t i = 0; i < m->template_count; i++)
        if (m->templates[i].origin.file == file)
            return true;
    return false;
}

/* Whatever tool a file is for, a template in it may be what is rendered. */
static bool read_other_templates(struct model *m, uint32_t file)
{
    static const char *const ends[] = {".jinja", ".j2", ".template", ".yaml", ".yml"};
    struct model_file *f = &m->files[file];
    struct span text, name = span_str(f->name);
    struct json root;
    bool json = f->format == FORMAT_JSON, other = false;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        other = other || (f->format == FORMAT_TEXT && span_ends(name, ends[i]));
    uint64_t parsed = f->parsed;
    if (!(json || other) || f->size > MODEL_MAX_DOCUMENT || has_templates(m, file) ||
        !document_text(m, file, &text))
        return true;
    if (json ? !memmem(text.p, text.n, "chat_template\"", 14) : !template_marked(text)) {
        f->parsed = parsed; /* it was looked at for templates alone */
        return true;
    }
    size_t from = m->template_count;
    bool ok = json ? !document_parse(m, file, &root) || add_templates_within(m, file, root, false)
                   : add_templates_of_text(m, file, text, false);
    for (; from < m->template_count; from++)
        m->templates[from].beside = true;
    return ok;
}

/* ---- a document on its own ---- */

static bool read_lone_json(struct model *m, uint32_t file)
{
    const char *base = name_base(m->files[file].name);
    struct json root;
    if (!document_parse(m, file, &root))
        return true;
    for (size_t d = 0; d < DOC_COUNT; d++)
        if (document_names[d] && strcmp(base, document_names[d]) == 0)
            m->documents[d] = (struct document){file, root};
    return add_templates_within(m, file, root, true);
}

/* Text is known by its bytes: UTF-8 without control characters. */
static bool is_text(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' && !(s.p[i] && strchr("\t\n\r\f", s.p[i])))
            return false;
    return s.n && utf8_invalid(s) == TEXT_VALID;
}

/* Text under another name may be anything: it stays unknown, and is never called a model. */
static bool is_named_as_document(const char *base)
{
    static const char *const ends[] = {".json", ".jinja", ".j2", ".template",
                                       ".md",   ".yaml",  ".yml"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (span_ends(span_str(base), ends[i]))
            return true;
    return is_licence(base);
}

bool document_lone(struct model *m, uint32_t file)
{
    struct model_file *f = &m->files[file];
    const char *base = name_base(f->name);
    struct span text, name = span_str(base);
    /* What is named like weights is said to be unread, whatever stands in it. */
    if (!f->source || f->incomplete || f->size > MODEL_MAX_DOCUMENT ||
        !document_text(m, file, &text))
        return true;
    bool lightgbm = span_starts(text, "tree\nversion=");
    f->parsed = 0;
    if (!(lightgbm || is_named_as_document(base)) || !is_text(text))
        return true;
    f->parsed = f->size;
    f->format = span_ends(name, ".md") ? FORMAT_MARKDOWN : FORMAT_TEXT;
    if (span_ends(name, ".json"))
        return read_lone_json(m, file);
    if (strcmp(base, "README.md") == 0)
        return card_read(m, file);
    if (is_licence(base))
        return licence_read(m, file);
    return f->format == FORMAT_MARKDOWN || add_templates_of_text(m, file, text, true);
}

bool documents_read(struct model *m)
{
    for (size_t d = 0; d < DOC_COUNT; d++) {
        uint32_t file = document_names[d] ? file_named(m, document_names[d]) : ORIGIN_NO_FILE;
        if (file == ORIGIN_NO_FILE)
            continue;
        m->documents[d].file = file;
        document_parse(m, file, &m->documents[d].root);
    }
    if (!read_templates(m))
        return false;
    for (uint32_t i = 0; i < m->file_count; i++) {
        if (strcmp(m->files[i].name, "README.md") == 0 && !card_read(m, i))
            return false;
        if (is_licence(m->files[i].name) && !licence_read(m, i))
            return false;
        if (!read_other_templates(m, i))
            return false;
    }
    return true;
}
