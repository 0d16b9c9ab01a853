/* Forms: what a schema allows is taken octet by octet, nothing else is, and there is always a way
 * on. What cannot be held to is refused by its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/json.h"
#include "engine/form.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct arena *arena;
static struct engine_form_wrong wrong;
static struct err why;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(64 << 20);
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* NULL: it is refused; why and wrong say so. */
static const struct engine_form *made(const char *alternatives)
{
    const struct engine_form *f;
    struct json root;
    why = (struct err)ERR_INIT;
    const char *copy = arena_str(arena, span_str(alternatives));
    if (!json_parse(&root, span_str(copy), JSON_STRICT, arena, &why))
        fail_msg("%s: %s", alternatives, why.text);
    return engine_form_read(&f, root, arena, &wrong, &why) ? f : NULL;
}

static const struct engine_form *of_schema(const char *schema)
{
    return made(arena_printf(arena, "[{\"schema\":%s}]", schema));
}

static const struct engine_form *good(const char *schema)
{
    const struct engine_form *f = of_schema(schema);
    if (!f)
        fail_msg("%s: %s %s", schema, wrong.where, why.text);
    return f;
}

/* Whole: it is over with the last octet, and not before. */
static bool takes(const struct engine_form *f, const char *text)
{
    struct form_state s;
    form_begin(&s, f);
    for (size_t i = 0; text[i]; i++)
        if (s.over || !form_push(&s, (struct span){(const uint8_t *)text + i, 1}, false))
            return false;
    return s.over;
}

/* ---- any object ---- */

static void any_object_is_taken_and_over_at_its_end(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "{ }",
        "{\"a\":1}",
        "{\"a\":[],\"b\":[1,-0.5e+10,0,10,1E2],\"c\":{\"d\":null}}",
        "{\"\\u00e9\\n\\\"\\uD7FF\":\"\xc3\xa9 \\\\\xf0\x9f\x98\x80\",\"t\":true,\"f\":false}",
        "{\n  \"a\" : [ 1 , 2 ] ,\t\"b\" : 3 }"};
    const struct engine_form *f = good("{\"type\":\"object\"}");
    for (size_t i = 0; i < COUNT(texts); i++)
        if (!takes(f, texts[i]))
            fail_msg("%s", texts[i]);
    assert_false(takes(f, "{} ") || takes(f, " {}"));
}

static void what_is_no_object_is_not_taken(void **state)
{
    (void)state;
    static const char *const texts[] = {"[",
                                        "1",
                                        "\"a\"",
                                        "{a",
                                        "{\"a\" 1",
                                        "{\"a\":,",
                                        "{,",
                                        "{\"a\":01",
                                        "{\"a\":1.}",
                                        "{\"a\":-}",
                                        "{\"a\":1e}",
                                        "{\"a\":tru}",
                                        "{\"a\":tx",
                                        "{\"a\":1,}",
                                        "{\"a\":[1,]",
                                        "{\"a\":[}",
                                        "{\"a\":1]",
                                        "{\"a\":\"\\x",
                                        "{\"a\":\"\\u12g",
                                        "{\"a\":\"\\ud800\"}",
                                        "{\"a\":\"\\uDFFF\"}",
                                        "{\"a\n",
                                        "{\"a\":1 2",
                                        "{\"a\":+1",
                                        "{\"a\":.5",
                                        "{\"a\":1..",
                                        "{\"a\":1e5e",
                                        "{\"a\":1.5.",
                                        "{\"a\":\"\x01",
                                        "{\"a\":\"\x80\"}",
                                        "{\"a\":\"\xc0\x80\"}",
                                        "{\"a\":\"\xc3\"}",
                                        "{\"a\":\"\xe0\x9f\xbf\"}",
                                        "{\"a\":\"\xed\xa0\x80\"}",
                                        "{\"a\":\"\xf4\x90\x80\x80\"}"};
    const struct engine_form *f = good("{\"type\":\"object\"}");
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct form_state s;
        form_begin(&s, f);
        if (form_push(&s, span_str(texts[i]), false))
            fail_msg("%s was taken", texts[i]);
    }
}

/* The strict reader is the judge: texts made at random of what JSON is made of. */
static void form_and_reader_agree(void **state)
{
    (void)state;
    static const char *const pieces[] = {"{", "}",  "[",  "]",    ":",    ",", "\"a\"",   "1",
                                         "-", ".5", "e3", "true", "null", " ", "\"\\n\"", "0"};
    const struct engine_form *f = good("{\"type\":\"object\"}");
    uint32_t seed = 1;
    unsigned both = 0;
    for (int i = 0; i < 20000; i++) {
        struct form_state s, then;
        struct json root;
        char text[128] = "{\"k\":";
        size_t n = strlen(text);
        form_begin(&s, f);
        assert_true(form_push(&s, span_str(text), false));
        for (int k = 0; k < 8 && !s.over; k++) {
            seed = seed * 1664525u + 1013904223u;
            const char *p = pieces[(seed >> 16) % COUNT(pieces)];
            form_copy(&then, &s);
            if (!form_push(&then, span_str(p), false))
                continue; /* as the sampler does */
            form_copy(&s, &then);
            n += (size_t)snprintf(text + n, sizeof text - n, "%s", p);
        }
        struct arena *a = arena_new(1 << 20);
        bool read = json_parse(&root, span_str(text), JSON_KEEP_DUPLICATES, a, NULL);
        if (read != s.over)
            fail_msg("%s: %d", text, read);
        both += read;
        arena_free(a);
    }
    assert_true(both > 100);
}

