/*
 * Declared against counted. Only what both sides say is compared; what the card
 * leaves out is for the frameworks to miss.
 */
#include "provenance/compare.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "assay/base/file.h"

void dataset_note(struct dataset *d, const char *rule, const char *declared, const char *counted,
                  bool contradicts)
{
    if (d->note_count < DATASET_NOTES)
        d->notes[d->note_count++] = (struct dataset_note){rule, declared, counted, contradicts};
}

bool dataset_find_card(struct dataset *d, bool folder, const char *given, struct arena *a,
                       struct err *e)
{
    static const char *const names[] = {
        "croissant.json",  "metadata.json", "README.md",   "dta.json",
        "provenance.json", "dataset.yaml",  "dataset.yml", NULL};
    struct span bytes;
    if (given)
        return file_read(&bytes, given, DATASET_MAX_CARD, false, a, e) &&
               dataset_card_read(&d->card, given, bytes, a, e);
    for (size_t i = 0; folder && names[i] && d->card.kind == CARD_NONE; i++) {
        const char *path = arena_printf(a, "%s/%s", d->path, names[i]);
        struct stat st;
        if (!path || stat(path, &st) != 0)
            continue;
        if (!file_read(&bytes, path, DATASET_MAX_CARD, false, a, e) ||
            !dataset_card_read(&d->card, names[i], bytes, a, e))
            return false;
    }
    return true;
}

static const char *number(struct arena *a, uint64_t n, const char *unit)
{
    return arena_printf(a, "%" PRIu64 "%s", n, unit);
}

/* Counted, and what footers say. */
static const char *all_rows(const struct dataset *d, struct arena *a)
{
    return d->footer_files
               ? arena_printf(a, "%" PRIu64 " rows, %" PRIu64 " of them as Parquet footers say",
                              d->rows + d->footer_rows, d->footer_rows)
               : number(a, d->rows, " rows");
}

static void compare_counts(struct dataset *d, struct arena *a)
{
    const struct dataset_card *c = &d->card;
    uint64_t data = 0, splits = 0, rows = d->rows + d->footer_rows;
    bool known = d->has_rows || d->footer_files;
    for (size_t i = 0; i < d->file_count; i++)
        data += d->files[i].has_rows || d->files[i].by_footer ? d->files[i].bytes : 0;
    for (size_t i = 0; i < c->split_count; i++)
        splits += c->splits[i].rows;
    if (c->rows && known && c->rows != rows)
        dataset_note(d, "dataset.rows", number(a, c->rows, " rows"), all_rows(d, a), true);
    if (splits && known && splits != rows && c->rows != splits)
        dataset_note(d, "dataset.rows", number(a, splits, " rows in the splits together"),
                     all_rows(d, a), true);
    if (c->bytes && c->bytes != d->bytes && c->bytes != data)
        dataset_note(d, "dataset.bytes", number(a, c->bytes, " bytes"),
                     number(a, data ? data : d->bytes, " bytes"), true);
}

static const struct dataset_file *file_named(const struct dataset *d, const char *name)
{
    const char *base = strrchr(name, '/');
    for (size_t i = 0; i < d->file_count; i++)
        if (strcmp(d->files[i].name, name) == 0 ||
            (base && strcmp(d->files[i].name, base + 1) == 0))
            return &d->files[i];
    return NULL;
}

static void compare_files(struct dataset *d, struct arena *a)
{
    char hex[DIGEST_HEX + 1];
    for (size_t i = 0; i < d->card.file_count; i++) {
        const struct card_file *f = &d->card.files[i];
        const struct dataset_file *own = file_named(d, f->name);
        if (!own) {
            if (f->sha256)
                dataset_note(d, "dataset.file", arena_printf(a, "%s is part of it", f->name),
                             "no file of that name is here", false);
            continue;
        }
        digest_hex(hex, &own->digest);
        if (f->sha256 && own->read && strcasecmp(f->sha256, hex) != 0)
            dataset_note(d, "dataset.digest", arena_printf(a, "%s: sha256 %s", f->name, f->sha256),
                         arena_printf(a, "%s", hex), true);
        if (f->bytes && f->bytes != own->bytes)
            dataset_note(d, "dataset.bytes",
                         arena_printf(a, "%s: %" PRIu64 " bytes", f->name, f->bytes),
                         number(a, own->bytes, " bytes"), true);
    }
}

static bool lists(const struct dataset_card *c, const char *code)
{
    for (size_t i = 0; i < c->language_count; i++)
        if (strncasecmp(c->languages[i], code, 2) == 0 ||
            strcmp(c->languages[i], "multilingual") == 0)
            return true;
    return false;
}

/* A language of a tenth of the text or more that the card does not name. */
static void compare_languages(struct dataset *d, struct arena *a)
{
    uint64_t all = 0;
    for (size_t i = 0; i < d->language_count; i++)
        all += d->languages[i].bytes;
    for (size_t i = 0; all && d->card.language_count && i < d->language_count; i++) {
        const struct language_share *l = &d->languages[i];
        if (strcmp(l->code, "und") != 0 && l->bytes * 10 >= all && !lists(&d->card, l->code))
            dataset_note(d, "dataset.languages", "not among the languages declared",
                         arena_printf(a, "%s, %.1f %% of the text", l->code,
                                      100.0 * (double)l->bytes / (double)all),
                         true);
    }
}

static bool denies(const char *text)
{
    static const char *const words[] = {"none",   "no personal", "does not contain",
                                        "no pii", "not contain", "no sensitive",
                                        "false"};
    for (size_t i = 0; text && i < sizeof words / sizeof words[0]; i++)
        for (const char *p = text; *p; p++)
            if (strncasecmp(p, words[i], strlen(words[i])) == 0)
                return true;
    return false;
}

static void compare_statements(struct dataset *d, struct arena *a)
{
    const struct dataset_card *c = &d->card;
    if (denies(c->personal) && d->emails)
        dataset_note(
            d, "dataset.personal", c->personal,
            arena_printf(a, "%" PRIu64 " texts that look like e-mail addresses", d->emails), true);
    if (c->to_date && d->last_date && strncmp(c->to_date, d->last_date, 10) < 0)
        dataset_note(d, "dataset.dates", arena_printf(a, "until %s", c->to_date),
                     arena_printf(a, "a date of %s in the data", d->last_date), true);
    if (c->published && d->last_date && strlen(c->published) >= 10 &&
        strncmp(c->published, d->last_date, 10) < 0)
        dataset_note(d, "dataset.dates", arena_printf(a, "published %.10s", c->published),
                     arena_printf(a, "a date of %s in the data", d->last_date), false);
}

void dataset_compare(struct dataset *d, struct arena *a)
{
    if (d->card.kind == CARD_NONE)
        return;
    if (d->card.trouble)
        dataset_note(d, "dataset.card", d->card.path, d->card.trouble, false);
    compare_counts(d, a);
    compare_files(d, a);
    compare_languages(d, a);
    compare_statements(d, a);
}
