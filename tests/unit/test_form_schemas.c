/* Schemas that say one thing in several places: what must hold together is one form, or is refused by
 * its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/forms.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define A "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"]}"
#define B "{\"properties\":{\"b\":{\"type\":\"boolean\"}},\"required\":[\"b\"]}"
#define IN(schema) "{\"type\":\"object\",\"properties\":{\"x\":" schema "},\"required\":[\"x\"]}"

static void all_of_several_holds_what_each_says(void **state)
{
    (void)state;
    static const struct form_case cases[] = {
        {"{\"allOf\":[" A "," B "]}",
         {"{\"a\":1,\"b\":true}"},
         {"{\"a\":1}", "{\"b\":true}", "{\"b\":true,\"a\":1}", "{\"a\":1,\"b\":1}"}},
        /* What it refers to comes before what stands beside; the same said twice is said once. */
        {"{\"$ref\":\"#/$defs/"
         "a\",\"properties\":{\"b\":{\"const\":2},\"a\":{\"type\":\"integer\"}},"
         "\"$defs\":{\"a\":" A "}}",
         {"{\"a\":1,\"b\":2}", "{\"a\":1}"},
         {"{\"b\":2}", "{\"a\":1,\"b\":1}", "{\"a\":\"\"}"}},
        {"{\"allOf\":[{\"$ref\":\"#/$defs/a\"},{\"title\":\"t\",\"allOf\":[" B
         ",true]}],\"required\":["
         "\"c\"],\"$defs\":{\"a\":" A "}}",
         {"{\"a\":1,\"b\":true,\"c\":[]}"},
         {"{\"a\":1,\"b\":true}"}},
        /* A member that two describe is as both say: a tag, a bound, an object of its own. */
        {"{\"allOf\":[{\"type\":\"object\",\"properties\":{\"k\":{\"type\":\"string\","
         "\"maxLength\":2},"
         "\"n\":{\"type\":\"number\",\"minimum\":1},\"o\":" A
         "}},{\"properties\":{\"k\":{\"enum\":["
         "\"ab\",\"abc\"]},\"n\":{\"type\":\"integer\",\"maximum\":3,\"minimum\":2},\"o\":" B
         "},\"required\":[\"k\"]}]}",
         {"{\"k\":\"ab\"}", "{\"k\":\"ab\",\"n\":2,\"o\":{\"a\":1,\"b\":false}}"},
         {"{\"k\":\"abc\"}", "{\"k\":\"ab\",\"n\":1}", "{\"k\":\"ab\",\"n\":2.5}",
          "{\"k\":\"ab\",\"o\":{\"a\":1}}", "{}"}},
        /* Others of one are the members of another. */
        {"{\"allOf\":[{\"additionalProperties\":{\"type\":[\"integer\",\"null\"]}},{\"properties\":"
         "{"
         "\"a\":{\"type\":[\"null\",\"string\"]}}}]}",
         {"{\"a\":null}", "{}"},
         {"{\"a\":\"\"}", "{\"a\":1}"}},
        {"{\"allOf\":[{\"properties\":{\"a\":{}},\"additionalProperties\":false},{\"properties\":{"
         "\"b\":{},\"a\":{\"type\":\"null\"}}}]}",
         {"{\"a\":null}", "{}"},
         {"{\"a\":1}", "{\"b\":1}"}},
        /* Of other types as well. */
        {IN("{\"allOf\":[{\"type\":[\"string\",\"null\"]},{\"maxLength\":1},{\"maxLength\":3}]}"),
         {"{\"x\":\"a\"}", "{\"x\":null}"},
         {"{\"x\":\"ab\"}", "{\"x\":1}"}},
        {IN("{\"allOf\":[{\"type\":\"number\"},{\"type\":[\"integer\",\"string\"]}]}"),
         {"{\"x\":1}"},
         {"{\"x\":1.5}", "{\"x\":\"\"}"}},
        {IN("{\"allOf\":[{\"items\":{\"type\":\"integer\"}},{\"items\":{\"minimum\":3}},{"
            "\"minItems\":"
            "1}]}"),
         {"{\"x\":[3]}"},
         {"{\"x\":[2]}", "{\"x\":[]}"}},
        {IN("{\"allOf\":[{\"enum\":[1,\"b\",null]},{\"enum\":[null,2,\"b\"]}],\"type\":"
            "\"string\"}"),
         {"{\"x\":\"b\"}"},
         {"{\"x\":null}", "{\"x\":1}"}}};
    forms_hold(cases, COUNT(cases));
}

