/*
 * Claims about the run that made the examined model, where the log given recorded
 * it: each is what entries of a proven range say, and the entries are its evidence.
 */
#include <inttypes.h>
#include <string.h>

#include "assay/recorded.h"
#include "report/making.h"

static const char rule[] =
    "the entry that enrols the examined model by its tensor root names the run; the run's "
    "entries name what it was made from, by digest";

static struct claim *say(struct making *k, const struct recorded_run *r, const char *property,
                         const char *value)
{
    struct claim *c = make_claim(k, property, CLAIM_VERIFIED, rule);
    if (!c)
        return NULL;
    c->value = value;
    claim_prove(k->s, c, prove_leaf(k, r->begin));
    return c;
}

static void say_run(struct making *k, const struct recorded_run *r)
{
    struct claim *c =
        say(k, r, "training.run",
            make_text(k, "%s: %" PRIu64 " steps, weights root %s", r->name, r->steps, r->weights));
    if (!c)
        return;
    claim_prove(k->s, c, prove_leaf(k, r->end));
    claim_prove(k->s, c, prove_leaf(k, r->model));
    if (r->mismatches) {
        c->status = CLAIM_CONTRADICTED;
        c->reason = "a replay of the training did not give what the log has";
    } else if (r->replays) {
        c->reason = make_text(k, "executed again %" PRIu64 " times, each giving the recorded roots",
                              r->replays);
    }
    if (r->replays || r->mismatches)
        claim_prove(k->s, c, prove_leaf(k, r->replay));
}

static void say_part(struct making *k, const struct recorded_run *r, const struct recorded_part *p)
{
    bool dataset = strcmp(p->kind, "dataset") == 0;
    const char *name = make_shown(k, span_str(p->name), 300);
    struct claim *c = say(k, r, dataset ? "training.datasets" : "model.lineage",
                          make_text(k, "%s%s, %s root %s", dataset ? "" : "adapter: ", name,
                                    dataset ? "manifest" : "tensor", p->root));
    if (!c || p->entry == RECORDED_NONE)
        return;
    claim_prove(k->s, c, prove_leaf(k, p->entry));
    if (!p->agrees) {
        c->status = CLAIM_CONTRADICTED;
        c->reason = make_text(k, "entry %" PRIu64 " names another root", p->entry);
    }
}

static bool enrols(struct making *k, uint64_t seq, const char *hex)
{
    struct span leaf, root, run;
    struct record record;
    return log_reader_leaf(k->reader, seq, k->a, &leaf, NULL) &&
           record_decode(&record, leaf, k->a, NULL) &&
           json_string(json_get(record.body, "tensor_root"), &root) && span_is(root, hex) &&
           json_string(json_get(record.body, "source"), &run);
}

bool claims_from_recorded(struct making *k, struct err *e)
{
    const struct report_model *m = k->in->model;
    const struct listed *enrolled = &k->r->activity->enrolled;
    struct recorded_run run = {.name = NULL};
    char hex[DIGEST_HEX + 1];
    if (!m || !m->identity->has_tensor_root)
        return true;
    digest_hex(hex, &m->identity->tensor_root);
    for (uint64_t i = 0; !run.name && i < enrolled->count && i < ACTIVITY_LISTED; i++)
        if (enrols(k, enrolled->entry[i], hex) &&
            !recorded_run_of(&run, k->reader, k->r->head.size, enrolled->entry[i], k->a, e))
            return false;
    if (!run.name || run.begin == RECORDED_NONE || run.end == RECORDED_NONE)
        return true;
    if (k->r->lineage && !recorded_lineage(k->r->lineage, &run, k->a, e))
        return false;
    say_run(k, &run);
    for (size_t i = 0; i < run.count; i++)
        say_part(k, &run, &run.parts[i]);
    say(k, &run, "training.tokens", make_text(k, "%" PRIu64, run.tokens));
    say(k, &run, "training.hyperparameters",
        make_text(k, "the whole configuration stands in entry %" PRIu64 ", SHA-256 %s", run.begin,
                  run.config));
    say(k, &run, "training.code", make_text(k, "program of SHA-256 %s", run.code));
    return true;
}
