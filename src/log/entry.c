/*
 * An entry becomes an item in its caller's thread: content is sealed there, so
 * that encryption runs on as many cores as there are callers and the commit
 * thread only encodes, hashes and writes.
 */
#include "log/store.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "log/calls.h"

/* ---- what the index says ---- */

/* A string as it stands in `body`; one with escapes is not indexed. */
static struct span plain(struct json v, struct span body)
{
    struct span s;
    bool inside = json_string(v, &s) && s.p >= body.p && s.p < body.p + body.n;
    return inside ? s : SPAN_EMPTY;
}

bool entry_index_of(struct entry_index *out, enum record_kind kind, struct span body, struct err *e)
{
    struct json root;
    struct span response;
    *out = (struct entry_index){.has_intent = false};
    struct arena *a = arena_new(LOG_ENTRY_BYTES);
    if (!a)
        return err_set(e, ERR_MEMORY, "out of memory for a record");
    bool ok = json_parse(&root, body, JSON_STRICT, a, e) &&
              (json_type(root) == JSON_OBJECT ||
               err_set(e, ERR_FORMAT, "a record's body is a JSON object"));
    if (ok) {
        struct json model = kind == RECORD_MODEL ? root : json_get(root, "model");
        struct json outcome = json_get(root, "outcome");
        if (json_type(outcome) == JSON_MISSING)
            outcome = json_get(root, "result");
        out->model = plain(json_get(model, "name"), body);
        out->outcome = plain(outcome, body);
        out->has_intent =
            kind == RECORD_CALL_OUTCOME && json_u64(json_get(root, "intent"), &out->intent);
        out->has_response =
            out->has_intent && json_string(json_get(root, "response_id"), &response) && response.n;
        out->response = out->has_response ? response_hash(response) : 0;
    }
    arena_free(a);
    return ok;
}

/* To where an item's texts stand. */
static struct span copy(uint8_t **at, struct span s)
{
    if (s.n)
        memcpy(*at, s.p, s.n);
    struct span out = {*at, s.n};
    *at += s.n;
    return out;
}

static void take_index(struct item *i, const struct log_index *given, uint8_t **at)
{
    i->index = (struct entry_index){
        .model = copy(at, given->model),
        .outcome = copy(at, given->outcome),
        .has_intent = given->has_intent,
        .intent = given->intent,
        .has_response = given->response.n != 0,
    };
    if (given->response.n)
        i->index.response = response_hash(given->response);
}

/* ---- sealing ---- */

enum { SEALED_MORE = 128 }; /* of a field: salt, length, tag, padding */

/* What one entry needs of chance, drawn at once: each draw is a call of the system. */
struct chance {
    struct seal_id id;
    struct seal_key key;
    uint8_t r[RECORD_MAX_FIELDS][SEAL_SALT];
};

static bool seal_field(struct log *l, struct item *i, const struct chance *c, size_t k,
                       struct span data, struct err *e)
{
    struct record_field *to = &i->fields[k];
    struct sealed_field f = {.name = to->name};
    if (!seal_encrypt_salted(&i->content, &f, &c->key, l->origin, &i->id, c->r[k], data, e))
        return false;
    to->commitment = f.commitment;
    to->ciphertext = f.ciphertext;
    to->size = f.size;
    return true;
}

/* Names are unique; at most RECORD_MAX_FIELDS are looked through. */
static struct span data_of(const struct log_entry *entry, struct span name)
{
    size_t k = 0;
    while (!span_eq(entry->content[k].field, name))
        k++;
    return entry->content[k].data;
}

static bool seal_item(struct log *l, struct item *i, const struct log_entry *entry, struct err *e)
{
    struct chance c;
    size_t count = entry->content_count;
    size_t drawn = count ? offsetof(struct chance, r) + count * SEAL_SALT : SEAL_ID;
    if (!seal_random(&c, drawn, e))
        return false;
    i->id = c.id;
    if (entry->subject.n == 0 && count == 0)
        return true;
    i->named = entry->subject.n != 0;
    size_t room = 0; /* allocated once: padding adds an eighth at most */
    for (size_t k = 0; k < count; k++)
        room += SEALED_MORE + entry->content[k].data.n + entry->content[k].data.n / 8;
    (void)buf_room(&i->content, room);
    bool ok = subject_take(l, entry->subject, &i->subject, e) &&
              (count == 0 || seal_key_wrap(&i->key, &i->subject->key, &c.key, e));
    for (size_t k = 0; ok && k < count; k++)
        ok = seal_field(l, i, &c, k, data_of(entry, i->fields[k].name), e);
    if (count)
        seal_forget();
    seal_wipe(&c, drawn);
    return ok;
}

