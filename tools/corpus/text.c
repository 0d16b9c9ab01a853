/* Filling the holes of a template. */
#include "text.h"

#include <stdlib.h>
#include <string.h>

#include "world.h"

/* SplitMix64 over a counter. */
uint32_t draw(struct draws *d, uint32_t below)
{
    uint64_t z = d->seed + ++d->made * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 32) % below;
}

const char *article(const char *noun)
{
    return strchr("aeiou", noun[0]) ? "an" : "a";
}

static void add(struct text *t, const char *s, size_t n)
{
    if (t->n + n >= TEXT_ROOM)
        abort(); /* a template of ours is too long */
    memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = '\0';
}

static const char *of_sex(int who, const char *male, const char *female)
{
    return people[who].sex == 'm' ? male : female;
}

static const char *about_who(int who, char hole)
{
    const struct person *p = &people[who];
    switch (hole) {
    case 'n':
        return p->name;
    case 'h':
        return of_sex(who, "he", "she");
    case 'H':
        return of_sex(who, "He", "She");
    case 'm':
        return of_sex(who, "him", "her");
    case 's':
        return of_sex(who, "his", "her");
    case 'S':
        return of_sex(who, "His", "Her");
    case 'w':
        return p->work;
    case 'd':
        return works[who].does;
    case 'W':
        return works[who].place;
    case 't':
        return works[who].thing;
    case 'v':
        return villages[p->village].name;
    case 'p':
        return p->pet;
    case 'P':
        return p->pet_name;
    case 'f':
        return p->food;
    case 'c':
        return p->colour;
    case 'b':
        return people[p->friend].name;
    default:
        return NULL;
    }
}

static const char *about_rest(const struct cast *c, char hole)
{
    const struct village *v = &villages[c->village];
    switch (hole) {
    case 'N':
        return people[c->other].name;
    case 'o':
        return of_sex(c->other, "he", "she");
    case 'i':
        return of_sex(c->other, "him", "her");
    case 'j':
        return of_sex(c->other, "his", "her");
    case 'J':
        return people[c->other].work;
    case 'T':
        return works[c->other].thing;
    case 'V':
        return v->name;
    case 'l':
        return v->where;
    case 'k':
        return v->landmark;
    case 'K':
        return v->known;
    case 'D':
        return days[v->market];
    case 'F':
        return v->feast;
    case 'e':
        return v->season;
    case 'x':
        return c->thing;
    case 'y':
        return c->place;
    case 'z':
        return c->weather;
    case 'q':
        return days[c->day];
    default:
        return NULL;
    }
}

static void fill(struct text *t, const struct cast *c, char hole)
{
    const char *s = about_who(c->who, hole);
    if (!s)
        s = about_rest(c, hole);
    if (!s)
        abort(); /* a template of ours has a hole that nobody fills */
    add(t, s, strlen(s));
}

/* "[a|b|c]": one of them, holes and all; returns what follows. */
static const char *choose(struct text *t, struct draws *d, const struct cast *c, const char *s)
{
    const char *begin[16], *end[16];
    uint32_t n = 0;
    for (begin[0] = s; *s != ']'; s++)
        if (*s == '|') {
            end[n++] = s;
            begin[n] = s + 1;
        }
    end[n++] = s;
    uint32_t i = draw(d, n);
    char one[TEXT_ROOM];
    size_t length = (size_t)(end[i] - begin[i]);
    memcpy(one, begin[i], length);
    one[length] = '\0';
    put(t, d, c, one);
    return s + 1;
}

void put(struct text *t, struct draws *d, const struct cast *c, const char *template)
{
    for (const char *s = template; *s;) {
        if (*s == '[')
            s = choose(t, d, c, s + 1);
        else if (*s == '{') {
            fill(t, c, s[1]);
            s += 3;
        } else
            add(t, s++, 1);
    }
}
