/*
 * One word for what B is to A, decided from counts and distances by the
 * thresholds named here. Each threshold says where it comes from;
 * docs/formats/diff.md holds the measurements. The numbers behind the word are
 * always given with it, and where the evidence does not suffice the word is
 * "undecided".
 */
#include "inspect/diff.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "assay/base/text.h"

/* Below this share of either model's elements in paired tensors of one shape,
 * two models are different things that share some names. */
static const double STRUCTURE_SHARE = 0.5;
/* Cosine over matrices: unrelated weights give 0 +- 1/sqrt(n), below 0.01 for
 * real sizes; the coarsest quantisation in use (1 to 2 bits) still gives 0.8.
 * Between the two. */
static const double RELATED_COSINE = 0.5;
/* How far the error may lie above the table's. Weights with heavier tails
 * (Laplace) were measured at up to 1.27 times it over a whole tensor; the real
 * test models at up to 1.06 over the model and 1.24 over single tensors. */
static const double MODEL_MARGIN = 1.5;
static const double TENSOR_MARGIN = 3.0;
/* Rounding leaves no less than this of the error in the table: 0.8 was measured. */
static const double ROUNDED_SHARE = 0.1;

/* Of the elements in quantised blocks beyond the bound of their block's rounding: quantising leaves
 * less, training more (docs/formats/diff.md has the measurements). */
static const double OUTSIDE_MOST = 0.01;

/*
 * Relative L2 error that rounding normally distributed weights to a type
 * leaves: sqrt(E[(q(x)-x)^2] / E[x^2]). Block types: measured with the
 * reference quantisers of ggml; floats: from their mantissas.
 */
static const struct expected {
    enum dtype type;
    double error;
} expected_errors[] = {
    {DTYPE_F32, 3e-8},           {DTYPE_F16, 2.1e-4},     {DTYPE_BF16, 1.7e-3},
    {DTYPE_F8_E4M3, 2.7e-2},     {DTYPE_F8_E5M2, 5.3e-2}, {DTYPE_F8_E4M3FNUZ, 2.7e-2},
    {DTYPE_F8_E5M2FNUZ, 5.3e-2}, {DTYPE_F4, 0.115},       {DTYPE_Q8_0, 5.4e-3},
    {DTYPE_Q8_1, 5.4e-3},        {DTYPE_Q8_K, 7e-3},      {DTYPE_Q6_K, 1.72e-2},
    {DTYPE_Q5_0, 4.05e-2},       {DTYPE_Q5_1, 3.36e-2},   {DTYPE_Q5_K, 3.51e-2},
    {DTYPE_Q4_0, 8.25e-2},       {DTYPE_Q4_1, 6.94e-2},   {DTYPE_Q4_K, 7.04e-2},
    {DTYPE_IQ4_NL, 7.49e-2},     {DTYPE_IQ4_XS, 7.56e-2}, {DTYPE_MXFP4, 0.115},
    {DTYPE_NVFP4, 0.103},        {DTYPE_Q3_K, 0.145},     {DTYPE_IQ3_S, 0.135},
    {DTYPE_IQ3_XXS, 0.182},      {DTYPE_Q2_K, 0.266},     {DTYPE_IQ2_S, 0.249},
    {DTYPE_IQ2_XS, 0.302},       {DTYPE_IQ2_XXS, 0.341},  {DTYPE_IQ1_M, 0.454},
    {DTYPE_IQ1_S, 0.49},         {DTYPE_TQ1_0, 0.813},    {DTYPE_TQ2_0, 0.807},
    {DTYPE_Q2_0, 0.721},         {DTYPE_Q1_0, 0.597},
};

