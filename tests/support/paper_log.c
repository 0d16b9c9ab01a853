/* Fixed keys and clocks, so that every run makes the same bytes. */
#include "support/paper_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "assay/base/file.h"
#include "assay/base/json.h"
#include "assay/seal.h"

enum { ARENA = 1 << 30, TILE = 256, LEAF = RECORD_MAX };

static void make_key(struct paper_log *l, struct sign_key **key, struct note_key *name,
                     const char *called, enum note_type type, uint8_t seed)
{
    uint8_t bytes[32];
    memset(bytes, seed, sizeof bytes);
    assert_true(sign_key_from_seed(key, bytes, NULL));
    struct sign_public k = sign_key_public(*key);
    struct span s = arena_span(l->a, span_str(called));
    assert_true(note_key_make(name, s, type, &k, NULL));
}

void paper_start(struct paper_log *l)
{
    char name[32];
    *l = (struct paper_log){.a = arena_new(ARENA)};
    assert_non_null(l->a);
    make_key(l, &l->key, &l->name, PAPER_ORIGIN, NOTE_ED25519, 1);
    for (uint8_t i = 0; i < PAPER_WITNESSES; i++) {
        snprintf(name, sizeof name, "witness.example/w%u", i);
        make_key(l, &l->witness[i], &l->witness_name[i], name, NOTE_COSIGNATURE,
                 (uint8_t)(100 + i));
    }
}

void paper_free(struct paper_log *l)
{
    sign_key_free(l->key);
    sign_key_free(l->old_key);
    for (size_t i = 0; i < PAPER_WITNESSES; i++)
        sign_key_free(l->witness[i]);
    arena_free(l->a);
}

/* ---- leaves ---- */

static struct record_head head_of(const struct paper_log *l, enum record_kind kind)
{
    struct record_head h = {.kind = kind,
                            .seq = l->count,
                            .wall_us = UINT64_C(1795392000000000) + 1000 * l->count,
                            .boot_us = UINT64_C(86400000000) + 1000 * l->count,
                            .boot_id = {0xB0}};
    store_u64be(h.id, l->count);
    return h;
}

static void put_leaf(struct paper_log *l, enum record_kind kind, struct span body,
                     const struct record_field *fields, size_t n)
{
    struct record_head h = head_of(l, kind);
    struct err e = ERR_INIT;
    struct buf b;
    buf_init(&b, LEAF);
    if (!record_encode(&b, &h, body, fields, n, &e))
        fail_msg("%s", e.text);
    l->leaf = arena_grow(l->a, l->leaf, l->count, &l->cap, sizeof *l->leaf);
    assert_non_null(l->leaf);
    l->leaf[l->count++] = arena_span(l->a, buf_span(&b));
    buf_free(&b);
}

void paper_append(struct paper_log *l, enum record_kind kind, const char *body)
{
    put_leaf(l, kind, span_str(body), NULL, 0);
}

static const char *vkey(struct paper_log *l, const struct note_key *k)
{
    struct buf b;
    buf_init(&b, 4096);
    note_key_put(&b, k);
    char *s = arena_str(l->a, buf_span(&b));
    buf_free(&b);
    return s;
}

static void put_intent(struct paper_log *l)
{
    paper_append(l, RECORD_CALL_INTENT,
                 "{\"api\":\"chat_completions\",\"durability\":\"answer\",\"model\":{\"name\":"
                 "\"m \\\"intent\\\":9 \"},\"route\":\"engine\",\"stream\":false}");
}

static void put_outcome(struct paper_log *l)
{
    paper_append(l, RECORD_CALL_OUTCOME,
                 arena_printf(l->a,
                              "{\"attempts\":1,\"durability\":\"answer\",\"finish\":[\"stop\"],"
                              "\"intent\":%zu,\"outcome\":\"complete\",\"released_bytes\":412}",
                              l->count - 1));
}

void paper_fill(struct paper_log *l, size_t count)
{
    const char *key = vkey(l, &l->name);
    if (l->count == 0 && count)
        paper_append(l, RECORD_GENESIS,
                     arena_printf(l->a,
                                  "{\"key\":\"%s\",\"origin\":\"" PAPER_ORIGIN
                                  "\",\"software\":\"paper 1\"}",
                                  key));
    if (l->count == 1 && count > 1)
        paper_append(l, RECORD_START,
                     arena_printf(l->a,
                                  "{\"key\":\"%s\",\"software\":\"paper 1\",\"sqlite\":\"none\","
                                  "\"sync\":{\"p50_us\":1,\"p99_us\":2,\"samples\":3},"
                                  "\"wal_reset_bug\":false}",
                                  key));
    while (l->count < count) {
        put_intent(l);
        if (l->count < count)
            put_outcome(l);
    }
}

