/*
 * Chat templates that do more than lay out a conversation. The template is
 * parsed, and the rules walk its tree: attributes that lead to code, however
 * their names are put together, and text that appears only when the
 * conversation holds certain words. Letters that look like others and addresses
 * are looked for in the bytes.
 */
#include <ctype.h>
#include <string.h>

#include "assay/base/map.h"
#include "assay/base/text.h"
#include "assay/template.h"
#include "check/claims.h"

enum { NAMES_MAX = 64, FOLDED_MAX = 256, FOLD_DEPTH = 40, SHOWN = 120, PASSES = 4 };

struct names {
    struct span name[NAMES_MAX];
    size_t count;
};

struct look {
    const struct check_input *in;
    const struct text *text;
    struct names content, triggers; /* variables: made of content, true on certain words */
};

static bool is_among(struct span s, const char *const *words)
{
    for (; *words; words++)
        if (span_is(s, *words))
            return true;
    return false;
}

static bool has_name(const struct names *n, struct span name)
{
    for (size_t i = 0; i < n->count; i++)
        if (span_eq(n->name[i], name))
            return true;
    return false;
}

static void add_name(struct names *n, struct span name)
{
    if (n->count < NAMES_MAX && name.n && !has_name(n, name))
        n->name[n->count++] = name;
}

static struct origin place(const struct text *t, size_t offset)
{
    bool exact = t->origin.length == t->bytes.n; /* not so within JSON, where escapes stand */
    return exact ? (struct origin){t->origin.file, t->origin.offset + offset, 0} : t->origin;
}

static void note(const struct look *l, enum rule_id rule, const struct template_node *n,
                 const char *what, struct span shown)
{
    char text[SHOWN];
    verdict_add(&l->in->model->verdict, rule, place(l->text, n->offset), "line %u: %s%s%s%s",
                n->line, what, shown.n ? " \"" : "",
                shown.n ? text_shown(text, sizeof text, shown) : "", shown.n ? "\"" : "");
}

/* ---- strings, as they are when put together ---- */

static bool fold(struct buf *out, const struct template_node *n, unsigned depth);

static bool fold_list(struct buf *out, const struct template_node *list, struct span between,
                      unsigned depth)
{
    for (const struct template_node *c = list->child; c; c = c->next) {
        if (c != list->child)
            buf_put_span(out, between);
        if (!fold(out, c, depth))
            return false;
    }
    return true;
}

static bool fold_filter(struct buf *out, const struct template_node *n, unsigned depth)
{
    const struct template_node *value = n->child, *argument = value ? value->next : NULL;
    if (!value)
        return false;
    if (span_is(n->name, "join") && (value->kind == TEMPLATE_LIST || value->kind == TEMPLATE_TUPLE))
        return fold_list(
            out, value, argument && argument->kind == TEMPLATE_STRING ? argument->name : SPAN_EMPTY,
            depth);
    size_t from = out->n;
    if (!fold(out, value, depth))
        return false;
    for (size_t i = from, k = out->n; span_is(n->name, "reverse") && i + 1 < k; i++, k--) {
        uint8_t c = out->p[i];
        out->p[i] = out->p[k - 1];
        out->p[k - 1] = c;
    }
    for (size_t i = from; span_is(n->name, "lower") && i < out->n; i++)
        out->p[i] = (uint8_t)tolower(out->p[i]);
    return true;
}

static bool fold(struct buf *out, const struct template_node *n, unsigned depth)
{
    if (!n || depth == FOLD_DEPTH)
        return false;
    if (n->kind == TEMPLATE_STRING) {
        buf_put_span(out, n->name);
        return buf_ok(out);
    }
    if (n->kind == TEMPLATE_FILTER)
        return fold_filter(out, n, depth + 1);
    if (n->kind == TEMPLATE_OPERATOR && (span_is(n->name, "+") || span_is(n->name, "~")))
        return fold(out, n->child, depth + 1) && fold(out, n->child->next, depth + 1);
    return false;
}

/* ---- code ---- */

/* "__class__" and what frames and functions are reached by. */
static bool is_code_word(struct span s)
{
    static const char *const words[] = {"mro",        "func_globals", "gi_frame", "cr_frame",
                                        "f_globals",  "f_builtins",   "gi_code",  "popen",
                                        "subclasses", "builtins",     NULL};
    return (s.n > 4 && s.p[0] == '_' && s.p[1] == '_') || is_among(s, words);
}

