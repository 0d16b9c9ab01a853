/* An errand and a guest in one: whichever of them is told first, the other is not told of it. */
#include "serve/front/question.h"

static void told(struct errand *x, bool over)
{
    struct question *q = (struct question *)(void *)x;
    if (!over && q->done)
        q->done(q);
    if (!over && q->conn) {
        conn_set_user(q->conn, NULL);
        q->answer(q);
    }
    q->forget(q);
}

static void on_gone(struct guest *g)
{
    struct question *q = (struct question *)(void *)((char *)g - offsetof(struct question, guest));
    conn_set_user(q->conn, NULL);
    q->conn = NULL;
}

bool question_ask(struct errands *x, struct question *q, struct conn *c)
{
    q->errand.told = told;
    q->guest.gone = on_gone;
    q->conn = c;
    if (!errands_add(x, &q->errand))
        return false;
    conn_set_user(c, &q->guest);
    return true;
}
