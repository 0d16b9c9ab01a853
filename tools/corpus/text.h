/*
 * Sentences with holes. A template names people, things and places by braces;
 * alternatives stand between square brackets: "[One day|Once], {n} went home."
 */
#ifndef CORPUS_TEXT_H
#define CORPUS_TEXT_H

#include <stddef.h>
#include <stdint.h>

enum { TEXT_ROOM = 4096 };

/* Draws that depend on the seed and on how many were made before, nothing else. */
struct draws {
    uint64_t seed, made;
};
uint32_t draw(struct draws *d, uint32_t below);

struct text {
    char s[TEXT_ROOM];
    size_t n;
};

/* Who and what the holes stand for; indices into the tables of world.h. */
struct cast {
    int who, other, village, day;
    const char *thing, *place, *weather;
};

/*
 * Append a template. Holes of {who}: n name, h he/she, H He/She, m him/her, s his/her,
 * S His/Her, w work, d what they do, W place of work, t thing of the work, v village,
 * p pet, P pet's name, f food, c colour, b best friend. Of {other}: N, and o he/she,
 * i him/her, j his/her, J work, T thing. Of {village}: V name, l where, k landmark,
 * K known for, D market day, F feast, e season. x thing, y place, z weather, q day.
 */
void put(struct text *t, struct draws *d, const struct cast *c, const char *template);
/* "cat" -> "a cat", "owl" -> "an owl". */
const char *article(const char *noun);

#endif