static const char *signature(struct paper_log *l, const struct sign_key *k, struct span message)
{
    uint8_t s[SIGN_SIGNATURE];
    char hex[2 * SIGN_SIGNATURE + 1];
    assert_true(sign_bytes(k, message, s, NULL));
    for (size_t i = 0; i < sizeof s; i++)
        snprintf(hex + 2 * i, 3, "%02x", s[i]);
    return arena_str(l->a, span_str(hex));
}

void paper_rotate(struct paper_log *l)
{
    struct buf m;
    l->old_key = l->key;
    l->old_name = l->name;
    make_key(l, &l->key, &l->name, PAPER_ORIGIN, NOTE_ED25519, 2);
    const char *old = vkey(l, &l->old_name), *new = vkey(l, &l->name);
    buf_init(&m, 4096);
    record_key_message(&m, span_str(PAPER_ORIGIN), l->count, span_str(old), span_str(new));
    const char *by_old = signature(l, l->old_key, buf_span(&m));
    const char *by_new = signature(l, l->key, buf_span(&m));
    buf_free(&m);
    paper_append(l, RECORD_KEY,
                 arena_printf(l->a,
                              "{\"new\":\"%s\",\"old\":\"%s\",\"signature_new\":\"%s\","
                              "\"signature_old\":\"%s\"}",
                              new, old, by_new, by_old));
    l->rotated_at = l->count;
}

void paper_seal(struct paper_log *l, struct span content, struct paper_sealed *out)
{
    *out = (struct paper_sealed){.seq = l->count, .content = content, .field = span_str("prompt")};
    memset(out->salt, 0x5A, sizeof out->salt);
    struct record_field f = {.name = out->field, .size = 64};
    seal_commit(&f.commitment, out->field, out->salt, content);
    put_leaf(l, RECORD_CALL_INTENT,
             span_str("{\"api\":\"run\",\"durability\":\"answer\",\"model\":{\"name\":\"m\"},"
                      "\"route\":\"engine\",\"stream\":false}"),
             &f, 1);
}

/* ---- trees and notes ---- */

static bool read_hash(void *arg, unsigned level, uint64_t index, struct digest *out, struct err *e)
{
    const struct paper_log *l = arg;
    struct merkle m;
    (void)e;
    merkle_start(&m);
    for (uint64_t i = index << level; i < (index + 1) << level; i++) {
        struct digest d = record_hash(l->leaf[i]);
        merkle_append(&m, &d);
    }
    *out = merkle_root(&m);
    return true;
}

struct hash_reader paper_hashes(const struct paper_log *l)
{
    union {
        const struct paper_log *in;
        void *out;
    } arg = {l};
    return (struct hash_reader){read_hash, arg.out};
}

struct digest paper_root(const struct paper_log *l, uint64_t size)
{
    struct merkle m;
    merkle_start(&m);
    for (uint64_t i = 0; i < size; i++) {
        struct digest d = record_hash(l->leaf[i]);
        merkle_append(&m, &d);
    }
    return merkle_root(&m);
}

void paper_checkpoint(const struct paper_log *l, uint64_t size, size_t witnesses, struct buf *out)
{
    struct checkpoint c = {span_str(PAPER_ORIGIN), size, paper_root(l, size)};
    struct buf text;
    bool old = l->old_key && size < l->rotated_at;
    buf_init(&text, 4096);
    checkpoint_put(&text, &c);
    buf_put_span(out, buf_span(&text));
    buf_put_u8(out, '\n');
    assert_true(note_sign(out, buf_span(&text), old ? &l->old_name : &l->name,
                          old ? l->old_key : l->key, NULL));
    for (size_t i = 0; i < witnesses; i++)
        assert_true(note_cosign(out, buf_span(&text), &l->witness_name[i], l->witness[i],
                                PAPER_WITNESSED - i, NULL));
    buf_free(&text);
}

