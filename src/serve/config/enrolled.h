/* Private to src/serve: the models that were enrolled in the log, and whether an engine has them. */
#ifndef SERVE_ENROLLED_H
#define SERVE_ENROLLED_H

#include "serve/config/settings.h"

bool enrolled_read(struct settings *s, struct err *e) ASSAY_MUST_CHECK;
const struct enrolled *enrolled_find(const struct settings *s, struct span name);
/* Whether an engine has the weights that were enrolled under the name, if any were. */
struct engine;
bool enrolled_agrees(const struct settings *s, struct span name, const struct engine *g,
                     struct err *e) ASSAY_MUST_CHECK;

#endif
