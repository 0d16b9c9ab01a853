/*
 * The run behind a model, from a log. The first walk verifies the log and finds
 * the entry that enrolled the model; the second gathers the entries of its run.
 */
#include "assay/recorded.h"

#include <inttypes.h>
#include <string.h>

#include "assay/verify.h"
#include "report/canon.h"

enum { NOTE_ROOM = 64 << 10, RUN_HEX = 32 };

struct look {
    struct recorded_run *out;
    struct log_reader *reader;
    struct verifier *verifier;
    char root[DIGEST_HEX + 1]; /* of the model that is looked for */
    uint64_t model;            /* its newest enrolment that names a run */
    uint64_t until;            /* entries that the checkpoint covers */
    struct arena *a;
    struct err *e;
    bool ok;
};

static bool is_text(struct span body, const char *name, const char *text)
{
    return text && span_is(canon_text(canon_get(body, name)), text);
}

static const char *kept(struct look *k, struct span s)
{
    const char *text = arena_str(k->a, s);
    k->ok = k->ok && (text || err_set(k->e, ERR_MEMORY, "out of memory for a run's record"));
    return text;
}

/* ---- the model ---- */

static bool names_run(struct span body, struct span *run)
{
    *run = canon_text(canon_get(body, "source"));
    return run->n == RUN_HEX;
}

static bool first_visit(void *arg, uint64_t seq, struct span leaf)
{
    struct look *k = arg;
    struct record_head head;
    struct span body, run;
    if (seq >= k->until)
        return false;
    k->ok = verifier_leaf(k->verifier, leaf, k->e) && record_check(&head, &body, leaf, k->e);
    if (k->ok && head.kind == RECORD_MODEL && is_text(body, "tensor_root", k->root) &&
        names_run(body, &run))
        k->model = seq;
    return k->ok;
}

static bool verify_and_find(struct look *k)
{
    const struct trust nobody = {.log_key_count = 0};
    struct verified verified;
    struct checkpoint c;
    struct note note;
    struct buf text;
    buf_init(&text, NOTE_ROOM);
    bool ok = log_reader_checkpoint(k->reader, &text, k->e);
    struct span head = arena_span(k->a, buf_span(&text));
    buf_free(&text);
    if (!ok || !note_parse(&note, head, k->a, k->e) || !checkpoint_parse(&c, note.text, k->e))
        return false;
    k->until = c.size;
    ok = verifier_new(&k->verifier, &nobody, k->e) &&
         log_reader_walk(k->reader, 0, first_visit, k, k->e) && k->ok &&
         verifier_finish(k->verifier, head, &verified, k->a, k->e);
    verifier_free(k->verifier);
    return ok;
}

/* ---- its run ---- */

static void take_training(struct look *k, uint64_t seq, struct span body)
{
    struct recorded_run *r = k->out;
    if (!is_text(body, "run", r->name) || seq > r->model)
        return;
    if (is_text(body, "phase", "begin")) {
        r->begin = seq;
        r->replays = r->mismatches = 0;
        r->code = kept(k, canon_text(canon_get(body, "code")));
        r->config = kept(k, canon_text(canon_get(body, "config")));
    }
    if (is_text(body, "phase", "end")) {
        r->end = seq;
        r->steps = canon_count(canon_get(body, "step"));
        r->tokens = canon_count(canon_get(body, "tokens"));
        r->weights = kept(k, canon_text(canon_get(body, "weights_root")));
    }
}

static void take_replay(struct look *k, uint64_t seq, struct span body)
{
    struct recorded_run *r = k->out;
    struct span entry = canon_get(body, "entry");
    if (entry.n == 0 || r->begin == RECORDED_NONE || canon_count(entry) != r->begin)
        return;
    r->replay = seq;
    if (is_text(body, "result", "match"))
        r->replays++;
    else
        r->mismatches++;
}

static bool second_visit(void *arg, uint64_t seq, struct span leaf)
{
    struct look *k = arg;
    struct record_head head;
    struct span body;
    if (seq >= k->until)
        return false;
    k->ok = record_check(&head, &body, leaf, k->e);
    if (k->ok && head.kind == RECORD_TRAINING)
        take_training(k, seq, body);
    if (k->ok && head.kind == RECORD_REPLAY)
        take_replay(k, seq, body);
    return k->ok;
}

/* ---- what it was made from ---- */

static bool same_root(struct look *k, const struct recorded_part *p, enum record_kind kind,
                      const char *member, bool *same)
{
    struct record_head head;
    struct span leaf, body;
    *same = false;
    if (p->entry >= k->until)
        return true;
    if (!log_reader_leaf(k->reader, p->entry, k->a, &leaf, k->e) ||
        !record_check(&head, &body, leaf, k->e))
        return false;
    *same = head.kind == kind && is_text(body, member, p->root);
    return true;
}

