/* Private to src/net: what stands behind struct loop. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <event2/event.h>

#include "assay/loop.h"

struct loop {
    struct event_base *base;
};

#endif
