/*
 * Rotary position embeddings. Angles are computed in double, one product per
 * pair and position, and rounded once to float cosines and sines; the rotation
 * is two products and a sum each, in the order written here.
 */
#include "engine/forward.h"

#include <math.h>

#include "assay/numerics.h"

static const double pi = 3.14159265358979323846;

/* YaRN: pairs that turn fast keep their angle, slow ones are stretched (arXiv 2309.00071). */
static double yarn(const struct settings *c, double plain, uint32_t i, double base)
{
    double n = (double)c->rope_dims, context = (double)c->original_context;
    double scale = n / (2.0 * numerics_log_double(base));
    double low = floor(scale * numerics_log_double(context / (c->beta_fast * 2.0 * pi)));
    double high = ceil(scale * numerics_log_double(context / (c->beta_slow * 2.0 * pi)));
    low = low > 0.0 ? low : 0.0;
    high = high < n - 1.0 ? high : n - 1.0;
    double width = high - low > 0.001 ? high - low : 0.001;
    double ramp = ((double)i - low) / width;
    ramp = ramp < 0.0 ? 0.0 : ramp > 1.0 ? 1.0 : ramp;
    return plain / c->factor * ramp + plain * (1.0 - ramp);
}

/* Llama 3's factors where a configuration and not a tensor names them. */
static double llama3(const struct settings *c, double plain)
{
    double length = 2.0 * pi / plain, context = (double)c->original_context;
    if (length < context / c->high_freq)
        return plain;
    if (length > context / c->low_freq)
        return plain / c->factor;
    double smooth = (context / length - c->low_freq) / (c->high_freq - c->low_freq);
    return (1.0 - smooth) * plain / c->factor + smooth * plain;
}

static double angle_step(const struct forward *f, uint32_t i, bool windowed)
{
    const struct settings *c = f->c;
    double base = windowed ? c->rope_base_local : c->rope_base;
    double plain = numerics_pow_double(base, -2.0 * (double)i / (double)c->rope_dims);
    const float *factors = f->w->rope_factors;
    if (windowed && c->window_pattern > 1)
        return plain;
    if (c->scaling == ROPE_LONG)
        factors = c->context > c->original_context ? f->w->rope_long : f->w->rope_short;
    if (factors != NULL)
        return plain / (double)factors[i];
    if (c->scaling == ROPE_LINEAR)
        return plain / c->factor;
    if (c->scaling == ROPE_YARN)
        return yarn(c, plain, i, base);
    return c->scaling == ROPE_LLAMA3 && !c->gguf ? llama3(c, plain) : plain;
}

bool rope_new(struct forward *f, struct err *e)
{
    uint32_t pairs = f->c->rope_dims / 2;
    f->turn_scale = f->c->scaling == ROPE_PLAIN ? 1.0f : (float)f->c->attention_factor;
    if (f->c->scaling == ROPE_LONG && (f->w->rope_long == NULL || f->w->rope_short == NULL))
        return err_set(e, ERR_FORMAT, "the model's long or short RoPE factors are missing");
    for (int k = 0; k < 2; k++) {
        f->step[k] = arena_array(f->arena, pairs + 1, sizeof(double));
        f->turn[k] =
            arena_array(f->arena, (uint64_t)f->most * (f->c->rope_dims + 1), sizeof(float));
        if (f->step[k] == NULL || f->turn[k] == NULL)
            return err_set(e, ERR_MEMORY, "no memory for the rotations");
        for (uint32_t i = 0; i < pairs; i++) {
            f->step[k][i] = angle_step(f, i, k == 1);
            if (!isfinite(f->step[k][i]) || f->step[k][i] <= 0.0)
                return err_set(e, ERR_FORMAT, "the RoPE factor of pair %u is impossible", i);
        }
    }
    return true;
}

void rope_angles(struct forward *f, const struct row *rows, uint32_t n)
{
    uint32_t pairs = f->c->rope_dims / 2;
    for (int k = 0; pairs > 0 && k < (f->c->window_pattern > 1 ? 2 : 1); k++) {
        for (uint32_t r = 0; r < n; r++) {
            float *turn = f->turn[k] + (size_t)r * f->c->rope_dims;
            for (uint32_t i = 0; i < pairs; i++) {
                double angle = (double)rows[r].position * f->step[k][i];
                turn[i] = (float)numerics_cos_double(angle) * f->turn_scale;
                turn[pairs + i] = (float)numerics_sin_double(angle) * f->turn_scale;
            }
        }
    }
}

void rope_turn(const struct forward *f, float *x, uint32_t heads, uint32_t row, bool windowed)
{
    const struct settings *c = f->c;
    uint32_t pairs = c->rope_dims / 2;
    bool neighbours = has(c, ROPE_PAIRS) && c->gguf;
    const float *cosine = f->turn[windowed && c->window_pattern > 1] + (size_t)row * c->rope_dims;
    const float *sine = cosine + pairs;
    for (uint32_t h = 0; h < heads; h++, x += c->head) {
        for (uint32_t i = 0; i < pairs; i++) {
            float *a = neighbours ? x + 2 * i : x + i, *b = neighbours ? a + 1 : a + pairs;
            float u = *a, v = *b;
            *a = u * cosine[i] - v * sine[i];
            *b = u * sine[i] + v * cosine[i];
        }
    }
}