/* ---- schemas ---- */

#define OBJECT(properties) "{\"type\":\"object\",\"properties\":{" properties "}"

static void schemas_are_held_to(void **state)
{
    (void)state;
    static const struct {
        const char *schema;
        const char *taken[5], *not [8];
    } cases[] = {
        {OBJECT("\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"string\"},\"ab\":{}") ",\"requir"
                                                                                      "ed\":"
                                                                                      "[\"b\"]}",
         {"{\"a\":-12,\"b\":\"x\"}", "{\"b\":\"\"}", "{ \"b\" : \"x\" , \"ab\" : [ { } ] }"},
         {"{}", "{\"a\":1}", "{\"b\":\"\",\"a\":1}", "{\"a\":1.5,\"b\":\"\"}",
          "{\"b\":\"\",\"c\":1}", "{\"a\":1,\"a\":1,\"b\":\"\"}", "{\"ab\":1,\"b\":\"\"}"}},
        {OBJECT("\"n\":{\"type\":[\"integer\",\"number\",\"null\"]}") "}",
         {"{\"n\":1.5e-3}", "{\"n\":null}", "{\"n\":0}", "{}"},
         {"{\"n\":\"\"}", "{\"n\":nul}", "{\"n\":true}"}},
        {OBJECT("\"e\":{\"enum\":[1,12,\"a\",\"ab\",{\"k\": [1, 2]},null,true]}") ",\"require"
                                                                                  "d\":["
                                                                                  "\"e\"]}",
         {"{\"e\":1}", "{\"e\":12 }", "{\"e\":\"ab\"}", "{\"e\":{\"k\":[1,2]}}", "{\"e\":null}"},
         {"{\"e\":2}", "{\"e\":123}", "{\"e\":\"abc\"}", "{\"e\":\"b\"}", "{\"e\":{\"k\":[1]}}",
          "{\"e\":false}", "{\"e\":}"}},
        {OBJECT("\"e\":{\"type\":\"string\",\"enum\":[1,\"a\"]}") "}",
         {"{\"e\":\"a\"}"},
         {"{\"e\":1}"}},
        {OBJECT("\"c\":{\"const\":\"\xc3\xa9\\n\"}") "}",
         {"{\"c\":\"\xc3\xa9\\n\"}"},
         {"{\"c\":\"e\"}"}},
        {OBJECT("\"l\":{\"type\":\"array\",\"items\":{\"type\":\"boolean\"},\"minItems\":1,"
                "\"maxItems\":2}") "}",
         {"{\"l\":[true]}", "{\"l\":[true,false]}", "{\"l\":[ false , true ]}"},
         {"{\"l\":[]}", "{\"l\":[true,true,true]}", "{\"l\":[1]}", "{\"l\":[true,]}"}},
        {OBJECT("\"l\":{\"type\":\"array\",\"maxItems\":0}") "}", {"{\"l\":[ ]}"}, {"{\"l\":[1]}"}},
        {OBJECT("\"s\":{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}") "}",
         {"{\"s\":\"ab\"}", "{\"s\":\"\xc3\xa9\\u00e9\xf0\x9f\x98\x80\"}", "{\"s\":\"\\\"\\\"\"}"},
         {"{\"s\":\"a\"}", "{\"s\":\"abcd\"}", "{\"s\":\"\xc3\xa9\"}", "{\"s\":\"\\n\"}"}},
        {OBJECT("\"x\":{\"anyOf\":[{\"type\":\"null\"}," OBJECT(
             "\"k\":{\"const\":\"a\"},\"v\":{"
             "\"type\":\"integer\"}") ",\"required\":[\"k\",\"v\"]}," OBJECT("\"k\":{"
                                                                             "\"const\":"
                                                                             "\"ab\"},"
                                                                             "\"v\":{"
                                                                             "\"type\":"
                                                                             "\"string\""
                                                                             "}") ",\"re"
                                                                                  "quire"
                                                                                  "d\":["
                                                                                  "\"k\""
                                                                                  ",\"v"
                                                                                  "\"]}]"
                                                                                  "}") "}",
         {"{\"x\":null}", "{\"x\":{\"k\":\"a\",\"v\":1}}", "{\"x\":{\"k\":\"ab\",\"v\":\"\"}}"},
         {"{\"x\":{\"k\":\"a\",\"v\":\"\"}}", "{\"x\":{\"k\":\"ab\",\"v\":1}}", "{\"x\":1}",
          "{\"x\":{}}"}},
        {"{\"$ref\":\"#/$defs/n~1ode\",\"$defs\":{\"n/ode\":" OBJECT(
             "\"v\":{\"type\":\"integer\"},\"next\":{\"anyOf\":[{\"$ref\":\"#/$defs/"
             "n~1ode\"},"
             "{\"type\":\"null\"}]}") ",\"required\":[\"v\",\"next\"]}}}",
         {"{\"v\":1,\"next\":null}", "{\"v\":1,\"next\":{\"v\":2,\"next\":null}}"},
         {"{\"v\":1,\"next\":{}}", "{\"v\":1}", "{\"v\":1,\"next\":1}"}},
        {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}",
         {"{}", "{\"x\":1,\"\\u0041\":2}"},
         {"{\"x\":\"\"}", "{\"x\":1.5}", "{\"x\":1,}"}},
        {"{\"type\":\"object\",\"additionalProperties\":false}", {"{}", "{ }"}, {"{\"a\":1}"}},
        {OBJECT("\"a\":true,\"b\":{\"allOf\":[{\"type\":\"null\"}],\"description\":\"x\"}") "}",
         {"{\"a\":{\"b\":[1,\"\",null]},\"b\":null}"},
         {"{\"b\":1}", "{\"c\":1}"}},
        {OBJECT("\"o\":{\"oneOf\":[{\"type\":\"null\"},{\"type\":\"object\",\"properties\":{"
                "\"k\":{\"const\":\"a\"}},\"required\":[\"k\"]},{\"type\":\"object\","
                "\"properties\":{\"k\":{\"enum\":[\"b\",\"c\"]}},\"required\":[\"k\"]}]}") "}",
         {"{\"o\":null}", "{\"o\":{\"k\":\"a\"}}", "{\"o\":{\"k\":\"c\"}}"},
         {"{\"o\":{\"k\":\"d\"}}", "{\"o\":{}}", "{\"o\":1}"}},
        {"{\"patternProperties\":{\"^x\":{\"type\":\"integer\"}},\"additionalProperties\":"
         "false}",
         {"{}", "{\"x\":1,\"xy\":2}"},
         {"{\"y\":1}", "{\"x\":\"\"}"}},
        {"{\"type\":\"object\",\"propertyNames\":{\"enum\":[\"a\",\"ab\"]}}",
         {"{\"a\":1,\"ab\":[]}"},
         {"{\"b\":1}", "{\"abc\":1}"}},
        {OBJECT("\"t\":{\"prefixItems\":[{\"const\":1},{\"type\":\"boolean\"}],\"items\":{"
                "\"type\":\"null\"},\"minItems\":2}") "}",
         {"{\"t\":[1,true]}", "{\"t\":[1,false,null,null]}"},
         {"{\"t\":[1]}", "{\"t\":[true,1]}", "{\"t\":[1,true,1]}"}},
        {OBJECT("\"c\":{\"enum\":[\"x\",\"y\"],\"const\":\"y\"},\"d\":{\"type\":[\"integer\","
                "\"string\"],\"format\":\"date\",\"maximum\":5}") "}",
         {"{\"c\":\"y\"}", "{\"d\":5}", "{\"d\":\"2024-01-01\"}"},
         {"{\"c\":\"x\"}", "{\"d\":6}", "{\"d\":\"x\"}"}},
        {OBJECT("\"a\":{\"type\":\"string\",\"format\":\"path\",\"contentEncoding\":\"base64\","
                "\"x-order\":1,\"nullable\":true}") ",\"additionalProperties\":{\"type\":"
                                                    "\"null\"},"
                                                    "\"$id\":\"https://example.org/a\"}",
         {"{}", "{\"a\":\"b\"}"},
         {"{\"a\":null}", "{\"b\":null}"}},
        {OBJECT("\"a\":{\"type\":[\"number\",\"null\"],\"anyOf\":[{\"type\":\"integer\"},{\"$"
                "ref\":"
                "\"#/$defs/n%20o/anyOf/1\"}]}") ",\"$defs\":{\"n "
                                                "o\":{\"anyOf\":[{},{\"type\":\"null\"}]}}}",
         {"{\"a\":1}", "{\"a\":null}"},
         {"{\"a\":1.5}", "{\"a\":\"\"}"}},
        {OBJECT("\"a\":{\"type\":\"null\"}") ",\"required\":[\"b\",\"a\",\"b\"],"
                                             "\"additionalProperties\":{"
                                             "\"type\":\"integer\"}}",
         {"{\"a\":null,\"b\":1}"},
         {"{\"a\":null}", "{\"a\":null,\"b\":\"\"}", "{\"a\":null,\"b\":1,\"c\":1}"}},
        {"{\"type\":\"object\",\"propertyNames\":{\"enum\":[\"a\",\"b\"]},\"required\":[\"b\"]}",
         {"{\"b\":[1]}"},
         {"{}", "{\"a\":1,\"b\":1}"}},
        {OBJECT("\"a\":{\"allOf\":[{\"title\":\"t\"},{\"type\":\"null\"}]}") "}",
         {"{\"a\":null}"},
         {"{\"a\":1}"}},
        {"{\"oneOf\":[" OBJECT("\"v\":{},\"k\":{\"const\":\"a\",\"default\":\"a\"}") "}," OBJECT(
             "\"k\":{"
             "\"const\":"
             "\"b\","
             "\"default\":"
             "\"b\"}") "}]"
                       "}",
         {"{\"k\":\"a\"}", "{\"k\":\"b\"}", "{\"v\":1,\"k\":\"a\"}"},
         {"{}", "{\"v\":1}", "{\"v\":1,\"k\":\"b\"}"}},
        {OBJECT("\"a\":{\"type\":\"string\",\"pattern\":\"^(?!^-*$)(?=.*[A-Z])[a-zA-Z-]+(?!x)"
                "$\"}") "}",
         {"{\"a\":\"aB\"}", "{\"a\":\"-A\"}"},
         {"{\"a\":\"--\"}", "{\"a\":\"ab\"}", "{\"a\":\"A1\"}"}},
        {"{\"anyOf\":[" OBJECT("\"a\":{}") ",\"required\":[\"a\"]}," OBJECT(
             "\"b\":{}") ",\"required\":[\"b\"]}]}",
         {"{\"a\":1}", "{\"b\":1}"},
         {"{}", "{\"c\":1}", "{\"a\":1,\"b\":1}"}}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct engine_form *f = good(cases[i].schema);
        for (size_t k = 0; k < COUNT(cases[i].taken) && cases[i].taken[k]; k++)
            if (!takes(f, cases[i].taken[k]))
                fail_msg("%s: %s was not taken", cases[i].schema, cases[i].taken[k]);
        for (size_t k = 0; k < COUNT(cases[i].not ) && cases[i].not [k]; k++)
            if (takes(f, cases[i].not [k]))
                fail_msg("%s: %s was taken", cases[i].schema, cases[i].not [k]);
    }
}