static bool folds_to_code(const struct template_node *n, struct buf *scratch)
{
    buf_clear(scratch);
    return fold(scratch, n, 0) && is_code_word(buf_span(scratch));
}

static bool visit_code(void *arg, const struct template_node *n, unsigned depth)
{
    static const char *const objects[] = {
        "lipsum", "cycler", "joiner", "self", "request", "url_for", "get_flashed_messages", NULL};
    struct look *l = arg;
    struct buf scratch;
    (void)depth;
    buf_init(&scratch, FOLDED_MAX);
    if (n->kind == TEMPLATE_ATTRIBUTE && is_code_word(n->name))
        note(l, RULE_TEMPLATE_CODE, n, "the attribute", n->name);
    else if (n->kind == TEMPLATE_ATTRIBUTE && n->child && n->child->kind == TEMPLATE_NAME &&
             is_among(n->child->name, objects))
        note(l, RULE_TEMPLATE_CODE, n, "an attribute of the engine's own object", n->child->name);
    else if (n->kind == TEMPLATE_FILTER && span_is(n->name, "attr"))
        note(l, RULE_TEMPLATE_CODE, n, "the filter", n->name);
    else if (n->kind == TEMPLATE_NAME && is_code_word(n->name))
        note(l, RULE_TEMPLATE_CODE, n, "the name", n->name);
    else if ((n->kind == TEMPLATE_STRING || n->kind == TEMPLATE_OPERATOR ||
              n->kind == TEMPLATE_FILTER) &&
             folds_to_code(n, &scratch) && buf_span(&scratch).p[0] == '_')
        note(l, RULE_TEMPLATE_CODE, n, "a text that is, put together,", buf_span(&scratch));
    buf_free(&scratch);
    return true;
}

/* ---- text on a condition ---- */

static bool is_content(const struct look *l, const struct template_node *n)
{
    static const char *const fields[] = {"content", "text", NULL};
    if (!n)
        return false;
    switch ((int)n->kind) {
    case TEMPLATE_NAME:
        return has_name(&l->content, n->name);
    case TEMPLATE_ATTRIBUTE:
        return is_among(n->name, fields);
    case TEMPLATE_ITEM:
        if (n->child->next && n->child->next->kind == TEMPLATE_STRING)
            return is_among(n->child->next->name, fields);
        return is_content(l, n->child);
    case TEMPLATE_SLICE:
    case TEMPLATE_FILTER:
        return is_content(l, n->child);
    case TEMPLATE_CALL: /* a method of it */
        return n->child && n->child->kind == TEMPLATE_ATTRIBUTE && is_content(l, n->child->child);
    case TEMPLATE_OPERATOR:
        return is_content(l, n->child) || is_content(l, n->child->next);
    default:
        return false;
    }
}

static size_t letters(struct span s)
{
    size_t n = 0, angle = 0;
    for (size_t i = 0; i < s.n; i++) {
        angle += s.p[i] == '<';
        n += !angle && (isalpha(s.p[i]) || s.p[i] >= 0x80);
        angle -= s.p[i] == '>' && angle;
    }
    return n;
}

/* A word of language. Marks ("<think>", "[INST]", "/no_think") and kinds of parts are structure. */
static bool is_word(struct span s)
{
    static const char *const parts[] = {"image", "images",    "image_url",   "video", "video_url",
                                        "audio", "audio_url", "input_audio", "text",  "type",
                                        "file",  "document",  NULL};
    size_t at = 0;
    while (at < s.n && isspace(s.p[at]))
        at++;
    if (at == s.n || !(isalnum(s.p[at]) || s.p[at] >= 0x80) || is_among(s, parts))
        return false;
    return letters(s) >= 3;
}

static bool is_word_constant(const struct template_node *n)
{
    struct buf scratch;
    bool found = false;
    if (n && (n->kind == TEMPLATE_LIST || n->kind == TEMPLATE_TUPLE)) {
        for (const struct template_node *c = n->child; c && !found; c = c->next)
            found = c->kind == TEMPLATE_STRING && is_word(c->name);
        return found;
    }
    buf_init(&scratch, 1 << 16);
    found = fold(&scratch, n, 0) && is_word(buf_span(&scratch));
    buf_free(&scratch);
    return found;
}

static bool is_trigger_call(const struct look *l, const struct template_node *n)
{
    static const char *const methods[] = {"startswith", "endswith", "find", "rfind",
                                          "count",      "index",    NULL};
    const struct template_node *callee = n->child;
    return callee && callee->kind == TEMPLATE_ATTRIBUTE && is_among(callee->name, methods) &&
           is_content(l, callee->child) && is_word_constant(callee->next);
}

