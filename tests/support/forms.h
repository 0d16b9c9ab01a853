/* Forms of schemas, and what they take. */
#ifndef TESTS_FORMS_H
#define TESTS_FORMS_H

#include "engine/form.h"

/* Fixtures of a group: an arena, and of the last form that was refused where and why. */
extern struct arena *forms_arena;
extern struct engine_form_wrong forms_wrong;
extern struct err forms_why;
int forms_setup(void **state);
int forms_teardown(void **state);

/* NULL: it is refused. */
const struct engine_form *form_made(const char *alternatives);
const struct engine_form *form_of_schema(const char *schema);
/* Whole: it is over with the last octet, and not before. */
bool form_is(const struct engine_form *f, const char *text);

/* A schema, what its form takes and what it does not; each list ends with NULL. */
struct form_case {
    const char *schema, *taken[6], *not [6];
};
void forms_hold(const struct form_case *cases, size_t n);
/* Schemas that answers are not held to, and the place that is named. */
void forms_refused(const char *const (*cases)[2], size_t n);

#endif