struct tally {
    size_t pairs, compared, exact, same, changed, retyped, reshaped, unread;
    size_t only_a, only_b, explained, mapped, bytes_only;
    size_t beyond;                          /* tensors whose distance rounding does not explain */
    size_t float_changed;                   /* changed tensors of one unquantised type */
    uint64_t matched;                       /* elements in pairs of one shape */
    uint64_t elements;                      /* compared by value */
    double distance, cosine, changed_share; /* sums weighted by elements */
    double distance_weight;
    double matrix_cosine, matrix_weight;
    double rounding, expected, rounding_weight; /* squares, over what rounding may explain */
    double lossy, rounding_a, rounding_b; /* squares, over re-typed tensors that lost something */
    uint64_t bounded, outside, tried, given; /* elements, see struct sums */
    uint64_t types_b[DTYPE_COUNT];           /* elements by type of B, re-typed tensors */
    double share_a, share_b;
    bool incomplete;
};

struct judgement {
    struct diff *out;
    struct tally t;
    const struct model *a, *b;
    struct arena *arena;
};

static double expected_error(enum dtype t)
{
    for (size_t i = 0; i < sizeof expected_errors / sizeof expected_errors[0]; i++)
        if (expected_errors[i].type == t)
            return expected_errors[i].error;
    return 0; /* integers and the like: rounding explains nothing */
}

static bool quantised_type(enum dtype t)
{
    return t < DTYPE_COUNT && dtypes[t].kind == DTYPE_BLOCK;
}

/* A tensor that rounding could have changed: other types, or blocks on both sides. */
static void tally_rounding(struct tally *t, const struct pair *p)
{
    enum dtype x = p->d.a->dtype, y = p->d.b->dtype;
    if (x == y && !quantised_type(x)) {
        t->float_changed += p->d.change == TENSOR_CHANGED;
        return;
    }
    double n = (double)p->elements, ea = expected_error(x), eb = expected_error(y);
    double expected = sqrt(ea * ea + eb * eb);
    if (x != y)
        t->types_b[y] += p->elements;
    if (p->d.distance == 0)
        return;
    if (x != y) {
        t->lossy += n * p->d.distance * p->d.distance;
        t->rounding_a += n * ea * ea;
        t->rounding_b += n * eb * eb;
    }
    t->rounding_weight += n;
    t->rounding += n * p->d.distance * p->d.distance;
    t->expected += n * expected * expected;
    t->beyond += !(p->d.distance <= TENSOR_MARGIN * expected);
}

static void tally_values(struct tally *t, const struct pair *p)
{
    double n = (double)p->elements;
    t->compared++;
    t->exact += p->d.exact;
    t->mapped += p->d.mapped;
    t->elements += p->elements;
    t->bounded += p->sums.bounded;
    t->outside += p->sums.outside;
    t->tried += p->sums.tried;
    t->given += p->sums.given;
    t->changed_share += n * p->d.changed;
    t->cosine += n * p->d.cosine;
    if (isfinite(p->d.distance)) {
        t->distance += n * p->d.distance * p->d.distance;
        t->distance_weight += n;
    }
    if (p->d.a->rank >= 2) {
        t->matrix_cosine += n * p->d.cosine;
        t->matrix_weight += n;
    }
    if (p->elements)
        tally_rounding(t, p);
}

static void tally_pair(struct tally *t, const struct pair *p)
{
    t->pairs++;
    if (!p->d.a || !p->d.b) {
        t->explained += p->explained;
        t->only_a += p->d.a && !p->explained;
        t->only_b += p->d.b && !p->explained;
        return;
    }
    t->same += p->d.change == TENSOR_SAME;
    t->changed += p->d.change == TENSOR_CHANGED;
    t->retyped += p->d.change == TENSOR_RETYPED;
    t->reshaped += p->d.change == TENSOR_RESHAPED;
    t->unread += p->d.unread;
    t->bytes_only += p->bytes_only && !p->d.exact;
    if (p->d.change != TENSOR_RESHAPED)
        t->matched += p->elements;
    if (!isnan(p->d.distance))
        tally_values(t, p);
}

static uint64_t all_elements(const struct model *m, bool gguf)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < m->tensor_count; i++)
        if (!name_explained(m->tensors[i].name, gguf) &&
            !size_add(&sum, sum, m->tensors[i].elements))
            return UINT64_MAX;
    return sum;
}

