/* The configurations that docs/examples shows are ones that the server takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assay/base/text.h"
#include "assay/serve.h"
#include "support/folder.h"

static struct folder place;
static char examples[4096];

/* Keys that an example has in files lie beside it; here in the folder where the test is. */
static int setup(void **state)
{
    static const char *const keys[] = {"openai.key", "anthropic.key"};
    char here[2048];
    (void)state;
    if (!folder_make(&place) || !getcwd(here, sizeof here))
        return -1;
    snprintf(examples, sizeof examples, "%s/docs/examples", here);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        FILE *f = fopen(folder_path(&place, keys[i]), "we");
        if (!f || fchmod(fileno(f), 0600) != 0 || fputs("sk-example\n", f) < 0 || fclose(f) != 0)
            return -1;
    }
    return chdir(place.path);
}

static int teardown(void **state)
{
    (void)state;
    folder_remove(&place);
    return 0;
}

static void every_example_is_taken(void **state)
{
    (void)state;
    unsigned count = 0;
    DIR *d = opendir(examples);
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        char path[8192];
        struct err e = ERR_INIT;
        if (!span_ends(span_str(entry->d_name), ".yaml"))
            continue;
        snprintf(path, sizeof path, "%s/%s", examples, entry->d_name);
        struct serve_options o = {.config = path};
        if (!serve_check(&o, &e))
            fail_msg("%s: %s", path, e.text);
        count++;
    }
    closedir(d);
    assert_true(count >= 5);
}

/* With a word that is none it would not be. */
static void example_with_a_wrong_word_is_refused(void **state)
{
    (void)state;
    char text[65536], path[8192];
    struct err e = ERR_INIT;
    snprintf(path, sizeof path, "%s/vllm.yaml", examples);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text, f);
    assert_true(n > 0 && n < sizeof text && fclose(f) == 0);
    f = fopen(folder_path(&place, "wrong.yaml"), "we");
    assert_true(f && fwrite(text, 1, n, f) == n && fputs("modles: []\n", f) >= 0 && fclose(f) == 0);
    struct serve_options o = {.config = folder_path(&place, "wrong.yaml")};
    assert_false(serve_check(&o, &e));
    assert_int_equal(e.code, ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_is_taken),
        cmocka_unit_test(example_with_a_wrong_word_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
