/*
 * Chained products: a job is a block of outputs, which packs what it reads of
 * both operands, a few hundred steps of the chain at a time, and runs its tiles.
 * A chain that goes on in the next few hundred steps goes on from where it was
 * stored, exactly, so no block size can be seen in a result.
 */
#include "numerics/chain.h"

#include "assay/team.h"

enum {
    STEPS = 256,      /* of the chain at a time */
    BLOCK_ROWS = 144, /* outputs of a job at most: multiples of every kernel's tile */
    BLOCK_COLUMNS = 128,
    LEAST_ROWS = BLOCK_ROWS / 4,
    LEAST_COLUMNS = BLOCK_COLUMNS / 4,
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

/* ---- packing: of `width` outputs, the elements of each step together ---- */

typedef float quad __attribute__((vector_size(16)));

/* Four steps of four outputs, which stand in four rows. */
static inline void turn_four(float *out, size_t width, const float *x, size_t stride)
{
    quad r[4];
    for (size_t i = 0; i < 4; i++)
        memcpy(&r[i], x + i * stride, sizeof r[i]);
    quad a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5);
    quad b = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
    quad c = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
    quad d = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
    r[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    r[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    r[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    r[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
    for (size_t i = 0; i < 4; i++)
        memcpy(out + i * width, &r[i], sizeof r[i]);
}

/* Outputs are rows: a transposition, by fours as far as they go. */
static void turn(float *out, size_t width, const float *x, size_t stride, size_t step, size_t count,
                 size_t k)
{
    size_t fours = 0, steps = step == 1 ? k / 4 * 4 : 0;
    for (; steps > 0 && fours + 4 <= count; fours += 4)
        for (size_t p = 0; p < steps; p += 4)
            turn_four(out + p * width + fours, width, x + fours * stride + p, stride);
    for (size_t i = 0; i < count; i++)
        for (size_t p = i < fours ? steps : 0; p < k; p++)
            out[p * width + i] = x[i * stride + p * step];
}

/* Outputs stand side by side already: whole strips of them, a row of memory at a time. */
static void copy(float *out, size_t width, const float *x, size_t step, size_t count, size_t k)
{
    for (size_t p = 0; p < k; p++)
        for (size_t at = 0; at < count; at += width) {
            float *to = out + at * k + p * width;
            const float *from = x + p * step + at;
            size_t i = 0;
            for (; i + 4 <= width; i += 4)
                memcpy(to + i, from + i, sizeof(quad));
            for (; i < width; i++)
                to[i] = from[i];
        }
}

/* Strips of `width` outputs of one operand for `k` steps; outputs that do not exist are zero. */
static void pack(float *out, size_t width, const float *x, size_t stride, size_t step, size_t count,
                 size_t k)
{
    size_t whole = count / width * width, at = 0;
    if (stride == 1) {
        copy(out, width, x, step, whole, k);
        at = whole;
    }
    for (; at < whole; at += width)
        turn(out + at * k, width, x + at * stride, stride, step, width, k);
    if (at < count) {
        memset(out + at * k, 0, width * k * sizeof *out);
        turn(out + at * k, width, x + at * stride, stride, step, count - at, k);
    }
}

struct plan {
    struct chain c;  /* as asked, or turned: its transpose is computed */
    size_t c_column; /* step between outputs of a row: 1, or turned c's own rows */
    const struct chain_kernel *kernel;
    size_t rows, columns, across; /* of a job; jobs side by side */
};

/* A tile at the edge, or of a turned product, is computed whole in a place of its own. */
static void edge_tile(const struct plan *plan, const float *a, const float *b, size_t k, float *c,
                      size_t rows, size_t columns)
{
    const struct chain_kernel *q = plan->kernel;
    size_t row = plan->c.c_row, column = plan->c_column;
    float whole[CHAIN_MAX_ROWS * CHAIN_MAX_COLUMNS] = {0};
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < columns; i++)
            whole[r * q->columns + i] = c[r * row + i * column];
    q->tile(a, b, k, whole, q->columns);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < columns; i++)
            c[r * row + i * column] = whole[r * q->columns + i];
}

static void run_tiles(const struct plan *plan, const float *a, const float *b, size_t k, float *c,
                      size_t rows, size_t columns)
{
    const struct chain_kernel *q = plan->kernel;
    for (size_t j = 0; j < columns; j += q->columns) {
        for (size_t i = 0; i < rows; i += q->rows) {
            size_t down = least(q->rows, rows - i), wide = least(q->columns, columns - j);
            float *at = c + i * plan->c.c_row + j * plan->c_column;
            if (down == q->rows && wide == q->columns && plan->c_column == 1)
                q->tile(a + i * k, b + j * k, k, at, plan->c.c_row);
            else
                edge_tile(plan, a + i * k, b + j * k, k, at, down, wide);
        }
    }
}

static void clear(const struct plan *plan, float *c, size_t rows, size_t columns)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < columns; i++)
            c[r * plan->c.c_row + i * plan->c_column] = 0;
}

