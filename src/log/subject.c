/*
 * Subjects: whom sealed content concerns. A name never stands in the database
 * in clear; it is found by an HMAC under a key derived from the epoch's, and
 * read back only under the subject's own key, so that destroying that key ends
 * both the content and the linkability.
 */
#include "log/store.h"

#include <stdlib.h>
#include <string.h>

static const char find_text[] = "SELECT id, pseudonym, key FROM subject WHERE lookup = ?1 AND "
                                "born = ?2 ORDER BY id DESC LIMIT 1";

static struct subject **bucket_of(struct subjects *t, const struct digest *lookup)
{
    return &t->bucket[load_u32le(lookup->b) % SUBJECT_BUCKETS];
}

static void subject_free(struct subject *s)
{
    if (!s)
        return;
    buf_free(&s->name);
    seal_wipe(s, sizeof *s);
    free(s);
}

bool subjects_open(struct log *l, struct err *e)
{
    struct subjects *t = &l->subjects;
    int64_t newest = 0;
    if (!sql_open(&t->db, l->path[PATH_DB], SQL_READ, e) ||
        !sql_int(t->db, "SELECT coalesce(max(id), 0) FROM subject", &newest, e))
        return false;
    t->next_id = newest + 1;
    t->find = sql_prepare(t->db, find_text, e);
    return t->find != NULL;
}

void subjects_forget(struct log *l)
{
    struct subjects *t = &l->subjects;
    for (size_t i = 0; i < SUBJECT_BUCKETS; i++) {
        for (struct subject *s = t->bucket[i]; s;) {
            struct subject *next = s->next;
            subject_free(s);
            s = next;
        }
        t->bucket[i] = NULL;
    }
    t->count = 0;
    t->last = NULL;
    t->epoch = 0;
    seal_wipe(&t->epoch_key, sizeof t->epoch_key);
    seal_wipe(&t->lookup_key, sizeof t->lookup_key);
    seal_wipe(t->last_name, sizeof t->last_name);
}

void subjects_close(struct log *l)
{
    subjects_forget(l);
    sqlite3_finalize(l->subjects.find);
    sql_close(l->subjects.db);
}

/* What no entry needs any more: it is stored, or nothing with it ever will be. */
static void evict(struct subjects *t)
{
    for (size_t i = 0; i < SUBJECT_BUCKETS; i++)
        for (struct subject **at = &t->bucket[i]; *at;) {
            struct subject *s = *at;
            if (s->refs) {
                at = &s->next;
                continue;
            }
            *at = s->next;
            t->last = s == t->last ? NULL : t->last;
            subject_free(s);
            t->count--;
        }
}

static void lookup_key_of(struct seal_key *out, const struct seal_key *epoch_key)
{
    seal_field_key(out, epoch_key, span_str("subject-lookup"));
}

static void lookup_by(struct digest *out, const struct seal_key *lookup_key, struct span name)
{
    struct seal_key lookup;
    seal_field_key(&lookup, lookup_key, name);
    memcpy(out->b, lookup.b, DIGEST_SIZE);
    seal_wipe(&lookup, sizeof lookup);
}

void subject_lookup(struct digest *out, const struct seal_key *epoch_key, struct span name)
{
    struct seal_key derived;
    lookup_key_of(&derived, epoch_key);
    lookup_by(out, &derived, name);
    seal_wipe(&derived, sizeof derived);
}

/* *found stays false when the database has none. */
static bool read_stored(struct log *l, struct subject *s, bool *found, struct err *e)
{
    struct subjects *t = &l->subjects;
    sql_bind_blob(t->find, 1, s->lookup.b, DIGEST_SIZE);
    sqlite3_bind_int64(t->find, 2, (int64_t)s->born);
    int step = sqlite3_step(t->find);
    bool ok = step == SQLITE_DONE || step == SQLITE_ROW || sql_fail(t->db, "reading subjects", e);
    if (step == SQLITE_ROW) {
        struct span pseudonym = sql_blob(t->find, 1), key = sql_blob(t->find, 2);
        ok = (pseudonym.n == SEAL_ID && key.n == SEAL_WRAPPED) ||
             err_set(e, ERR_INTEGRITY, "a stored subject is damaged");
        if (ok) {
            s->id = sqlite3_column_int64(t->find, 0);
            memcpy(s->pseudonym.b, pseudonym.p, SEAL_ID);
            memcpy(s->wrapped.b, key.p, SEAL_WRAPPED);
            ok = seal_key_unwrap(&s->key, &t->epoch_key, &s->wrapped, e);
        }
        *found = s->stored = ok;
    }
    sqlite3_reset(t->find);
    return ok;
}

