/*
 * Looking callables up by name, when a template is parsed and when it runs.
 */
#include "template/filters.h"

static const struct function *in_table(const struct function *table, struct span name)
{
    for (; table->name; table++)
        if (span_is(name, table->name))
            return table;
    return NULL;
}

const struct function *find_filter(struct span name)
{
    const struct function *f = in_table(value_filters, name);
    f = f ? f : in_table(string_filters, name);
    return f ? f : in_table(list_filters, name);
}

const struct function *find_test(struct span name)
{
    return in_table(all_tests, name);
}

const struct function *find_function(struct span name)
{
    return in_table(all_functions, name);
}

const struct function *find_method(struct span name, enum value_type of)
{
    const struct function *f;
    switch (of) {
    case V_STRING:
        f = in_table(string_methods, name);
        return f ? f : in_table(string_filter_methods, name);
    case V_LIST:
        return in_table(list_methods, name);
    case V_TUPLE:
        f = in_table(list_methods, name);
        return f && (span_is(name, "index") || span_is(name, "count")) ? f : NULL;
    case V_DICT:
        return in_table(dict_methods, name);
    case V_LOOP:
        return in_table(loop_methods, name);
    case V_FUNCTION:
        return in_table(dict_type_methods, name);
    case V_UNDEFINED:
    case V_NONE:
    case V_BOOL:
    case V_INTEGER:
    case V_FLOAT:
    case V_NAMESPACE:
    case V_MACRO:
    case V_METHOD:
    case V_TYPES:
        break;
    }
    return NULL;
}

bool known_filter(struct span name)
{
    return find_filter(name) != NULL;
}

bool known_test(struct span name)
{
    return find_test(name) != NULL;
}

bool known_function(struct span name)
{
    return find_function(name) != NULL;
}

bool known_method(struct span name)
{
    return find_method(name, V_STRING) || find_method(name, V_LIST) || find_method(name, V_DICT) ||
           find_method(name, V_LOOP) || find_method(name, V_FUNCTION);
}