static void block(void *arg, uint32_t job, unsigned worker)
{
    const struct plan *plan = arg;
    const struct chain *c = &plan->c;
    float a[BLOCK_ROWS * STEPS], b[BLOCK_COLUMNS * STEPS];
    size_t i = job / plan->across * plan->rows, j = job % plan->across * plan->columns;
    size_t rows = least(plan->rows, c->m - i), columns = least(plan->columns, c->n - j);
    float *out = c->c + i * c->c_row + j * plan->c_column;
    (void)worker;
    if (!c->add)
        clear(plan, out, rows, columns);
    for (size_t p = 0; p < c->k; p += STEPS) {
        size_t k = least(STEPS, c->k - p);
        pack(a, plan->kernel->rows, c->a + i * c->a_row + p * c->a_column, c->a_row, c->a_column,
             rows, k);
        pack(b, plan->kernel->columns, c->b + j * c->b_column + p * c->b_row, c->b_column, c->b_row,
             columns, k);
        run_tiles(plan, a, b, k, out, rows, columns);
    }
}

static size_t padded(size_t n, size_t tile)
{
    return (n + tile - 1) / tile * tile;
}

/*
 * Few columns, as an adapter of rank 8 has, would leave most of a wide tile unused; then the
 * transpose is computed, whose few rows fit a tile's height better.
 */
static struct plan plan_of(const struct chain *c)
{
    const struct chain_kernel *q = kernel();
    struct plan plan = {*c, 1, q, BLOCK_ROWS, BLOCK_COLUMNS, 0};
    size_t straight = padded(c->m, q->rows) * padded(c->n, q->columns);
    size_t turned = padded(c->n, q->rows) * padded(c->m, q->columns);
    if (turned > straight / 4 * 3)
        return plan;
    plan.c = (struct chain){c->b, c->a, c->b_column, c->b_row, c->a_column, c->a_row,
                            c->n, c->m, c->k,        c->c,     1,           c->add};
    plan.c_column = c->c_row;
    return plan;
}

/* Smaller blocks until every thread has some; jobs of the last plan. */
static size_t divide(struct plan *plan, size_t wanted)
{
    for (;;) {
        plan->across = (plan->c.n + plan->columns - 1) / plan->columns;
        size_t jobs = plan->across * ((plan->c.m + plan->rows - 1) / plan->rows);
        if (jobs >= wanted)
            return jobs;
        if (plan->rows > LEAST_ROWS && plan->c.m > plan->rows / 2)
            plan->rows /= 2;
        else if (plan->columns > LEAST_COLUMNS && plan->c.n > plan->columns / 2)
            plan->columns /= 2;
        else
            return jobs;
    }
}

void numerics_chain(const struct chain *c, struct team *team)
{
    struct plan plan = plan_of(c);
    if (c->m == 0 || c->n == 0)
        return;
    uint32_t jobs = (uint32_t)divide(&plan, team ? (size_t)team_threads(team) * JOBS_A_THREAD : 1);
    if (team) {
        team_run(team, jobs, block, &plan);
        return;
    }
    for (uint32_t i = 0; i < jobs; i++)
        block(&plan, i, 0);
}
