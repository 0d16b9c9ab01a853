/* assay replay --training LOG: a recorded part of a training run is computed again. */
#ifndef ASSAY_CLI_REPLAY_TRAINING_H
#define ASSAY_CLI_REPLAY_TRAINING_H

#include "cli/args.h"
#include "cli/cli.h"

struct replay_training_args {
    const char *run;         /* identifier; NULL: the newest run of the log */
    const char *folder;      /* that the configuration's paths start from; NULL: "." */
    const char *checkpoints; /* folder of checkpoint files; NULL: `folder` */
    struct option_u64 from, steps;
    unsigned threads;
    bool no_record;
};

/* Exit status. `log` is the log's folder. */
int replay_training(const char *log, const struct replay_training_args *args,
                    const struct key_args *keys, struct out *out);

#endif