/* ---- one block of memory for an item, its body and its names ---- */

static bool measure(const struct log_entry *entry, size_t *names, struct err *e)
{
    size_t total = entry->body.n;
    if (entry->content_count > RECORD_MAX_FIELDS)
        return err_set(e, ERR_LIMIT, "a record has at most %d sealed fields", RECORD_MAX_FIELDS);
    if (entry->body.n > LOG_ENTRY_BYTES)
        return err_set(e, ERR_LIMIT, "a record's body is larger than %d bytes", LOG_ENTRY_BYTES);
    *names = entry->index ? entry->index->model.n + entry->index->outcome.n : 0;
    if (*names > LOG_ENTRY_BYTES)
        return err_set(e, ERR_LIMIT, "a record's names are too long");
    for (size_t k = 0; k < entry->content_count; k++) {
        if (entry->content[k].field.n > SEAL_NAME_MAX)
            return err_set(e, ERR_LIMIT, "a field's name is longer than %d bytes", SEAL_NAME_MAX);
        if (entry->content[k].data.n > LOG_ENTRY_BYTES - total)
            return err_set(e, ERR_LIMIT, "content of one record is larger than %d bytes",
                           LOG_ENTRY_BYTES);
        *names += entry->content[k].field.n;
        total += entry->content[k].data.n;
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct record_field *x = a, *y = b;
    return span_cmp(x->name, y->name);
}

static bool names_unique(const struct item *i, struct err *e)
{
    for (size_t k = 1; k < i->field_count; k++)
        if (span_eq(i->fields[k - 1].name, i->fields[k].name))
            return err_set(e, ERR_USAGE, "a record has two sealed fields of one name");
    return true;
}

static struct item *allocate(const struct log_entry *entry, size_t names)
{
    size_t fields = entry->content_count * sizeof(struct record_field);
    size_t size = sizeof(struct item) + fields + entry->body.n + names + 1;
    struct item *i = calloc(1, size);
    if (!i)
        return NULL;
    i->fields = (struct record_field *)(void *)(i + 1);
    uint8_t *at = (uint8_t *)(i + 1) + fields;
    i->kind = entry->kind;
    i->reserve = entry->reserve < LOG_ENTRY_BYTES ? entry->reserve : LOG_ENTRY_BYTES;
    i->body = copy(&at, entry->body);
    for (size_t k = 0; k < entry->content_count; k++)
        i->fields[k].name = copy(&at, entry->content[k].field);
    if (entry->index)
        take_index(i, entry->index, &at);
    i->field_count = entry->content_count;
    qsort(i->fields, i->field_count, sizeof *i->fields, by_name);
    i->bytes = size;
    buf_init(&i->content, SQL_LENGTH_MAX);
    return i;
}

bool item_new(struct log *l, const struct log_entry *entry, struct item **out, struct err *e)
{
    size_t names = 0;
    if ((unsigned)entry->kind >= RECORD_KINDS)
        return err_set(e, ERR_USAGE, "no such kind of record");
    if (!measure(entry, &names, e))
        return false;
    struct item *i = allocate(entry, names);
    if (!i)
        return err_set(e, ERR_MEMORY, "out of memory for a record");
    bool found = entry->index || entry_index_of(&i->index, i->kind, i->body, e);
    if (!found || !names_unique(i, e) || !seal_item(l, i, entry, e)) {
        item_free(l, i);
        return false;
    }
    i->bytes += i->content.n;
    *out = i;
    return true;
}

void item_free(struct log *l, struct item *i)
{
    if (!i)
        return;
    subject_release(l, i->subject);
    buf_free(&i->content);
    free(i);
}
