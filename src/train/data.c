/*
 * Files to documents. JSON lines are read strictly, a line at a time; a chat is
 * laid out by the base's template, or as ChatML, and only what the assistant says
 * counts, unless the configuration wants all of it.
 */
#include "train/data.h"

#include <string.h>

#include "assay/base/file.h"
#include "assay/base/text.h"

bool data_read_file(struct data_file *out, const char *path, struct arena *a, struct err *e)
{
    const char *slash = strrchr(path, '/');
    *out = (struct data_file){.path = path, .name = slash ? slash + 1 : path};
    if (!file_read(&out->bytes, path, DATA_MAX_FILE, false, a, e))
        return false;
    out->digest = sha256_of(out->bytes);
    if (out->bytes.n == 0)
        return err_at(e, ERR_CONFIG, path, 0, "is empty: there is nothing to learn from");
    size_t bad = utf8_invalid(out->bytes);
    return bad == TEXT_VALID || err_at(e, ERR_FORMAT, path, bad, "is not UTF-8 here");
}

/* ---- rows ---- */

struct row {
    struct json root;
    uint64_t line;
    size_t offset;
};

typedef bool row_fn(void *arg, const struct row *r, struct err *e);

static bool each_row(const struct data_file *f, row_fn *fn, void *arg, struct arena *a,
                     struct err *e)
{
    struct row r = {.line = 0};
    for (size_t at = 0; at < f->bytes.n; r.line++) {
        const uint8_t *end = memchr(f->bytes.p + at, '\n', f->bytes.n - at);
        size_t n = end ? (size_t)(end - f->bytes.p) - at : f->bytes.n - at;
        struct span line = span_sub(f->bytes, at, n);
        struct err inner = ERR_INIT;
        r.offset = at;
        at += n + 1;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n == 0)
            continue;
        if (!json_parse(&r.root, line, JSON_STRICT, a, &inner))
            return err_at(e, inner.code, f->path, r.offset + inner.offset, "line %llu: %s",
                          (unsigned long long)r.line + 1, inner.text);
        if (!fn(arg, &r, e))
            return false;
    }
    return true;
}

static bool wrong_row(const struct data_file *f, const struct row *r, struct err *e,
                      const char *what)
{
    return err_at(e, ERR_FORMAT, f->path, r->offset, "line %llu: %s",
                  (unsigned long long)r->line + 1, what);
}

/* ---- texts ---- */

struct texts_job {
    const struct data_file *f;
    const struct config_file *c;
    data_text_fn *fn;
    void *arg;
};

static bool row_text(const struct data_file *f, const struct row *r, struct span *out,
                     struct err *e)
{
    return json_string(json_get(r->root, "text"), out) ||
           wrong_row(f, r, e, "expected an object with a string \"text\"");
}

static bool message(const struct data_file *f, const struct row *r, struct json m,
                    struct span *role, struct span *content, struct err *e)
{
    bool ok =
        json_string(json_get(m, "role"), role) && json_string(json_get(m, "content"), content);
    ok = ok && (span_is(*role, "user") || span_is(*role, "assistant") || span_is(*role, "system"));
    return ok || wrong_row(f, r, e,
                           "expected \"messages\": a list of objects with \"role\" (system, user, "
                           "assistant) and \"content\"");
}

static bool messages_of(const struct data_file *f, const struct row *r, struct json *out,
                        struct err *e)
{
    *out = json_get(r->root, "messages");
    return (json_type(*out) == JSON_ARRAY && json_count(*out) > 0) ||
           wrong_row(f, r, e, "expected an object with a list \"messages\" that is not empty");
}

static bool texts_of_row(void *arg, const struct row *r, struct err *e)
{
    const struct texts_job *j = arg;
    struct json list;
    struct span role, text;
    if (j->c->format == DATA_JSONL)
        return row_text(j->f, r, &text, e) && j->fn(j->arg, text, e);
    if (!messages_of(j->f, r, &list, e))
        return false;
    for (struct json m = json_first(list); json_type(m); m = json_next(m))
        if (!message(j->f, r, m, &role, &text, e) || !j->fn(j->arg, role, e) ||
            !j->fn(j->arg, span_str("\n"), e) || !j->fn(j->arg, text, e))
            return false;
    return true;
}

