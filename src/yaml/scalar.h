/* Plain scalars by the core schema of YAML 1.2.2, section 10.3.2. */
#ifndef YAML_SCALAR_H
#define YAML_SCALAR_H

#include "assay/base/bytes.h"

bool scalar_is_null(struct span s);
/* Append a plain scalar as JSON; NULL, or a constant text that says why it is refused. */
const char *scalar_plain(struct buf *json, struct span s);

#endif
