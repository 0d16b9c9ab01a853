/*
 * A million leaves of calls through the verifier, one core, beside plain SHA-256
 * of the same leaves in the same run. Seconds of the processor, not of the wall:
 * the figure is per core, whatever else runs. BENCH_LEAVES: how many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "assay/verify.h"

enum { ROUNDS = 3, WANTED = 500000, LEAF = 1024 };

#define ORIGIN "example.org/bench"

struct bench {
    struct sign_key *key;
    struct note_key name;
    struct span *leaf;
    size_t count;
    struct arena *a;
    struct buf note;
};

static void put_calls(struct buf *b, uint64_t seq, const char *vkey)
{
    struct record_head h = {.kind = RECORD_GENESIS,
                            .seq = seq,
                            .wall_us = 1000 * seq + 1,
                            .boot_us = 1000 * seq,
                            .has_subject = seq > 0};
    struct record_field fields[2] = {{.name = span_str("parameters"), .size = 512},
                                     {.name = span_str("prompt"), .size = 4096}};
    struct buf body;
    buf_init(&body, LEAF);
    if (seq == 0)
        buf_printf(&body, "{\"key\":\"%s\",\"origin\":\"" ORIGIN "\",\"software\":\"bench\"}",
                   vkey);
    else if (seq % 2)
        buf_put_str(&body, "{\"api\":\"chat_completions\",\"durability\":\"answer\",\"model\":{"
                           "\"name\":\"m\"},\"route\":\"engine\",\"stream\":false}");
    else
        buf_printf(
            &body,
            "{\"attempts\":1,\"durability\":\"answer\",\"finish\":[\"stop\"],\"intent\":%llu,"
            "\"outcome\":\"complete\",\"released_bytes\":412,\"status\":200,\"tokens\":{"
            "\"estimated\":false,\"input\":14,\"output\":3}}",
            (unsigned long long)seq - 1);
    if (seq)
        h.kind = seq % 2 ? RECORD_CALL_INTENT : RECORD_CALL_OUTCOME;
    if (!record_encode(b, &h, buf_span(&body), fields, h.kind == RECORD_CALL_INTENT ? 2 : 1, NULL))
        abort();
    buf_free(&body);
}

/* Leaves lie one after the other, as they do in a file. */
static bool make(struct bench *b, struct buf *all)
{
    struct buf vkey;
    struct merkle m;
    static const uint8_t seed[32] = {7};
    if (!sign_key_from_seed(&b->key, seed, NULL))
        return false;
    struct sign_public k = sign_key_public(b->key);
    buf_init(&vkey, LEAF);
    if (!note_key_make(&b->name, span_str(ORIGIN), NOTE_ED25519, &k, NULL))
        return false;
    note_key_put(&vkey, &b->name);
    size_t *at = arena_array(b->a, b->count + 1, sizeof *at);
    b->leaf = arena_array(b->a, b->count, sizeof *b->leaf);
    if (!at || !b->leaf)
        return false;
    for (size_t i = 0; i < b->count; i++) {
        put_calls(all, i, buf_cstr(&vkey));
        at[i + 1] = all->n;
    }
    merkle_start(&m);
    for (size_t i = 0; i < b->count; i++) {
        b->leaf[i] = (struct span){all->p + at[i], at[i + 1] - at[i]};
        struct digest d = record_hash(b->leaf[i]);
        merkle_append(&m, &d);
    }
    struct checkpoint c = {span_str(ORIGIN), b->count, merkle_root(&m)};
    checkpoint_put(&b->note, &c);
    struct span text = arena_span(b->a, buf_span(&b->note));
    buf_put_u8(&b->note, '\n');
    buf_free(&vkey);
    return buf_ok(all) && note_sign(&b->note, text, &b->name, b->key, NULL);
}

static double processor_seconds(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0
               ? (double)t.tv_sec + (double)t.tv_nsec * 1e-9
               : 0;
}

static double verify_all(const struct bench *b)
{
    struct note_key key = b->name;
    struct trust t = {.log_keys = &key, .log_key_count = 1};
    struct verifier *v = NULL;
    struct verified shown;
    struct err e = ERR_INIT;
    double start = processor_seconds();
    bool ok = verifier_new(&v, &t, &e);
    for (size_t i = 0; ok && i < b->count; i++)
        ok = verifier_leaf(v, b->leaf[i], &e);
    ok = ok && verifier_finish(v, buf_span(&b->note), &shown, b->a, &e);
    double took = processor_seconds() - start;
    if (!ok)
        fprintf(stderr, "bench_verify: %s\n", e.text);
    verifier_free(v);
    return ok ? took : -1;
}

static double hash_all(const struct bench *b)
{
    uint8_t sum = 0;
    double start = processor_seconds();
    for (size_t i = 0; i < b->count; i++)
        sum ^= sha256_of(b->leaf[i]).b[0];
    double took = processor_seconds() - start;
    return sum == 0 && took == 0 ? -1 : took;
}

static long resident_kib(void)
{
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) == 0 ? u.ru_maxrss : 0;
}

int main(void)
{
    const char *wanted = getenv("BENCH_LEAVES");
    struct bench b = {.count = wanted ? strtoull(wanted, NULL, 10) : 1000000};
    double ours = 1e9, plain = 1e9;
    struct buf all;
    b.a = arena_new((size_t)1 << 30);
    buf_init(&all, b.count * LEAF + LEAF);
    buf_init(&b.note, 4096);
    bool ok = b.count > 0 && b.a && make(&b, &all);
    long before = resident_kib();
    for (int i = 0; ok && i < ROUNDS; i++) {
        double v = verify_all(&b), h = hash_all(&b);
        ok = v > 0;
        ours = v < ours ? v : ours;
        plain = h < plain ? h : plain;
    }
    long grown = resident_kib() - before;
    size_t bytes = all.n;
    sign_key_free(b.key);
    buf_free(&b.note);
    buf_free(&all);
    arena_free(b.a);
    if (!ok) {
        printf("verify: could not be measured\n");
        return 1;
    }
    double rate = (double)b.count / ours;
    printf("verify %zu leaves of %zu bytes   %.0f leaves/s per core   plain SHA-256 %.0f   memory "
           "+%ld KiB   >= %d   %s\n",
           b.count, bytes / b.count, rate, (double)b.count / plain, grown, WANTED,
           rate >= WANTED ? "ok" : "missed");
    return 0;
}