/* A schema that leads to itself through others that must hold is made once. */
static void all_of_may_be_recursive(void **state)
{
    (void)state;
    static const struct form_case cases[] = {
        {"{\"$ref\":\"#/$defs/"
         "t\",\"$defs\":{\"named\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":"
         "\"integer\"}},\"required\":[\"n\"]},\"t\":{\"allOf\":[{\"$ref\":\"#/$defs/named\"},{"
         "\"properties\":{\"next\":{\"$ref\":\"#/$defs/t\"}}}]}}}",
         {"{\"n\":1}", "{\"n\":1,\"next\":{\"n\":2,\"next\":{\"n\":3}}}"},
         {"{\"n\":1,\"next\":{}}", "{\"n\":1,\"next\":1}"}},
        {"{\"allOf\":[{\"$ref\":\"#/$defs/a\"},{\"$ref\":\"#/$defs/"
         "b\"}],\"$defs\":{\"a\":{\"type\":"
         "\"object\",\"properties\":{\"x\":{\"$ref\":\"#/$defs/"
         "a\"}}},\"b\":{\"properties\":{\"x\":{"
         "\"$ref\":\"#/$defs/b\"},\"y\":{\"type\":\"null\"}}}}}",
         {"{\"x\":{\"x\":{\"y\":null},\"y\":null}}"},
         {"{\"x\":{\"y\":1}}", "{\"x\":1}"}}};
    forms_hold(cases, COUNT(cases));
}

static void what_cannot_hold_together_is_refused_by_its_place(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {IN("{\"allOf\":[{\"type\":\"string\"},{\"type\":\"integer\"}]}"),
         "#/properties/x/allOf/1/type"},
        {IN("{\"allOf\":[{\"pattern\":\"^a\"},{\"pattern\":\"b$\"}]}"),
         "#/properties/x/allOf/1/pattern"},
        {IN("{\"allOf\":[{\"const\":1},{\"const\":2}]}"), "#/properties/x/allOf/1/const"},
        {IN("{\"allOf\":[{\"enum\":[1,2]},{\"enum\":[3]}]}"), "#/properties/x/allOf/0/enum"},
        {IN("{\"allOf\":[" A ",{\"properties\":{\"a\":{\"type\":\"string\"}}}]}"),
         "#/properties/x/allOf/properties/a/allOf/1/type"},
        {IN("{\"allOf\":[" A ",{\"properties\":{\"b\":{}},\"additionalProperties\":false}]}"),
         "#/properties/x/allOf/required/0"},
        {IN("{\"allOf\":[" A ",{\"patternProperties\":{\"^b\":{}}}]}"),
         "#/properties/x/allOf/1/patternProperties"},
        {IN("{\"allOf\":[{\"prefixItems\":[{}]},{\"items\":{\"type\":\"null\"}}]}"),
         "#/properties/x/allOf/0/prefixItems"},
        {IN("{\"allOf\":[" A ",{\"anyOf\":[{\"required\":[\"b\"]},{\"required\":[\"c\"]}]}]}"),
         "#/properties/x/allOf/type"},
        {IN("{\"allOf\":[" A ",{\"if\":{}}]}"), "#/properties/x/allOf/if"},
        {IN("{\"allOf\":[" A ",false]}"), "#/properties/x/allOf/1"},
        {IN("{\"allOf\":[" A ",{\"$ref\":\"#/$defs/none\"}]}"), "#/properties/x/allOf/1/$ref"},
        {IN("{\"allOf\":[" A ",{\"$ref\":\"#/properties/x\"}]}"), "#/properties/x"},
        {IN("{\"allOf\":[]}"), "#/properties/x/allOf"},
        {IN("{\"oneOf\":[{\"allOf\":[{\"enum\":[1,2]},{\"enum\":[1.0,2]}]},{\"const\":1}]}"),
         "#/properties/x/oneOf"},
        {IN("{\"allOf\":[{\"minimum\":1e300},{\"type\":\"number\"}]}"),
         "#/properties/x/allOf/0/minimum"}};
    forms_refused(cases, COUNT(cases));
}