static bool is_trigger_comparison(const struct look *l, const struct template_node *n)
{
    const struct template_node *left = n->child;
    for (const struct template_node *w = left ? left->next : NULL; w; w = w->next) {
        const struct template_node *right = w->child;
        if ((is_content(l, right) && is_word_constant(left)) ||
            (is_content(l, left) && is_word_constant(right)))
            return true;
        left = right;
    }
    return false;
}

/* Does the condition hold on certain words of the conversation? */
static bool has_trigger(const struct look *l, const struct template_node *n)
{
    if (!n)
        return false;
    if ((n->kind == TEMPLATE_COMPARE && is_trigger_comparison(l, n)) ||
        (n->kind == TEMPLATE_CALL && is_trigger_call(l, n)) ||
        ((n->kind == TEMPLATE_NAME || n->kind == TEMPLATE_ATTRIBUTE) &&
         has_name(&l->triggers, n->name)))
        return true;
    for (const struct template_node *c = n->child; c; c = c->next)
        if (has_trigger(l, c))
            return true;
    return false;
}

enum { WRITTEN_LETTERS = 8 };

/* Are these words among those that the condition looks for? "detailed thinking on" is such a switch. */
static bool is_said(const struct template_node *condition, struct span text)
{
    while (text.n && isspace(text.p[text.n - 1]))
        text.n--;
    if (condition->kind == TEMPLATE_STRING && text.n &&
        memmem(condition->name.p, condition->name.n, text.p, text.n))
        return true;
    for (const struct template_node *c = condition->child; c; c = c->next)
        if (is_said(c, text))
            return true;
    return false;
}

/* Letters that a branch writes, or keeps in a variable, outside of marks and of what it looks for;
 * what it raises is not written. As deep as templates are read. */
static size_t written(const struct template_node *n, const struct template_node *condition)
{
    bool text = n->kind == TEMPLATE_TEXT || n->kind == TEMPLATE_STRING;
    size_t sum = text && !is_said(condition, n->name) ? letters(n->name) : 0;
    const struct template_node *callee = n->kind == TEMPLATE_CALL ? n->child : NULL;
    if (callee && callee->kind == TEMPLATE_NAME && span_is(callee->name, "raise_exception"))
        return 0;
    for (const struct template_node *c = n->child; c; c = c->next)
        sum += written(c, condition);
    return sum;
}

static bool writes(const struct template_node *block, const struct template_node *condition)
{
    size_t sum = 0;
    for (const struct template_node *n = block ? block->child : NULL; n; n = n->next)
        if (n->kind == TEMPLATE_TEXT || n->kind == TEMPLATE_OUTPUT || n->kind == TEMPLATE_SET ||
            n->kind == TEMPLATE_SET_BLOCK)
            sum += written(n, condition);
    return sum >= WRITTEN_LETTERS;
}

static bool visit_condition(void *arg, const struct template_node *n, unsigned depth)
{
    struct look *l = arg;
    const struct template_node *condition = n->child;
    (void)depth;
    if ((n->kind != TEMPLATE_IF && n->kind != TEMPLATE_CHOICE) || !has_trigger(l, condition))
        return true;
    const struct template_node *then = condition->next, *otherwise = then ? then->next : NULL;
    bool acts = n->kind == TEMPLATE_IF
                    ? writes(then, condition) || (otherwise && writes(otherwise, condition))
                    : then && written(then, condition) >= WRITTEN_LETTERS;
    if (acts)
        note(l, RULE_TEMPLATE_TRIGGER, n, "text that stands there only on certain words",
             SPAN_EMPTY);
    return true;
}

/* Variables that carry content or a trigger, however often they are handed on. */
static bool visit_names(void *arg, const struct template_node *n, unsigned depth)
{
    struct look *l = arg;
    const struct template_node *target = n->child, *value = target ? target->next : NULL;
    (void)depth;
    if (!value || (n->kind != TEMPLATE_SET && n->kind != TEMPLATE_FOR) ||
        (target->kind != TEMPLATE_NAME && target->kind != TEMPLATE_ATTRIBUTE))
        return true;
    if (is_content(l, value))
        add_name(&l->content, target->name);
    if (n->kind == TEMPLATE_SET && has_trigger(l, value))
        add_name(&l->triggers, target->name);
    return true;
}

