/*
 * Numbers are compared with a bound digit by digit as they are written, without a float: the state
 * is how many digits there are, how those so far compare with the bound's, and what is left on
 * dividing by `multipleOf`. Exponents are not written, and no zero has a sign.
 */
#include "engine/decimal.h"

#include <string.h>

/* ---- numbers ---- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The digits of a number without the zeros around them; the octets that were read, 0: too many. */
static size_t read_digits(struct decimal *d, struct span text, int32_t *point)
{
    bool fraction = false;
    size_t i = d->negative;
    *point = 0;
    for (; i < text.n && text.p[i] != 'e' && text.p[i] != 'E'; i++) {
        if (text.p[i] == '.') {
            fraction = true;
            continue;
        }
        uint8_t digit = (uint8_t)(text.p[i] - '0');
        bool leads = d->count == 0 && digit == 0;
        *point += leads ? (fraction ? -1 : 0) : (fraction ? 0 : 1);
        if (d->count == sizeof d->digit && digit != 0)
            return 0;
        if (!leads && d->count < sizeof d->digit)
            d->digit[d->count++] = digit;
    }
    while (d->count && d->digit[d->count - 1] == 0)
        d->count--;
    return i;
}

/* What stands behind an e, as far as it matters. */
static int32_t read_exponent(struct span text)
{
    int32_t n = 0;
    bool negative = text.n && text.p[0] == '-';
    for (size_t i = 0; i < text.n; i++)
        if (is_digit(text.p[i]) && n < 10000)
            n = n * 10 + (text.p[i] - '0');
    return negative ? -n : n;
}

bool decimal_read(struct decimal *out, struct span text)
{
    int32_t point;
    *out = (struct decimal){.negative = text.n && text.p[0] == '-'};
    size_t n = text.n > INT16_MAX ? 0 : read_digits(out, text, &point);
    if (n == 0)
        return false;
    if (out->count == 0) {
        *out = (struct decimal){0};
        return true;
    }
    if (n < text.n)
        point += read_exponent(span_sub(text, n + 1, text.n));
    if (point > DECIMAL_DIGITS || out->count - point > DECIMAL_PRECISION)
        return false;
    out->point = (int8_t)point;
    return true;
}

/* The digit that is worth 10^-i of 0.d1d2...: by its place from the point on, 1 the first behind it. */
static uint8_t digit_at(const struct decimal *d, int32_t place)
{
    int32_t i = d->point + place - 1;
    return i < 0 || i >= d->count ? 0 : d->digit[i];
}

static int magnitude(const struct decimal *a, const struct decimal *b)
{
    for (int32_t place = 1 - DECIMAL_DIGITS; place <= DECIMAL_PRECISION; place++)
        if (digit_at(a, place) != digit_at(b, place))
            return digit_at(a, place) < digit_at(b, place) ? -1 : 1;
    return 0;
}

int decimal_compare(const struct decimal *a, const struct decimal *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    return a->negative ? magnitude(b, a) : magnitude(a, b);
}

bool decimal_multiple(struct decimal_bounds *b, const struct decimal *of)
{
    uint32_t n = 0;
    b->scale = (uint8_t)(of->count > of->point ? of->count - of->point : 0);
    for (int32_t place = 1 - DECIMAL_DIGITS; place <= b->scale; place++) {
        n = n * 10 + digit_at(of, place);
        if (n > DECIMAL_MULTIPLE)
            return false;
    }
    b->multiple = n;
    return n != 0 && !of->negative;
}

/* ---- states ---- */

enum phase { BEGIN, MINUS, ZERO, DIGITS, POINT, FRACTION };
enum order { SAME, LESS, MORE }; /* than the bound's digits so far */

/* What the size of a number must be, whose sign is known. */
struct side {
    bool possible, without_low, without_high, has_high;
    struct decimal low, high;
};

struct numbers {
    const struct decimal_bounds *b;
    struct side side[2]; /* [1]: of negative numbers */
};

struct state {
    uint8_t phase, negative;
    uint8_t before, behind; /* digits; a zero before the point counts as none */
    uint8_t low, high;      /* enum order */
    uint32_t rest;
};

static uint64_t packed(struct state s)
{
    uint64_t n = s.rest;
    n = n << 2 | s.high;
    n = n << 2 | s.low;
    n = n << 8 | s.behind;
    n = n << 8 | s.before;
    n = n << 1 | s.negative;
    return n << 3 | s.phase;
}

static struct state unpacked(uint64_t n)
{
    return (struct state){.phase = n & 7,
                          .negative = n >> 3 & 1,
                          .before = n >> 4 & 0xff,
                          .behind = n >> 12 & 0xff,
                          .low = n >> 20 & 3,
                          .high = n >> 22 & 3,
                          .rest = (uint32_t)(n >> 24)};
}

static int32_t digits_before(const struct decimal *d)
{
    return d->count && d->point > 0 ? d->point : 0;
}