static bool take_part(struct look *k, struct json item, const char *kind, size_t *cap)
{
    struct recorded_run *r = k->out;
    bool dataset = strcmp(kind, "dataset") == 0;
    const char *member = dataset ? "manifest_root" : "tensor_root";
    struct recorded_part part = {.kind = kind, .entry = RECORDED_NONE};
    struct span name, root;
    if (!json_string(json_get(item, "name"), &name) || !json_string(json_get(item, member), &root))
        return true;
    part.name = kept(k, name);
    part.root = kept(k, root);
    struct recorded_part *parts = arena_grow(k->a, r->parts, r->count, cap, sizeof *parts);
    if (!k->ok || !parts)
        return err_set(k->e, ERR_MEMORY, "out of memory for a run's record");
    if (json_u64(json_get(item, "entry"), &part.entry) &&
        !same_root(k, &part, dataset ? RECORD_DATASET : RECORD_MODEL, member, &part.agrees))
        return false;
    r->parts = parts;
    r->parts[r->count++] = part;
    return true;
}

static bool take_parts(struct look *k)
{
    static const char *const lists[][2] = {{"base_models", "model"}, {"datasets", "dataset"}};
    struct record record;
    struct span leaf;
    size_t cap = 0;
    if (!log_reader_leaf(k->reader, k->out->begin, k->a, &leaf, k->e) ||
        !record_decode(&record, leaf, k->a, k->e))
        return false;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct json list = json_get(record.body, lists[i][0]);
        for (struct json m = json_first(list); json_type(m); m = json_next(m))
            if (!take_part(k, m, lists[i][1], &cap))
                return false;
    }
    return true;
}

static bool gather(struct look *k, uint64_t model)
{
    struct record_head head;
    struct span leaf, body, run;
    if (!log_reader_leaf(k->reader, model, k->a, &leaf, k->e) ||
        !record_check(&head, &body, leaf, k->e))
        return false;
    if (head.kind != RECORD_MODEL || !names_run(body, &run))
        return true;
    k->out->model = model;
    k->out->name = kept(k, run);
    return k->ok && log_reader_walk(k->reader, 0, second_visit, k, k->e) && k->ok &&
           (k->out->begin == RECORDED_NONE || take_parts(k));
}

static struct recorded_run nothing(void)
{
    return (struct recorded_run){
        .model = RECORDED_NONE, .begin = RECORDED_NONE, .end = RECORDED_NONE};
}

bool recorded_run_of(struct recorded_run *out, struct log_reader *r, uint64_t until, uint64_t model,
                     struct arena *a, struct err *e)
{
    struct look k = {.out = out, .reader = r, .until = until, .a = a, .e = e, .ok = true};
    *out = nothing();
    return gather(&k, model);
}

bool recorded_run(struct recorded_run *out, const char *log, const struct digest *tensor_root,
                  struct arena *a, struct err *e)
{
    struct look k = {.out = out, .model = RECORDED_NONE, .a = a, .e = e, .ok = true};
    *out = nothing();
    digest_hex(k.root, tensor_root);
    bool ok = log_reader_open(&k.reader, log, e) && verify_and_find(&k) &&
              (k.model == RECORDED_NONE || gather(&k, k.model));
    log_reader_close(k.reader);
    if (!ok)
        err_in_file(e, log);
    return ok;
}

/* ---- as lineage ---- */

static const char *proof(const struct recorded_run *r, const struct recorded_part *p,
                         struct arena *a)
{
    const char *run =
        arena_printf(a, "the model is entry %" PRIu64 " of run %s, begun in entry %" PRIu64,
                     r->model, r->name, r->begin);
    if (!run)
        return NULL;
    if (p->entry != RECORDED_NONE && !p->agrees)
        return arena_printf(a, "%s, and its root is not that of entry %" PRIu64, run, p->entry);
    if (p->entry == RECORDED_NONE)
        return arena_printf(a, "%s, which names its root", run);
    if (r->mismatches)
        return arena_printf(a, "%s; a replay did not give what the log has", run);
    return arena_printf(a, "%s, which names entry %" PRIu64 " and its root%s", run, p->entry,
                        r->replays ? "; steps executed again gave the recorded roots" : "");
}

bool recorded_lineage(struct lineage *l, const struct recorded_run *r, struct arena *a,
                      struct err *e)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct recorded_part *p = &r->parts[i];
        bool dataset = strcmp(p->kind, "dataset") == 0;
        bool wrong = r->mismatches || (p->entry != RECORDED_NONE && !p->agrees);
        struct lineage_found found = {{p->name, p->kind, p->root},
                                      dataset ? "trained on" : "adapter",
                                      wrong ? EDGE_CONTRADICTED : EDGE_VERIFIED,
                                      proof(r, p, a)};
        if (!found.because)
            return err_set(e, ERR_MEMORY, "out of memory for a lineage");
        if (!lineage_add(l, &found, a, e))
            return false;
    }
    return true;
}
