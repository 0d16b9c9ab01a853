/*
 * What a log's entries add up to: one walk over the leaves, constant memory but
 * for the hours and models that occur. The walk computes the tree's root again,
 * so everything it counts is bound to the signed head.
 */
#ifndef ASSAY_REPORT_ACTIVITY_H
#define ASSAY_REPORT_ACTIVITY_H

#include "assay/base/arena.h"
#include "assay/log.h"

enum {
    ACTIVITY_MODELS = 256,       /* models told apart; the rest is counted as others */
    ACTIVITY_SUBJECTS = 1 << 16, /* pseudonyms told apart */
    ACTIVITY_HOURS = 24 * 366 * 20,
    ACTIVITY_LISTED = 20, /* entries listed of one kind of event */
    LATENCY_BINS = 64 * 16,
    ACTIVITY_SETTINGS = 32, /* settings and programs told apart, each */
    SETTING_TEXT = 160
};

enum call_end {
    END_COMPLETE,
    END_CLIENT_ABORT,
    END_UPSTREAM_ABORT,
    END_TIMEOUT,
    END_REFUSED,
    END_ERROR,
    END_SHUTDOWN,
    END_CRASH,
    CALL_ENDS
};

/* A model as calls name it. */
struct used_model {
    struct span name, tensor_root, manifest_root, template_digest, route;
    uint64_t calls, first, last; /* entries */
    bool enrolled, checked;      /* before its first call */
    bool examined;               /* it is the report's model */
};

/* Sampling settings that calls had, seed and lengths left out; or a program. */
struct used_setting {
    char text[SETTING_TEXT]; /* "temperature 0.7, top_p 0.9"; empty: none was given */
    uint64_t calls, first;
};

/* Calls, tokens and so on of one hour. */
struct hour {
    uint32_t calls, errors, refused;
    uint64_t tokens_in, tokens_out, latency_us, timed;
};

struct listed {
    uint64_t entry[ACTIVITY_LISTED];
    uint64_t count; /* in all */
};

struct activity {
    struct arena *arena;
    uint64_t since, until;    /* period of the calls counted */
    const struct seal_id *of; /* the subject whose calls alone are counted; NULL: everybody's */
    size_t of_count;
    struct span key;                  /* verifier key in force at the end of the range */
    uint64_t entries;                 /* in the range */
    uint64_t first_us, last_us;       /* wall clock of the first and last entry */
    uint64_t kinds[RECORD_KINDS];     /* in the whole range */
    uint64_t in_period[RECORD_KINDS]; /* of them in the period */
    uint64_t clock_back, boot_back;
    uint64_t last_call;       /* entry of the last call or outcome in the period */
    uint64_t calls, answered; /* intents, and outcomes that close them, in the period */
    uint64_t open, stray;     /* intents without outcome; outcomes without open intent */
    uint64_t ends[CALL_ENDS];
    uint64_t tokens_in, tokens_out, tokens_estimated;
    uint64_t latency[LATENCY_BINS], timed;
    uint64_t computing_us, computed; /* prefill and decoding, and calls that say so */
    uint64_t refused;                /* requests turned away before they were calls */
    uint64_t with_subject, subjects;
    bool subjects_overflowed;
    struct used_model *models;
    size_t model_count;
    uint64_t other_models; /* calls of models beyond ACTIVITY_MODELS */
    struct used_setting *settings, *programs;
    size_t setting_count, program_count;
    uint64_t other_settings;               /* calls beyond ACTIVITY_SETTINGS */
    struct listed answered_other;          /* outcomes that name another model than their intent */
    struct listed training_end, backwards; /* entries whose clock is before their predecessor's */
    struct listed unapproved, open_calls, config, erasure, hold, disclosure, check, failed_check,
        replay, mismatch, start, crash, enrolled, training, dataset, report, restore;
    uint64_t floor_days, ceiling_days; /* of the last setting */
    const char *finding;               /* asked for; NULL: none */
    struct listed finding_entries;     /* checks and enrolments that name it */
    size_t finding_models;             /* with it, that answered in the period */
    uint64_t finding_calls, finding_first, finding_last;
    struct hour *hours;
    uint64_t first_hour, hour_count;
    struct digest found; /* SHA-256 over the numbers of the entries that the queries count */
};

/* Which models may answer: the one examined; others when enrolled and checked, in the log, before. */
struct activity_wanted {
    uint64_t size;      /* entries to read */
    struct digest root; /* that they are to give: says what an entry is that cannot be read */
    uint64_t since, until;
    const struct digest *tensor_root, *manifest_root; /* of the model examined; NULL: none */
    const struct seal_id *subjects; /* pseudonyms of the one whose calls are counted; NULL: all */
    size_t subject_count;
    const char *finding;  /* a rule whose models and calls are looked for; NULL: none */
    uint64_t anchor_size; /* a smaller tree whose root is wanted too; 0: none */
    struct progress progress;
};

/* *root of the first `size` leaves; *anchor of the first anchor_size. */
bool activity_read(struct activity *out, struct digest *root, struct digest *anchor,
                   struct log_reader *r, const struct activity_wanted *w, struct arena *a,
                   struct err *e) ASSAY_MUST_CHECK;
/* A measure's value as text, the same for the same leaves; NULL when there is no such measure. */
const char *activity_measure(const struct activity *y, const char *measure, struct arena *a);
/* The exact query that a measure stands for. */
const char *activity_query(const struct activity *y, const char *measure, struct arena *a);
/* The measure of a query, or NULL when this build knows none of that name. */
const char *activity_query_name(struct span query);
const char *call_end_name(enum call_end end);
/* Microseconds below which `share` of the calls ended, at most 6.3 % too high; 0: none was timed. */
uint64_t activity_quantile(const struct activity *y, double share);

#endif