/* The name is sealed under the subject's key: a later epoch finds it again by it. */
static bool make(struct log *l, struct subject *s, struct span name, struct err *e)
{
    const struct seal_key *epoch_key = &l->subjects.epoch_key;
    struct sealed_field f = {.name = span_str("subject")};
    if (!seal_random(s->pseudonym.b, SEAL_ID, e) || !seal_random(s->key.b, SEAL_KEY, e) ||
        !seal_key_wrap(&s->wrapped, epoch_key, &s->key, e) ||
        !seal_encrypt(&s->name, &f, &s->key, l->origin, &s->pseudonym, name, e))
        return false;
    s->commitment = f.commitment;
    s->id = l->subjects.next_id++;
    return true;
}

/* The keys of the current epoch; its caller holds both locks. */
static bool load_epoch(struct log *l, struct err *e)
{
    struct subjects *t = &l->subjects;
    uint64_t epoch = keyring_epoch(l->keyring);
    if (t->epoch == epoch)
        return true;
    t->epoch = 0;
    if (!keyring_key(l->keyring, epoch, &t->epoch_key, e))
        return false;
    lookup_key_of(&t->lookup_key, &t->epoch_key);
    t->epoch = epoch;
    return true;
}

/* Who asks mostly asks again: the name of the last is compared before a name is hashed. */
static bool is_last(const struct subjects *t, struct span name)
{
    return span_eq((struct span){t->last_name, t->last_length}, name);
}

static void keep_last(struct subjects *t, struct subject *s, struct span name)
{
    bool short_enough = name.n <= sizeof t->last_name;
    t->last = short_enough ? s : NULL;
    t->last_length = short_enough ? name.n : 0;
    if (t->last_length)
        memcpy(t->last_name, name.p, name.n);
}

static bool find_or_make(struct log *l, struct span name, struct subject **out, struct err *e)
{
    struct subjects *t = &l->subjects;
    struct digest lookup;
    if (!load_epoch(l, e))
        return false;
    if (t->last && t->last->born == t->epoch && is_last(t, name)) {
        *out = t->last;
        return true;
    }
    lookup_by(&lookup, &t->lookup_key, name);
    struct subject **bucket = bucket_of(t, &lookup);
    for (struct subject *s = *bucket; s; s = s->next)
        if (s->born == t->epoch && digest_eq(&s->lookup, &lookup)) {
            *out = s;
            keep_last(t, s, name);
            return true;
        }
    struct subject *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(e, ERR_MEMORY, "out of memory for a subject");
    s->lookup = lookup;
    s->born = t->epoch;
    buf_init(&s->name, 4 * LOG_SUBJECT_MAX);
    bool found = false;
    if (!read_stored(l, s, &found, e) || (!found && !make(l, s, name, e))) {
        subject_free(s);
        return false;
    }
    if (t->count >= SUBJECTS_KEPT)
        evict(t);
    s->next = *bucket;
    *bucket = s;
    t->count++;
    *out = s;
    return true;
}

bool subject_take(struct log *l, struct span name, struct subject **out, struct err *e)
{
    if (name.n > LOG_SUBJECT_MAX)
        return err_set(e, ERR_LIMIT, "a subject's name is longer than %d bytes", LOG_SUBJECT_MAX);
    pthread_rwlock_rdlock(&l->keys);
    pthread_mutex_lock(&l->subjects.lock);
    bool ok = find_or_make(l, name, out, e);
    if (ok)
        (*out)->refs++;
    pthread_mutex_unlock(&l->subjects.lock);
    pthread_rwlock_unlock(&l->keys);
    return ok;
}

void subject_release(struct log *l, struct subject *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&l->subjects.lock);
    s->refs--;
    pthread_mutex_unlock(&l->subjects.lock);
}
