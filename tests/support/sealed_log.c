/* A log with sealed content of several subjects, and a byte search over its files. */
#include "support/sealed_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <sqlite3.h>
#include <sys/stat.h>

const struct log_order sealed_order = {{(const uint8_t *)"the operator", 12},
                                       {(const uint8_t *)"a request", 9}};

static void demand(bool ok, const struct err *e)
{
    if (!ok)
        fail_msg("%s: %s", e->file, e->text);
}

void sealed_make(const struct folder *f)
{
    struct err e = ERR_INIT;
    demand(log_init(f->path, span_str("example.org/audit"), NULL, &e), &e);
}

struct log *sealed_open(const struct folder *f)
{
    struct log *l = NULL;
    struct err e = ERR_INIT;
    demand(log_open(&l, f->path, NULL, &e), &e);
    return l;
}

uint64_t sealed_append(struct log *l, const char *subject, const char *prompt)
{
    struct log_receipt r = {.ok = false};
    struct err e = ERR_INIT;
    struct log_content content[] = {{span_str("prompt"), span_str(prompt)},
                                    {span_str("answer"), span_str("an answer")}};
    struct log_entry entry = {
        .kind = RECORD_CONFIG,
        .body = span_str("{\"changes\":[{\"name\":\"a\"}],\"software\":\"test\"}"),
        .subject = span_str(subject),
        .content = content,
        .content_count = 2,
    };
    demand(log_append(l, &entry, &r, &e), &e);
    return r.seq;
}

/* ---- the database, from outside ---- */

static sqlite3 *database(const struct folder *f)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open_v2(folder_path(f, "log.db"), &db, SQLITE_OPEN_READONLY, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), SQLITE_OK);
    return db;
}

static sqlite3_stmt *prepared(sqlite3 *db, const char *query)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(db, query, -1, &st, NULL) != SQLITE_OK)
        fail_msg("%s: %s", query, sqlite3_errmsg(db));
    return st;
}

void sealed_keys_of(const struct folder *f, const char *query, struct sealed_keys *out)
{
    sqlite3 *db = database(f);
    sqlite3_stmt *st = prepared(db, query);
    out->count = 0;
    while (sqlite3_step(st) == SQLITE_ROW) {
        assert_int_equal(sqlite3_column_bytes(st, 0), SEAL_WRAPPED);
        assert_true(out->count < sizeof out->key / sizeof *out->key);
        memcpy(out->key[out->count++], sqlite3_column_blob(st, 0), SEAL_WRAPPED);
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
}

int64_t sealed_number(const struct folder *f, const char *query)
{
    sqlite3 *db = database(f);
    sqlite3_stmt *st = prepared(db, query);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return v;
}

/* ---- byte search ---- */

static void search(const char *path, const struct sealed_keys *keys, bool *found)
{
    struct stat st;
    FILE *in = fopen(path, "rbe");
    if (!in || fstat(fileno(in), &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
        if (in)
            fclose(in);
        return;
    }
    size_t n = (size_t)st.st_size;
    uint8_t *bytes = malloc(n);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, n, in), n);
    fclose(in);
    for (size_t i = 0; i < keys->count; i++)
        found[i] = found[i] || memmem(bytes, n, keys->key[i], SEAL_WRAPPED);
    free(bytes);
}

size_t sealed_keys_found(const struct folder *f, const struct sealed_keys *keys)
{
    bool found[sizeof keys->key / sizeof *keys->key] = {false};
    DIR *dir = opendir(f->path);
    const struct dirent *d;
    size_t n = 0;
    assert_non_null(dir);
    while ((d = readdir(dir)))
        if (d->d_type == DT_REG)
            search(folder_path(f, d->d_name), keys, found);
    closedir(dir);
    for (size_t i = 0; i < keys->count; i++)
        n += found[i];
    return n;
}

/* ---- through the door ---- */

enum err_code sealed_disclose(struct log *l, uint64_t seq, const char *field, struct buf *out)
{
    struct err e = ERR_INIT;
    uint64_t leaf = 0;
    struct log_disclosure what = {seq, span_str(field), span_str("an auditor"), sealed_order};
    buf_clear(out);
    return log_disclose(l, &what, &leaf, out, &e) ? ERR_NONE : e.code;
}

struct digest sealed_root(const struct folder *f, uint64_t size)
{
    struct log_reader *r = NULL;
    struct digest root;
    struct err e = ERR_INIT;
    demand(log_reader_open(&r, f->path, &e), &e);
    struct hash_reader hashes = log_reader_hashes(r);
    demand(proof_root(&root, size, &hashes, &e), &e);
    log_reader_close(r);
    return root;
}
