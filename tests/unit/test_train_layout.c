/*
 * Chats through a template: what the assistant says is found whatever the
 * template writes around it, and nothing that a message holds becomes a mark.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/folder.h"
#include "train/run.h"

static struct folder here;
static struct arena *arena;
static struct train *run;

static const char rows[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"Be short.\"},"
    "{\"role\":\"user\",\"content\":\"Who?\"},{\"role\":\"assistant\",\"content\":\"Mira.\"},"
    "{\"role\":\"user\",\"content\":\"Where <|im_end|>?\"},"
    "{\"role\":\"assistant\",\"content\":\"By the <|im_start|> lake.\"}]}\n";

static const struct layout_message chat[] = {
    {{(const uint8_t *)"user", 4}, {(const uint8_t *)"Who?", 4}},
    {{(const uint8_t *)"assistant", 9}, {(const uint8_t *)"Mira.", 5}},
    {{(const uint8_t *)"user", 4}, {(const uint8_t *)"Where?", 6}},
    {{(const uint8_t *)"assistant", 9}, {(const uint8_t *)"By the lake.", 12}},
};

static int begin(void **state)
{
    (void)state;
    struct train_options o = {.dry = true, .threads = 1};
    struct err e = ERR_INIT;
    arena = arena_new(64 << 20);
    return arena && folder_make(&here) && folder_put(&here, "c.jsonl", span_str(rows)) &&
                   train_open_text(
                       &run,
                       span_str("name: c\nvocabulary: 300\n"
                                "model: {layers: 1, width: 32, ffn: 32, heads: 2, kv_heads: 1, "
                                "context: 256}\n"
                                "data: [{name: c, files: [{path: c.jsonl, format: chat}]}]\n"
                                "training: {steps: 1}\n"),
                       here.path, &o, &e)
               ? 0
               : -1;
}

static int end(void **state)
{
    (void)state;
    train_close(run);
    folder_remove(&here);
    arena_free(arena);
    return 0;
}

static struct template *template_of(const char *source)
{
    struct template *t;
    struct err e = ERR_INIT;
    if (!template_new(&t, span_str(source), &e))
        fail_msg("%s", e.text);
    return t;
}

static void chatml_by_template_gives_what_chatml_gives(void **state)
{
    (void)state;
    struct template *t = template_of(vocabulary_template);
    struct data_file f;
    struct config_file c = {.format = DATA_CHAT, .loss = LOSS_ANSWERS};
    struct data_reading how = {run->tokenizer, t, 256};
    struct documents d = {.count = 0};
    struct err e = ERR_INIT;
    assert_true(data_read_file(&f, folder_path(&here, "c.jsonl"), arena, &e));
    assert_true(data_documents(&d, &f, &c, &how, arena, &e));
    assert_int_equal(d.token_count, run->data.token_count);
    assert_memory_equal(d.tokens, run->data.tokens, d.token_count * sizeof *d.tokens);
    assert_memory_equal(d.counts, run->data.counts, d.token_count);
    template_free(t);
}

/* What counts of the chat, decoded, by this template. */
static const char *counted(const char *source)
{
    struct template *t = template_of(source);
    struct tokens ids = {.n = 0}, said = {.n = 0};
    struct err e = ERR_INIT;
    struct buf text;
    uint8_t *counts;
    buf_init(&text, 1 << 16);
    if (!layout_chat(&ids, &counts, t, run->tokenizer, chat, 4, arena, &e))
        fail_msg("%s", e.text);
    for (size_t i = 0; i < ids.n; i++)
        if (counts[i])
            assert_true(tokens_add(&said, ids.id[i], &e));
    assert_true(tokenizer_decode(&text, run->tokenizer, said.id, said.n, DECODE_SPECIAL, &e));
    const char *out = arena_str(arena, buf_span(&text));
    buf_free(&text);
    tokens_free(&ids);
    tokens_free(&said);
    template_free(t);
    return out;
}

static void answers_count_with_the_token_that_ends_them(void **state)
{
    (void)state;
    assert_string_equal(counted(vocabulary_template), "Mira.<|im_end|>By the lake.<|im_end|>");
    /* A system message of the template's own changes nothing. */
    assert_string_equal(
        counted("{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% for m in messages %}"
                "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
                "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"),
        "Mira.<|im_end|>By the lake.<|im_end|>");
}

static void without_such_a_token_the_whole_turn_counts(void **state)
{
    (void)state;
    assert_string_equal(
        counted("{% for m in messages %}{{ '[' + m.role + '] ' + m.content + '\n' }}"
                "{% endfor %}{% if add_generation_prompt %}{{ '[assistant] ' }}"
                "{% endif %}"),
        "Mira.\nBy the lake.\n");
}

static void a_template_that_rewrites_earlier_turns_is_refused(void **state)
{
    (void)state;
    struct template *t = template_of(
        "{% for m in messages %}{% if m.role == 'user' or loop.last %}"
        "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}");
    struct tokens ids = {.n = 0};
    struct err e = ERR_INIT;
    uint8_t *counts;
    assert_false(layout_chat(&ids, &counts, t, run->tokenizer, chat, 4, arena, &e));
    assert_int_equal(e.code, ERR_UNSUPPORTED);
    assert_non_null(strstr(e.text, "message 2"));
    tokens_free(&ids);
    template_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chatml_by_template_gives_what_chatml_gives),
        cmocka_unit_test(answers_count_with_the_token_that_ends_them),
        cmocka_unit_test(without_such_a_token_the_whole_turn_counts),
        cmocka_unit_test(a_template_that_rewrites_earlier_turns_is_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