static void what_is_not_held_to_is_refused_by_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *schema, *where;
    } cases[] = {
        {OBJECT("\"a\":{\"type\":\"string\",\"pattern\":\"\\\\bx\"}") "}",
         "#/properties/a/pattern"},
        {OBJECT("\"a\":{\"type\":\"string\",\"pattern\":\"^a{3}$\",\"maxLength\":2}") "}",
         "#/properties/a/pattern"},
        {OBJECT("\"a\":{\"type\":\"string\",\"pattern\":1}") "}", "#/properties/a/pattern"},
        {OBJECT("\"a\":{\"type\":\"string\",\"format\":1}") "}", "#/properties/a/format"},
        {OBJECT("\"a/b~c\":{\"type\":\"integer\",\"minimum\":1e300}") "}",
         "#/properties/a~1b~0c/minimum"},
        {OBJECT("\"a\":{\"type\":\"number\",\"minimum\":2,\"exclusiveMaximum\":2}") "}",
         "#/properties/a/exclusiveMaximum"},
        {OBJECT("\"a\":{\"type\":\"integer\",\"multipleOf\":0}") "}", "#/properties/a/multipleOf"},
        {OBJECT("\"a\":{\"type\":\"integer\",\"format\":7}") "}", "#/properties/a/format"},
        {OBJECT("\"a\":{\"type\":\"string\",\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]"
                "}") "}",
         "#/properties/a/type"},
        {OBJECT("\"a\":{\"$id\":\"b\"}") "}", "#/properties/a/$id"},
        {OBJECT("\"a\":{\"$ref\":\"#/properties/a/anyOf/2\"}") "}", "#/properties/a/$ref"},
        {OBJECT("\"a\":{\"oneOf\":[]}") "}", "#/properties/a/oneOf"},
        {OBJECT("\"a\":{\"oneOf\":[{\"type\":\"string\"},{\"enum\":[1,\"x\"]}]}") "}",
         "#/properties/a/oneOf"},
        {OBJECT("\"a\":{\"patternProperties\":{\"^a\":{},\"^b\":{}}}") "}",
         "#/properties/a/patternProperties"},
        {OBJECT("\"a\":{\"patternProperties\":{\"(\":{}}}") "}",
         "#/properties/a/patternProperties/("},
        {OBJECT("\"a\":{\"propertyNames\":{\"type\":\"integer\"}}") "}",
         "#/properties/a/propertyNames"},
        {OBJECT("\"a\":{\"enum\":[{\"k\":1}],\"properties\":{}}") "}", "#/properties/a/properties"},
        {OBJECT("\"a\":{\"enum\":[\"abc\"],\"maxLength\":2}") "}", "#/properties/a/enum"},
        {OBJECT("\"a\":{\"enum\":[1],\"const\":2}") "}", "#/properties/a/enum"},
        {OBJECT("\"a\":{\"prefixItems\":[{}],\"items\":false,\"minItems\":2}") "}",
         "#/properties/a/minItems"},
        {OBJECT("\"a\":{\"anyOf\":[{},{\"not\":{}}]}") "}", "#/properties/a/anyOf/1/not"},
        {OBJECT("\"a\":{\"anyOf\":[{}],\"type\":\"null\"}") "}", "#/properties/a/type"},
        {OBJECT("\"a\":{\"type\":\"array\",\"items\":{\"if\":{}}}") "}", "#/properties/a/items/if"},
        {OBJECT("\"a\":{\"type\":\"array\",\"items\":[{}]}") "}", "#/properties/a/items"},
        {OBJECT("\"a\":{\"type\":\"array\",\"uniqueItems\":true}") "}",
         "#/properties/a/uniqueItems"},
        {OBJECT("\"a\":{\"type\":\"array\",\"minItems\":2,\"maxItems\":1}") "}",
         "#/properties/a/maxItems"},
        {OBJECT("\"a\":{\"type\":\"string\",\"maxLength\":-1}") "}", "#/properties/a/maxLength"},
        {OBJECT("\"a\":{\"type\":\"text\"}") "}", "#/properties/a/type"},
        {OBJECT("\"a\":{\"enum\":[]}") "}", "#/properties/a/enum"},
        {OBJECT("\"a\":{\"type\":\"null\",\"enum\":[1]}") "}", "#/properties/a/enum"},
        {OBJECT("\"a\":{\"$ref\":\"other.json\"}") "}", "#/properties/a/$ref"},
        {OBJECT("\"a\":{\"$ref\":\"#/$defs/none\"}") "}", "#/properties/a/$ref"},
        {OBJECT("\"a\":false") "}", "#/properties/a"},
        {OBJECT("\"a\":{}") ",\"required\":[\"a\",\"b\"],\"additionalProperties\":false}",
         "#/required/1"},
        {"{\"type\":\"object\",\"propertyNames\":{\"enum\":[\"a\"]},\"required\":[\"a\",\"b\"]}",
         "#/required"},
        {OBJECT("\"a\":{}") ",\"minProperties\":1}", "#/minProperties"},
        {"{\"type\":\"array\"}", "#"},
        {"{\"type\":[\"object\",\"null\"]}", "#"},
        {"{}", "#"},
        {"{\"$ref\":\"#\"}", "#"},
        {"{\"anyOf\":[{\"$ref\":\"#\"}]}", "#"},
        {OBJECT("\"a\":{\"$ref\":\"#\"}") ",\"required\":[\"a\"]}", "#"}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (of_schema(cases[i].schema))
            fail_msg("%s was made", cases[i].schema);
        assert_int_equal(why.code, ERR_UNSUPPORTED);
        if (strcmp(wrong.where, cases[i].where) != 0)
            fail_msg("%s: %s %s", cases[i].schema, wrong.where, why.text);
    }
}

