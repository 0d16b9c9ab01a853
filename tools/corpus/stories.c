/*
 * Stories: somebody of the vale, a morning, a small trouble, help, an end.
 * What people have and do is always that of the tables.
 */
#include "corpus.h"

#include "world.h"

static const char *const weathers[] = {"sunny", "windy", "rainy", "cold", "foggy", "warm", "quiet"};
static const char *const places[] = {
    "under the old bridge", "behind the windmill", "in the tall grass",
    "near the waterfall",   "beside the well",     "at the top of the hill",
    "in an empty barrel",   "between two stones",  "under a pile of leaves"};
static const char *const things[] = {"hat",  "key",    "basket", "lantern", "letter",
                                     "coat", "ladder", "kite",   "spoon",   "umbrella"};

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define PICK(d, list) ((list)[draw(d, (uint32_t)COUNT(list))])

static const char *const openings[] = {
    "[One|It was a] {z} [morning|day], [and|when] {n} [woke up early|got up before the sun] in "
    "{v}. ",
    "{n} lived in {v}. {H} was the {w} there, and every day {h} went to {W}. ",
    "In {V}, {l}, there lived a {w} whose name was {n}. ",
    "There was once a {w} called {n}. {H} lived in {v} with {s} {p}, {P}. ",
    "On {q}, {n} put on {s} {c} coat and [went out|left the house]. ",
};

static const char *const mornings[] = {
    "{S} {p}, {P}, was [still asleep|already awake|waiting at the door]. ",
    "{H} ate some {f} for breakfast, because {h} loved {f} more than anything. ",
    "{H} fed {s} {p}, {P}, and sang a little song. ",
    "It was {z} outside, and {n} wore {s} {c} coat. ",
    "{H} had a lot to do that day in {W}. ",
};

static const char *const lost[] = {
    "But {s} {x} was gone. {H} looked under the bed and behind the door, but {h} could not find "
    "it. ",
    "Then {h} saw that {s} {x} was not in its place. \"Where is my {x}?\" said {n}. ",
    "[On the way|At noon], the wind took {s} {x} and carried it away. \"Stop!\" cried {n}, but the "
    "wind did not listen. ",
};
static const char *const found[] = {
    "They looked everywhere, and at last {P} found the {x} {y}. ",
    "\"Let us look together,\" said {N}. After an hour they found the {x} {y}. ",
    "{N} had seen something {y}. They went there, and there it was, the lost {x}. ",
};

static const char *const astray[] = {
    "But {P} the {p} had run away. {H} called and called, but nobody came. ",
    "When {h} came home, {P} was not there. The door was open, and {n} was [afraid|worried]. ",
};
static const char *const back[] = {
    "They followed the little tracks and found {P} {y}, fast asleep. ",
    "Then they heard a sound {y}. It was {P}! {n} [laughed|cried with joy] and took the {p} home. ",
};

static const char *const stuck[] = {
    "{n} wanted to take {t} to {V}, but it was too heavy. ",
    "The road to {V} was closed, because a tree had fallen on it. ",
    "It began to rain so hard that {n} could not see the road. ",
};
static const char *const freed[] = {
    "They worked side by side until the evening, and then it was done. ",
    "\"Two can do more than one,\" said {N}, and {o} was right. ",
    "It took the whole afternoon, but they did not give up. ",
};

static const char *const quarrel[] = {
    "{n} and {N} both wanted the last piece of cake. They did not speak to each other for an "
    "hour. ",
    "{n} forgot to say thank you, and {N} was sad. ",
    "{N} had broken {s} {x}, and {n} was angry. ",
};
static const char *const peace[] = {
    "Then {n} said, \"I am sorry,\" and {N} said, \"I am sorry too.\" ",
    "In the end they [shared everything|laughed about it], because friends are more important. ",
    "{N} made a new one, and it was even better than the old one. ",
};

static const char *const helpers[] = {
    "{H} asked {N} the {J} for help. {N} came at once. ",
    "Luckily, {N} the {J} was near. \"I will help you,\" said {N}. ",
    "{N}, who was the {J}, heard {m} and came with {T}. ",
};

static const char *const feasts[] = {
    "That evening there was {F} in {V}, and everybody danced. ",
    "They went to {V} together and bought something nice at the market. ",
    "In {V} they saw {k}, and they sat there for a while. ",
};

static const char *const ends[] = {
    "In the evening {n} and {N} ate {f} together. {n} was happy.",
    "\"Thank you,\" said {n}. \"You are a good friend.\"",
    "{n} went home and told {P} the {p} all about it. Then {h} fell asleep.",
    "From that day on, {n} and {N} helped each other whenever they could.",
    "{n} smiled. It had been a good day in the Vale of Orrin.",
    "And when the stars came out over {v}, everybody was at home.",
};

struct trouble {
    const char *const *begin;
    size_t begins;
    const char *const *end;
    size_t ends;
    int helped; /* somebody comes */
};
#define TROUBLE(a, b, helped)                                                                      \
    {                                                                                              \
        a, COUNT(a), b, COUNT(b), helped                                                           \
    }
static const struct trouble troubles[] = {
    TROUBLE(lost, found, 1),
    TROUBLE(astray, back, 1),
    TROUBLE(stuck, freed, 1),
    TROUBLE(quarrel, peace, 0),
};

static struct cast cast_for(struct draws *d, int who)
{
    struct cast c = {.who = who, .village = people[who].village, .day = (int)draw(d, DAYS)};
    c.other = draw(d, 3) ? people[who].friend : (int)draw(d, PEOPLE);
    if (c.other == who)
        c.other = people[who].friend;
    if (draw(d, 2))
        c.village = people[c.other].village;
    c.thing = PICK(d, things);
    c.place = PICK(d, places);
    c.weather = PICK(d, weathers);
    return c;
}

static void put_opening(struct text *t, struct draws *d, const struct cast *c)
{
    struct cast home = *c; /* the village of the opening is their own */
    home.village = people[c->who].village;
    put(t, d, &home, PICK(d, openings));
}

static void put_trouble(struct text *t, struct draws *d, const struct cast *c)
{
    const struct trouble *x = &PICK(d, troubles);
    put(t, d, c, x->begin[draw(d, (uint32_t)x->begins)]);
    if (x->helped)
        put(t, d, c, PICK(d, helpers));
    put(t, d, c, x->end[draw(d, (uint32_t)x->ends)]);
}

void make_story(struct text *t, struct draws *d)
{
    struct cast c = cast_for(d, (int)draw(d, PEOPLE));
    put_opening(t, d, &c);
    put(t, d, &c, PICK(d, mornings));
    if (draw(d, 2))
        put(t, d, &c, PICK(d, mornings));
    put_trouble(t, d, &c);
    if (draw(d, 2))
        put(t, d, &c, PICK(d, feasts));
    if (draw(d, 3) == 0)
        put_trouble(t, d, &c);
    put(t, d, &c, PICK(d, ends));
}

void make_short_story(struct text *t, struct draws *d, int who)
{
    struct cast c = cast_for(d, who);
    put_opening(t, d, &c);
    put_trouble(t, d, &c);
    put(t, d, &c, PICK(d, ends));
}
