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

#include "support/hostile.h"
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

#define RULE_RULES RULE_COUNT
#define CASE(name, bytes, rule)                                                                    \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1, RULE_##rule                                                \
    }

static void refuses_every_trick(void **state)
{
    (void)state;
    for (size_t i = 0; i < hostile_pickle_count; i++) {
        struct model *m = read_bytes(hostile_pickles[i].bytes, hostile_pickles[i].n);
        if (!has(m, hostile_pickles[i].rule)) {
            for (size_t k = 0; k < m->verdict.count; k++)
                fprintf(stderr, "%s: %s\n", rules[m->verdict.findings[k].rule].id,
                        m->verdict.findings[k].detail);
            fail_msg("%s: expected %s", hostile_pickles[i].name, rules[hostile_pickles[i].rule].id);
        }
        model_free(m);
    }
}

static const struct hostile_case good[] = {
    CASE("protocol 0", "(dp0\nVa\np1\nI1\nsVb\np2\nF1.5\nsVc\np3\nI01\nsVd\np4\nL99L\ns.", RULES),
    CASE("an ordered dictionary", P2 "ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\0\0\0aK\x01s.",
         RULES),
    CASE("bytes as Python 2 takes them",
         P2 "c_codecs\nencode\nq\x00X\x01\0\0\0zX\x06\0\0\0latin1\x86Rq\x01.", RULES),
    CASE("an object with state", P2 "cargparse\nNamespace\n)\x81}X\x01\0\0\0aK\x01sb.", RULES),
    CASE("two pickles", P2 "}." P2 "].", RULES),
    CASE("frames", P4 "\x95\x04\0\0\0\0\0\0\0}\x94(u.", RULES),
};

/* Each advisory, however the name gets onto the stack. */
static void refuses_every_advisory(void **state)
{
    (void)state;
    for (size_t i = 0; i < hostile_name_count; i++)
        for (enum hostile_form form = HOSTILE_GLOBAL; form < HOSTILE_FORMS; form++) {
            const struct hostile_name *h = &hostile_names[i];
            struct buf b;
            buf_init(&b, 4096);
            hostile_call(&b, h->module, h->name, form);
            struct model *m = read_bytes((const char *)b.p, b.n);
            if (verdict_worst(&m->verdict) < SEV_HIGH)
                fail_msg("%s (form %d) is not refused", h->id, (int)form);
            if (!has(m, RULE_PICKLE_DANGEROUS) && !has(m, RULE_PICKLE_NAME))
                fail_msg("%s: nothing says what it does", h->id);
            model_free(m);
            buf_free(&b);
        }
}

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
                                        "cat\ndog\ncow\nhorse\nbird\nbee\n",
                                        "cos\nsin\ncosh\nsinh\ntan\n",
                                        "can\ncannot\ncould\ndo\nbe\n",
                                        "}\x8f\x93.",
                                        "N0I1\n.aa",
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

/* Protocols 0 and 1 say nothing of themselves, and a string of any length may come first. */
static void sees_past_what_is_longer_than_a_head(void **state)
{
    enum { LONG = 12 << 10 };
    static const struct {
        const char *before, *after;
    } parts[] = {{"V", "\n0cos\nsystem\n(S'x'\ntR."},
                 {"S'", "'\n0cnot.known\nf\n(S'x'\ntR."},
                 {"(lp0\nVa\naV", "\nacos\nsystem\n(S'x'\ntRa."}};
    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char bytes[LONG + 64];
        size_t k = strlen(parts[i].after);
        memset(bytes, 'y', sizeof bytes);
        memcpy(bytes, parts[i].before, strlen(parts[i].before));
        memcpy(bytes + LONG, parts[i].after, k);
        struct model *m = read_bytes(bytes, LONG + k);
        if (m->files[0].format != FORMAT_PICKLE || !m->verdict.count)
            fail_msg("number %zu was not seen", i);
        model_free(m);
    }
}

/* Marks of one head after those of another do not outgrow what is kept of them. */
static void counts_marks_over_several_heads(void **state)
{
    enum { LONG = 5000, MARKS = 9000, BEFORE = 20 };
    static char bytes[BEFORE + LONG + MARKS];
    (void)state;
    memset(bytes, '(', sizeof bytes);
    memset(bytes + BEFORE, 'y', LONG);
    bytes[BEFORE] = 'V';
    bytes[BEFORE + LONG - 1] = '\n';
    struct model *m = read_bytes(bytes, sizeof bytes);
    assert_int_equal(m->files[0].format, FORMAT_PICKLE);
    assert_true(m->verdict.incomplete);
    model_free(m);
}

/* Every scalar of NumPy is eight bytes of its own, and a checkpoint holds thousands. */
static void leaves_random_bytes_alone(void **state)
{
    enum { STRINGS = 100000, EACH = 10 };
    (void)state;
    static uint8_t pickle[5 + STRINGS * EACH + 2] = "\x80\x04](";
    size_t n = 4;
    uint64_t x = 88172645463325252u; /* xorshift64, Marsaglia 2003 */
    for (size_t i = 0; i < STRINGS; i++, n += EACH) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        memcpy(pickle + n, "C\x08", 2);
        /* The first was found among some millions: a protocol that is none, and an extension. */
        uint64_t v = i ? x : UINT64_C(0x2ec2cbab7d845280);
        memcpy(pickle + n + 2, &v, sizeof v);
    }
    memcpy(pickle + n, "e.", 2);
    struct model *m = read_bytes((const char *)pickle, n + 2);
    assert_false(has(m, RULE_PICKLE_NESTED));
    model_free(m);
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
    for (size_t i = 0; i < hostile_pickle_count; i++)
        assert_true(prefixes_read(
            "x.pkl", (struct span){(const uint8_t *)hostile_pickles[i].bytes, hostile_pickles[i].n},
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
        cmocka_unit_test(refuses_every_advisory),
        cmocka_unit_test(takes_what_models_hold),
        cmocka_unit_test(leaves_text_alone),
        cmocka_unit_test(sees_past_what_is_longer_than_a_head),
        cmocka_unit_test(counts_marks_over_several_heads),
        cmocka_unit_test(leaves_random_bytes_alone),
        cmocka_unit_test(judges_what_ran_before_the_cut),
        cmocka_unit_test(every_prefix_is_read_within_its_bytes),
        cmocka_unit_test(a_deep_stack_is_incomplete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