static double share(uint64_t part, uint64_t all)
{
    return part >= all ? 1 : (double)part / (double)all;
}

static void take_tally(struct judgement *j, const struct pairs *p)
{
    struct tally *t = &j->t;
    for (size_t i = 0; i < p->n; i++)
        tally_pair(t, &p->v[i]);
    t->share_a = share(t->matched, all_elements(j->a, diff_container(j->a) == FORMAT_GGUF));
    t->share_b = share(t->matched, all_elements(j->b, diff_container(j->b) == FORMAT_GGUF));
    t->incomplete = j->a->verdict.incomplete || j->b->verdict.incomplete || t->unread > 0;
    double n = (double)t->elements;
    j->out->distance = t->distance_weight > 0 ? sqrt(t->distance / t->distance_weight) : NAN;
    j->out->cosine = t->compared && n > 0 ? t->cosine / n : NAN;
    j->out->changed = t->compared && n > 0 ? t->changed_share / n : NAN;
}

/* ---- words ---- */

static bool say(struct judgement *j, enum relation r, struct buf *b)
{
    j->out->relation = r;
    j->out->because = buf_ok(b) ? arena_str(j->arena, buf_span(b)) : NULL;
    return j->out->because != NULL;
}

static void put_paired(struct buf *b, const struct tally *t)
{
    size_t all = t->compared + t->unread + t->reshaped + t->only_a + t->only_b;
    buf_printf(b, "%zu of %zu tensors compared", t->compared, all);
    if (t->mapped)
        buf_printf(b, " (%zu by mapped name)", t->mapped);
    if (t->reshaped)
        buf_printf(b, ", %zu of another shape", t->reshaped);
    if (t->only_a)
        buf_printf(b, ", %zu only in A", t->only_a);
    if (t->only_b)
        buf_printf(b, ", %zu only in B", t->only_b);
}

static void put_values(struct buf *b, const struct judgement *j)
{
    buf_printf(b, "distance %.3g, cosine %.9g, %.3g %% of the elements differ", j->out->distance,
               j->out->cosine, 100 * j->out->changed);
}

static void put_gaps(struct buf *b, const struct tally *t)
{
    if (t->unread)
        buf_printf(b, "; %zu tensors could not be read", t->unread);
    else if (t->incomplete)
        buf_put_str(b, "; reading was incomplete");
}

static enum dtype main_type(const struct tally *t)
{
    enum dtype best = DTYPE_NONE;
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (t->types_b[i] && (best == DTYPE_NONE || t->types_b[i] > t->types_b[best]))
            best = (enum dtype)i;
    return best;
}

/* ---- decisions: each returns whether it applies, having filled the words ---- */

static size_t files_with_tensors(const struct model *m)
{
    uint32_t last = UINT32_MAX;
    size_t n = 0;
    for (size_t i = 0; i < m->tensor_count; i++) {
        n += m->tensors[i].data.file != last;
        last = m->tensors[i].data.file;
    }
    return n;
}

static bool no_tensors(struct judgement *j, struct buf *b, enum relation *r)
{
    size_t na = j->a->tensor_count, nb = j->b->tensor_count;
    size_t entries = j->out->entry_count + j->out->entries_more;
    if (na && nb)
        return false;
    *r = REL_UNDECIDED;
    if (na || nb)
        buf_printf(b, "%s has no tensors to compare", na ? "B" : "A");
    else if (entries == 0 && !j->t.incomplete) {
        *r = REL_IDENTICAL;
        buf_put_str(b, "neither has tensors, and all metadata is equal");
    } else
        buf_printf(b, "neither has tensors; %zu differences in metadata", entries);
    return true;
}

