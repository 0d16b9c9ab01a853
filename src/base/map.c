/* Open-addressing map from spans to 32-bit values. */
#include "assay/base/map.h"

#include <pthread.h>
#include <sys/random.h>
#include <time.h>

struct map_slot {
    struct span name;
    uint32_t value;
    uint32_t hash; /* 0: empty */
};

static uint64_t seed[2];
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;

static void make_seed(void)
{
    if (getrandom(seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed) {
        seed[0] = (uint64_t)time(NULL) * 0x9e3779b97f4a7c15u;
        seed[1] = (uint64_t)(uintptr_t)&seed;
    }
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    __uint128_t r = (__uint128_t)a * b;
    return (uint64_t)r ^ (uint64_t)(r >> 64);
}

/* Multiply-and-fold, eight bytes at a time, keyed by the process's seed. */
uint32_t map_hash(struct span s)
{
    pthread_once(&seed_once, make_seed);
    uint64_t h = seed[0] ^ s.n;
    size_t i = 0;
    for (; i + 8 <= s.n; i += 8)
        h = mix(h ^ load_u64le(s.p + i), seed[1] | 1);
    uint64_t tail = 0;
    for (unsigned shift = 0; i < s.n; i++, shift += 8)
        tail |= (uint64_t)s.p[i] << shift;
    h = mix(h ^ tail, seed[1] | 1);
    h = mix(h ^ 0x9e3779b97f4a7c15u, seed[0] | 1);
    uint32_t folded = (uint32_t)(h ^ h >> 32);
    return folded ? folded : 1;
}

bool map_init(struct map *m, struct arena *a, size_t expect)
{
    size_t slots = 16;
    while (slots / 2 < expect && slots < SIZE_MAX / 4)
        slots *= 2;
    *m = (struct map){.arena = a, .mask = slots - 1};
    m->slots = arena_array(a, slots, sizeof *m->slots);
    return m->slots != NULL;
}

static struct map_slot *find(const struct map *m, struct span name, uint32_t h)
{
    for (size_t i = h & m->mask;; i = (i + 1) & m->mask) {
        struct map_slot *s = &m->slots[i];
        if (s->hash == 0 || (s->hash == h && span_eq(s->name, name)))
            return s;
    }
}

static bool grow(struct map *m)
{
    struct map larger;
    if (!map_init(&larger, m->arena, (m->mask + 1)))
        return false;
    for (size_t i = 0; i <= m->mask; i++)
        if (m->slots[i].hash)
            *find(&larger, m->slots[i].name, m->slots[i].hash) = m->slots[i];
    larger.used = m->used;
    *m = larger;
    return true;
}

bool map_put(struct map *m, struct span name, uint32_t value, uint32_t *previous)
{
    if (m->used > m->mask / 2 && !grow(m))
        return false;
    uint32_t h = map_hash(name);
    struct map_slot *s = find(m, name, h);
    *previous = s->hash ? s->value : MAP_NONE;
    if (!s->hash) {
        *s = (struct map_slot){name, value, h};
        m->used++;
    }
    return true;
}

uint32_t map_get(const struct map *m, struct span name)
{
    if (!m->slots)
        return MAP_NONE;
    const struct map_slot *s = find(m, name, map_hash(name));
    return s->hash ? s->value : MAP_NONE;
}
