/*
 * The walk over a log's leaves, and what its parts share: private to activity*.c.
 */
#ifndef ASSAY_REPORT_ACTIVITY_WALK_H
#define ASSAY_REPORT_ACTIVITY_WALK_H

#include "assay/base/map.h"
#include "report/activity.h"
#include "report/canon.h"

struct walk {
    struct activity *y;
    const struct activity_wanted *w;
    struct merkle tree;
    struct digest *anchor;
    struct sha256 *found;
    uint8_t *open;  /* a bit for each entry that is an intent still open */
    uint8_t *mine;  /* a bit for each intent that is counted; NULL: whose it is does not matter */
    uint8_t *asked; /* for each entry: 1 + the model that an intent asked for; 0: unknown */
    uint8_t (*subjects)[16];
    size_t subject_slots;
    uint64_t last_us, last_boot_us;
    uint8_t boot_id[16];
    char root_hex[DIGEST_HEX + 1], manifest_hex[DIGEST_HEX + 1];
    size_t hour_cap;
    struct map roots; /* tensor and manifest roots met in model leaves -> bits below */
    uint8_t *root_bits;
    size_t root_count, root_cap;
    const char *found_text; /* as an entry has the finding asked for; NULL: none is */
    struct err *e;
    bool ok;
    bool broken; /* an entry cannot be read; what follows is hashed all the same */
    uint64_t broken_at;
    struct err why;
};

/* What is known of a root that entries name. */
enum { ROOT_ENROLLED = 1, ROOT_CHECKED = 2, ROOT_FOUND = 4 }; /* the last: has the finding */

void walk_list(struct listed *l, uint64_t seq);
/* Both roots of a model's object. */
bool walk_mark(struct walk *k, struct span model, uint8_t bit);
uint8_t walk_bits(const struct walk *k, struct span root_hex);

/* An entry of a call; any other. */
bool walk_intent(struct walk *k, const struct record_head *h, struct span body);
bool walk_outcome(struct walk *k, const struct record_head *h, struct span body);
bool walk_event(struct walk *k, const struct record_head *h, struct span body);
/* One more use of a text; NULL when there is no room for another. */
struct used_setting *walk_use(struct used_setting *list, size_t *count, const char *text,
                              uint64_t seq);
bool walk_in_period(const struct walk *k, uint64_t us);
/* Is an intent one of those counted: of the period, and of the subject that is asked for? */
bool walk_counts(const struct walk *k, const struct record_head *h);
/* Is an outcome, by its intent? A crash's outcome names no subject. */
bool walk_counts_outcome(const struct walk *k, const struct record_head *h, uint64_t intent);

#endif
