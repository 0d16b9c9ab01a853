/*
 * Legal holds. A hold is what its leaves say: placed by one, in force until another
 * releases it. There is no table of them that somebody could quietly empty.
 */
#include "log/ops.h"

#include <string.h>

enum { HOLD_ARENA = 64 << 20 };

struct covered {
    struct seal_id id;
    bool released, all;
    struct seal_id *subjects;
    size_t subject_count, subject_cap;
    uint64_t (*ranges)[2];
    size_t range_count, range_cap;
};

struct holds {
    struct arena *arena;
    struct covered *items;
    size_t count, cap;
};

/* ---- reading ---- */

static bool read_subjects(struct holds *h, struct covered *c, struct json list, struct err *e)
{
    for (struct json v = json_first(list); json_type(v); v = json_next(v)) {
        struct span hex;
        struct seal_id *all =
            arena_grow(h->arena, c->subjects, c->subject_count, &c->subject_cap, sizeof *all);
        if (!all)
            return err_set(e, ERR_MEMORY, "out of memory for holds");
        c->subjects = all;
        if (json_string(v, &hex) && id_from_hex(&all[c->subject_count], hex))
            c->subject_count++;
    }
    return true;
}

static bool read_ranges(struct holds *h, struct covered *c, struct json list, struct err *e)
{
    for (struct json v = json_first(list); json_type(v); v = json_next(v)) {
        uint64_t(*all)[2] =
            arena_grow(h->arena, c->ranges, c->range_count, &c->range_cap, sizeof *all);
        if (!all)
            return err_set(e, ERR_MEMORY, "out of memory for holds");
        c->ranges = all;
        if (json_u64(json_get(v, "from"), &all[c->range_count][0]) &&
            json_u64(json_get(v, "to"), &all[c->range_count][1]))
            c->range_count++;
    }
    return true;
}

static struct covered *named(struct holds *h, const struct seal_id *id)
{
    for (size_t i = 0; i < h->count; i++)
        if (memcmp(h->items[i].id.b, id->b, SEAL_ID) == 0)
            return &h->items[i];
    return NULL;
}

static bool place(struct holds *h, const struct seal_id *id, struct json body, struct err *e)
{
    struct covered *all = arena_grow(h->arena, h->items, h->count, &h->cap, sizeof *all);
    if (!all)
        return err_set(e, ERR_MEMORY, "out of memory for holds");
    h->items = all;
    struct covered *c = &all[h->count++];
    struct json subjects = json_get(body, "subjects"), entries = json_get(body, "entries");
    *c = (struct covered){.id = *id};
    c->all = json_count(subjects) == 0 && json_count(entries) == 0;
    return read_subjects(h, c, subjects, e) && read_ranges(h, c, entries, e);
}

static bool read_hold(void *arg, uint64_t seq, struct json body, struct err *e)
{
    struct holds *h = arg;
    struct span action, hex;
    struct seal_id id;
    if (!json_string(json_get(body, "action"), &action) ||
        !json_string(json_get(body, "hold"), &hex) || !id_from_hex(&id, hex))
        return err_set(e, ERR_INTEGRITY, "entry %llu is not a hold", (unsigned long long)seq);
    struct covered *c = named(h, &id);
    if (span_is(action, "release") && c)
        c->released = true;
    return !span_is(action, "place") || place(h, &id, body, e);
}

static bool read_holds(sqlite3 *db, struct holds *h, struct err *e)
{
    *h = (struct holds){.arena = arena_new(HOLD_ARENA)};
    return (h->arena || err_set(e, ERR_MEMORY, "out of memory for holds")) &&
           op_each(db, RECORD_HOLD, read_hold, h, e);
}

/* ---- judging ---- */

static bool covers_subject(const struct covered *c, const struct hold_target *t)
{
    for (size_t i = 0; i < t->count; i++)
        for (size_t k = 0; k < c->subject_count; k++)
            if (memcmp(t->pseudonyms[i].b, c->subjects[k].b, SEAL_ID) == 0)
                return true;
    return false;
}

