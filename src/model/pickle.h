/*
 * The pickle machine: decodes every opcode of protocols 0 to 5, follows what
 * an unpickler would do on abstract values, and never does it. A value is 64
 * bits whatever it stands for, and texts are re-read from where they stand, so
 * memory is the stack and the memo alone. Private to src/model.
 */
#ifndef MODEL_PICKLE_H
#define MODEL_PICKLE_H

#include "model/content.h"

enum {
    PICKLE_STACK = 1 << 20,   /* values on the stack, and marks */
    PICKLE_MEMO = 1 << 24,    /* highest key of the memo */
    PICKLE_RING = 1 << 16,    /* items of recent tuples that are remembered */
    PICKLE_NAMES = 60000,     /* different globals of one pickle */
    PICKLE_NAME = 1024,       /* bytes of a module or name */
    PICKLE_STREAMS = 100000,  /* pickles one after another */
    PICKLE_TENSORS = 1 << 20, /* tensors and storages of one pickle */
    PICKLE_ITEMS = 64         /* pairs of the latest dictionary that are remembered */
};

/* What is known of a value: kind, a class (or count), and where or which. */
enum pv_kind {
    PV_UNKNOWN,
    PV_NONE,
    PV_BOOL,
    PV_INT,  /* at: the value, when it fits */
    PV_LONG, /* an integer that does not */
    PV_FLOAT,
    PV_STR,   /* at: offset of its opcode */
    PV_BYTES, /* at: offset of its opcode */
    PV_TUPLE, /* class: items, at: place in the ring */
    PV_LIST,  /* at: offset of the opcode that made it; so for the next three */
    PV_DICT,
    PV_SET,
    PV_INST,    /* class: global that it is an instance of */
    PV_GLOBAL,  /* class: which */
    PV_STORAGE, /* at: which */
    PV_TENSOR,  /* at: which */
    PV_DTYPE    /* at: offset of the text that names it */
};

typedef uint64_t pv;

#define PV_AT_MAX ((UINT64_C(1) << 40) - 1)
enum { PV_COUNT_UNKNOWN = UINT16_MAX };

static inline pv pv_make(enum pv_kind kind, uint32_t class, uint64_t at)
{
    return (uint64_t)kind << 56 | (uint64_t)(class & 0xffff) << 40 | (at & PV_AT_MAX);
}
static inline enum pv_kind pv_kind(pv v)
{
    return (enum pv_kind)(v >> 56);
}
static inline uint32_t pv_class(pv v)
{
    return (uint32_t)(v >> 40) & 0xffff;
}
static inline uint64_t pv_at(pv v)
{
    return v & PV_AT_MAX;
}

/* ---- names that may be imported ---- */

enum pickle_use {
    USE_NONE,    /* not on the list */
    USE_VALUE,   /* may be held as a value, never called */
    USE_STORAGE, /* torch's storage types: only in a persistent id */
    USE_CLASS,   /* may be instantiated without arguments and get state */
    USE_CALL     /* may be called with arguments of these types */
};

enum pickle_result {
    RESULT_INSTANCE,
    RESULT_BYTES,
    RESULT_DICT,
    RESULT_LIST,
    RESULT_SET,
    RESULT_TENSOR,    /* torch's rebuild functions, by their arguments */
    RESULT_QUANTISED, /* such a tensor, with scales and zero points that may be tensors too */
    RESULT_PARTS,     /* a tensor made of others, which are listed: sparse, nested, of no bytes */
    RESULT_LOADED,    /* a storage of torch, from a checkpoint that is examined where it stands */
    RESULT_UNLISTED,  /* a tensor whose bytes stand elsewhere in the pickle: not listed */
    RESULT_FIRST,     /* the first argument again: a parameter of a tensor */
    RESULT_OF_CLASS,  /* an instance of the class that is the first argument */
    RESULT_DTYPE,
    RESULT_APPLY /* the first argument is called with the third */
};

struct pickle_allowed {
    const char *module;
    const char *names; /* separated by spaces */
    enum pickle_use use;
    const char *arguments; /* of USE_CALL, see pickle_call.c */
    enum pickle_result result;
};

/* NULL when the exact name is not on the list. */
const struct pickle_allowed *pickle_allowed(struct span module, struct span name);
/* What a well-known dangerous name does, or NULL; *scanner: it is a scanner's own. */
const char *pickle_denied(struct span module, struct span name, bool *scanner);
/* The type of elements behind torch's FloatStorage and the like, NumPy's "f4",
 * torch.float32; DTYPE_NONE for others. */
