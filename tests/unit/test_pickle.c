/*
 * The pickle machine: what each opcode and trick does to the verdict. Payloads
 * are names with harmless arguments, and nothing here is ever unpickled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/prefixes.h"

#define P4 "\x80\x04"
#define P2 "\x80\x02"

static struct model *read_bytes(const char *bytes, size_t n)
{
    struct model *m = NULL;
    struct err e = ERR_INIT;
    if (!model_read_memory(&m, "x.pkl", (struct span){(const uint8_t *)bytes, n}, &e))
        fail_msg("%s", e.text);
    return m;
}

static bool has(const struct model *m, enum rule_id rule)
{
    for (size_t i = 0; i < m->verdict.count; i++)
        if (m->verdict.findings[i].rule == rule)
            return true;
    return false;
}

struct pickle_case {
    const char *name;
    const char *bytes;
    size_t n;
    enum rule_id rule;
};

#define RULE_RULES RULE_COUNT
#define CASE(name, bytes, rule)                                                                    \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1, RULE_##rule                                                \
    }

static const struct pickle_case bad[] = {
    CASE("GLOBAL", "cos\nsystem\n(S'x'\ntR.", PICKLE_DANGEROUS),
    CASE("INST", "(S'x'\nios\nsystem\n.", PICKLE_DANGEROUS),
    CASE("OBJ", "(cos\nsystem\nS'x'\no.", PICKLE_OLD_CALL),
    CASE("OBJ and POP hide the call (GHSA-mxhj)", "(cos\nsystem\nS'x'\no0N.", PICKLE_DANGEROUS),
    CASE("STACK_GLOBAL", P4 "\x8c\x02os\x8c\x06system\x93\x8c\x01x\x85R.", PICKLE_DANGEROUS),
    CASE("STACK_GLOBAL of STRING at offset 0 (GHSA-9gvj)", "S'os'\nS'system'\n\x93(S'x'\ntR.",
         PICKLE_DANGEROUS),
    CASE("a name through the memo, by what is on the stack",
         P4 "\x8c\x02os\x94\x8c\x04none0h\x00\x8c\x06system\x93)R.", PICKLE_DANGEROUS),
    CASE("a memo key that was never put (#52)", P4 "h\x07\x8c\x06system\x93)R.", PICKLE_MEMO),
    CASE("a name that is bytes", P4 "C\x02os\x8c\x06system\x93)R.", PICKLE_COMPUTED),
    CASE("a dotted name (GHSA-5j3x)", P2 "cpathlib\nos.system\n)R.", PICKLE_NAME),
    CASE("a dunder", P2 "cnumpy\n__builtins__\n.", PICKLE_NAME),
    CASE("an unknown name", P2 "cmy_package.deep\nThing\n)R.", PICKLE_IMPORT),
    CASE("an unknown name is called", P2 "cmy_package.deep\nThing\n)R.", PICKLE_CALL),
    CASE("EXT1", P2 "\x82\x01.", PICKLE_EXTENSION),
    CASE("EXT4", P2 "\x84\x01\x00\x00\x00.", PICKLE_EXTENSION),
    CASE("PERSID", "(lp0\nPany\na.", PICKLE_PERSISTENT),
    CASE("BINPERSID that is not torch's", P2 "X\x01\x00\x00\x00zQ.", PICKLE_PERSISTENT),
    CASE("BUILD on a class", P2 "ccollections\nOrderedDict\n}X\x01\x00\x00\x00zK\x01sb.",
         PICKLE_BUILD),
    CASE("SETITEM on a class", P2 "ccollections\nOrderedDict\nX\x01\x00\x00\x00zK\x01s.",
         PICKLE_BUILD),
    CASE("APPEND on a class",
         P2 "ccollections\ndeque\nK\x01"
            "a.",
         PICKLE_BUILD),
    CASE("a storage type is called", P2 "ctorch\nFloatStorage\n)R.", PICKLE_USE),
    CASE("a rebuild function with other arguments",
         P2 "ctorch._utils\n_rebuild_tensor_v2\nK\x01\x85R.", PICKLE_USE),
    CASE("the result of a call is called", P2 "ccollections\nOrderedDict\n)R)R.", PICKLE_CALL),
    CASE("text hidden by an encoding",
         P2 "c_codecs\nencode\nX\x01\x00\x00\x00zX\x05\x00\x00\x00rot13\x86R.", PICKLE_USE),
    CASE("a payload before a broken tail (nullifAI)", P2 "cos\nsystem\n(S'x'\ntRX\xff\xff",
         PICKLE_DANGEROUS),
    CASE("a broken tail", P2 "}q\x00X\xff\xff", PICKLE_MALFORMED),
    CASE("an unknown opcode", P2 "}q\x00\xff.", PICKLE_MALFORMED),
    CASE("an empty stack", P2 "N0000.", PICKLE_MALFORMED),
    CASE("a second pickle", P2 "}." P2 "cos\nsystem\n(S'x'\ntR.", PICKLE_DANGEROUS),
    CASE("bytes after the end", P2 "}q\x00.\xff\xfe rest of it", PICKLE_TRAILING),
    CASE("a frame within an opcode", P4 "\x95\x02\0\0\0\0\0\0\0\x8c\x02os.", PICKLE_FRAME),
    CASE("the other reading of a frame",
         P4 "\x95\x02\0\0\0\0\0\0\0\x8c\x14"
            "cposix\nsystem\nS'x'\n\x85R"
            ".",
         PICKLE_DANGEROUS),
    CASE("a frame beyond the end", P4 "\x95\xff\0\0\0\0\0\0\0}.", PICKLE_FRAME),
    CASE("a pickle in bytes",
         P4 "C\x0c" P2 "}q\x00(U\x01"
            "aK\x01u.",
         PICKLE_MALFORMED),
    CASE("a nested pickle",
         P4 "}\x8c\x01"
            "aC\x08" P2 "]q\x00K\x01"
            "a.s.",
         PICKLE_NESTED),
    CASE("a nested pickle in base64", P4 "\x8c\x10gAJdcQBLAWFLAmEu.", PICKLE_NESTED),
    CASE("a nested pickle in hexadecimal",
         P4 "\x8c\x16"
            "80025d71004b01614b02612e.",
         PICKLE_NESTED),
    CASE("a number for some readers only", "(lI0x10\na.", PICKLE_AMBIGUOUS),
    CASE("a scanner", P2 "cpicklescan.scanner\nscan_file_path\n)R.", PICKLE_TAMPER),
    CASE("dunder state", P2 "cargparse\nNamespace\n)\x81}X\x09\x00\x00\x00__class__NsbN0.",
         PICKLE_BUILD),
};

static void refuses_every_trick(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct model *m = read_bytes(bad[i].bytes, bad[i].n);
        if (!has(m, bad[i].rule)) {
            for (size_t k = 0; k < m->verdict.count; k++)
                fprintf(stderr, "%s: %s\n", rules[m->verdict.findings[k].rule].id,
                        m->verdict.findings[k].detail);
            fail_msg("%s: expected %s", bad[i].name, rules[bad[i].rule].id);
        }
        model_free(m);
    }
}

static const struct pickle_case good[] = {
    CASE("protocol 0", "(dp0\nVa\np1\nI1\nsVb\np2\nF1.5\nsVc\np3\nI01\nsVd\np4\nL99L\ns.", RULES),
    CASE("an ordered dictionary", P2 "ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\0\0\0aK\x01s.",
         RULES),
    CASE("bytes as Python 2 takes them",
         P2 "c_codecs\nencode\nq\x00X\x01\0\0\0zX\x06\0\0\0latin1\x86Rq\x01.", RULES),
    CASE("an object with state", P2 "cargparse\nNamespace\n)\x81}X\x01\0\0\0aK\x01sb.", RULES),
    CASE("two pickles", P2 "}." P2 "].", RULES),
    CASE("frames", P4 "\x95\x04\0\0\0\0\0\0\0}\x94(u.", RULES),
};

static void takes_what_models_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct model *m = read_bytes(good[i].bytes, good[i].n);
        if (verdict_worst(&m->verdict) > SEV_INFO || m->verdict.incomplete)
            fail_msg("%s: %s", good[i].name,
                     m->verdict.count ? m->verdict.findings[0].detail : "incomplete");
        assert_int_equal(m->files[0].format, FORMAT_PICKLE);
        model_free(m);
    }
}

static void leaves_text_alone(void **state)
{
    static const char *const texts[] = {"This is not a pickle\n",
                                        "I am here.\n",
                                        "{\"a\": 1}",
                                        "cat\ndog\nbird\n",
                                        "N.",
                                        "K.",
                                        "# comment\nc = 1\n",
                                        "import os\nos.system('x')\n",
                                        "aaaaaaaaaaaaaaaaaaaa"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct model *m = read_bytes(texts[i], strlen(texts[i]));
        if (m->files[0].format == FORMAT_PICKLE)
            fail_msg("\"%s\" was taken for a pickle", texts[i]);
        model_free(m);
    }
}

/* No prefix of a dangerous pickle that already calls is called clean. */
static void judges_what_ran_before_the_cut(void **state)
{
    static const char bytes[] = P2 "cos\nsystem\n(S'x'\ntRq\x00}q\x01(X\x01\0\0\0aK\x01u.";
    (void)state;
    for (size_t n = 21; n < sizeof bytes; n++) {
        struct model *m = read_bytes(bytes, n);
        assert_true(has(m, RULE_PICKLE_DANGEROUS));
        model_free(m);
    }
}

static void every_prefix_is_read_within_its_bytes(void **state)
{
    size_t complete;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(prefixes_read("x.pkl", (struct span){(const uint8_t *)bad[i].bytes, bad[i].n},
                                  &complete));
}

/* Values without end on the stack are a limit and never clean. */
static void a_deep_stack_is_incomplete(void **state)
{
    enum { N = 2 << 20 };
    static char bytes[N + 4];
    (void)state;
    memcpy(bytes, P4 "(", 3);
    memset(bytes + 3, 'N', N);
    struct model *m = read_bytes(bytes, N + 3);
    assert_true(m->verdict.incomplete);
    assert_true(has(m, RULE_READ_LIMIT));
    model_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_every_trick),
        cmocka_unit_test(takes_what_models_hold),
        cmocka_unit_test(leaves_text_alone),
        cmocka_unit_test(judges_what_ran_before_the_cut),
        cmocka_unit_test(every_prefix_is_read_within_its_bytes),
        cmocka_unit_test(a_deep_stack_is_incomplete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
