/* Private to src/serve/engine: the readers of parameters, which the table in parameters.c names. */
#ifndef SERVE_PARAMETERS_H
#define SERVE_PARAMETERS_H

#include "serve/engine/job.h"

struct parameter;

/* Judge `v`, the parameter's value, and fill the job with it; on failure the job's complaint names it. */
typedef bool parameter_reader(struct engine_job *j, const struct parameter *p, struct json v,
                              struct err *e);

struct parameter {
    const char *name;
    unsigned apis; /* a bit for each API that has it */
    parameter_reader *read;
    size_t at;                /* in struct engine_job */
    double min, max;          /* of numbers */
    const char *word, *other; /* the only ones that are taken */
};

/* ---- parameter_values.c ---- */

parameter_reader parameter_known, /* read elsewhere, or of no matter here */
    parameter_decimal, parameter_whole, parameter_boolean, parameter_string,
    parameter_kept, /* to be judged with others */
    parameter_seed, parameter_labels, parameter_stops, parameter_biases, parameter_stream_options;
parameter_reader parameter_older_logprobs, parameter_older_max_tokens;
parameter_reader parameter_encoding, parameter_dimensions;

/* ---- parameter_limits.c ---- */

/* Refused by this name, as what is not in the table is. Returns false. */
bool parameter_unsupported(struct engine_job *j, const char *name, struct err *e);
parameter_reader parameter_kept_elsewhere, parameter_only_false, parameter_only_word;
parameter_reader parameter_store, parameter_effort, parameter_reasoning, parameter_thinking,
    parameter_suffix, parameter_modalities, parameter_prediction, parameter_thread,
    parameter_include;

/* ---- parameter_formats.c ---- */

parameter_reader parameter_response_format, parameter_text_format, parameter_output_config;

#endif
