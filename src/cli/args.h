/*
 * What the options of each command fill. One struct a command, all zero by
 * default, at most OPTION_ARGS_SIZE bytes.
 */
#ifndef ASSAY_CLI_ARGS_H
#define ASSAY_CLI_ARGS_H

#include "cli/options.h"

struct common_args {
    int colour; /* enum colour */
    bool help;
};

struct inspect_args {
    bool tensors, metadata, stats, all, json, no_digest, no_cache;
    unsigned threads; /* 0: all cores */
};

struct diff_args {
    bool tensors, all, json, exit_code;
    unsigned threads;
};

struct digest_args {
    bool tensors, json, no_cache;
    unsigned threads;
};

/* Where a log's secrets are, when not in its folder. */
struct key_args {
    const char *key, *operator_key;
};

struct record_args {
    struct key_args keys;
    const char *log, *source;
    unsigned threads;
    bool json, no_cache;
};

struct check_args {
    struct key_args keys;
    const char *policy, *baseline, *lock, *sarif, *sarif_failing, *junit, *log, *as_of, *base;
    unsigned threads;
    bool update_lock, deep, json, all, no_cache;
};

struct sign_args {
    struct option_texts chain, ignore;
    const char *key, *certificate, *output;
    unsigned threads;
    bool json, no_cache;
};

struct log_init_args {
    struct key_args keys;
    const char *origin, *after;
};

struct log_witness_args {
    struct key_args keys;
    const char *ca;
    unsigned timeout; /* seconds; 0: the default */
    bool note;
};

/* Which entries. */
struct filter_args {
    const char *since, *until, *model, *subject, *outcome, *response, *operator_key;
    struct option_texts kinds;
};

struct query_args {
    struct filter_args filter;
    struct option_u64 limit;
    int format; /* of entries: enum query_format */
};

struct log_show_args {
    struct query_args query;
    bool json;
};

/* Who ordered something, and why. */
struct order_args {
    struct key_args keys;
    const char *by, *basis;
};

struct backup_args {
    bool keyring;
};

struct erase_args {
    struct order_args order;
    const char *subject, *certificate;
    struct option_u64 entry;
};

struct hold_args {
    struct order_args order;
    const char *subject, *release;
    struct option_u64 from, to;
};

struct disclose_args {
    struct order_args order;
    const char *recipient, *output;
};

struct retention_args {
    struct order_args order;
    struct option_u64 least, most; /* days */
};

struct rotate_args {
    struct key_args keys;
    const char *with, *reason;
};

struct sample_args {
    struct filter_args filter;
    const char *seed;
    struct option_u64 n;
    bool json;
};

struct verify_args {
    struct option_texts keys, older, certificates;
    const char *policy, *signature, *model, *log;
    unsigned require;
    bool json, unsigned_files, no_cache;
};

struct log_prove_args {
    const char *output;
};

struct log_order;
/* --by and --basis. Both are in the entry for ever, so neither is invented. */
bool order_of(struct log_order *out, const struct order_args *args, struct err *e);

#endif
