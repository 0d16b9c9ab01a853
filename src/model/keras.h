/* Keras: architectures as JSON, in a .keras archive or an HDF5 file. Private to src/model. */
#ifndef MODEL_KERAS_H
#define MODEL_KERAS_H

#include "model/content.h"

#define KERAS_WEIGHTS "model.weights.h5" /* in a .keras archive */

/* Judge a configuration; `text` stands at `at` of the content. False: out of memory. */
bool keras_judge(const struct content *c, struct span text, uint64_t at);
/* Is this archive a .keras file? Then judge what says which code it needs. */
bool keras_zip_examine(const struct content *c, const struct archive *a, bool *is_keras);
bool hdf5_sniff(struct span head, uint64_t size);
bool hdf5_examine(const struct content *c);

#endif
