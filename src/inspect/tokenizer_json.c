/*
 * A folder's vocabulary: tokenizer.json of Hugging Face's tokenizers library
 * (model.vocab, model.merges, added_tokens).
 */
#include "inspect/vocabulary.h"

#include "assay/base/text.h"

/* Ids are dense in practice; beyond this a list by id would only waste memory. */
enum { ID_SPREAD = 8, ID_SPARE = 65536 };

static const char *kind_of(struct span type)
{
    static const char *const kinds[] = {"BPE", "WordPiece", "Unigram", "WordLevel"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (span_is(type, kinds[i]))
            return kinds[i];
    return NULL;
}

static struct origin place(const struct vocabulary *v, size_t offset)
{
    return (struct origin){v->m->documents[DOC_TOKENIZER].file, offset, 0};
}

static void wrong(const struct vocabulary *v, struct json value, const char *what)
{
    verdict_add(&v->m->verdict, RULE_TOKENIZER_TYPE, place(v, json_offset(value)), "%s", what);
}

static void add(struct vocabulary *v, size_t room, struct span text, struct json id, size_t offset)
{
    uint64_t number;
    if (!json_u64(id, &number) || number >= room) {
        wrong(v, id, "a token's id is no number, or far beyond the vocabulary");
        return;
    }
    vocabulary_add(v, number, text, place(v, offset));
}

/* BPE, WordPiece, WordLevel: {"text": id}. */
static void from_object(struct vocabulary *v, struct json vocab, size_t room)
{
    for (struct json t = json_first(vocab); json_type(t); t = json_next(t))
        add(v, room, json_key(t), t, json_key_offset(t));
}

/* Unigram: [["text", score]], the id is the place. */
static void from_array(struct vocabulary *v, struct json vocab)
{
    uint64_t id = 0;
    for (struct json t = json_first(vocab); json_type(t); t = json_next(t), id++) {
        struct span text;
        if (!json_string(json_first(t), &text))
            wrong(v, t, "an entry of the vocabulary does not begin with its text");
        else
            vocabulary_add(v, id, text, place(v, json_offset(t)));
    }
}

/* Added tokens may repeat entries of the vocabulary, with the same id. */
static void add_added(struct vocabulary *v, struct json added, size_t room,
                      struct tokenizer_facts *out)
{
    for (struct json t = json_first(added); json_type(t); t = json_next(t)) {
        struct span text;
        uint32_t c;
        char shown[96];
        if (!json_string(json_get(t, "content"), &text)) {
            wrong(v, t, "an added token has no content");
            continue;
        }
        bool special = false;
        (void)json_bool(json_get(t, "special"), &special);
        if (special && first_hidden(text, &c) != SIZE_MAX)
            verdict_add(&v->m->verdict, RULE_TOKENIZER_HIDDEN, place(v, json_offset(t)),
                        "special token \"%s\" contains U+%04X",
                        text_shown(shown, sizeof shown, text), (unsigned)c);
        out->added++;
        out->size += vocabulary_id(v, text) == MAP_NONE;
        add(v, room, text, json_get(t, "id"), json_offset(t));
    }
}

bool vocabulary_from_json(struct vocabulary *v, struct tokenizer_facts *out)
{
    struct json root = v->m->documents[DOC_TOKENIZER].root;
    struct json model = json_get(root, "model"), vocab = json_get(model, "vocab");
    struct json added = json_get(root, "added_tokens");
    if (json_type(root) == JSON_MISSING)
        return true;
    struct span type;
    if (json_string(json_get(model, "type"), &type))
        out->kind = kind_of(type);
    else if (json_type(json_get(model, "merges")) == JSON_ARRAY)
        out->kind = "BPE"; /* files before tokenizers 0.9 name no type */
    out->merges = json_count(json_get(model, "merges"));
    out->size = json_count(vocab);
    size_t entries = json_count(vocab) + json_count(added);
    size_t room = entries * ID_SPREAD + ID_SPARE;
    if (!vocabulary_init(v, entries, room))
        return false;
    bool list = json_type(vocab) == JSON_ARRAY;
    if (!list && json_type(vocab) != JSON_OBJECT)
        wrong(v, model, "model.vocab is neither an object nor a list");
    if (list)
        from_array(v, vocab);
    else
        from_object(v, vocab, room);
    add_added(v, added, room, out);
    return true;
}