static const char *const endless[] = {
    "{\"type\":\"object\"}",
    OBJECT("\"a\":{\"type\":\"string\",\"minLength\":3,\"maxLength\":9},\"b\":{\"type\":"
           "\"number\"}") ",\"required\":[\"a\",\"b\"]}",
    "{\"$ref\":\"#/$defs/t\",\"$defs\":{\"t\":" OBJECT(
        "\"left\":{\"$ref\":\"#/$defs/t\"},\"right\":{\"anyOf\":[{\"$ref\":\"#/$defs/t\"},"
        "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/"
        "t\"},\"minItems\":1},{\"enum\":[0,-1,"
        "\"\xc3\xa9\"]}]}") ",\"required\":[\"right\"]}}}",
    OBJECT("\"l\":{\"type\":\"array\",\"items\":{},\"minItems\":2,\"maxItems\":3}") ",\"requir"
                                                                                    "ed\":"
                                                                                    "[\"l\"]}",
    OBJECT("\"d\":{\"format\":\"date-time\"},\"e\":{\"format\":\"email\"},\"n\":{"
           "\"minimum\":-12.5,"
           "\"multipleOf\":0.25},\"p\":{\"pattern\":\"^[\xc3\xa9-\xf0\x9f\x98\x80]{2}\\n$"
           "\"}") ",\"required\":[\"d\",\"e\",\"n\",\"p\"]}",
    "{\"patternProperties\":{\"^x+$\":{\"type\":\"array\",\"prefixItems\":[{\"const\":1},"
    "{\"exclusiveMaximum\":0}],\"minItems\":3}}}"};

