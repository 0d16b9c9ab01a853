/* Private to src/serve: how a configuration is read (fields.c) and judged (judge.c). */
#ifndef SERVE_FIELDS_H
#define SERVE_FIELDS_H

#include "assay/yaml.h"
#include "serve/config/settings.h"

extern const struct config_field settings_fields[]; /* of struct settings */
extern const struct limits_config settings_limits;  /* where none are configured */

/* Names must exist, addresses be addresses, keys be found where they stand; fills what is made of
 * the fields. The error names the line of `y`, or the value. */
bool serve_settings_judge(struct settings *s, const struct yaml *y, struct err *e) ASSAY_MUST_CHECK;

/* addresses.c: one upstream's, which gets the one form in which it is sent and recorded; and those
 * where the server listens, where nobody beyond this machine is served by accident. */
bool serve_settings_judge_url(struct upstream_config *u, struct arena *a,
                              struct err *e) ASSAY_MUST_CHECK;
bool serve_settings_judge_addresses(struct settings *s, struct err *e) ASSAY_MUST_CHECK;

#endif