/* Entries ascend: the first one that is not below the range decides. */
static bool covers_entry(const struct covered *c, const struct hold_target *t)
{
    for (size_t k = 0; k < c->range_count; k++) {
        size_t low = 0, high = t->entry_count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (t->entries[middle] < c->ranges[k][0])
                low = middle + 1;
            else
                high = middle;
        }
        if (low < t->entry_count && t->entries[low] < c->ranges[k][1])
            return true;
    }
    return false;
}

bool hold_covers(sqlite3 *db, const struct hold_target *t, bool *held, struct seal_id *hold,
                 struct err *e)
{
    struct holds h;
    bool ok = read_holds(db, &h, e);
    *held = false;
    for (size_t i = 0; ok && !*held && i < h.count; i++) {
        const struct covered *c = &h.items[i];
        *held = !c->released && (c->all || covers_subject(c, t) || covers_entry(c, t));
        *hold = c->id;
    }
    arena_free(h.arena);
    return ok;
}

bool holds_in_force(sqlite3 *db, uint64_t *count, struct err *e)
{
    struct holds h;
    bool ok = read_holds(db, &h, e);
    *count = 0;
    for (size_t i = 0; ok && i < h.count; i++)
        *count += !h.items[i].released;
    arena_free(h.arena);
    return ok;
}

/* ---- writing ---- */

static void put_range(struct op_body *b, uint64_t from, uint64_t to)
{
    jw_key(&b->w, "entries");
    jw_array(&b->w);
    jw_object(&b->w);
    body_number(b, "from", from);
    body_number(b, "to", to);
    jw_end_object(&b->w);
    jw_end_array(&b->w);
}

static bool append_hold(struct log *l, const char *action, const struct seal_id *hold,
                        const struct log_order *o, const struct hold_target *t, struct span subject,
                        struct err *e)
{
    struct op_body b;
    struct log_receipt r;
    body_start(&b);
    body_order(&b, o);
    body_text(&b, "action", span_str(action));
    body_id(&b, "hold", hold);
    if (t->count)
        body_ids(&b, "subjects", t->pseudonyms, t->count);
    if (t->entry_count)
        put_range(&b, t->entries[0], t->entries[t->entry_count - 1] + 1);
    bool ok = body_end(&b, e) && op_write(l, RECORD_HOLD, subject, buf_span(&b.text), &r, e);
    body_free(&b);
    return ok;
}

bool hold_blocked(struct log *l, const struct seal_id *hold, const struct hold_target *t,
                  const struct log_order *o, struct err *e)
{
    char hex[2 * SEAL_ID + 1];
    struct hold_target shown = *t;
    if (shown.count > 500)
        shown.count = 0;
    hex_id(hex, hold);
    return append_hold(l, "blocked", hold, o, &shown, SPAN_EMPTY, e) &&
           err_set(e, ERR_POLICY, "legal hold %s forbids this erasure; the attempt is in the log",
                   hex);
}

struct hold_job {
    const struct log_hold *what;
    const struct log_order *order;
    struct seal_id *hold;
    struct arena *arena;
    struct subject *now; /* held so that the leaf shows the pseudonym that it lists */
};

/* Every pseudonym that the subject has had, and the one it has now. */
static bool pseudonyms(struct log *l, struct hold_job *j, struct subject_rows *rows, struct err *e)
{
    struct span name = j->what->subject;
    if (!subject_rows_of(l, name, rows, j->arena, e) || !subject_take(l, name, &j->now, e))
        return false;
    const struct seal_id *now = &j->now->pseudonym;
    bool known = false;
    for (size_t i = 0; i < rows->count; i++)
        known = known || memcmp(rows->pseudonym[i].b, now->b, SEAL_ID) == 0;
    struct seal_id *all =
        arena_grow(j->arena, rows->pseudonym, rows->count, &rows->cap_pseudonym, sizeof *all);
    if (!all)
        return err_set(e, ERR_MEMORY, "out of memory for subjects");
    rows->pseudonym = all;
    if (!known)
        all[rows->count++] = *now;
    return true;
}

