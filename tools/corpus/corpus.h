/* What the corpus is made of: stories, and chats of a few turns. */
#ifndef CORPUS_CORPUS_H
#define CORPUS_CORPUS_H

#include "text.h"

enum { CHAT_TURNS = 3 };

struct turn {
    struct text question, answer;
};

struct chat {
    struct turn turn[CHAT_TURNS];
    int turns;
};

void make_story(struct text *t, struct draws *d);
/* The story in at most five sentences, about one person. */
void make_short_story(struct text *t, struct draws *d, int who);
void make_chat(struct chat *c, struct draws *d);

#endif
