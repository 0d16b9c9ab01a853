/* Checkpoints of PyTorch: from the machine's tensors to the model's. Private to src/model. */
#ifndef MODEL_TORCH_H
#define MODEL_TORCH_H

#include "model/pickle.h"

/* Where each storage's bytes stand in the file. */
struct torch_place {
    uint64_t offset;
    uint64_t bytes;
    bool known;
};

/* List every tensor that the pickle's result leads to, by the names on the way. `place` has one
 * entry a storage. Of a checkpoint `c` within another archive none is, and that is noted.
 * False when out of memory. */
bool torch_list(struct pickle *p, const struct content *c, const struct torch_place *place);
/* Bytes of one element of a storage of this type, 0 when unknown. */
uint64_t torch_element(const struct pickle_storage *s);

/* A zip that torch.save wrote: its data.pkl, or NULL. */
const struct archive_member *torch_zip_pickle(const struct archive *a);
/* Read it and list its tensors; seen[i] is set for members that need no further look. */
bool torch_zip_examine(const struct content *c, const struct archive *a,
                       const struct archive_member *pickle, bool *seen);
/* A zip that torch.export.save wrote: its weights and graph. Others are left alone. */
bool torch_export_examine(const struct content *c, const struct archive *a, struct arena *scratch,
                          bool *seen);
/* The tar before torch 0.1.12, whose members are pickles with raw numbers between them. */
bool torch_tar_sniff(const struct archive *a);
bool torch_tar_examine(const struct content *c, const struct archive *a, bool *seen);
/* The raw form before torch 1.6: five pickles and the storages' bytes. */
bool torch_legacy_sniff(struct span head, uint64_t size);
bool torch_legacy_examine(const struct content *c);

#endif
