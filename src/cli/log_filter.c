/* Filters of log query and log sample. */
#include "cli/log_filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/text.h"
#include "cli/log_view.h"
#include "cli/progress.h"

enum { LEAVES_LOOK = 1024, LEAF_ARENA = 1 << 20 };

bool log_time(uint64_t *out, const char *option, const char *text, struct err *e)
{
    char shown[80];
    return !text || clock_parse(out, text) ||
           err_set(e, ERR_USAGE,
                   "--%s: expected a time in UTC such as 2026-11-23 or "
                   "2026-11-23T14:05:00Z, not '%s'",
                   option, text_shown(shown, sizeof shown, span_str(text)));
}

/* ---- what was typed ---- */

static bool set_kinds(struct log_filter *f, const struct option_texts *kinds, struct err *e)
{
    char shown[80];
    f->any_kind = kinds->count == 0;
    for (size_t i = 0; i < kinds->count; i++) {
        enum record_kind k;
        if (!record_kind_from(span_str(kinds->text[i]), &k))
            return err_set(e, ERR_USAGE,
                           "--kind: '%s' is no kind of entry; docs/log-format.md lists them, such "
                           "as model or call-outcome",
                           text_shown(shown, sizeof shown, span_str(kinds->text[i])));
        f->kind[k] = true;
    }
    return true;
}

static bool set_subject(struct log_filter *f, const char *text, struct err *e)
{
    f->has_subject = text != NULL;
    if (!text)
        return true;
    if (text[0] == '\0')
        return err_set(e, ERR_USAGE,
                       "--subject: expected a name, or a pseudonym of 32 "
                       "hexadecimal digits");
    if (!seal_id_from_hex(&f->pseudonym, span_str(text)))
        f->subject_name = span_str(text);
    return true;
}

/* ---- calls by their answers ---- */

struct calls {
    struct log_filter *filter;
    size_t cap;
    struct arena *a;
    struct err *e;
    bool ok;
};

/* The call that a leaf ends with the answer that is asked for. */
static bool is_answer(struct span leaf, struct span wanted, uint64_t *intent, struct arena *a)
{
    struct record_head h;
    struct record r;
    struct span id;
    return record_check(&h, NULL, leaf, NULL) && h.kind == RECORD_CALL_OUTCOME &&
           record_decode(&r, leaf, a, NULL) && json_string(json_get(r.body, "response_id"), &id) &&
           span_eq(id, wanted) && json_u64(json_get(r.body, "intent"), intent);
}