static bool in_string(const struct form_state *s)
{
    const struct form_thread *t = &s->thread[0];
    return s->form->node[t->frame[t->depth - 1].node].kind == FORM_TEXTUAL;
}

/* Octets that a form says it needs are enough to go on from everywhere, and to come to an end
 * where the walk prefers to close. */
static void there_is_always_a_way_on(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (size_t k = 0; k < COUNT(endless); k++) {
        const struct engine_form *f = good(endless[k]);
        for (int i = 0; i < 100; i++) {
            struct form_state s, then;
            struct json root;
            struct buf text;
            buf_init(&text, 1 << 20);
            form_begin(&s, f);
            for (int n = 0; n < 20000 && !s.over; n++) {
                uint8_t can[256];
                size_t count = 0;
                for (unsigned c = 0; c <= UINT8_MAX; c++) {
                    uint8_t octet = (uint8_t)c;
                    form_copy(&then, &s);
                    if (form_set_has(&f->needs, octet) &&
                        form_push(&then, (struct span){&octet, 1}, false))
                        can[count++] = octet;
                }
                assert_true(count > 0);
                seed = seed * 1664525u + 1013904223u;
                uint8_t next = can[(seed >> 16) % count];
                for (size_t c = 0; n > 400 && c < count; c++)
                    if (in_string(&s) ? can[c] == '"' : can[c] == '}' || can[c] == ']')
                        next = can[c];
                assert_true(form_push(&s, (struct span){&next, 1}, false));
                buf_put_u8(&text, next);
            }
            struct arena *a = arena_new(16 << 20);
            if (!s.over)
                fail_msg("%s: %.300s", endless[k], buf_cstr(&text) + text.n - 100);
            if (!json_parse(&root, buf_span(&text), JSON_KEEP_DUPLICATES, a, &why))
                fail_msg("%s: %s", buf_cstr(&text), why.text);
            arena_free(a);
            buf_free(&text);
        }
    }
}