static bool hold_job(struct log *l, void *arg, struct err *e)
{
    struct hold_job *j = arg;
    struct subject_rows rows = {.count = 0};
    uint64_t ends[2] = {j->what->from, j->what->to ? j->what->to - 1 : 0};
    bool named_one = j->what->subject.n != 0, ranged = j->what->to > j->what->from;
    if (named_one && !pseudonyms(l, j, &rows, e))
        return false;
    struct hold_target t = {rows.pseudonym, rows.count, ends, ranged ? 2 : 0};
    return seal_random(j->hold->b, SEAL_ID, e) &&
           append_hold(l, "place", j->hold, j->order, &t, j->what->subject, e);
}

static bool release_job(struct log *l, void *arg, struct err *e)
{
    struct hold_job *j = arg;
    struct holds h;
    struct hold_target t = {.count = 0};
    bool ok = read_holds(l->store.db, &h, e);
    if (ok) {
        const struct covered *c = named(&h, j->hold);
        ok = (c && !c->released) || err_set(e, ERR_USAGE, "no hold of that name is in force");
    }
    ok = ok && append_hold(l, "release", j->hold, j->order, &t, SPAN_EMPTY, e);
    arena_free(h.arena);
    return ok;
}

static bool run_job(struct log *l, store_job *job, struct hold_job *j, struct err *e)
{
    if (!order_ok(j->order, e))
        return false;
    j->arena = arena_new(HOLD_ARENA);
    bool ok = j->arena ? log_run(l, job, j, e) : err_set(e, ERR_MEMORY, "out of memory for a hold");
    subject_release(l, j->now);
    arena_free(j->arena);
    return ok;
}

bool hold_run(struct log *l, const struct op_args *a, struct op_result *r, struct err *e)
{
    struct log_hold what = {a->s[0], a->n[0], a->n[1]};
    struct log_order order = {a->s[1], a->s[2]};
    struct seal_id hold;
    struct hold_job j = {&what, &order, &hold, NULL, NULL};
    if (what.from > what.to || what.to > RECORD_MAX_INTEGER)
        return err_set(e, ERR_USAGE, "a hold's range of entries ends before it begins");
    if (!run_job(l, hold_job, &j, e))
        return false;
    buf_put(&r->bytes, hold.b, SEAL_ID);
    return true;
}

bool release_run(struct log *l, const struct op_args *a, struct op_result *r, struct err *e)
{
    struct log_order order = {a->s[1], a->s[2]};
    struct seal_id hold;
    struct hold_job j = {NULL, &order, &hold, NULL, NULL};
    (void)r;
    if (a->s[0].n != SEAL_ID)
        return err_set(e, ERR_USAGE, "a hold's name is %d bytes", SEAL_ID);
    memcpy(hold.b, a->s[0].p, SEAL_ID);
    return run_job(l, release_job, &j, e);
}

/* ---- the doors ---- */

bool log_hold_set(struct log *l, const struct log_hold *what, const struct log_order *o,
                  struct seal_id *hold, struct err *e)
{
    struct op_args a = {.n = {what->from, what->to}, .s = {what->subject, o->by, o->basis}};
    struct op_result r;
    bool ok = op_do(l, OP_HOLD, &a, &r, e) &&
              (r.bytes.n == SEAL_ID || err_set(e, ERR_MEMORY, "out of memory for a hold"));
    if (ok)
        memcpy(hold->b, r.bytes.p, SEAL_ID);
    buf_free(&r.bytes);
    return ok;
}

bool log_hold_release(struct log *l, const struct seal_id *hold, const struct log_order *o,
                      struct err *e)
{
    struct op_args a = {.n = {0}, .s = {{hold->b, SEAL_ID}, o->by, o->basis}};
    struct op_result r;
    bool ok = op_do(l, OP_RELEASE, &a, &r, e);
    buf_free(&r.bytes);
    return ok;
}