void paper_receipt(const struct paper_log *l, uint64_t index, uint64_t size, size_t witnesses,
                   struct buf *out)
{
    struct proof p;
    struct hash_reader r = paper_hashes(l);
    assert_true(proof_inclusion(&p, index, size, &r, NULL));
    buf_put_str(out, "c2sp.org/tlog-proof@v1\nextra ");
    base64_put(out, l->leaf[index]);
    buf_printf(out, "\nindex %llu\n", (unsigned long long)index);
    for (size_t i = 0; i < p.count; i++) {
        base64_put(out, (struct span){p.hash[i].b, DIGEST_SIZE});
        buf_put_u8(out, '\n');
    }
    buf_put_u8(out, '\n');
    paper_checkpoint(l, size, witnesses, out);
}

void paper_bundle(const struct paper_log *l, const struct paper_sealed *s, uint64_t size,
                  struct buf *out)
{
    struct json_writer w;
    struct buf receipt;
    struct digest salt;
    char hex[DIGEST_HEX + 1];
    memcpy(salt.b, s->salt, sizeof salt.b);
    buf_init(&receipt, 1 << 20);
    paper_receipt(l, s->seq, size, 2, &receipt);
    jw_init(&w, json_sink_buf, out, true);
    jw_object(&w);
    jw_key(&w, "bundle");
    jw_str(&w, "assay/disclosure/v1");
    jw_key(&w, "fields");
    jw_array(&w);
    jw_object(&w);
    jw_key(&w, "content");
    jw_string(&w, s->content);
    jw_key(&w, "field");
    jw_string(&w, s->field);
    jw_key(&w, "salt");
    jw_str(&w, digest_hex(hex, &salt));
    jw_end_object(&w);
    jw_end_array(&w);
    jw_key(&w, "receipt");
    jw_string(&w, buf_span(&receipt));
    jw_end_object(&w);
    buf_put_str(out, "\n");
    buf_free(&receipt);
}

/* ---- the exported folder ---- */

static bool write_file(const char *folder, const char *name, struct span bytes)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *slash = path + strlen(folder); (slash = strchr(slash + 1, '/'));) {
        *slash = 0;
        mkdir(path, 0700);
        *slash = '/';
    }
    return file_replace(path, bytes, false, NULL);
}

/* Numbers beyond 999 are not needed on paper. */
static void tile_name(char *out, size_t n, const char *level, size_t number, size_t width)
{
    if (width == TILE)
        snprintf(out, n, "tile/%s/%03zu", level, number);
    else
        snprintf(out, n, "tile/%s/%03zu.p/%zu", level, number, width);
}

static bool export_entries(const struct paper_log *l, const char *folder)
{
    char name[64];
    bool ok = true;
    struct buf b;
    buf_init(&b, TILE * (LEAF + 2));
    for (size_t from = 0; ok && from < l->count; from += TILE) {
        size_t width = l->count - from < TILE ? l->count - from : TILE;
        buf_clear(&b);
        for (size_t i = from; i < from + width; i++) {
            buf_put_u8(&b, (uint8_t)(l->leaf[i].n >> 8));
            buf_put_u8(&b, (uint8_t)l->leaf[i].n);
            buf_put_span(&b, l->leaf[i]);
        }
        tile_name(name, sizeof name, "entries", from / TILE, width);
        ok = buf_ok(&b) && write_file(folder, name, buf_span(&b));
    }
    buf_free(&b);
    return ok;
}

static bool export_level(const struct paper_log *l, const char *folder, unsigned level, size_t n)
{
    struct digest hash[TILE];
    char name[64], number[8];
    snprintf(number, sizeof number, "%u", level);
    for (size_t from = 0; from < n; from += TILE) {
        size_t width = n - from < TILE ? n - from : TILE;
        struct hash_reader r = paper_hashes(l);
        for (size_t i = 0; i < width; i++)
            if (!r.read(r.arg, 8 * level, from + i, &hash[i], NULL))
                return false;
        tile_name(name, sizeof name, number, from / TILE, width);
        if (!write_file(folder, name, (struct span){hash[0].b, width * DIGEST_SIZE}))
            return false;
    }
    return true;
}

bool paper_export(const struct paper_log *l, const char *folder)
{
    struct buf note;
    buf_init(&note, 1 << 16);
    paper_checkpoint(l, l->count, 2, &note);
    bool ok = write_file(folder, "checkpoint", buf_span(&note)) && export_entries(l, folder);
    buf_free(&note);
    unsigned level = 0;
    for (size_t n = l->count; ok && n; n /= TILE)
        ok = export_level(l, folder, level++, n);
    return ok;
}
