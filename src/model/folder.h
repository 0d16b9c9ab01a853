/*
 * What the files that read a folder share: the walk (folder_list.c,
 * folder_walk.c), what a file's name and first bytes say (weights.c), sets of weights (sets.c), the
 * index of a sharded set (index.c) and the JSON documents (documents.c).
 */
#ifndef MODEL_FOLDER_H
#define MODEL_FOLDER_H

#include "model/reader.h"

enum { FOLDER_SHOWN = 256 }; /* bytes of a name or path in a finding */

/* ---- one folder ---- */

struct folder_name {
    char *text;
};

struct folder_names {
    struct folder_name *v; /* sorted bytewise, in the arena */
    size_t n;
    bool more; /* than `most`: these are the smallest */
    bool no_memory;
};

/* False when the folder cannot be listed (errno says why). */
bool folder_list(struct folder_names *out, const char *path, size_t most, struct arena *a);

/* ---- the walk ---- */

/* A file met on the walk, not opened yet. */
struct found {
    const char *name; /* relative to the folder, '/'-separated */
    const char *path;
    bool outside; /* through a link that leaves the folder */
};

/* All files below m->path, sorted by name; what is not listed is a finding.
 * False only when the folder cannot be read at all or memory ran out. */
bool folder_walk(struct model *m, struct found **out, size_t *count, struct err *e);

/* ---- weights ---- */

/* A name's folder ("" at the top) and its last part. */
struct span name_folder(const char *name);
const char *name_base(const char *name);
/* prefix-NNNNN-of-NNNNN.extension, as every sharding tool writes it. */
struct parted {
    struct span prefix;
    uint32_t number, count;
};
bool parted_name(struct parted *out, const char *name, const char *extension);

/* ---- sets ---- */

/* Parse the weights: the first set fills the model, the headers of all others
 * are read and judged, and a finding names them. False: out of memory. */
bool sets_read(struct model *m);

/* ---- index ---- */

/* Parse file `file` as an index; JSON_NOTHING (and findings) when it is none. */
bool index_parse(struct model *m, uint32_t file, struct json *root);
/* Mark in `member` (one per model file) the shards that the index names; what
 * is named and cannot be reached is a finding. */
bool index_members(struct model *m, uint32_t file, struct json root, bool *member);
/* The index against the tensors of its shards, which have been parsed. */
bool index_check(struct model *m, uint32_t file, struct json root, const bool *member);
/* Add the index m->path and the shards that it names. */
bool index_read(struct model *m, struct err *e);

/* ---- documents ---- */

/* A document's whole text; false when it was not read (a finding says why). */
bool document_text(struct model *m, uint32_t file, struct span *out);
/* Parse a file as JSON with findings; JSON_NOTHING when it is not. */
bool document_parse(struct model *m, uint32_t file, struct json *root);
/* The documents, templates, card and licences among the model's files. */
bool documents_read(struct model *m);
/* src/model/document_yaml.c: the templates among a YAML file's values; the first of a lone file is
 * the model's. *understood is false when it is no YAML to its end. */
bool document_yaml(struct model *m, uint32_t file, struct span text, bool lone, bool *understood);
/* A name that no other template has; empty when out of memory. */
struct span template_own_name(struct model *m, uint32_t file);
bool template_marked(struct span text); /* "{{", not behind '$', or "{%" */
/* A file that was named on its own and is of no other format: JSON, a card, a licence, text. */
bool document_lone(struct model *m, uint32_t file);

#endif