static void constants_that_are_left_out_are_not_taken(void **state)
{
    (void)state;
    static const struct form_case cases[] = {
        {IN("{\"enum\":[1,\"a\",null,[1,{\"k\":2}],{\"x\":1,\"y\":2}],\"not\":{\"enum\":[1.0,null,["
            "1,{"
            "\"k\":2}],{\"y\":2,\"x\":1e0}]}}"),
         {"{\"x\":\"a\"}"},
         {"{\"x\":1}", "{\"x\":null}", "{\"x\":[1,{\"k\":2}]}", "{\"x\":{\"x\":1,\"y\":2}}"}},
        {IN("{\"type\":[\"string\",\"null\",\"boolean\"],\"not\":{\"enum\":[null,true,\"\",\"ab\","
            "\"\xc3\xa9\"]}"
            "}"),
         {"{\"x\":false}", "{\"x\":\"a\"}", "{\"x\":\"abc\"}", "{\"x\":\"aa\"}"},
         {"{\"x\":null}", "{\"x\":true}", "{\"x\":\"\"}", "{\"x\":\"ab\"}", "{\"x\":\"\xc3\xa9\"}",
          "{\"x\":\"\\u0061b\"}"}},
        {IN("{\"type\":\"string\",\"pattern\":\"^[ab]{1,2}$\",\"not\":{\"const\":\"ab\"}}"),
         {"{\"x\":\"a\"}", "{\"x\":\"ba\"}"},
         {"{\"x\":\"ab\"}", "{\"x\":\"c\"}"}},
        /* What is left out is of another type, or too long: any string with an escape is taken. */
        {IN("{\"type\":\"string\",\"maxLength\":2,\"not\":{\"enum\":[1,\"abc\"]}}"),
         {"{\"x\":\"\\u0061b\"}", "{\"x\":\"\"}"},
         {"{\"x\":\"abc\"}"}},
        {IN("{\"type\":\"integer\",\"minimum\":0,\"maximum\":12,\"multipleOf\":2,\"not\":{\"enum\":"
            "[0,1,"
            "6.0,12,100]}}"),
         {"{\"x\":2}", "{\"x\":10}", "{\"x\":4}"},
         {"{\"x\":0}", "{\"x\":6}", "{\"x\":12}", "{\"x\":1}", "{\"x\":3}"}},
        {IN("{\"type\":\"integer\",\"minimum\":-2.5,\"maximum\":0,\"not\":{\"const\":-1}}"),
         {"{\"x\":-2}", "{\"x\":0}"},
         {"{\"x\":-1}", "{\"x\":-3}"}},
        {IN("{\"type\":\"number\",\"minimum\":0,\"not\":{\"const\":0.0}}"),
         {"{\"x\":0.5}", "{\"x\":3}"},
         {"{\"x\":0}", "{\"x\":0.0}"}},
        {IN("{\"type\":\"array\",\"not\":{\"const\":[]}}"), {"{\"x\":[1]}"}, {"{\"x\":[]}"}},
        {IN("{\"allOf\":[{\"enum\":[\"a\",\"b\"]},{\"not\":{\"const\":\"a\"}}]}"),
         {"{\"x\":\"b\"}"},
         {"{\"x\":\"a\"}"}}};
    forms_hold(cases, COUNT(cases));
}

static void what_cannot_be_left_out_is_refused_by_its_place(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {IN("{\"not\":{}}"), "#/properties/x/not"},
        {IN("{\"not\":{\"type\":\"string\"}}"), "#/properties/x/not"},
        {IN("{\"type\":\"string\",\"not\":{\"enum\":[\"a\"],\"minLength\":3}}"),
         "#/properties/x/not"},
        {IN("{\"type\":\"string\",\"not\":{\"enum\":\"a\"}}"), "#/properties/x/not"},
        {IN("{\"type\":\"number\",\"not\":{\"const\":3}}"), "#/properties/x/not"},
        {IN("{\"type\":\"integer\",\"minimum\":0,\"not\":{\"const\":3}}"), "#/properties/x/not"},
        {IN("{\"not\":{\"const\":3}}"), "#/properties/x/not"},
        {IN("{\"type\":\"null\",\"not\":{\"const\":null}}"), "#/properties/x/not"},
        {IN("{\"type\":\"boolean\",\"not\":{\"enum\":[false,true]}}"), "#/properties/x/not"},
        {IN("{\"enum\":[1],\"not\":{\"const\":1}}"), "#/properties/x/enum"},
        {IN("{\"type\":\"object\",\"not\":{\"const\":{}}}"), "#/properties/x/not"},
        {IN("{\"type\":\"array\",\"not\":{\"const\":[1]}}"), "#/properties/x/not"},
        {IN("{\"anyOf\":[{\"type\":\"null\"}],\"not\":{\"const\":1}}"), "#/properties/x/not"}};
    forms_refused(cases, COUNT(cases));
}

