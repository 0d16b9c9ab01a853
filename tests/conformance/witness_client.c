/*
 * witness_client URL VKEY OLD_SIZE NOTE LEAVES [TIMEOUT_MS [CA_FILE]]: submit
 * the note's checkpoint with the tree over the lines of LEAVES; for witness.py. Prints the
 * outcome, the status, the size, the error's name, its text and the cosignature lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/base/file.h"
#include "assay/witness.h"

enum { LEVELS = 20, INPUT_MAX = 8 << 20 };

struct tree {
    struct digest *level[LEVELS];
    uint64_t size;
};

static bool read_hash(void *arg, unsigned level, uint64_t index, struct digest *out, struct err *e)
{
    const struct tree *t = arg;
    if (level >= LEVELS || (index + 1) << level > t->size)
        return err_set(e, ERR_USAGE, "no complete subtree %u/%llu", level,
                       (unsigned long long)index);
    *out = t->level[level][index];
    return true;
}

static bool build(struct tree *t, struct span lines, struct arena *a)
{
    for (size_t i = 0; i < lines.n; i++)
        t->size += lines.p[i] == '\n';
    for (unsigned l = 0; l < LEVELS; l++) {
        t->level[l] = arena_array(a, (t->size >> l) + 1, sizeof *t->level[l]);
        if (!t->level[l])
            return false;
        for (uint64_t i = 0; l && i < t->size >> l; i++)
            t->level[l][i] = merkle_node(&t->level[l - 1][2 * i], &t->level[l - 1][2 * i + 1]);
        for (uint64_t i = 0; !l && i < t->size; i++) {
            size_t n = (size_t)((const uint8_t *)memchr(lines.p, '\n', lines.n) - lines.p);
            t->level[0][i] = merkle_leaf(span_sub(lines, 0, n));
            lines = span_sub(lines, n + 1, lines.n);
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    struct tree t = {.size = 0};
    struct note_key key;
    struct span note, lines;
    struct witness_answer answer;
    struct arena *a = arena_new((size_t)256 << 20);
    if (argc < 6 || !a || !note_key_parse(&key, span_str(argv[2]), a, &e) ||
        !file_read(&note, argv[4], INPUT_MAX, false, a, &e) ||
        !file_read(&lines, argv[5], INPUT_MAX, false, a, &e) || !build(&t, lines, a)) {
        fprintf(stderr, "wrong arguments or input: %s %s\n", e.file, e.text);
        return 2;
    }
    const struct hash_reader reader = {read_hash, &t};
    struct witness w = {.url = argv[1],
                        .key = &key,
                        .timeout_ms = argc > 6 ? (unsigned)strtoul(argv[6], NULL, 10) : 0,
                        .ca_file = argc > 7 ? argv[7] : NULL};
    bool ok = witness_cosign(&answer, &w, strtoull(argv[3], NULL, 10), note, &reader, &e);
    printf("%s\n%u\n%llu\n%llu\n%s\n%s\n%s", witness_outcome_name(answer.outcome), answer.status,
           (unsigned long long)answer.size, (unsigned long long)answer.time,
           ok ? "" : err_name(e.code), e.text, buf_cstr(&answer.lines));
    witness_answer_free(&answer);
    arena_free(a);
    return 0;
}
