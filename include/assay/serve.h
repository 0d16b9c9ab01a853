/*
 * The logged inference proxy: OpenAI's API in front of other servers (and of the bundled
 * engine), through one gate: no byte of an answer leaves before the log has it, and when
 * the log cannot be written, nothing leaves. docs/serving.md.
 */
#ifndef ASSAY_SERVE_H
#define ASSAY_SERVE_H

#include "assay/base/bytes.h"

struct serve_options {
    const char *config;   /* a YAML file; NULL: the simple case, from what follows */
    const char *log;      /* folder of the log; over the configuration's */
    const char *listen;   /* ADDRESS:PORT; over the configuration's */
    const char *model;    /* GGUF file or folder of safetensors, for the bundled engine */
    const char *upstream; /* base URL of the one upstream, like http://127.0.0.1:8000/v1 */
    const char *key, *operator_key; /* files of the log's keys; NULL: where the log has them */
    bool open;                      /* serve without API keys beyond loopback */
    /* A line of the structured log: one JSON object (docs/operating.md), borrowed while the call lasts.
     * Called in the serving thread. NULL: nobody listens. */
    void (*say)(void *arg, struct span line);
    void *say_arg;
};

/*
 * Serve until SIGTERM or SIGINT, then drain; SIGHUP reads the configuration again. The options stay the
 * caller's until it returns. False: it did not begin (ERR_CONFIG what the configuration gets wrong,
 * ERR_USAGE a log that somebody else owns, ERR_INTEGRITY weights that were not enrolled, ERR_IO an
 * address that cannot be had), or its loop failed.
 */
bool serve_run(const struct serve_options *o, struct err *e) ASSAY_MUST_CHECK;
/* Read and judge the configuration, its keys and certificates too, and nothing else. */
bool serve_check(const struct serve_options *o, struct err *e) ASSAY_MUST_CHECK;
/* A new API key, appended to *key, and its entry for the list `keys` of a configuration, appended to
 * *entry, which has the key's SHA-256 alone. */
bool serve_make_key(struct span name, struct buf *key, struct buf *entry,
                    struct err *e) ASSAY_MUST_CHECK;

#endif