static void unique_items_come_once(void **state)
{
    (void)state;
    static const struct form_case cases[] = {
        {IN("{\"type\":\"array\",\"items\":{\"enum\":[\"a\",\"ab\",1,12,null]},\"uniqueItems\":"
            "true}"),
         {"{\"x\":[]}", "{\"x\":[1, 12 ,\"ab\",\"a\",null]}", "{\"x\":[12,1]}"},
         {"{\"x\":[1,1]}", "{\"x\":[12,1,12]}", "{\"x\":[\"a\",\"b\"]}", "{\"x\":[\"ab\",\"ab\"]}",
          "{\"x\":[1,12,\"ab\",\"a\",null,1]}", "{\"x\":[1,12,\"ab\",\"a\",null,]}"}},
        {IN("{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/"
            "c\"},\"uniqueItems\":true,\"minItems\":2}"
            "},\"$defs\":{\"c\":{\"type\":\"boolean\"}"),
         {"{\"x\":[true,false]}", "{\"x\":[false, true]}"},
         {"{\"x\":[true]}", "{\"x\":[true,true]}"}},
        {IN("{\"type\":\"array\",\"items\":{},\"uniqueItems\":true,\"maxItems\":1}"),
         {"{\"x\":[{}]}"},
         {"{\"x\":[1,2]}"}},
        {IN("{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"enum\":[1,2]},"
            "\"uniqueItems\":"
            "true,\"minItems\":2},\"maxItems\":2}"),
         {"{\"x\":[[1,2],[1,2]]}", "{\"x\":[[2,1],[1,2]]}"},
         {"{\"x\":[[1,1]]}", "{\"x\":[[1]]}"}}};
    forms_hold(cases, COUNT(cases));
}

static void items_that_match_are_counted(void **state)
{
    (void)state;
    static const struct form_case cases[] = {
        {IN("{\"type\":\"array\",\"items\":{\"enum\":[\"a\",\"ab\",\"b\"]},\"contains\":{\"const\":"
            "\"ab\"}}"),
         {"{\"x\":[\"ab\"]}", "{\"x\":[\"a\",\"b\",\"ab\",\"ab\"]}"},
         {"{\"x\":[]}", "{\"x\":[\"a\",\"b\"]}"}},
        {IN("{\"type\":\"array\",\"items\":{\"enum\":[\"a\",\"ab\",\"b\"]},\"contains\":{\"enum\":["
            "\"ab\","
            "\"a\"]},\"minContains\":2,\"maxContains\":3,\"maxItems\":4}"),
         {"{\"x\":[\"ab\",\"a\"]}", "{\"x\":[\"b\",\"b\",\"a\",\"a\"]}",
          "{\"x\":[\"a\",\"a\",\"b\",\"a\"]}"},
         {"{\"x\":[\"ab\"]}", "{\"x\":[\"a\",\"a\",\"a\",\"a\"]}", "{\"x\":[\"b\",\"b\",\"b\"",
          "{\"x\":[\"a\",\"b\",\"b\",\"b\""}},
        {IN("{\"type\":\"array\",\"items\":{\"type\":\"string\",\"maxLength\":3},\"contains\":{"
            "\"const\":\"ab\""
            "},\"maxContains\":1}"),
         {"{\"x\":[\"a\",\"ab\",\"abc\"]}"},
         {"{\"x\":[\"a\",\"abc\"]}", "{\"x\":[\"ab\",\"ab\"]}", "{\"x\":[\"abcd\",\"ab\"]}"}},
        {IN("{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":9},"
            "\"contains\":{"
            "\"const\":7.0},\"minContains\":0,\"maxContains\":1}"),
         {"{\"x\":[]}", "{\"x\":[1,2,7.0,3]}"},
         {"{\"x\":[7.0,7.0]}", "{\"x\":[7]}"}},
        {IN("{\"type\":\"array\",\"items\":{\"enum\":[1e30,2]},\"contains\":{\"const\":2.0}}"),
         {"{\"x\":[2]}", "{\"x\":[1e30,2]}"},
         {"{\"x\":[1e30]}"}},
        /* All of them, or none. */
        {IN("{\"type\":\"array\",\"items\":{\"const\":1},\"contains\":{\"enum\":[1,2]},"
            "\"minContains\":2,"
            "\"maxContains\":3}"),
         {"{\"x\":[1,1]}", "{\"x\":[1,1,1]}"},
         {"{\"x\":[1]}", "{\"x\":[1,1,1,1]}"}},
        {IN("{\"type\":\"array\",\"items\":{\"const\":1},\"contains\":{\"const\":2},"
            "\"minContains\":0}"),
         {"{\"x\":[]}", "{\"x\":[1,1]}"},
         {"{\"x\":[2]}"}}};
    forms_hold(cases, COUNT(cases));
}

