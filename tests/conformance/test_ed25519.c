/*
 * The 914 edge cases of C2SP/CCTV carry flags and no verdicts. Ours, by flags:
 * a public key that is not canonical or is of small order is refused; so is an
 * R that is not canonical, and a signature that only the cofactored equation
 * accepts (low_order_residue). Everything else is accepted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/json.h"
#include "assay/sign.h"

static const char *const refused[] = {"low_order_A", "non_canonical_A", "non_canonical_R",
                                      "low_order_residue"};

static bool has_flag(struct json v, const char *flag)
{
    struct span s;
    for (struct json f = json_first(json_get(v, "flags")); json_type(f); f = json_next(f))
        if (json_string(f, &s) && span_is(s, flag))
            return true;
    return false;
}

static void get_hex(struct json v, const char *key, uint8_t *out, size_t n)
{
    struct span s;
    assert_true(json_string(json_get(v, key), &s));
    assert_int_equal(s.n, 2 * n);
    for (size_t i = 0; i < n; i++) {
        char two[3] = {(char)s.p[2 * i], (char)s.p[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(two, NULL, 16);
    }
}

static bool verdict_of_flags(struct json v)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (has_flag(v, refused[i]))
            return false;
    return true;
}

static void verdict_of_every_vector_follows_from_its_flags(void **state)
{
    (void)state;
    char path[4096];
    snprintf(path, sizeof path, "%s/ed25519vectors.json",
             getenv("CONFORMANCE") ? getenv("CONFORMANCE") : "");
    FILE *f = fopen(path, "rb");
    if (!f)
        skip();
    struct arena *a = arena_new(64 << 20);
    uint8_t *bytes = arena_alloc(a, 1 << 20);
    size_t n = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    struct json root;
    unsigned accepted = 0, wrong = 0;
    assert_true(json_parse(&root, (struct span){bytes, n}, JSON_STRICT, a, NULL));
    assert_int_equal(json_count(root), 914);
    for (struct json v = json_first(root); json_type(v); v = json_next(v)) {
        struct sign_public key;
        uint8_t signature[SIGN_SIGNATURE];
        struct span message;
        get_hex(v, "key", key.b, sizeof key.b);
        get_hex(v, "sig", signature, sizeof signature);
        assert_true(json_string(json_get(v, "msg"), &message));
        bool ok = sign_verify(&key, message, signature);
        accepted += ok;
        if (ok != verdict_of_flags(v)) {
            wrong++;
            struct span text = json_text(v);
            print_error("%s: %.*s\n", ok ? "accepted" : "refused", (int)text.n,
                        (const char *)text.p);
        }
    }
    print_message("%u of 914 accepted\n", accepted);
    arena_free(a);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdict_of_every_vector_follows_from_its_flags)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
