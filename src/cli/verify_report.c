/* assay verify REPORT: the report's own proofs, and its claims made again where log and model are given. */
#include "cli/verify_report.h"

#include <inttypes.h>
#include <string.h>

#include "assay/base/text.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "cli/report_input.h"
#include "cli/show.h"

enum { STEPS_SHOWN = 40 };

static void say_failed(struct out *o, const struct report_verdict *v)
{
    size_t shown = 0;
    if (v->failed == 0)
        return;
    out_heading(o, "Does not hold");
    for (size_t i = 0; i < v->step_count && shown < STEPS_SHOWN; i++) {
        char line[SHOW_SIZE];
        if (v->steps[i].result != STEP_FAILED)
            continue;
        snprintf(line, sizeof line, "%s: %s", v->steps[i].what, v->steps[i].why);
        out_wrapped(o, 2, line);
        shown++;
    }
    if (v->failed > shown)
        out_printf(o, "  and %zu more (--json lists them)\n", v->failed - shown);
}

/* Those before `i` with the same reason were counted with the first of them. */
static bool counted(const struct report_verdict *v, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (v->steps[k].result == STEP_NOT_PROVED && strcmp(v->steps[k].why, v->steps[i].why) == 0)
            return true;
    return false;
}

static void say_not_proved(struct out *o, const struct report_verdict *v)
{
    bool any = false;
    for (size_t i = 0; i < v->step_count; i++) {
        char line[SHOW_SIZE];
        size_t n = 0;
        if (v->steps[i].result != STEP_NOT_PROVED || counted(v, i))
            continue;
        for (size_t k = i; k < v->step_count; k++)
            n += v->steps[k].result == STEP_NOT_PROVED &&
                 strcmp(v->steps[k].why, v->steps[i].why) == 0;
        if (!any)
            out_heading(o, "Not proved again");
        any = true;
        snprintf(line, sizeof line, "%s%s%.0zu%s: %s", v->steps[i].what, n > 1 ? " and " : "",
                 n > 1 ? n - 1 : 0, n > 1 ? " more" : "", v->steps[i].why);
        out_wrapped(o, 2, line);
    }
}

static void say(struct out *o, const char *path, const struct report_verdict *v, bool ok)
{
    char shown[SHOW_SIZE];
    out_printf(o, "%s is a report: %s\n", show_text(shown, span_str(path), SHOW_NAME),
               ok ? "verified" : "REFUSED");
    out_field(o, "edition", "%s", v->edition ? v->edition : "unknown");
    out_field(o, "as of", "%s", show_text(shown, v->as_of, SHOW_NAME));
    if (v->signer)
        out_field(o, "signed by", "%s", show_text(shown, span_str(v->signer), SHOW_SIZE));
    out_field_styled(o, v->pinned ? STYLE_PLAIN : STYLE_WARN, "key",
                     v->pinned      ? "as you gave it"
                     : v->is_signed ? "taken from the report itself: --key pins it"
                                    : "the report is not signed");
    out_field(o, "claims", "%zu opened, %zu shown as commitments alone, all under the signed root",
              v->claims, v->hidden);
    if (v->origin.n)
        out_field(o, "log", "%s, %" PRIu64 " entries", show_text(shown, v->origin, SHOW_NAME),
                  v->log_size);
    out_field(o, "recomputed", "%zu inclusion proofs, %zu envelopes of people", v->leaves,
              v->attestations);
    out_field(o, "made again", "%zu claims, from the model and log given", v->proved);
    out_field(o, "taken over", "%zu claims that say themselves that nothing can recompute them",
              v->trusted);
    say_failed(o, v);
    say_not_proved(o, v);
    out_heading(o, "Not shown");
    out_put(o, "  That what was declared or attested is true, and that nothing happened beside "
               "the log.\n");
}

static void say_json(struct out *o, const char *path, const struct report_verdict *v, bool ok)
{
    static const char *const names[] = {"proved", "not_proved", "failed"};
    struct json_writer w;
    jo_start(&w, o, true);
    jo_head(&w, "assay.verify-report/1");
    jo_str(&w, "path", path);
    jo_bool(&w, "verified", ok);
    jo_str(&w, "edition", v->edition);
    jo_span(&w, "as_of", v->as_of);
    jo_str(&w, "signer", v->signer);
    jo_bool(&w, "pinned", v->pinned);
    jo_u64(&w, "claims", v->claims);
    jo_u64(&w, "hidden", v->hidden);
    jo_u64(&w, "inclusion_proofs", v->leaves);
    jo_u64(&w, "made_again", v->proved);
    jo_u64(&w, "taken_over", v->trusted);
    jo_u64(&w, "failed", v->failed);
    jw_key(&w, "steps");
    jw_array(&w);
    for (size_t i = 0; i < v->step_count; i++) {
        jw_object(&w);
        jo_str(&w, "what", v->steps[i].what);
        jo_str(&w, "result", names[v->steps[i].result]);
        jo_str(&w, "why", v->steps[i].why);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jo_finish(&w, o);
}

static bool give_model(struct subject *s, struct report_model *m, const char *path, struct arena *a,
                       struct err *e)
{
    const struct subject_options options = {.digests = true};
    return report_subject(s, m, path, &options, e) && report_judge(s, NULL, a, e);
}

int verify_report(const struct call *call, struct span bytes, const struct verify_args *args,
                  const struct trust *trust, struct arena *a)
{
    struct subject s = {.model = NULL};
    struct report_model model;
    struct report_verdict v;
    struct err e = ERR_INIT;
    struct progress_bar bar;
    struct report_check with = {.trust = trust, .log = args->log};
    if (args->model && !give_model(&s, &model, args->model, a, &e)) {
        subject_close(&s);
        return cli_error(&e);
    }
    with.model = args->model ? &model : NULL;
    with.progress = progress_start(&bar);
    bool ok = report_verify(&v, bytes, &with, a, &e);
    progress_stop(&bar);
    err_in_file(&e, call->operands[0]);
    (args->json ? say_json : say)(call->out, call->operands[0], &v, ok);
    subject_close(&s);
    if (!ok)
        return cli_error(&e);
    return v.pinned ? EXIT_PASS : EXIT_INCOMPLETE; /* anybody could have made it */
}