static bool different_things(struct judgement *j, struct buf *b, enum relation *r)
{
    const struct tally *t = &j->t;
    double least = t->share_a < t->share_b ? t->share_a : t->share_b;
    if (least >= STRUCTURE_SHARE)
        return false;
    *r = t->incomplete ? REL_UNDECIDED : REL_UNRELATED;
    buf_printf(b, "tensors of one name and shape hold %.3g %% of A's elements and %.3g %% of B's; ",
               100 * t->share_a, 100 * t->share_b);
    put_paired(b, t);
    return true;
}

static bool same_values(struct judgement *j, struct buf *b, enum relation *r)
{
    const struct tally *t = &j->t;
    size_t entries = j->out->entry_count + j->out->entries_more;
    if (t->reshaped || t->only_a || t->only_b || t->changed > t->unread || j->out->changed > 0)
        return false;
    if (t->incomplete || t->bytes_only) {
        *r = REL_UNDECIDED;
        buf_printf(b, "what could be compared is equal (%zu tensors), but not everything could",
                   t->compared);
        return true;
    }
    enum format fa = diff_container(j->a), fb = diff_container(j->b);
    size_t files_a = files_with_tensors(j->a), files_b = files_with_tensors(j->b);
    bool alike = fa == fb && files_a == files_b && t->retyped == 0 && t->exact == t->compared;
    *r = alike && entries == 0 && t->explained == 0 ? REL_IDENTICAL : REL_REPACKED;
    buf_printf(b, "all %zu tensors hold the same values, %zu byte for byte", t->compared, t->exact);
    if (*r == REL_IDENTICAL)
        buf_put_str(b, "; names, types and metadata are equal");
    if (t->retyped)
        buf_printf(b, "; %zu have another element type, without loss", t->retyped);
    if (fa != fb)
        buf_printf(b, "; %s against %s", format_name(fa), format_name(fb));
    if (files_a != files_b)
        buf_printf(b, "; %zu against %zu files of tensors", files_a, files_b);
    if (entries)
        buf_printf(b, "; %zu differences outside the tensors", entries);
    return true;
}

static bool unlike(struct judgement *j, struct buf *b, enum relation *r)
{
    const struct tally *t = &j->t;
    double cosine = t->matrix_weight > 0 ? t->matrix_cosine / t->matrix_weight : j->out->cosine;
    if (t->compared == 0) {
        *r = REL_UNDECIDED;
        buf_put_str(b, "names and shapes agree, but no tensor could be compared by value");
        return true;
    }
    if (cosine >= RELATED_COSINE)
        return false;
    *r = REL_SAME_ARCHITECTURE;
    buf_printf(b, "names and shapes agree, values do not: cosine of the matrices %.3g; ", cosine);
    put_paired(b, t);
    return true;
}

/*
 * Whether it is A that was rounded: the side of the coarser types, unless the
 * error is far below theirs. Then its values were coarse already, and the other
 * side was made from them: BF16 written as F16 loses only what underflows.
 */
static bool a_was_rounded(const struct tally *t)
{
    bool coarser = t->rounding_a > t->rounding_b;
    double most = coarser ? t->rounding_a : t->rounding_b;
    return coarser == (t->lossy >= ROUNDED_SHARE * ROUNDED_SHARE * most);
}

static bool outside_rounding(const struct tally *t)
{
    return (double)t->outside > OUTSIDE_MOST * (double)t->bounded;
}

/* How the blocks came out. A share that is not all is never shown as all. */
static void put_blocks(struct buf *b, const struct judgement *j)
{
    const struct tally *t = &j->t;
    const char *from = j->out->reversed ? "B" : "A", *to = j->out->reversed ? "A" : "B";
    bool all = t->given == t->tried;
    if (t->tried && all)
        buf_printf(b, "; quantising %s by the reference rules gives %s to the bit", from, to);
    else if (t->tried)
        buf_printf(b, "; quantising %s by the reference rules gives %.2f %% of %s", from,
                   floor(10000 * (double)t->given / (double)t->tried) / 100, to);
    if (t->tried && t->tried < t->bounded)
        buf_printf(b, " in the types it has rules for (%.3g %% of the quantised elements)",
                   100 * (double)t->tried / (double)t->bounded);
    if (t->bounded == 0 || (all && t->tried == t->bounded))
        return;
    if (t->outside)
        buf_printf(b, "; %.2g %% of the quantised elements lie outside the bound of their rounding",
                   100 * (double)t->outside / (double)t->bounded);
    else
        buf_put_str(b, "; every quantised element lies within the bound of its rounding");
}

