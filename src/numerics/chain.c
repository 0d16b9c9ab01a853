/*
 * Chained products: a job is a block of outputs, which packs what it reads of
 * both operands, a few hundred steps of the chain at a time, and runs its tiles.
 * A chain that goes on in the next few hundred steps goes on from where it was
 * stored, exactly, so no block size can be seen in a result.
 */
#include "numerics/chain.h"

#include "assay/team.h"

enum {
    STEPS = 256,     /* of the chain at a time */
    BLOCK_ROWS = 96, /* outputs of a job at most: multiples of every kernel's tile */
    BLOCK_COLUMNS = 128,
    JOBS_A_THREAD = 3
};

/* The specification. */
static void tile_scalar(const float *a, const float *b, size_t k, float *c, size_t c_row)
{
    (void)c_row;
    for (size_t p = 0; p < k; p++)
        *c = fmaf(a[p], b[p], *c);
}
const struct chain_kernel chain_scalar = {1, 1, tile_scalar};

static const struct chain_kernel *kernel(void)
{
#if NUMERICS_X86
    if (numerics_isa() == NUMERICS_AVX512)
        return &chain_avx512;
    if (numerics_isa() == NUMERICS_AVX2)
        return &chain_avx2;
#endif
    return &chain_scalar;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* `width` outputs of one operand for `k` steps; outputs that do not exist are zero. */
static void pack_strip(float *out, size_t width, const float *x, size_t stride, size_t step,
                       size_t count, size_t k)
{
    if (stride == 1 && count == width) {
        for (size_t p = 0; p < k; p++)
            memcpy(out + p * width, x + p * step, width * sizeof *out);
        return;
    }
    for (size_t i = 0; i < width; i++) {
        if (i < count) {
            for (size_t p = 0; p < k; p++)
                out[p * width + i] = x[i * stride + p * step];
        } else {
            for (size_t p = 0; p < k; p++)
                out[p * width + i] = 0;
        }
    }
}

static void pack(float *out, size_t width, const float *x, size_t stride, size_t step, size_t count,
                 size_t k)
{
    for (size_t at = 0; at < count; at += width)
        pack_strip(out + at * k, width, x + at * stride, stride, step, least(width, count - at), k);
}

struct plan {
    const struct chain *c;
    const struct chain_kernel *kernel;
    size_t rows, columns, across; /* of a job; jobs side by side */
};

/* A tile at the edge is computed whole, in a place of its own. */
static void edge_tile(const struct chain_kernel *q, const float *a, const float *b, size_t k,
                      float *c, size_t c_row, size_t rows, size_t columns)
{
    float whole[CHAIN_MAX_ROWS * CHAIN_MAX_COLUMNS] = {0};
    for (size_t r = 0; r < rows; r++)
        memcpy(whole + r * q->columns, c + r * c_row, columns * sizeof *c);
    q->tile(a, b, k, whole, q->columns);
    for (size_t r = 0; r < rows; r++)
        memcpy(c + r * c_row, whole + r * q->columns, columns * sizeof *c);
}

static void run_tiles(const struct plan *plan, const float *a, const float *b, size_t k, float *c,
                      size_t rows, size_t columns)
{
    const struct chain_kernel *q = plan->kernel;
    for (size_t j = 0; j < columns; j += q->columns) {
        for (size_t i = 0; i < rows; i += q->rows) {
            size_t down = least(q->rows, rows - i), wide = least(q->columns, columns - j);
            float *at = c + i * plan->c->c_row + j;
            if (down == q->rows && wide == q->columns)
                q->tile(a + i * k, b + j * k, k, at, plan->c->c_row);
            else
                edge_tile(q, a + i * k, b + j * k, k, at, plan->c->c_row, down, wide);
        }
    }
}

static void block(void *arg, uint32_t job, unsigned worker)
{
    const struct plan *plan = arg;
    const struct chain *c = plan->c;
    float a[BLOCK_ROWS * STEPS], b[BLOCK_COLUMNS * STEPS];
    size_t i = job / plan->across * plan->rows, j = job % plan->across * plan->columns;
    size_t rows = least(plan->rows, c->m - i), columns = least(plan->columns, c->n - j);
    float *out = c->c + i * c->c_row + j;
    (void)worker;
    for (size_t r = 0; !c->add && r < rows; r++)
        memset(out + r * c->c_row, 0, columns * sizeof *out);
    for (size_t p = 0; p < c->k; p += STEPS) {
        size_t k = least(STEPS, c->k - p);
        pack(a, plan->kernel->rows, c->a + i * c->a_row + p * c->a_column, c->a_row, c->a_column,
             rows, k);
        pack(b, plan->kernel->columns, c->b + j * c->b_column + p * c->b_row, c->b_column, c->b_row,
             columns, k);
        run_tiles(plan, a, b, k, out, rows, columns);
    }
}

void numerics_chain(const struct chain *c, struct team *team)
{
    struct plan plan = {c, kernel(), BLOCK_ROWS, BLOCK_COLUMNS, 0};
    size_t wanted = team ? (size_t)team_threads(team) * JOBS_A_THREAD : 1;
    if (c->m == 0 || c->n == 0)
        return;
    for (;;) {
        plan.across = (c->n + plan.columns - 1) / plan.columns;
        size_t jobs = plan.across * ((c->m + plan.rows - 1) / plan.rows);
        if (jobs >= wanted || plan.rows <= BLOCK_ROWS / 4)
            break;
        plan.rows /= 2;
    }
    uint32_t jobs = (uint32_t)(plan.across * ((c->m + plan.rows - 1) / plan.rows));
    if (team) {
        team_run(team, jobs, block, &plan);
        return;
    }
    for (uint32_t i = 0; i < jobs; i++)
        block(&plan, i, 0);
}
