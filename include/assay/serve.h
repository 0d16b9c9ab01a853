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
    const char *key, *operator_key;
    bool open; /* serve without API keys beyond loopback */
    /* A line of the structured log: one JSON object. Called in the serving thread. */
    void (*say)(void *arg, struct span line);
    void *say_arg;
};

/* Serve until SIGTERM or SIGINT, then drain. */
bool serve_run(const struct serve_options *o, struct err *e) ASSAY_MUST_CHECK;
/* Read and judge the configuration, and nothing else. */
bool serve_check(const struct serve_options *o, struct err *e) ASSAY_MUST_CHECK;
/* A new API key, appended to *key, and its entry for the configuration, appended to *entry. */
bool serve_make_key(struct span name, struct buf *key, struct buf *entry,
                    struct err *e) ASSAY_MUST_CHECK;

#endif
