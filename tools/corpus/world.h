/*
 * The Vale of Orrin: an invented place, small enough to be known by heart. What
 * is said of it here is all there is, and every sentence of the corpus agrees
 * with it. Dedicated to the public domain (CC0 1.0).
 */
#ifndef CORPUS_WORLD_H
#define CORPUS_WORLD_H

enum { PEOPLE = 24, VILLAGES = 6, WORKS = 24, DAYS = 7 };

struct person {
    const char *name;
    char sex;         /* 'm' or 'f' */
    int village;      /* where they live */
    const char *work; /* "baker"; every work has one person */
    const char *pet;  /* "cat" */
    const char *pet_name;
    const char *food;   /* loved most: "plum cake" */
    const char *colour; /* of their coat */
    int friend;         /* index of the best friend; friendship goes both ways */
};

struct village {
    const char *name;
    const char *where;    /* "by the river" */
    const char *landmark; /* "an old stone bridge" */
    const char *known;    /* what it is known for: "its honey" */
    int market;           /* day of the week */
    const char *feast;    /* "the Feast of Lamps" */
    const char *season;   /* of the feast */
};

struct work {
    const char *work, *does, *place, *thing; /* "baker", "bakes bread", "the bakery", "a loaf" */
};

extern const struct person people[PEOPLE];
extern const struct village villages[VILLAGES];
extern const struct work works[WORKS];
extern const char *const days[DAYS];

#endif
