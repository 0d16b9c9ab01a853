/* Private to src/serve: requests on their way to who answers them. */
#ifndef SERVE_ROUTE_H
#define SERVE_ROUTE_H

#include "assay/listener.h"

struct service;

/* Whoever works for a connection: the first member of what conn_user points to. */
struct guest {
    void (*gone)(struct guest *g);
    void (*drained)(struct guest *g); /* NULL: nobody asks */
};

/* What the listener for callers or, `admin`, for administrators tells. */
struct listener_calls route_calls(struct service *s, bool admin);

#endif
