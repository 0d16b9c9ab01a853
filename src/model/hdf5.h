/*
 * HDF5 (HDF5 File Format Specification 3.0): groups are walked from the root,
 * attributes judged, datasets listed as far as they are plain arrays, and what
 * leads out of the file is named. Whatever is of a form that is not read here
 * leaves the file incomplete. Private to src/model.
 */
#ifndef MODEL_HDF5_H
#define MODEL_HDF5_H

#include "model/keras.h"

enum {
    HDF5_OBJECTS = 1 << 17,  /* groups and datasets of one file */
    HDF5_LOADED = 128 << 20, /* bytes of headers, names and texts of one file */
    HDF5_TEXT = 64 << 20,    /* bytes of one of them */
    HDF5_PATH = 1024,        /* bytes of a name with those of its groups */
    HDF5_LOOKUPS = 1 << 22,  /* objects of heaps that are passed on the way to texts */
    HDF5_SHARED = 2,         /* flag of a message that stands elsewhere */
    HDF5_ADDRESS = 8         /* bytes of an address and of a length; files of others are not read */
};

#define HDF5_NOWHERE UINT64_MAX /* the undefined address */

/* Class of a datatype, IV.A.2.d. */
enum hdf5_class {
    HDF5_FIXED = 0,
    HDF5_FLOAT = 1,
    HDF5_STRING = 3,
    HDF5_OPAQUE = 5,
    HDF5_COMPOUND = 6,
    HDF5_ENUM = 8,
    HDF5_VARIABLE = 9,
    HDF5_ARRAY = 10
};

struct hdf5_type {
    bool known; /* the message was there, and no reference to one elsewhere */
    enum hdf5_class class;
    uint32_t size;
    struct span message;
};

/* One object's header as it is read. */
struct hdf5_object {
    uint64_t at;
    const char *path; /* names from the root, joined by '/'; "" for the root */
    struct hdf5_type type;
    struct span space; /* dataspace message; empty: none */
    bool layout;       /* it has one: it is a dataset */
    uint8_t storage;   /* class of the layout */
    uint64_t data, bytes;
    unsigned dimensions; /* of chunks whose B-tree is at `data`; 0: of another index */
    bool external;
    bool type_only; /* nothing but its type is read */
    bool single;    /* its bytes are one chunk, which may be larger than the shape */
    bool filtered;  /* compressed, or otherwise changed */
};

struct hdf5 {
    const struct content *c;
    struct arena *a;
    struct hdf5_object *queue;
    size_t queue_count, queue_cap;
    struct map seen;    /* addresses of headers */
    const char *unread; /* what was met first that is not read; NULL: nothing */
    uint64_t unread_at;
    bool no_memory;
    size_t datasets, listed;
    unsigned lookups; /* in heaps */
    uint64_t loaded;
};

/* Bytes of the file, in the file's arena; false when they are not there, or too many. */
bool hdf5_load(struct hdf5 *h, uint64_t at, uint64_t n, struct span *out);
/* Something at `at` is of a form that is not read. */
void hdf5_unread(struct hdf5 *h, uint64_t at, const char *what);
/* Bytes that may be a pickle or an archive. */
void hdf5_content(struct hdf5 *h, uint64_t at, uint64_t n, const char *name);

/* The type of elements that a message names, by the object that has it. */
void hdf5_shared_type(struct hdf5 *h, struct hdf5_type *out, struct span message, uint64_t at);

/* hdf5_attribute.c: an attribute message; `at` is its place in the file. */
void hdf5_attribute(struct hdf5 *h, struct span message, uint64_t at);
/* A text under its name; and an array of texts that stand in global heaps. */
void hdf5_text(struct hdf5 *h, struct span name, struct span text, uint64_t at);
void hdf5_variable(struct hdf5 *h, struct span name, struct span data, uint64_t at);

/* hdf5_heap.c: object `index` of the global heap at `at`, of n bytes; links or
 * attributes of `o` in a fractal heap, by the B-tree of their names. */
bool hdf5_heap_item(struct hdf5 *h, uint64_t at, uint32_t index, uint32_t n, struct span *out,
                    uint64_t *where);
void hdf5_dense(struct hdf5 *h, const struct hdf5_object *o, uint64_t heap, uint64_t index,
                bool links);

/* hdf5_group.c: what groups lead to. */
bool hdf5_enter(struct hdf5 *h, uint64_t at, const char *path, struct span name);
void hdf5_link(struct hdf5 *h, const struct hdf5_object *group, struct span message, uint64_t at);
void hdf5_table(struct hdf5 *h, const struct hdf5_object *group, struct span message);

/* hdf5_dataset.c */
void hdf5_type(struct hdf5_type *out, struct span message);
void hdf5_layout(struct hdf5 *h, struct hdf5_object *o, struct span message, uint64_t at);
void hdf5_dataset(struct hdf5 *h, const struct hdf5_object *o);

#endif
