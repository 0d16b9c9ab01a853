#include "support/forms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "assay/base/json.h"

struct arena *forms_arena;
struct engine_form_wrong forms_wrong;
struct err forms_why;

int forms_setup(void **state)
{
    (void)state;
    forms_arena = arena_new(256 << 20);
    return forms_arena ? 0 : -1;
}

int forms_teardown(void **state)
{
    (void)state;
    arena_free(forms_arena);
    return 0;
}

const struct engine_form *form_made(const char *alternatives)
{
    const struct engine_form *f;
    struct json root;
    forms_why = (struct err)ERR_INIT;
    const char *copy = arena_str(forms_arena, span_str(alternatives));
    if (!json_parse(&root, span_str(copy), JSON_STRICT, forms_arena, &forms_why))
        fail_msg("%s: %s", alternatives, forms_why.text);
    return engine_form_read(&f, root, forms_arena, &forms_wrong, &forms_why) ? f : NULL;
}

const struct engine_form *form_of_schema(const char *schema)
{
    return form_made(arena_printf(forms_arena, "[{\"schema\":%s}]", schema));
}

bool form_is(const struct engine_form *f, const char *text)
{
    struct form_state s;
    form_begin(&s, f);
    for (size_t i = 0; text[i]; i++)
        if (s.over || !form_push(&s, (struct span){(const uint8_t *)text + i, 1}, false))
            return false;
    return s.over;
}

void forms_hold(const struct form_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct engine_form *f = form_of_schema(cases[i].schema);
        if (!f)
            fail_msg("%s: %s %s", cases[i].schema, forms_wrong.where, forms_why.text);
        for (size_t k = 0; k < 6 && cases[i].taken[k]; k++)
            if (!form_is(f, cases[i].taken[k]))
                fail_msg("%s: %s was not taken", cases[i].schema, cases[i].taken[k]);
        for (size_t k = 0; k < 6 && cases[i].not [k]; k++)
            if (form_is(f, cases[i].not [k]))
                fail_msg("%s: %s was taken", cases[i].schema, cases[i].not [k]);
    }
}

void forms_refused(const char *const (*cases)[2], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (form_of_schema(cases[i][0]))
            fail_msg("%s was made", cases[i][0]);
        assert_int_equal(forms_why.code, ERR_UNSUPPORTED);
        if (strcmp(forms_wrong.where, cases[i][1]) != 0)
            fail_msg("%s: %s %s", cases[i][0], forms_wrong.where, forms_why.text);
    }
}