/* About as many members as there may be, all of them required. */
static void wide_objects_are_made(void **state)
{
    (void)state;
    enum { MEMBERS = FORM_LIST - 96 };
    struct buf text;
    buf_init(&text, 4 << 20);
    buf_put_str(&text, "{\"properties\":{");
    for (int i = 0; i < MEMBERS; i++)
        buf_printf(&text, "%s\"%d\":{\"$ref\":\"#/$defs/n\"}", i ? "," : "", i);
    buf_put_str(&text, "},\"$defs\":{\"n\":{\"type\":\"null\"}},\"required\":[");
    for (int i = MEMBERS; i-- > 0;)
        buf_printf(&text, "\"%d\"%s", i, i ? "," : "");
    buf_put_str(&text, "]}");
    const struct engine_form *f = good(buf_cstr(&text));
    assert_false(takes(f, "{\"0\":null}") || takes(f, "{\"1\":null"));
    buf_free(&text);
}

/* A chain of references that is longer than is read, and one that is not. */
static void references_over_references_are_bounded(void **state)
{
    (void)state;
    for (int links = 100; links <= 1000; links += 900) {
        struct buf text;
        buf_init(&text, 1 << 20);
        buf_put_str(&text, "{\"$ref\":\"#/$defs/0\",\"$defs\":{");
        for (int i = 0; i < links; i++)
            buf_printf(&text, "\"%d\":{\"$ref\":\"#/$defs/%d\"},", i, i + 1);
        buf_printf(&text, "\"%d\":{\"type\":\"object\"}}}", links);
        const struct engine_form *f = of_schema(buf_cstr(&text));
        assert_int_equal(f != NULL, links == 100);
        assert_true(f ? takes(f, "{\"a\":1}") : why.code == ERR_UNSUPPORTED);
        buf_free(&text);
    }
}

static void depth_and_white_space_are_bounded(void **state)
{
    (void)state;
    const struct engine_form *f = good("{\"type\":\"object\"}");
    struct form_state s;
    form_begin(&s, f);
    assert_true(form_push(&s, span_str("{\"a\":"), false));
    for (int i = 2; i < FORM_DEPTH; i++)
        assert_true(form_push(&s, span_str("["), false));
    assert_true(form_push(&s, span_str("[1"), false) || s.count == 0);
    form_begin(&s, f);
    assert_true(form_push(&s, span_str("{                "), false));
    assert_false(form_push(&s, span_str(" "), false));
    /* A list of lists goes as deep as fits, and then ends. */
    f = good(
        OBJECT("\"t\":{\"$ref\":\"#/$defs/t\"}") ",\"$defs\":{\"t\":{\"type\":\"array\",\"items\":{"
                                                 "\"$ref\":\"#/$defs/t\"}}}}");
    form_begin(&s, f);
    assert_true(form_push(&s, span_str("{\"t\":"), false));
    for (int i = 1; i < FORM_DEPTH; i++)
        assert_true(form_push(&s, span_str("["), false));
    assert_false(form_push(&s, span_str("["), false));
}

/* More ways of reading than are followed: those that are come to their end. */
static void unions_beyond_the_bound_still_end(void **state)
{
    (void)state;
    struct buf text;
    struct form_state s;
    buf_init(&text, 1 << 16);
    buf_put_str(&text, "{\"anyOf\":[");
    for (int i = 0; i < FORM_THREADS; i++)
        buf_printf(&text,
                   "%s{\"properties\":{\"k\":{\"anyOf\":[{\"properties\":{\"l\":{\"const\":%d}}},"
                   "{\"properties\":{\"l\":{\"const\":\"a\"}}}]}},\"required\":[\"k\"]}",
                   i ? "," : "", i);
    buf_put_str(&text, "]}");
    const struct engine_form *f = good(buf_cstr(&text));
    form_begin(&s, f);
    assert_true(form_push(&s, span_str("{\"k\":{"), false));
    assert_int_equal(s.count, FORM_THREADS);
    assert_true(takes(f, "{\"k\":{\"l\":0}}") && takes(f, "{\"k\":{\"l\":255}}"));
    buf_free(&text);
}

/* Models of a discriminated union: each of them can be said, or the form is refused. */
static const struct engine_form *union_of(int count)
{
    struct buf text;
    buf_init(&text, 1 << 16);
    buf_put_str(&text, "{\"anyOf\":[");
    for (int i = 0; i < count; i++)
        buf_printf(&text, "%s{\"properties\":{\"k\":{\"const\":\"x%d\"}},\"required\":[\"k\"]}",
                   i ? "," : "", i);
    buf_put_str(&text, "]}");
    const struct engine_form *f = of_schema(buf_cstr(&text));
    buf_free(&text);
    return f;
}

