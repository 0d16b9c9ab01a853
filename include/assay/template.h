/*
 * Chat templates: from messages to a model's prompt, by the Jinja template
 * that the model's own files hold.
 *
 * Only the language that chat templates use is there, with the meaning that
 * transformers gives it (Jinja2, trim_blocks, lstrip_blocks). A template is
 * parsed once; anything else in it is refused then, by name and line: a name
 * that Jinja misses on the way only is refused there. It runs over values alone:
 * there is nothing that a template could reach, and steps, memory and nesting
 * are bounded. Rendering depends on its input only: the
 * time that strftime_now shows is given, so a logged call renders again.
 *
 * What the template writes is trusted, what the request brought is not; the
 * marks follow each character to the end (base/marked.h).
 */
#ifndef ASSAY_TEMPLATE_H
#define ASSAY_TEMPLATE_H

#include "assay/base/json.h"
#include "assay/base/marked.h"

enum {
    TEMPLATE_MAX_SOURCE = 1 << 20,  /* bytes */
    TEMPLATE_MAX_NESTING = 200,     /* of statements and of brackets */
    TEMPLATE_MAX_HEIGHT = 1000,     /* of the tree: operators in a row count too */
    TEMPLATE_MAX_CALLS = 64,        /* macros within macros */
    TEMPLATE_MAX_STEPS = 20000000,  /* of one rendering */
    TEMPLATE_MAX_OUTPUT = 64 << 20, /* bytes */
    TEMPLATE_MAX_MEMORY = 256 << 20 /* bytes of one rendering */
};

struct template;

/* Copies the source. The error's offset is a byte of it; its text names the line. */
bool template_new(struct template **out, struct span source, struct err *e) ASSAY_MUST_CHECK;
void template_free(struct template *t); /* NULL is harmless */
/* False, with the name and line, when it names a filter, test, function or method that is not
 * there, in a place that a rendering need not reach. */
bool template_complete(const struct template *t, struct err *e);

/* A variable that the operator's side sets: bos_token, eos_token. Its text is trusted. */
struct template_word {
    const char *name;
    struct span text;
};

struct template_input {
    struct json variables; /* object: messages, tools, documents, enable_thinking ...; untrusted */
    const struct template_word *words;
    size_t word_count;
    bool add_generation_prompt;
    int64_t now; /* seconds since 1970 in UTC, for strftime_now */
};

/* The parts are one text; adjacent ones differ in trust. */
struct rendered {
    struct buf text;
    struct marked *parts; /* into text */
    size_t count;
};

/*
 * Render. ERR_POLICY: the template called raise_exception, and the error holds
 * its words; ERR_LIMIT: a bound was reached; ERR_FORMAT: what the template
 * does with this input is an error, with the line. Caller frees *out.
 */
bool template_render(struct rendered *out, const struct template *t,
                     const struct template_input *in, struct err *e) ASSAY_MUST_CHECK;
void rendered_free(struct rendered *r); /* zero-initialised is harmless */

/* ---- looking into a template ---- */

enum template_kind {
    /* statements; children in this order, TEMPLATE_NOTHING for one that is not there */
    TEMPLATE_BLOCK,        /* statements */
    TEMPLATE_TEXT,         /* name: literal text */
    TEMPLATE_OUTPUT,       /* {{ expression }} */
    TEMPLATE_IF,           /* condition, block, else block (an elif is an if within) */
    TEMPLATE_FOR,          /* target, iterable, condition, block, else block; number: recursive */
    TEMPLATE_SET,          /* target, value */
    TEMPLATE_SET_BLOCK,    /* target, block, filter chain on TEMPLATE_NOTHING */
    TEMPLATE_MACRO,        /* name; parameters (TEMPLATE_PARAMETER), then block */
    TEMPLATE_CALL_BLOCK,   /* parameters, call, block */
    TEMPLATE_FILTER_BLOCK, /* filter chain on TEMPLATE_NOTHING, block */
    TEMPLATE_GENERATION,   /* block */
    TEMPLATE_BREAK,
    TEMPLATE_CONTINUE,
    /* expressions */
    TEMPLATE_NOTHING,
    TEMPLATE_NAME,    /* name: a variable */
    TEMPLATE_STRING,  /* name: the string, escapes resolved */
    TEMPLATE_INTEGER, /* number */
    TEMPLATE_FLOAT,   /* real */
    TEMPLATE_TRUE,
    TEMPLATE_FALSE,
    TEMPLATE_NONE,
    TEMPLATE_LIST,      /* items */
    TEMPLATE_TUPLE,     /* items */
    TEMPLATE_DICT,      /* key, value, key, value ... */
    TEMPLATE_ATTRIBUTE, /* object; name: the attribute */
    TEMPLATE_ITEM,      /* object, key */
    TEMPLATE_SLICE,     /* object, start, stop, step */
    TEMPLATE_CALL,      /* callee, then arguments (TEMPLATE_KEYWORD, TEMPLATE_SPREAD among them) */
    TEMPLATE_FILTER,    /* name; value, then arguments */
    TEMPLATE_TEST,      /* name; value, then arguments */
    TEMPLATE_KEYWORD,   /* name=; value */
    TEMPLATE_SPREAD,    /* name: "*" or "**"; a list, or a dict of keywords */
    TEMPLATE_PARAMETER, /* name; default value or nothing */
    TEMPLATE_NOT,       /* operand */
    TEMPLATE_NEGATIVE,
    TEMPLATE_POSITIVE,
    TEMPLATE_AND, /* left, right */
    TEMPLATE_OR,
    TEMPLATE_COMPARE,      /* first, then TEMPLATE_COMPARE_WITH nodes */
    TEMPLATE_COMPARE_WITH, /* name: "==", "!=", "<", "<=", ">", ">=", "in", "not in"; operand */
    TEMPLATE_OPERATOR,     /* name: + - * / // % ** ~; left, right */
    TEMPLATE_CHOICE,       /* condition, value, else value: a if c else b */
    TEMPLATE_KINDS
};

struct template_node {
    enum template_kind kind;
    uint32_t line;   /* from 1 */
    uint32_t offset; /* byte of the source */
    uint32_t height; /* levels below, at most TEMPLATE_MAX_HEIGHT */
    struct span name;
    int64_t number;
    double real;
    const struct template_node *child; /* the first */
    const struct template_node *next;  /* of the same parent */
};

const struct template_node *template_root(const struct template *t);
const char *template_kind_name(enum template_kind kind); /* "if", "attribute" */

/* Call visit for each node below and including root, parents first, with its depth. A visit
 * that returns false ends the walk, and template_walk returns false. */
bool template_walk(const struct template_node *root,
                   bool (*visit)(void *arg, const struct template_node *node, unsigned depth),
                   void *arg);

#endif