enum dtype pickle_storage_dtype(struct span name);
enum dtype pickle_numpy_dtype(struct span text, bool *big_endian);

struct pickle_global {
    struct span module, name;
    const struct pickle_allowed *allowed;
    const char *danger; /* what it does, of the well-known dangerous ones */
    bool told_import, told_call, told_use, told_unlisted;
};

/* ---- tensors that it describes ---- */

struct pickle_storage {
    struct span key;
    enum dtype dtype;
    uint64_t elements;
};

struct pickle_tensor {
    uint32_t storage; /* UINT32_MAX: the bytes stand at `data` */
    uint64_t data;
    uint64_t offset; /* in elements */
    uint32_t rank;
    uint64_t shape[MODEL_MAX_RANK], stride[MODEL_MAX_RANK];
    enum dtype dtype; /* DTYPE_NONE: the storage's */
    uint64_t at;      /* of the opcode that builds it */
};

/* A container that holds tensors, however deep: what is in it. */
struct pickle_link {
    struct pickle_link *next;
    pv key; /* PV_NONE: state, PV_INT: index */
    pv value;
};

struct pickle_node {
    pv id;
    struct pickle_link *first, *last;
};

/* ---- the machine ---- */

enum pickle_end {
    PICKLE_STOPPED, /* at STOP */
    PICKLE_BROKEN,  /* an unpickler raises here */
    PICKLE_LIMIT,
    PICKLE_NO_MEMORY
};

struct pickle {
    struct content c;
    struct arena *a;
    struct window w;
    uint64_t op_at; /* of the opcode that is run */
    uint8_t op;
    bool script;   /* TorchScript: names of its own below __torch__ are data */
    bool fragment; /* reading from the middle: what is missing is unknown, not broken */
    uint64_t ops;
    enum pickle_end end;
    const char *why; /* when broken */

    pv *stack;
    size_t depth, stack_cap;
    uint32_t *marks;
    size_t mark_count, mark_cap;
    pv **memo; /* pages */
    uint64_t memo_used;

    pv *ring;
    uint64_t ring_at;

    struct pickle_shared *shared; /* pickle_shared.c; NULL before the first */

    struct pickle_global *globals;
    size_t global_count, global_cap;
    struct map global_names;

    uint64_t frame_end; /* 0: none */
    unsigned fragments; /* other readings that were followed */
    uint64_t resume;    /* where a frame ended within an opcode; 0: nowhere */

    /* The latest pairs set on one dictionary. */
    pv items_of, item[PICKLE_ITEMS][2];
    size_t item_count;

    struct pickle_storage *storages;
    size_t storage_count, storage_cap;
    struct pickle_tensor *tensors;
    size_t tensor_count, tensor_cap;
    struct map nodes;
    struct pickle_node **node;
    size_t node_count, node_cap;

    bool checkpoint; /* a string of it is a checkpoint of torch */
    uint64_t arrays; /* raw bytes of joblib's arrays between opcodes, in bytes */
    pv result;

    /* What a persistent id stands for, where it is not torch's tuple for a storage. */
    pv (*persistent)(struct pickle *p, void *arg, pv id);
    void *persistent_arg;

    /* Called for every opcode before it runs, in tests. */
    void (*trace)(void *arg, uint64_t at, uint8_t op);
    void *trace_arg;
};

bool pickle_open(struct pickle *p, const struct content *c); /* false: out of memory */
void pickle_close(struct pickle *p);
/* One pickle from where the window stands to its STOP; findings are noted. */
enum pickle_end pickle_stream(struct pickle *p);
/* Forget stack and memo before the next stream. */
void pickle_reset(struct pickle *p);
/* Everything from where the window stands, to the end of the input. */
bool pickle_rest(struct pickle *p);

/* pickle_ops.c: opcodes by their byte; run returns false to end the stream. */
struct pickle_opcode {
    const char *name;
    bool (*run)(struct pickle *p);
    uint8_t protocol;
};
extern const struct pickle_opcode pickle_opcodes[256];