static void each_of_many_that_begin_alike_is_taken(void **state)
{
    (void)state;
    char value[32];
    const struct engine_form *f = union_of(FORM_THREADS);
    assert_non_null(f);
    for (int i = 0; i < FORM_THREADS; i++) {
        snprintf(value, sizeof value, "{\"k\":\"x%d\"}", i);
        if (!takes(f, value))
            fail_msg("%s", value);
    }
    assert_null(union_of(FORM_THREADS + 1));
}

/* In all ways of reading: nothing but a quote ends what was begun. */
static void room_in_strings_is_that_of_the_widest(void **state)
{
    (void)state;
    uint32_t room;
    struct form_state s, one;
    form_begin(&s,
               good("{\"anyOf\":[" OBJECT("\"a\":{\"enum\":[\"xy\"]}") "}," OBJECT(
                   "\"a\":{\"type\":"
                   "\"string\",\"pattern\":"
                   "\"^x\"}") "}," OBJECT("\"a\":{\"type\":\"string\",\"maxLength\":9}") "}]}"));
    assert_true(form_push(&s, span_str("{\"a\":"), false));
    assert_false(form_in_strings(&s, &room));
    assert_true(form_push(&s, span_str("\"x"), false) && s.count == 3);
    assert_true(form_in_strings(&s, &room) && room == 8);
    form_copy_one(&one, &s, 0);
    assert_true(form_push(&one, span_str("y\""), false) && one.count == 1);
    form_copy_one(&one, &s, 0);
    assert_false(form_push(&one, span_str("z"), false));
    assert_true(form_push(&s, span_str("z"), false) && s.count == 2);
    assert_true(form_push(&s, span_str("\""), false));
    assert_false(form_in_strings(&s, &room));
    form_begin(&s, good(OBJECT("\"a\":{\"type\":\"string\"}") "}"));
    assert_true(form_push(&s, span_str("{\"a\":\""), false));
    assert_true(form_in_strings(&s, &room) && room == UINT32_MAX);
    assert_true(form_push(&s, span_str("\\"), false) && !form_in_strings(&s, &room));
}

/* ---- free text ---- */

#define NAMED(name, schema)                                                                        \
    "{\"trigger\":\"<call>\",\"begin\":\"" name " \",\"schema\":" schema ",\"end\":\"</"           \
    "call>\"}"
#define ONE "{\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"]}"
#define CALLS "\"calls\":[" NAMED("f", ONE) "," NAMED("g", "{\"additionalProperties\":false}") "]"

/* All octets are taken, in whatever pieces they come. */
static bool goes_on(struct form_state *s, const struct engine_form *f, const char *text)
{
    struct span all = span_str(text);
    bool ok = true, last = false;
    for (size_t piece = 1; piece <= all.n; piece++) {
        form_begin(s, f);
        ok = true;
        for (size_t i = 0; ok && i < all.n; i += piece)
            ok = form_push(s, span_sub(all, i, all.n - i < piece ? all.n - i : piece), false);
        if (piece > 1 && ok != last)
            fail_msg("%s: taken otherwise in pieces of %zu", text, piece);
        last = ok;
    }
    return ok;
}

static void text_is_free_until_a_call_begins(void **state)
{
    (void)state;
    struct form_state s;
    const struct engine_form *f = made("{" CALLS ",\"again\":true}");
    assert_non_null(f);
    static const char *const good_ones[] = {
        "any text, {\"a\": nothing} \xff\xfe <call",
        "<<call>\nf {\"a\":1}</call>",
        "<call<cal<call>\nf {\"a\": 12 }</call> and <call>\ng {}</call> so on </call>",
        "<call>\nf {\"a\"",
    };
    static const char *const bad_ones[] = {"<call>x", "a<call>\nh", "<call>\nf {\"a\":\"",
                                           "<call>\ng {}</call><call>\ng {\"", "<call>\nf {}"};
    for (size_t i = 0; i < COUNT(good_ones); i++)
        if (!goes_on(&s, f, good_ones[i]) || s.over)
            fail_msg("%s", good_ones[i]);
    for (size_t i = 0; i < COUNT(bad_ones); i++)
        if (goes_on(&s, f, bad_ones[i]))
            fail_msg("%s", bad_ones[i]);
    /* Once: over with its end. */
    f = made("{" CALLS "}");
    assert_true(goes_on(&s, f, "a <call>\nf {\"a\":1}</call>") && s.over);
    assert_false(goes_on(&s, f, "a <call>\nf {\"a\":1}</call> "));
}

static void control_tokens_say_nothing_in_free_text_but_a_trigger(void **state)
{
    (void)state;
    struct form_state s;
    const struct engine_form *f = made("{" CALLS "}");
    form_begin(&s, f);
    assert_true(form_push(&s, span_str("<ca"), false));
    assert_true(form_push(&s, span_str("<|pause|>"), true) && s.free);
    assert_true(form_push(&s, span_str("ll>"), false) && !s.free);
    form_begin(&s, f);
    assert_true(form_push(&s, span_str("a"), false) && form_push(&s, span_str("<call>"), true));
    assert_false(s.free || form_push(&s, span_str("<|pause|>"), true));
}

