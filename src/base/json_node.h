/*
 * The parsed form of a JSON document, private to the reader.
 *
 * Nodes stand in document order in pages, so that a growing document neither
 * moves nor wastes memory. A member is two nodes: its key, then its value.
 */
#ifndef ASSAY_BASE_JSON_NODE_H
#define ASSAY_BASE_JSON_NODE_H

#include "assay/base/json.h"

enum {
    NODE_PAGE_BITS = 10,
    NODE_PAGE = 1 << NODE_PAGE_BITS,
    NODE_KEY = 8, /* a type besides enum json_type */
    NODE_TYPE_MASK = 15,
    NODE_ESCAPED = 16,
    NODE_COUNT_SHIFT = 5,
    INDEX_MIN = 16 /* members from which an object gets an index */
};

/*
 * `next` of a value is the next value of the same container, 0 after the last.
 * `next` of an object's first key is 1 + its index, if it has one. The count in
 * `tag` is of members or items; of an escaped key, its place in `decoded`.
 */
struct node {
    uint32_t start, end, next, tag;
};

struct index_slot {
    uint32_t hash;
    uint32_t member; /* node of the value; 0: empty */
};

struct index {
    struct index_slot *slots;
    size_t mask;
};

struct json_doc {
    struct span text;
    struct arena *arena;
    struct node **pages;
    size_t page_count, page_cap;
    uint32_t count;
    struct span *decoded; /* keys that hold escapes */
    size_t decoded_count, decoded_cap;
    struct index *indices; /* of objects with many members */
    size_t index_count, index_cap;
    uint32_t duplicate; /* key node of the first duplicate; 0: none */
};

static inline struct node *node_at(const struct json_doc *d, uint32_t i)
{
    return &d->pages[i >> NODE_PAGE_BITS][i & (NODE_PAGE - 1)];
}

static inline unsigned node_type(const struct node *n)
{
    return n->tag & NODE_TYPE_MASK;
}

static inline uint32_t node_count(const struct node *n)
{
    return n->tag >> NODE_COUNT_SHIFT;
}

/* Key of the member whose value is `member`, decoded. */
struct span node_key(const struct json_doc *d, uint32_t member);
/* The text between a string's quotes, escapes resolved; false when out of memory. */
bool node_decode(const struct json_doc *d, const struct node *n, struct span *out);
/* Find duplicate keys of a closed object and index it; false when out of memory.
 * *duplicate is the key node of the first, 0 when there is none. */
bool node_index(struct json_doc *d, uint32_t object, uint32_t *duplicate);

#endif
