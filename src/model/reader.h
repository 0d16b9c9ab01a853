/*
 * What the readers of one format see of the model they fill: private to
 * src/model. A format is one file with a sniff and a parse, and one line in
 * readers[] (model.c). A file's bytes are reached only through its source.
 */
#ifndef MODEL_READER_H
#define MODEL_READER_H

#include "assay/base/map.h"
#include "assay/model.h"

enum {
    READER_HEAD = 4096,     /* bytes of a file's beginning that a sniff sees */
    VALUE_MAX_NESTING = 4,  /* arrays within arrays */
    MODEL_MAX_LICENCES = 64 /* licence texts of one model that are read */
};

/* A reader of one format: sniffs by content, never by extension. */
struct reader {
    enum format format;
    const char *name;
    bool (*sniff)(struct span head, uint64_t size); /* head: up to the first READER_HEAD bytes */
    bool (*parse)(struct model *m, uint32_t file);  /* false only when out of memory */
};

extern const struct reader readers[]; /* ends with a row whose parse is NULL */

/* src/model/gguf.c, src/model/safetensors.c */
bool gguf_sniff(struct span head, uint64_t size);
bool gguf_parse(struct model *m, uint32_t file);
/* src/model/gguf_split.c: add the file m->path, opened as s (which is taken over),
 * and when it is a part of a split set all parts, in order. False: out of memory. */
bool gguf_add_set(struct model *m, const char *name, struct source *s);
/* Checks between the parts of every split set of the model. False: out of memory. */
bool gguf_check_parts(struct model *m);
bool safetensors_sniff(struct span head, uint64_t size);
bool safetensors_parse(struct model *m, uint32_t file);

/* Documents of a folder, called by folder.c with a file that is open; false
 * only when out of memory. card.c: README.md; licence.c: LICENSE and the like. */
bool card_read(struct model *m, uint32_t file);
bool licence_read(struct model *m, uint32_t file);

/*
 * src/model/folder.c: m->path is a folder (m->folder) or a *.index.json; adds
 * the files, parses them with model_parse_file, fills documents, card and
 * licences. False (with *e) only when there is nothing to show.
 */
bool folder_read(struct model *m, struct err *e);
/* src/model/content.c: what stands in files that are no set of weights. */
bool content_read_others(struct model *m);
/* A file of no known format that its name says is code (FORMAT_CODE then). */
bool content_examine_named(struct model *m, uint32_t file);
/* src/model/weights.c: a file's content against its name, weights that are not read. */
bool weights_check(struct model *m, uint32_t file);
/* src/model/sets.c: what stands beside a file that was named alone. */
bool sets_note_lone(struct model *m);

/*
 * Open `path`, note its size, sniff its format. `name` is as in struct
 * model_file; both are copied. A file that does not open is listed with a
 * finding (RULE_READ_OPEN), source NULL and incomplete; so is an empty one
 * (RULE_READ_EMPTY). False when out of memory or at MODEL_MAX_FILES.
 */
bool model_add_file(struct model *m, const char *name, const char *path, uint32_t *file);
/* As model_add_file with an open source, which is taken over even on failure. */
bool model_adopt_file(struct model *m, const char *name, const char *path, struct source *s);
/* Parse file `file` by the reader of its format; nothing for formats without
 * one. False only when out of memory. */
bool model_parse_file(struct model *m, uint32_t file);

/* Zeroed and appended; pointers into the arrays end at the next add. NULL: out of memory. */
struct tensor *model_add_tensor(struct model *m);
struct metadata *model_add_metadata(struct model *m);
struct text *model_add_template(struct model *m);
/* Take back all tensors and metadata read so far: they are not the model's. */
bool model_forget(struct model *m);
/* Room for n more tensors, so that a known count costs one block. */
bool model_reserve_tensors(struct model *m, size_t n);
/*
 * Enter the name of the tensor added last into the model's index; *previous is
 * the earlier tensor of that name or MAP_NONE. Tensors never entered are
 * entered when reading ends. False when out of memory.
 */
bool model_index_tensor(struct model *m, uint32_t *previous);

/* Bytes of one item of an array; 0 where that varies or t is unknown. */
size_t value_type_size(enum value_type t);
/* Read one value of type v->type (a known one). */
void value_read(struct cursor *c, struct value *v);
/* Read array->count items of array->element from c into array->items; on a
 * fault the array is empty and the cursor says why. */
void value_take_items(struct cursor *c, struct value *array);

/* A finding with its place; `length` 0 when unknown. */
void model_note(struct model *m, uint32_t file, uint64_t offset, uint64_t length, enum rule_id rule,
                const char *fmt, ...) ASSAY_PRINTF(6, 7);
/* Something of `file` was not read. */
void model_incomplete(struct model *m, uint32_t file);
/* Bytes of listed tensors are missing; everything that `file` lists was read. */
void model_cut(struct model *m, uint32_t file);
/*
 * Why a cursor over file `file` stopped, as a finding: the system's refusal
 * (RULE_READ_IO, RULE_READ_CHANGED), a limit (RULE_READ_LIMIT), or `rule` for
 * bytes that are not what the format demands; marks the file incomplete.
 * `what` says what was being read.
 */
void model_note_fault(struct model *m, uint32_t file, const struct cursor *c, enum rule_id rule,
                      const char *what);

#endif
