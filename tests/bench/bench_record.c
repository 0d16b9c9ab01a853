/*
 * What a verifier of a whole log does for every leaf: judge its bytes, hash it
 * and append the hash to the tree; beside hashing alone in the same run. One
 * thread, leaves of calls with three sealed fields.
 */
#include <stdio.h>
#include <stdlib.h>

#include "assay/base/clock.h"
#include "assay/record.h"

enum { LEAVES = 4096, ROUNDS = 64, TARGET = 500000 };

static const char outcome[] =
    "{\"attempts\":1,\"durability\":\"window\",\"finish\":[\"stop\"],\"intent\":41,"
    "\"model\":{\"entry\":1,\"name\":\"smollm2-135m\","
    "\"tensor_root\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"},"
    "\"outcome\":\"complete\",\"released_bytes\":5120,"
    "\"response_id\":\"chatcmpl-0123456789abcdef\",\"status\":200,"
    "\"timings\":{\"first_byte_us\":52000,\"total_us\":1800000},"
    "\"tokens\":{\"estimated\":false,\"input\":512,\"output\":256},\"windows\":48}";
static const char intent[] =
    "{\"api\":\"chat_completions\",\"durability\":\"window\","
    "\"model\":{\"entry\":1,\"name\":\"smollm2-135m\"},\"route\":\"engine\","
    "\"sampling\":{\"max_tokens\":256,\"seed\":\"7\",\"temperature\":\"0.7\"},\"stream\":true}";

static bool write_leaf(struct buf *leaf, uint64_t seq)
{
    struct record_head h = {.kind = seq % 2 ? RECORD_CALL_OUTCOME : RECORD_CALL_INTENT,
                            .seq = seq,
                            .wall_us = UINT64_C(1795471200000000) + seq * 97,
                            .boot_us = 86400000000 + seq * 97,
                            .has_subject = true};
    struct record_field f[] = {{.name = span_str("parameters"), .size = 128},
                               {.name = span_str("prompt"), .size = 2160},
                               {.name = span_str("request"), .size = 2672}};
    for (size_t i = 0; i < 3; i++) {
        f[i].commitment = sha256_of(f[i].name);
        f[i].ciphertext = sha256_of((struct span){f[i].commitment.b, DIGEST_SIZE});
    }
    struct err e = ERR_INIT;
    bool ok = record_encode(leaf, &h, span_str(seq % 2 ? outcome : intent), f, 2 + seq % 2, &e);
    if (!ok)
        fprintf(stderr, "bench_record: %s\n", e.text);
    return ok;
}

/* Nanoseconds a leaf; the best of all rounds, which is what the machine can do. */
static double per_leaf(const struct buf *leaves, bool judge, bool hash, uint64_t *odd)
{
    double best = 1e9;
    struct merkle tree;
    struct record_head head;
    struct err e = ERR_INIT;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start = clock_monotonic();
        merkle_start(&tree);
        for (size_t i = 0; i < LEAVES; i++) {
            struct span leaf = buf_span(&leaves[i]);
            if (judge && !record_check(&head, NULL, leaf, &e))
                ++*odd;
            if (hash) {
                struct digest d = record_hash(leaf);
                merkle_append(&tree, &d);
            }
        }
        double ns = (double)(clock_monotonic() - start) / LEAVES;
        best = ns < best ? ns : best;
    }
    return best;
}

static double per_encode(struct buf *leaves)
{
    uint64_t start = clock_monotonic();
    for (size_t i = 0; i < LEAVES; i++) {
        buf_init(&leaves[i], RECORD_MAX);
        if (!write_leaf(&leaves[i], i))
            exit(1);
    }
    return (double)(clock_monotonic() - start) / LEAVES;
}

/* Nanoseconds a leaf as leaves a second, beside hashing them and nothing else. */
static void line(const char *name, double ns, double reference, double target)
{
    printf("%-28s %9.0f /s   reference %9.0f /s   ratio %6.2f  target %9.0f /s   %s\n", name,
           1e9 / ns, 1e9 / reference, reference / ns, target, 1e9 / ns >= target ? "ok" : "missed");
}

int main(void)
{
    static struct buf leaves[LEAVES];
    uint64_t odd = 0, bytes = 0;
    double encode = per_encode(leaves);
    for (size_t i = 0; i < LEAVES; i++)
        bytes += leaves[i].n;
    double judge = per_leaf(leaves, true, false, &odd);
    double hash = per_leaf(leaves, false, true, &odd);
    double both = per_leaf(leaves, true, true, &odd);
    printf("leaves of %llu bytes\n", (unsigned long long)(bytes / LEAVES));
    line("record_encode", encode, hash, 10000);
    line("record_judge", judge, hash, TARGET);
    line("record_verify", both, hash, odd ? 1e12 : TARGET);
    for (size_t i = 0; i < LEAVES; i++)
        buf_free(&leaves[i]);
    return odd != 0;
}
