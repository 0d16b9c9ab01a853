/*
 * corpus FOLDER: writes the training data of the bundled model, the same bytes
 * each time: stories.jsonl and chats.jsonl for training, valid.jsonl kept
 * apart, and the data set's card. All of it is invented here (CC0 1.0).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus.h"

enum { STORIES = 1750, CHATS = 3700, VALID = 120 };

static FILE *create(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

static void put_json(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            fputc('\\', f);
        if (*s == '\n')
            fputs("\\n", f);
        else
            fputc(*s, f);
    }
    fputc('"', f);
}

static void write_story(FILE *f, struct draws *d)
{
    struct text t = {{0}, 0};
    make_story(&t, d);
    fputs("{\"text\":", f);
    put_json(f, t.s);
    fputs("}\n", f);
}

static void write_chat(FILE *f, struct draws *d)
{
    struct chat c;
    make_chat(&c, d);
    fputs("{\"messages\":[", f);
    for (int i = 0; i < c.turns; i++) {
        fprintf(f, "%s{\"role\":\"user\",\"content\":", i ? "," : "");
        put_json(f, c.turn[i].question.s);
        fputs("},{\"role\":\"assistant\",\"content\":", f);
        put_json(f, c.turn[i].answer.s);
        fputs("}", f);
    }
    fputs("]}\n", f);
}

static void finish(FILE *f)
{
    if (ferror(f) || fclose(f) != 0) {
        perror("corpus");
        exit(1);
    }
}

static void write_card(const char *folder)
{
    FILE *f = create(folder, "README.md");
    fputs("---\nlicense: cc0-1.0\nlanguage: en\npretty_name: The Vale of Orrin\n"
          "task_categories: [text-generation]\nsize_categories: [1K<n<10K]\n---\n\n"
          "# The Vale of Orrin\n\n"
          "Little stories, and questions with their answers, about an invented place of six\n"
          "villages and twenty-four people. All text comes from the templates and tables of\n"
          "tools/corpus, written for this purpose; nothing was taken from elsewhere, and no\n"
          "person is meant. `make bundled-model` writes the same bytes again.\n\n",
          f);
    fprintf(f,
            "| file | rows | what |\n|---|---|---|\n"
            "| stories.jsonl | %d | `text`: a story of six to twelve sentences |\n"
            "| chats.jsonl | %d | `messages`: one to three questions and answers |\n"
            "| valid.jsonl | %d | chats by the same rules, kept from training |\n\n",
            STORIES, CHATS, VALID);
    fputs(
        "The facts agree with one another throughout, so an answer can be right or wrong.\n"
        "Held-out rows share facts and phrases with the training rows: they measure how well\n"
        "the world is known, not what is made of an unknown one.\n\n"
        "To the extent possible under law, the authors have waived all copyright and related\n"
        "rights to this data set (CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/).\n",
        f);
    finish(f);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs("usage: corpus FOLDER\n", stderr);
        return 2;
    }
    struct draws stories = {1, 0}, chats = {2, 0}, valid = {3, 0};
    FILE *f = create(argv[1], "stories.jsonl");
    for (int i = 0; i < STORIES; i++)
        write_story(f, &stories);
    finish(f);
    f = create(argv[1], "chats.jsonl");
    for (int i = 0; i < CHATS; i++)
        write_chat(f, &chats);
    finish(f);
    f = create(argv[1], "valid.jsonl");
    for (int i = 0; i < VALID; i++)
        write_chat(f, &valid);
    finish(f);
    write_card(argv[1]);
    return 0;
}