bool data_texts(const struct data_file *f, const struct config_file *c, data_text_fn *fn, void *arg,
                struct arena *a, struct err *e)
{
    struct texts_job j = {f, c, fn, arg};
    if (c->format == DATA_TEXT)
        return fn(arg, f->bytes, e);
    return each_row(f, texts_of_row, &j, a, e);
}

/* ---- documents ---- */

struct documents_job {
    struct documents *d;
    struct data_file *f;
    const struct config_file *c;
    const struct data_reading *how;
    struct arena *a;
    uint32_t end_of_text, begin_turn, end_turn;
    struct tokens scratch;
};

static bool no_memory(struct err *e)
{
    return err_set(e, ERR_MEMORY, "out of memory for the training data");
}

static bool put_token(struct documents_job *j, uint32_t id, bool counts, struct err *e)
{
    struct documents *d = j->d;
    size_t cap = d->token_cap;
    uint32_t *tokens = arena_grow(j->a, d->tokens, d->token_count, &cap, sizeof *tokens);
    uint8_t *flags = arena_grow(j->a, d->counts, d->token_count, &d->token_cap, sizeof *flags);
    if (!tokens || !flags)
        return no_memory(e);
    d->tokens = tokens;
    d->counts = flags;
    d->tokens[d->token_count] = id;
    d->counts[d->token_count++] = counts;
    return true;
}

static bool put_text(struct documents_job *j, struct span text, bool counts, struct err *e)
{
    j->scratch.n = 0;
    if (!tokenizer_encode_text(&j->scratch, j->how->tokenizer, text, false, ENCODE_PLAIN, e))
        return false;
    for (size_t i = 0; i < j->scratch.n; i++)
        if (!put_token(j, j->scratch.id[i], counts, e))
            return false;
    return true;
}

static bool end_document(struct documents_job *j, uint64_t line, struct err *e);

static bool add_text(struct documents_job *j, struct span text, uint64_t line, struct err *e)
{
    return put_text(j, text, true, e) && end_document(j, line, e);
}

/* <|im_start|>ROLE\nCONTENT<|im_end|>\n */
static bool add_turn(struct documents_job *j, struct span role, struct span content, struct err *e)
{
    bool counts = j->c->loss == LOSS_ALL || span_is(role, "assistant");
    struct buf head;
    buf_init(&head, 64);
    buf_put_span(&head, role);
    buf_put_str(&head, "\n");
    bool ok = put_token(j, j->begin_turn, j->c->loss == LOSS_ALL, e) &&
              put_text(j, buf_span(&head), j->c->loss == LOSS_ALL, e) &&
              put_text(j, content, counts, e) && put_token(j, j->end_turn, counts, e) &&
              put_text(j, span_str("\n"), j->c->loss == LOSS_ALL, e);
    buf_free(&head);
    return ok;
}

/* ChatML. */
static bool add_turns(struct documents_job *j, const struct layout_message *m, size_t n,
                      struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (!add_turn(j, m[i].role, m[i].content, e))
            return false;
    return true;
}

static bool add_laid_out(struct documents_job *j, const struct layout_message *m, size_t n,
                         struct err *e)
{
    uint8_t *counts;
    if (!layout_chat(&j->scratch, &counts, j->how->chats, j->how->tokenizer, m, n, j->a, e))
        return false;
    for (size_t i = 0; i < j->scratch.n; i++)
        if (!put_token(j, j->scratch.id[i], counts[i] || j->c->loss == LOSS_ALL, e))
            return false;
    return true;
}