static bool only_rounded(struct judgement *j, struct buf *b, enum relation *r)
{
    const struct tally *t = &j->t;
    if (t->rounding_weight <= 0 || t->only_b)
        return false;
    double seen = sqrt(t->rounding / t->rounding_weight);
    double expected = sqrt(t->expected / t->rounding_weight);
    if (t->float_changed || t->beyond || !(seen <= MODEL_MARGIN * expected) || outside_rounding(t))
        return false;
    *r = REL_QUANTISED;
    put_paired(b, t);
    if (t->retyped) {
        buf_printf(b, ", %zu re-typed (mostly to %s)", t->retyped, dtype_name(main_type(t)));
        j->out->reversed = a_was_rounded(t);
        if (j->out->reversed)
            buf_put_str(b, ", A being the one that was rounded");
    } else {
        buf_put_str(b, ", block types on both sides, so a small fine-tuning cannot be told apart");
    }
    buf_printf(b, ", %zu unchanged; distance %.3g where rounding explains about %.3g", t->same,
               seen, expected);
    buf_printf(b, "; overall cosine %.9g, %.3g %% of the elements differ", j->out->cosine,
               100 * j->out->changed);
    put_blocks(b, j);
    return true;
}

static bool trained(struct judgement *j, struct buf *b, enum relation *r)
{
    const struct tally *t = &j->t;
    *r = REL_FINE_TUNED;
    put_paired(b, t);
    buf_printf(b, ", %zu unchanged; ", t->same);
    put_values(b, j);
    if (t->rounding_weight > 0) {
        if (t->retyped)
            buf_printf(b, "; quantised as well (mostly to %s)", dtype_name(main_type(t)));
        else
            buf_put_str(b, "; quantised on both sides");
        buf_printf(b, ": distance %.3g there, of which rounding explains about %.3g",
                   sqrt(t->rounding / t->rounding_weight), sqrt(t->expected / t->rounding_weight));
        if (t->beyond)
            buf_printf(b, ", %zu tensors beyond it", t->beyond);
        put_blocks(b, j);
    }
    return true;
}

typedef bool decision(struct judgement *j, struct buf *b, enum relation *r);

/* In order; the last always applies. */
static decision *const decisions[] = {
    no_tensors, different_things, same_values, unlike, only_rounded, trained,
};

bool diff_relation(struct diff *out, const struct pairs *p, const struct model *a,
                   const struct model *b, struct arena *arena, struct err *e)
{
    struct judgement j = {.out = out, .a = a, .b = b, .arena = arena};
    enum relation r = REL_UNDECIDED;
    struct buf text;
    bool adapter = false, ok;
    buf_init(&text, 4096);
    take_tally(&j, p);
    ok = diff_adapter(&adapter, out, &r, &text, a, b, arena);
    for (size_t i = 0; ok && !adapter && i < sizeof decisions / sizeof decisions[0]; i++)
        if (decisions[i](&j, &text, &r))
            break;
    put_gaps(&text, &j.t);
    ok = ok && say(&j, r, &text);
    buf_free(&text);
    return ok || err_set(e, ERR_MEMORY, "out of memory while judging the comparison");
}

const char *relation_name(enum relation r)
{
    static const char *const names[] = {
        "identical", "re-packed",         "quantised", "fine-tuned",
        "adapter",   "same architecture", "unrelated", "undecided",
    };
    return (size_t)r < sizeof names / sizeof names[0] ? names[r] : "?";
}