/* ---- bytes ---- */

enum script { SCRIPT_NONE, SCRIPT_LATIN, SCRIPT_LOOKALIKE };

/* Cyrillic and Greek have letters that look Latin. */
static enum script script_of(uint32_t c)
{
    if (c < 128)
        return isalpha((int)c) ? SCRIPT_LATIN : SCRIPT_NONE;
    return (c >= 0x0370 && c <= 0x03FF) || (c >= 0x0400 && c <= 0x052F) ? SCRIPT_LOOKALIKE
                                                                        : SCRIPT_NONE;
}

static void look_at_bytes(const struct look *l)
{
    struct span s = l->text->bytes;
    struct template_node at = {.line = 1};
    bool latin = false, lookalike = false, said = false;
    for (size_t pos = 0; pos < s.n;) {
        at.offset = (uint32_t)pos;
        if (s.p[pos] == 'h' && (span_starts(span_sub(s, pos, 8), "http://") ||
                                span_starts(span_sub(s, pos, 8), "https://"))) {
            size_t n = 0;
            while (pos + n < s.n && isgraph(s.p[pos + n]) && !strchr("'\"<>)}", s.p[pos + n]))
                n++;
            note(l, RULE_TEMPLATE_ADDRESS, &at, "the address", span_sub(s, pos, n));
            pos += n;
            continue;
        }
        uint32_t c = utf8_next(s, &pos);
        at.line += c == '\n';
        enum script script = script_of(c);
        latin = script != SCRIPT_NONE && (latin || script == SCRIPT_LATIN);
        lookalike = script != SCRIPT_NONE && (lookalike || script == SCRIPT_LOOKALIKE);
        if (latin && lookalike && !said) {
            note(l, RULE_TEMPLATE_LOOKALIKE, &at,
                 "a word mixes Latin letters with others that "
                 "look like them",
                 SPAN_EMPTY);
            said = true;
        }
    }
}

/* What cannot be parsed may be what another renderer runs: names of code are looked for as
 * they stand there. */
static void look_for_code(const struct look *l)
{
    struct span s = l->text->bytes;
    struct template_node at = {.line = 1};
    for (size_t i = 0; i + 4 < s.n; i++) {
        size_t n = 0, k = i;
        at.line += s.p[i] == '\n';
        while (i + n < s.n && (isalnum(s.p[i + n]) || s.p[i + n] == '_'))
            n++;
        while (k > 0 && s.p[k - 1] == ' ')
            k--;
        struct span word = span_sub(s, i, n);
        bool filter = k > 0 && s.p[k - 1] == '|' && span_is(word, "attr");
        at.offset = (uint32_t)i;
        if (n && (filter || is_code_word(word)))
            note(l, RULE_TEMPLATE_CODE, &at, "the word", word);
        i += n;
        at.line += n && i < s.n && s.p[i] == '\n';
    }
}

static void look_at(const struct check_input *in, const struct text *t)
{
    struct look l = {.in = in, .text = t};
    struct template *parsed = NULL;
    struct err why = ERR_INIT;
    look_at_bytes(&l);
    if (!template_new(&parsed, t->bytes, &why)) {
        /* Templates of other tools may be in a language of theirs. */
        if (!t->beside)
            verdict_add(&in->model->verdict, RULE_TEMPLATE_UNREAD, place(t, 0), "%s", why.text);
        look_for_code(&l);
        return;
    }
    if (!template_complete(parsed, &why) && !t->beside)
        verdict_add(&in->model->verdict, RULE_TEMPLATE_UNREAD, place(t, 0), "%s", why.text);
    const struct template_node *root = template_root(parsed);
    for (int i = 0; i < PASSES; i++)
        (void)template_walk(root, visit_names, &l);
    (void)template_walk(root, visit_code, &l);
    (void)template_walk(root, visit_condition, &l);
    template_free(parsed);
}

/* Copies of one text are read once. */
bool check_template_rules(const struct check_input *in, struct err *e)
{
    const struct model *m = in->model;
    struct map seen;
    bool ok = map_init(&seen, m->arena, m->template_count);
    for (size_t i = 0; ok && i < m->template_count; i++) {
        uint32_t previous;
        ok = map_put(&seen, m->templates[i].bytes, (uint32_t)i, &previous);
        if (ok && previous == MAP_NONE)
            look_at(in, &m->templates[i]);
    }
    return ok || err_set(e, ERR_MEMORY, "out of memory for the templates");
}
