/*
 * The catalogue of contradictions: numbers are public (docs/findings.md), and
 * each is found by one or more rules, wherever in the program these are noted.
 * Both sides of a contradiction are places: a finding's origin is the claim,
 * `against` what contradicts it.
 */
#include "check/claims.h"

const struct contradiction contradictions[] = {
    {1, false, "declared parameters against the elements of the tensors"},
    {2, true, "declared parameters have too few figures"},
    {3, false, "declared sizes against the shapes of the tensors"},
    {4, false, "declared architecture against the names of the tensors"},
    {5, false, "index of shards against the shards"},
    {6, false, "tied embeddings against the stored output head"},
    {7, false, "declared element type against the types of the tensors"},
    {8, false, "declared quantisation against the types of the tensors"},
    {9, false, "context lengths in configuration, tokenizer, metadata and card"},
    {10, false, "special tokens and the end of a turn"},
    {11, false, "tokens against the rows of the embedding"},
    {12, true, "copies of the chat template, and the base's"},
    {13, false, "special tokens of the template against the vocabulary"},
    {14, false, "tokenizer against the claimed base's"},
    {15, false, "claimed base against the tensors"},
    {16, false, "claimed relation to the base against the tensors"},
    {17, false, "adapter configuration against its tensors"},
    {18, false, "lineage that leads back to itself, or into the past"},
    {19, true, "licence less restrictive than the base's"},
    {20, false, "licences named in different places"},
    {26, true, "declared modality and languages against tensors and vocabulary"},
    {28, false, "signature and safety claims against the files"},
    {0, false, NULL},
};

/* A rule belongs to one contradiction at most. */
static const struct {
    enum rule_id rule;
    unsigned number;
} found_by[] = {
    {RULE_CLAIM_PARAMETERS, 1},
    {RULE_CLAIM_FIGURES, 2},
    {RULE_ARCH_SHAPE, 3},
    {RULE_ARCH_LAYERS, 3},
    {RULE_ARCH_GAP, 3},
    {RULE_ARCH_HEADS, 3},
    {RULE_ARCH_EXPERTS, 3},
    {RULE_ARCH_MISSING, 4},
    {RULE_ARCH_UNEXPECTED, 4},
    {RULE_CLAIM_ARCHITECTURE, 4},
    {RULE_INDEX_TENSOR_MISSING, 5},
    {RULE_INDEX_TENSOR_UNLISTED, 5},
    {RULE_INDEX_TENSOR_TWICE, 5},
    {RULE_INDEX_SHARD_MISSING, 5},
    {RULE_INDEX_SHARD_UNLISTED, 5},
    {RULE_INDEX_TOTAL, 5},
    {RULE_ARCH_TIED, 6},
    {RULE_CLAIM_DTYPE, 7},
    {RULE_CLAIM_QUANTISATION, 8},
    {RULE_CLAIM_CONTEXT, 9},
    {RULE_TOKENIZER_SPECIAL_DISAGREEMENT, 10},
    {RULE_CLAIM_TURN_END, 10},
    {RULE_TOKENIZER_SIZE, 11},
    {RULE_TOKENIZER_SPECIAL_RANGE, 11},
    {RULE_ARCH_VOCABULARY, 11},
    {RULE_TEMPLATE_DISAGREEMENT, 12},
    {RULE_CLAIM_TEMPLATE_BASE, 12},
    {RULE_CLAIM_TEMPLATE_TOKEN, 13},
    {RULE_CLAIM_TOKENIZER_BASE, 14},
    {RULE_CLAIM_BASE, 15},
    {RULE_CLAIM_RELATION, 16},
    {RULE_ARCH_ADAPTER, 17},
    {RULE_CLAIM_LINEAGE, 18},
    {RULE_CLAIM_DATE, 18},
    {RULE_CLAIM_LICENCE_BASE, 19},
    {RULE_LICENCE_DISAGREEMENT, 20},
    {RULE_CLAIM_MODALITY, 26},
    {RULE_CLAIM_LANGUAGE, 26},
    {RULE_CLAIM_SAFE, 28},
    {RULE_SIGNATURE_CHANGED, 28},
    {RULE_SIGNATURE_MISSING, 28},
    {RULE_SIGNATURE_UNSIGNED, 28},
};

const struct contradiction *contradiction_of(enum rule_id rule)
{
    for (size_t i = 0; i < sizeof found_by / sizeof *found_by; i++)
        if (found_by[i].rule == rule)
            for (const struct contradiction *c = contradictions; c->title; c++)
                if (c->number == found_by[i].number)
                    return c;
    return NULL;
}

struct origin claim_place(const struct model *m, enum document_kind kind, struct json v)
{
    if (json_type(v) == JSON_MISSING)
        return ORIGIN_NOWHERE;
    return (struct origin){m->documents[kind].file, json_offset(v), json_end(v) - json_offset(v)};
}

struct claimed claim_of(const struct model *m, enum document_kind kind, const char *key)
{
    struct json v = json_get(m->documents[kind].root, key);
    return (struct claimed){v, claim_place(m, kind, v)};
}

struct claimed claim_within(const struct model *m, enum document_kind kind, const char *outer,
                            const char *key)
{
    struct json v = json_get(json_get(m->documents[kind].root, outer), key);
    return (struct claimed){v, claim_place(m, kind, v)};
}

struct origin claim_metadata(const struct model *m, const char *key)
{
    const struct metadata *d = model_metadata(m, key);
    return d ? d->origin : ORIGIN_NOWHERE;
}

struct origin claim_tensors(const struct model *m)
{
    return m->tensor_count ? m->tensors[0].entry : ORIGIN_NOWHERE;
}