static bool note_call(void *arg, uint64_t seq, struct span leaf)
{
    struct calls *c = arg;
    struct log_filter *f = c->filter;
    uint64_t intent = 0;
    if (seq % LEAVES_LOOK == 0 && interrupted())
        return c->ok = err_set(c->e, ERR_INTERRUPTED, "interrupted");
    struct arena *a = arena_new(LEAF_ARENA);
    c->ok = a || err_set(c->e, ERR_MEMORY, "out of memory");
    if (c->ok && is_answer(leaf, f->response, &intent, a)) {
        f->intents = arena_grow(c->a, f->intents, f->intent_count, &c->cap, sizeof intent);
        c->ok = f->intents || err_set(c->e, ERR_MEMORY, "too many calls had this answer");
        if (c->ok)
            f->intents[f->intent_count++] = intent;
    }
    arena_free(a);
    return c->ok;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool find_calls(struct log_filter *f, struct log_reader *r, struct arena *a, struct err *e)
{
    struct calls c = {.filter = f, .a = a, .e = e, .ok = true};
    if (!log_reader_walk(r, 0, note_call, &c, e) || !c.ok)
        return false;
    if (f->intent_count)
        qsort(f->intents, f->intent_count, sizeof *f->intents, by_number);
    return true;
}

bool log_filter_find(struct log_filter *f, const struct filter_args *args, struct log_reader *r,
                     struct arena *a, struct err *e)
{
    struct log_paths paths = {NULL, args->operator_key};
    return (f->subject_name.n == 0 ||
            log_reader_subject(r, &paths, f->subject_name, &f->subject, a, e)) &&
           (f->response.n == 0 || find_calls(f, r, a, e));
}

bool log_filter_set(struct log_filter *f, const struct filter_args *args, struct err *e)
{
    *f = (struct log_filter){.until = UINT64_MAX,
                             .model = span_str(args->model),
                             .outcome = span_str(args->outcome),
                             .response = span_str(args->response)};
    char shown[80];
    if (args->response && !args->response[0])
        return err_set(e, ERR_USAGE, "--response: expected the identifier of an answer");
    if (args->model && !args->model[0])
        return err_set(e, ERR_USAGE, "--model: expected a name, a tensor root or a manifest root");
    if (args->outcome && !record_is_outcome(f->outcome))
        return err_set(e, ERR_USAGE,
                       "--outcome: '%s' is how no entry ends; docs/log-format.md lists the words, "
                       "such as complete, error or mismatch",
                       text_shown(shown, sizeof shown, f->outcome));
    return log_time(&f->since, "since", args->since, e) &&
           log_time(&f->until, "until", args->until, e) && set_kinds(f, &args->kinds, e) &&
           set_subject(f, args->subject, e);
}

/* ---- judging a leaf ---- */

static bool is_of_subject(const struct log_filter *f, const struct record_head *h)
{
    const struct seal_id *one = f->subject_name.n ? f->subject.pseudonyms : &f->pseudonym;
    size_t count = f->subject_name.n ? f->subject.count : 1;
    bool found = !f->has_subject;
    for (size_t i = 0; !found && h->has_subject && i < count; i++)
        found = memcmp(h->subject, one[i].b, sizeof h->subject) == 0;
    return found;
}

static bool head_matches(const struct log_filter *f, const struct record_head *h)
{
    return h->wall_us >= f->since && h->wall_us < f->until && (f->any_kind || f->kind[h->kind]) &&
           is_of_subject(f, h);
}

/* The object that says which model; of an enrolment that is the entry itself. */
static struct json model_of(const struct record *r)
{
    return r->head.kind == RECORD_MODEL ? r->body : json_get(r->body, "model");
}

struct span entry_model(const struct record *r)
{
    struct span s = SPAN_EMPTY;
    return json_string(json_get(model_of(r), "name"), &s) ? s : SPAN_EMPTY;
}

struct span entry_outcome(const struct record *r)
{
    struct span s = SPAN_EMPTY;
    return json_string(json_get(r->body, "outcome"), &s) ||
                   json_string(json_get(r->body, "result"), &s)
               ? s
               : SPAN_EMPTY;
}

/* By its name or by any of its digests. */
static bool is_model(const struct record *r, struct span wanted)
{
    static const char *const names[] = {"name", "tensor_root", "manifest_root", NULL};
    struct span s;
    for (size_t i = 0; names[i]; i++)
        if (json_string(json_get(model_of(r), names[i]), &s) && span_eq(s, wanted))
            return true;
    return false;
}

/* An intent, or what names one. */
static bool is_of_calls(const struct log_filter *f, const struct record *r)
{
    uint64_t intent = r->head.seq;
    if (r->head.kind != RECORD_CALL_INTENT && !json_u64(json_get(r->body, "intent"), &intent))
        return false;
    return f->intent_count &&
           bsearch(&intent, f->intents, f->intent_count, sizeof intent, by_number);
}

bool log_filter_leaf(const struct log_filter *f, uint64_t seq, struct span leaf, bool *match,
                     struct record *record, struct arena *a, struct err *e)
{
    struct record_head h;
    struct err why = ERR_INIT;
    *match = false;
    if (!record_check(&h, NULL, leaf, &why))
        return err_set(e, why.code == ERR_FORMAT ? ERR_INTEGRITY : why.code, "entry %llu: %s",
                       (unsigned long long)seq, why.text);
    if (!head_matches(f, &h))
        return true;
    if (!entry_decode(record, seq, leaf, a, e))
        return false;
    *match = (!f->model.n || is_model(record, f->model)) &&
             (!f->outcome.n || span_eq(entry_outcome(record), f->outcome)) &&
             (!f->response.n || is_of_calls(f, record));
    return true;
}
