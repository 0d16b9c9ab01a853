#include "log/store.h"
bool server_open(struct log *l, struct err *e)
{
    (void)l, (void)e;
    return true;
}
void server_close(struct log *l)
{
    (void)l;
}