/* How the digits compare once one more stands, of the number that s is then. */
static uint8_t ordered(const struct decimal *bound, uint8_t so_far, struct state s, uint8_t digit)
{
    int32_t more = s.before - digits_before(bound);
    if (s.phase == DIGITS && more > 0)
        return MORE;
    if (so_far != SAME || (s.phase == FRACTION && more < 0))
        return so_far;
    uint8_t there = digit_at(bound, s.phase == FRACTION ? s.behind : more);
    return digit < there ? LESS : digit > there ? MORE : SAME;
}

/* How the number compares, if it is over here. */
static enum order compared(const struct decimal *bound, uint8_t so_far, struct state s)
{
    if (s.before < digits_before(bound))
        return LESS;
    bool rest = bound->count - bound->point > s.behind && bound->count != 0;
    return so_far == SAME && rest ? LESS : so_far;
}

static bool has_room(const struct decimal_bounds *b, struct state s)
{
    uint8_t whole = b->multiple ? DECIMAL_PRECISION : DECIMAL_DIGITS;
    if (s.behind == 0)
        return s.before <= whole;
    return s.before + s.behind <= DECIMAL_PRECISION && (!b->multiple || s.behind <= b->scale);
}

static uint64_t add_digit(const struct numbers *n, struct state s, uint8_t digit)
{
    const struct side *side = &n->side[s.negative];
    if (s.phase == ZERO || !side->possible)
        return NOT_A_STATE;
    if (s.phase == POINT || s.phase == FRACTION) {
        s.phase = FRACTION;
        s.behind++;
    } else if (digit == 0 && s.phase != DIGITS) {
        s.phase = ZERO;
    } else {
        s.phase = DIGITS;
        s.before++;
    }
    if (s.phase != ZERO) {
        s.low = ordered(&side->low, s.low, s, digit);
        s.high = side->has_high ? ordered(&side->high, s.high, s, digit) : SAME;
    }
    if (n->b->multiple)
        s.rest = (s.rest * 10 + digit) % n->b->multiple;
    bool above = side->has_high && s.high == MORE && s.before >= digits_before(&side->high);
    return above || !has_room(n->b, s) ? NOT_A_STATE : packed(s);
}

static uint64_t next(void *arg, uint64_t state, uint8_t octet)
{
    const struct numbers *n = arg;
    struct state s = unpacked(state), one_more = s;
    if (octet == '-' && s.phase == BEGIN)
        return packed((struct state){.phase = MINUS, .negative = 1});
    if (is_digit(octet))
        return add_digit(n, s, (uint8_t)(octet - '0'));
    one_more.behind++;
    if (octet != '.' || (s.phase != ZERO && s.phase != DIGITS) || n->b->whole ||
        !has_room(n->b, one_more))
        return NOT_A_STATE;
    s.phase = POINT;
    return packed(s);
}

static bool may_end(void *arg, uint64_t state)
{
    const struct numbers *n = arg;
    const struct state s = unpacked(state);
    const struct side *side = &n->side[s.negative];
    uint32_t rest = s.rest;
    if (s.phase != ZERO && s.phase != DIGITS && s.phase != FRACTION)
        return false;
    enum order low = compared(&side->low, s.low, s);
    if (low == LESS || (low == SAME && side->without_low))
        return false;
    enum order high = compared(&side->high, s.high, s);
    if (side->has_high && (high == MORE || (high == SAME && side->without_high)))
        return false;
    for (unsigned i = s.behind; n->b->multiple && i < n->b->scale; i++)
        rest = rest * 10 % n->b->multiple;
    return rest == 0;
}

/* ---- bounds ---- */

/* Of numbers of one sign; those of the other are none of its business. */
static struct side side_of(bool has_low, struct decimal low, bool without_low, bool has_high,
                           struct decimal high, bool without_high)
{
    struct side s = {.possible = true, .has_high = has_high, .without_high = without_high};
    if (has_high && high.negative)
        s.possible = false;
    if (has_low && !low.negative) {
        s.low = low;
        s.without_low = without_low;
    }
    s.high = high;
    return s;
}

static struct decimal negated(struct decimal d)
{
    d.negative = d.count != 0 && !d.negative;
    return d;
}

bool decimal_automaton(const struct automaton **out, const struct decimal_bounds *b,
                       struct arena *a, struct err *e)
{
    struct numbers n = {.b = b};
    n.side[0] =
        side_of(b->has_least, b->least, b->without_least, b->has_most, b->most, b->without_most);
    n.side[1] = side_of(b->has_most, negated(b->most), b->without_most, b->has_least,
                        negated(b->least), b->without_least);
    n.side[1].without_low = n.side[1].without_low || n.side[1].low.count == 0;
    const struct automaton_language language = {packed((struct state){0}), next, may_end, &n};
    return automaton_make(out, &language, a, e);
}