static void arrays_that_cannot_be_held_to_are_refused_by_their_place(void **state)
{
    (void)state;
#define ARRAY(more) IN("{\"type\":\"array\"," more "}")
    static const char *const cases[][2] = {
        {ARRAY("\"uniqueItems\":true"), "#/properties/x/uniqueItems"},
        {ARRAY("\"items\":{\"type\":\"string\"},\"uniqueItems\":true"),
         "#/properties/x/uniqueItems"},
        {ARRAY("\"items\":{\"enum\":[1,1.0]},\"uniqueItems\":true"), "#/properties/x/uniqueItems"},
        {ARRAY("\"items\":{\"enum\":[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]},\"uniqueItems\":true"),
         "#/properties/x/uniqueItems"},
        {ARRAY("\"items\":{\"enum\":[1,2]},\"uniqueItems\":1"), "#/properties/x/uniqueItems"},
        {ARRAY("\"items\":{\"enum\":[1,2]},\"uniqueItems\":true,\"minItems\":3"),
         "#/properties/x/minItems"},
        {ARRAY("\"items\":{\"enum\":[1,2]},\"uniqueItems\":true,\"contains\":{\"const\":1}"),
         "#/properties/x/uniqueItems"},
        {ARRAY("\"items\":{\"type\":\"string\"},\"contains\":{\"type\":\"string\"}"),
         "#/properties/x/contains"},
        {ARRAY("\"items\":{\"type\":\"number\"},\"contains\":{\"const\":1}"),
         "#/properties/x/contains"},
        {ARRAY("\"contains\":{\"const\":1}"), "#/properties/x/contains"},
        {ARRAY("\"items\":{\"type\":[\"string\",\"null\"]},\"contains\":{\"const\":\"a\"}"),
         "#/properties/x/contains"},
        {ARRAY("\"items\":{\"const\":1},\"contains\":{\"const\":2}"), "#/properties/x/contains"},
        {ARRAY("\"prefixItems\":[{}],\"items\":{\"enum\":[1,2]},\"contains\":{\"const\":1}"),
         "#/properties/x/contains"},
        {ARRAY("\"items\":{\"enum\":[1,2]},\"contains\":{\"const\":1},\"minContains\":3,"
               "\"maxItems\":2"),
         "#/properties/x/contains"},
        {ARRAY("\"items\":{\"enum\":[1,2]},\"contains\":{\"const\":1},\"minContains\":3,"
               "\"maxContains\":2"),
         "#/properties/x/maxContains"},
        {ARRAY("\"items\":{\"enum\":[1,2]},\"contains\":{\"const\":1},\"minContains\":300"),
         "#/properties/x/minContains"}};
    forms_refused(cases, COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_several_holds_what_each_says),
        cmocka_unit_test(all_of_may_be_recursive),
        cmocka_unit_test(what_cannot_hold_together_is_refused_by_its_place),
        cmocka_unit_test(constants_that_are_left_out_are_not_taken),
        cmocka_unit_test(what_cannot_be_left_out_is_refused_by_its_place),
        cmocka_unit_test(unique_items_come_once),
        cmocka_unit_test(items_that_match_are_counted),
        cmocka_unit_test(arrays_that_cannot_be_held_to_are_refused_by_their_place),
    };
    return cmocka_run_group_tests(tests, forms_setup, forms_teardown);
}