/* pickle_stack.c */
bool pickle_fail(struct pickle *p, const char *why);  /* broken here; always false */
bool pickle_over(struct pickle *p, const char *what); /* a limit; always false */
bool pickle_no_memory(struct pickle *p);
#ifdef ASSAY_ANALYSIS
/* Static analyzers see one file at a time; this tells them what these return. */
#define pickle_fail(...) ((void)(pickle_fail)(__VA_ARGS__), false)
#define pickle_over(...) ((void)(pickle_over)(__VA_ARGS__), false)
#define pickle_no_memory(...) ((void)(pickle_no_memory)(__VA_ARGS__), false)
#endif
bool pickle_push(struct pickle *p, pv v);
bool pickle_pop(struct pickle *p, pv *v);
bool pickle_top(struct pickle *p, pv *v);
bool pickle_mark(struct pickle *p);
/* Items above the last mark, which is taken off; they stay readable at
 * p->stack[*from] until the next push. */
bool pickle_pop_mark(struct pickle *p, size_t *from, size_t *n);
bool pickle_memo_put(struct pickle *p, uint64_t key, pv v);
bool pickle_memo_get(struct pickle *p, uint64_t key, pv *v);
pv pickle_tuple(struct pickle *p, const pv *items, size_t n);
/* Item i of a tuple; false when it is no tuple or too long ago. */
bool pickle_item(const struct pickle *p, pv tuple, size_t i, pv *out);
bool pickle_items(const struct pickle *p, pv tuple, size_t *n); /* known count? */

/* pickle_shared.c: a value that GET or DUP takes again; what a container that
 * gets it stands for then. */
void pickle_shared_again(struct pickle *p, pv v);
void pickle_weigh(struct pickle *p, pv holder, pv value);
void pickle_shared_reset(struct pickle *p);

/* pickle_text.c: the decoded text of a PV_STR or PV_BYTES, at most `room` bytes;
 * false when it is longer or cannot be read. */
bool pickle_text(struct pickle *p, pv v, uint8_t *buf, size_t room, size_t *n);
/* Where the bytes of a string with a length stand, and how many. */
bool pickle_body(struct pickle *p, pv v, uint64_t *at, uint64_t *n);
/* Bytes of the input, from the window's buffer where they still stand there. */
bool pickle_fetch(struct pickle *p, void *buf, uint64_t at, size_t n);
/* The number that hexadecimal digits say; *ok becomes false when one is none. */
uint32_t pickle_hex_digits(const uint8_t *s, size_t n, bool *ok);
/* pickle_probe.c: as pickle_sniff, of a string that may as well be random: what does
 * nothing must decode to its end. Of size UINT64_MAX: the head may begin a pickle. */
bool pickle_sniff_string(struct span head, uint64_t size);
/* pickle_nested.c: content within a string that has just been read. */
bool pickle_nested(struct pickle *p, uint64_t at, uint64_t n, bool text);

/* pickle_globals.c */
bool pickle_import(struct pickle *p, struct span module, struct span name, pv *out);
const char *pickle_global_shown(const struct pickle *p, uint32_t g, char *out, size_t size);

/* pickle_call.c: judge a use and say what comes out. */
pv pickle_call(struct pickle *p, pv callable, pv arguments);
pv pickle_instance(struct pickle *p, pv class, pv arguments);
void pickle_build(struct pickle *p, pv target, pv state);
void pickle_set(struct pickle *p, pv target, pv key, pv value);
void pickle_append(struct pickle *p, pv target, pv value);
pv pickle_persistent(struct pickle *p, pv id);

/* pickle_torch.c */
pv pickle_rebuild(struct pickle *p, struct span function, pv arguments);
void pickle_attach(struct pickle *p, pv container, pv key, pv value);
struct pickle_node *pickle_node(const struct pickle *p, pv v);
/* Does it hold a tensor, however deep? */
static inline bool pickle_bears(const struct pickle *p, pv v)
{
    enum pv_kind k = pv_kind(v);
    bool holds = k == PV_TUPLE || k == PV_LIST || k == PV_DICT || k == PV_INST;
    return k == PV_TENSOR || (holds && p->node_count && pickle_node(p, v));
}

/* pickle_joblib.c: raw array bytes that follow a NumpyArrayWrapper. */
bool pickle_array_gap(struct pickle *p, pv wrapper, pv state);

/* A finding at the current opcode. */
void pickle_note(struct pickle *p, enum rule_id rule, const char *fmt, ...) ASSAY_PRINTF(3, 4);

#endif