static void triggers_are_found_within_one_another(void **state)
{
    (void)state;
    struct form_state s;
    const struct engine_form *f = made(
        "{\"calls\":[{\"trigger\":\"abcd\",\"schema\":{\"type\":\"object\"}},"
        "{\"trigger\":\"bc\",\"list\":true,\"begin\":\"x\",\"schema\":" ONE "},"
        "{\"trigger\":\"bc\",\"list\":true,\"begin\":\"y\",\"schema\":" ONE "}],\"again\":true}");
    assert_non_null(f);
    assert_true(goes_on(&s, f, "abc [x{\"a\":1}, y{\"a\":2} ]bbc[y{\"a\":3}]abab"));
    assert_true(s.free);
    assert_false(goes_on(&s, f, "abcd"));
    assert_false(goes_on(&s, f, "bc[]"));
    f = made("{\"calls\":[{\"trigger\":\"b\",\"list\":true,\"begin\":\"x\",\"schema\":" ONE "}]}");
    assert_true(goes_on(&s, f, "b[x{\"a\":1}]") && s.over);
    assert_false(goes_on(&s, f, "b[x{\"a\":1},"));
}

static void calls_without_a_trigger_are_none(void **state)
{
    (void)state;
    assert_null(made("{\"calls\":[{\"schema\":{\"type\":\"object\"}}]}"));
    assert_null(made("{\"calls\":[]}"));
    assert_null(made("{}"));
    assert_null(made("[{\"begin\":\"\\nf\",\"schema\":{\"type\":\"object\"}}]"));
    assert_null(made("{" CALLS ",\"again\":1}"));
    assert_null(
        made("{\"calls\":[{\"trigger\":\"a\",\"list\":1,\"schema\":{\"type\":\"object\"}}]}"));
    assert_null(made("{\"calls\":[" NAMED("f", ONE) "," NAMED("g", "{\"not\":{}}") "]}"));
    assert_int_equal(wrong.alternative, 1);
    assert_string_equal(wrong.where, "#/not");
    /* What shows once all are made is told of its own alternative as well. */
    assert_null(made("[{\"schema\":{\"type\":\"object\"}},{\"schema\":" OBJECT(
        "\"a\":{\"oneOf\":[{},{}]}") "}},{\"schema\":{\"type\":\"object\"}}]"));
    assert_int_equal(wrong.alternative, 1);
    assert_string_equal(wrong.where, "#/properties/a/oneOf");
}

static void values_stand_between_their_texts(void **state)
{
    (void)state;
    const struct engine_form *f =
        made("[{\"begin\":\"<call>f(\",\"schema\":{\"additionalProperties\":false},\"end\":\")\"},"
             "{\"begin\":\"<call>g(\",\"schema\":{\"type\":\"object\"},\"end\":\");\"}]");
    struct form_state s;
    assert_non_null(f);
    assert_true(takes(f, "<call>f({})") && takes(f, "<call>g({\"a\":1});"));
    assert_false(takes(f, "<call>f({\"a\":1})") || takes(f, "<call>g({})") || takes(f, "{}"));
    /* A control token stands in the texts alone. */
    form_begin(&s, f);
    assert_true(form_push(&s, span_str("<call>"), true));
    assert_true(form_push(&s, span_str("g("), false));
    assert_false(form_push(&s, span_str("{"), true));
    assert_true(takes(made("[{\"begin\":\"a\",\"schema\":{\"type\":\"object\"}}]"), "a{}"));
    assert_null(made("[{\"end\":\"a\",\"schema\":{\"type\":\"object\"}}]"));
    assert_null(made("[{\"begin\":\"\",\"schema\":{\"type\":\"object\"},\"end\":\"\"}]"));
    assert_null(made("[]"));
    assert_null(made("[{\"schema\":{\"type\":\"object\"}},{\"schema\":{\"type\":\"null\"}}]"));
    assert_int_equal(wrong.alternative, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_object_is_taken_and_over_at_its_end),
        cmocka_unit_test(what_is_no_object_is_not_taken),
        cmocka_unit_test(form_and_reader_agree),
        cmocka_unit_test(schemas_are_held_to),
        cmocka_unit_test(what_is_not_held_to_is_refused_by_its_place),
        cmocka_unit_test(there_is_always_a_way_on),
        cmocka_unit_test(wide_objects_are_made),
        cmocka_unit_test(references_over_references_are_bounded),
        cmocka_unit_test(depth_and_white_space_are_bounded),
        cmocka_unit_test(unions_beyond_the_bound_still_end),
        cmocka_unit_test(each_of_many_that_begin_alike_is_taken),
        cmocka_unit_test(values_stand_between_their_texts),
        cmocka_unit_test(room_in_strings_is_that_of_the_widest),
        cmocka_unit_test(text_is_free_until_a_call_begins),
        cmocka_unit_test(control_tokens_say_nothing_in_free_text_but_a_trigger),
        cmocka_unit_test(triggers_are_found_within_one_another),
        cmocka_unit_test(calls_without_a_trigger_are_none),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