static bool add_chat(struct documents_job *j, const struct row *r, struct json list, struct err *e)
{
    struct layout_message *m = arena_array(j->a, json_count(list), sizeof *m);
    struct err inner = ERR_INIT;
    size_t n = 0;
    if (!m)
        return no_memory(e);
    for (struct json x = json_first(list); json_type(x); x = json_next(x), n++)
        if (!message(j->f, r, x, &m[n].role, &m[n].content, e))
            return false;
    if (!(j->how->chats ? add_laid_out : add_turns)(j, m, n, &inner))
        return err_at(e, inner.code, j->f->path, r->offset, "line %llu: %s",
                      (unsigned long long)r->line + 1, inner.text);
    return end_document(j, r->line + 1, e);
}

static bool document_of_row(void *arg, const struct row *r, struct err *e)
{
    struct documents_job *j = arg;
    struct json list;
    struct span text;
    j->f->rows++;
    if (j->c->format == DATA_JSONL)
        return row_text(j->f, r, &text, e) && add_text(j, text, r->line + 1, e);
    return messages_of(j->f, r, &list, e) && add_chat(j, r, list, e);
}

static bool note_start(struct documents_job *j, size_t at, struct err *e)
{
    struct documents *d = j->d;
    size_t used = d->count ? d->count + 1 : 0;
    size_t *starts = arena_grow(j->a, d->starts, used, &d->cap, sizeof *starts);
    if (!starts)
        return no_memory(e);
    d->starts = starts;
    starts[0] = 0;
    starts[++d->count] = at;
    return true;
}

/* A window holds context + 1 tokens: each position sees one and predicts the next. */
static bool end_document(struct documents_job *j, uint64_t line, struct err *e)
{
    struct documents *d = j->d;
    size_t from = d->count ? d->starts[d->count] : 0, most = j->how->context + 1;
    if (!put_token(j, j->end_of_text, j->c->format != DATA_CHAT || j->c->loss == LOSS_ALL, e))
        return false;
    size_t n = d->token_count - from;
    if (n > most && j->c->too_long == TOO_LONG_REFUSE)
        return err_at(e, ERR_LIMIT, j->f->path, ERR_NO_OFFSET,
                      "line %llu has %zu tokens and the context is %zu; shorten it, or set "
                      "too_long to split or skip",
                      (unsigned long long)line, n, j->how->context);
    if (n > most && j->c->too_long == TOO_LONG_SKIP) {
        d->token_count = from;
        d->skipped++;
        return true;
    }
    for (; n > most; n -= j->how->context, from += j->how->context) /* parts, each a document */
        if (!note_start(j, from + j->how->context, e))
            return false;
    if (n < 2) { /* nothing to predict */
        d->token_count = from;
        return true;
    }
    return note_start(j, d->token_count, e);
}

static uint32_t special(const struct tokenizer *t, const char *text)
{
    return tokenizer_id(t, span_str(text));
}

bool data_documents(struct documents *d, struct data_file *f, const struct config_file *c,
                    const struct data_reading *how, struct arena *a, struct err *e)
{
    struct documents_job j = {.d = d, .f = f, .c = c, .how = how, .a = a};
    const struct tokenizer *t = how->tokenizer;
    const struct token_roles *roles = tokenizer_roles(t);
    j.end_of_text = special(t, "<|endoftext|>");
    if (j.end_of_text == TOKEN_NONE)
        j.end_of_text = roles->eos;
    j.begin_turn = special(t, "<|im_start|>");
    j.end_turn = special(t, "<|im_end|>");
    if (j.end_of_text == TOKEN_NONE)
        return err_at(e, ERR_UNSUPPORTED, f->path, ERR_NO_OFFSET,
                      "the model's vocabulary names no token that ends a text");
    if (c->format == DATA_CHAT && !how->chats &&
        (j.begin_turn == TOKEN_NONE || j.end_turn == TOKEN_NONE))
        return err_at(e, ERR_UNSUPPORTED, f->path, ERR_NO_OFFSET,
                      "the model has no chat template, and its vocabulary has no <|im_start|> and "
                      "<|im_end|> to lay chats out as ChatML");
    bool ok = c->format == DATA_TEXT ? add_text(&j, f->bytes, 1, e)
                                     : each_row(f, document_of_row, &j, a, e);
    tokens_free(&j.scratch);
    return ok;
}
