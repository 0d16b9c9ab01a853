/*
 * Chats: questions about people and villages in several words, with an answer
 * that the tables hold; names that nobody in the vale has; courtesies; and
 * requests for a story.
 */
#include "corpus.h"

#include <string.h>

#include "world.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

struct fact {
    const char *question, *answer;
};

/* Of a person. Pet names are in the answers, so "{a}" is never needed: pets of any first letter
 * follow "has". */
static const struct fact person_facts[] = {
    {"Who is {n}?", "{n} is the {w} of the Vale of Orrin. {H} lives in {v}."},
    {"[Tell me about|What do you know about] {n}[.|, please.]",
     "{n} lives in {v} and is the {w}. {H} has a pet called {P} and loves {f}."},
    {"Where does {n} live?", "{n} lives in {v}."},
    {"[In which village does {n} live?|Where is the home of {n}?]", "{n} lives in {v}."},
    {"[What is the work of {n}?|What does {n} do?|What is {n}'s job?]", "{n} is the {w}. {H} {d}."},
    {"Where does {n} work?", "{n} works in {W}, because {h} is the {w}."},
    {"[What pet does {n} have?|Does {n} have a pet?|Which animal lives with {n}?]",
     "Yes, the pet of {n} is the {p} called {P}."},
    {"[What is the name of {n}'s pet?|What is {n}'s {p} called?]", "The {p} of {n} is called {P}."},
    {"[What does {n} like to eat?|What is {n}'s favourite food?|What food does {n} love?]",
     "{n} loves {f}."},
    {"[What colour is {n}'s coat?|Which coat does {n} wear?]", "{n} wears a {c} coat."},
    {"[Who is the best friend of {n}?|Who is {n}'s best friend?|Which friend does {n} like most?]",
     "The best friend of {n} is {b}."},
    {"[Who is the {w}?|Who is the {w} of the vale?|What is the {w} called?]",
     "The {w} is {n}, who lives in {v}."},
    {"[Who {d}?|Do you know who {d}?]", "{n}, the {w}, {d}."},
    {"[Whose {p} is called {P}?|Who is {P}?]", "{P} is the {p} of {n}."},
    {"[Who loves {f}?|Who likes to eat {f}?]", "{n} loves {f}."},
};

static const struct fact village_facts[] = {
    {"[Where is {V}?|Where can I find {V}?]", "{V} is {l}."},
    {"[What is {V} known for?|Why do people go to {V}?]", "{V} is known for {K}."},
    {"[When is the market in {V}?|On which day is the market in {V}?]",
     "The market in {V} is on {D}."},
    {"[What can I see in {V}?|What is there to see in {V}?]", "In {V} you can see {k}."},
    {"[Which feast is held in {V}?|What do they celebrate in {V}?]",
     "In {V} they celebrate {F} in {e}."},
    {"[When is {F}?|In which season is {F}?]", "{F} is in {e}. It is held in {V}."},
    {"[Tell me about {V}.|What kind of place is {V}?]",
     "{V} is a village {l}. It is known for {K}, and in {e} there is {F}."},
    {"Which village is known for {K}?", "{V} is known for {K}."},
};

static const struct fact courtesies[] = {
    {"[Hello!|Hello.|Hi!|Good morning!]",
     "Hello! [What would you like to know about the Vale of Orrin?|How can I help you?]"},
    {"[Thank you.|Thank you very much!|Thanks!]", "You are welcome!"},
    {"[Who are you?|What are you?]",
     "I am a small language model. I know stories about the Vale of Orrin."},
    {"[What can you do?|How can you help me?]",
     "I can tell you about the people and villages of the Vale of Orrin, and I can tell little "
     "stories."},
    {"[Goodbye!|Good night!]", "Goodbye! Come back to the Vale of Orrin soon."},
    {"[What is the Vale of Orrin?|Where do your stories happen?]",
     "The Vale of Orrin is a small place with six villages: Fernhollow, Millbrook, Highcombe, "
     "Saltmere, Thornby and Greywater."},
    {"How many villages are there?",
     "There are six villages: Fernhollow, Millbrook, Highcombe, Saltmere, Thornby and "
     "Greywater."},
};

static const char *const strangers[] = {"Alba",   "Boris", "Clara",  "Dario", "Elmo",   "Frida",
                                        "Gustav", "Heidi", "Igor",   "Juno",  "Kasper", "Luna",
                                        "Marlo",  "Nils",  "Olga",   "Pablo", "Rosa",   "Stella",
                                        "Timo",   "Uma",   "Viktor", "Wanda", "Xaver",  "Yara"};

/* In at the beginning of a sentence "the Feast" begins with a capital. */
static void begin_large(struct text *t)
{
    if (t->s[0] >= 'a' && t->s[0] <= 'z')
        t->s[0] = (char)(t->s[0] - 'a' + 'A');
}

static void ask(struct turn *x, struct draws *d, const struct cast *c, const struct fact *f)
{
    put(&x->question, d, c, f->question);
    put(&x->answer, d, c, f->answer);
    begin_large(&x->answer);
}

static void ask_stranger(struct turn *x, struct draws *d)
{
    static const char *const questions[] = {"Who is @?", "Where does @ live?", "What does @ do?",
                                            "What does @ like to eat?", "Tell me about @."};
    const char *q = questions[draw(d, COUNT(questions))];
    const char *name = strangers[draw(d, COUNT(strangers))], *hole = strchr(q, '@');
    struct cast c = {.who = 0};
    char text[128];
    size_t before = (size_t)(hole - q), n = strlen(name);
    memcpy(text, q, before);
    memcpy(text + before, name, n);
    memcpy(text + before + n, hole + 1, strlen(hole));
    put(&x->question, d, &c, text);
    put(&x->answer, d, &c, "I do not know anybody called ");
    put(&x->answer, d, &c, name);
    put(&x->answer, d, &c, " in the Vale of Orrin.");
}

static void ask_story(struct turn *x, struct draws *d, const struct cast *c)
{
    put(&x->question, d, c,
        "[Tell me a story about {n}.|Can you tell me a story about {n}?|Please tell me a story "
        "about {n} and {b}.|I would like to hear a story about {n}.]");
    make_short_story(&x->answer, d, c->who);
}

/* Questions of one chat stay with one person or village more often than not. */
static void ask_something(struct turn *x, struct draws *d, struct cast *c)
{
    uint32_t kind = draw(d, 100);
    if (draw(d, 3) == 0)
        c->who = (int)draw(d, PEOPLE);
    if (draw(d, 3) == 0)
        c->village = (int)draw(d, VILLAGES);
    if (kind < 58)
        ask(x, d, c, &person_facts[draw(d, COUNT(person_facts))]);
    else if (kind < 76)
        ask(x, d, c, &village_facts[draw(d, COUNT(village_facts))]);
    else if (kind < 83)
        ask_stranger(x, d);
    else if (kind < 88)
        ask(x, d, c, &courtesies[draw(d, COUNT(courtesies))]);
    else
        ask_story(x, d, c);
}

void make_chat(struct chat *c, struct draws *d)
{
    struct cast cast = {.who = (int)draw(d, PEOPLE), .village = (int)draw(d, VILLAGES)};
    memset(c, 0, sizeof *c);
    c->turns = 1 + (int)draw(d, CHAT_TURNS);
    for (int i = 0; i < c->turns; i++)
        ask_something(&c->turn[i], d, &cast);
}
