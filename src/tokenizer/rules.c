/*
 * The splitting rules that GGUF files name (tokenizer.ggml.pre), for every
 * name that llama.cpp knows (llama-vocab.cpp, llm_tokenizer_bpe). Where
 * llama.cpp approximates the pattern of the model's own tokenizer.json, the
 * original stands here.
 */
#include "tokenizer/tokenizer.h"

#include <string.h>

#include "assay/base/text.h"

enum {
    RULE_WHOLE_WORDS = 1, /* a word that is a token is that token */
    RULE_BOS = 2,         /* begins with bos unless the file says no */
    RULE_CHARACTERS = 4,  /* the vocabulary holds text, not bytes shown as characters */
    RULE_METASPACE = 8    /* ' ' is U+2581 in the vocabulary */
};

enum { RULE_PATTERNS = 7 };

struct splitting {
    const char *names; /* one space after each */
    unsigned flags;
    const char *patterns[RULE_PATTERNS]; /* each cuts what the one before left */
};

/* Not patterns: digits in threes from the right. */
#define DIGITS_3 "digits in threes"
#define DIGITS_3_EDGE "digits in threes before an edge"

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define LINES "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define GPT_2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define WORDS_AND(digits)                                                                          \
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" LINES
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(tail)                                                                                \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" tail "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER    \
    "*" tail
#define GPT_4O(digits) CASED(CONTRACTIONS "?") "|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" LINES
#define DEEPSEEK_WORDS                                                                             \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?"           \
    "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+"
#define CJK "[一-龥\\u3040-ゟ゠-ヿ]+"
#define HAN_UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]"
#define HAN_LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]"
#define BLOOM " ?[^(\\s|.,!?…。，、।۔،)]+"
#define JAIS_SPACES                                                                                \
    "|\\s*[\\r\\n]+|\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|"               \
    "\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s{1}"
#define DEEPSEEK_LETTERS                                                                           \
    "\\s?[A-Za-z\\u00B5\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u01BA\\u01BC-\\u01BF\\u01C4-"       \
    "\\u0293\\u0295-\\u02AF\\u0370-\\u0373\\u0376\\u0377\\u037B-\\u037D\\u037F\\u0386\\u0388-"     \
    "\\u038A\\u038C\\u038E-\\u03A1\\u03A3-\\u03F5\\u03F7-\\u0481\\u048A-\\u052F\\u0531-"           \
    "\\u0556\\u10A0-\\u10C5\\u13A0-\\u13F5\\u13F8-\\u13FD\\u1C90-\\u1CBA\\u1CBD-\\u1CBF"           \
    "\\u1D00-\\u1D2B\\u1D6B-\\u1D77\\u1D79-\\u1D9A\\u1E00-\\u1F15\\u1F18-\\u1F1D\\u1F20-"          \
    "\\u1F45\\u1F48-\\u1F4D\\u1F50-\\u1F57\\u1F59\\u1F5B\\u1F5D\\u1F5F-\\u1F7D\\u1F80-\\u1FB4"     \
    "\\u1FB6-\\u1FBC\\u1FBE\\u1FC2-\\u1FC4\\u1FC6-\\u1FCC\\u1FD0-\\u1FD3\\u1FD6-\\u1FDB"           \
    "\\u1FE0-\\u1FEC\\u1FF2-\\u1FF4\\u1FF6-\\u1FFC\\u2102\\u2107\\u210A-\\u2113\\u2115\\u2119"     \
    "-\\u211D\\u2124\\u2126\\u2128\\u212A-\\u212D\\u212F-\\u2134\\u2139\\u213C-\\u213F\\u2145"     \
    "-\\u2149\\u214E\\u2183\\u2184\\u2C00-\\u2C7B\\u2C7E-\\u2CE4\\u2CEB-\\u2CEE\\u2CF2\\u2CF3"     \
    "\\uA640-\\uA66D\\uA680-\\uA69B\\uA722-\\uA76F\\uA771-\\uA787\\uA78B-\\uA78E\\uAB70-"          \
    "\\uABBF\\uFB00-\\uFB06\\uFB13-\\uFB17\\uFF21-\\uFF3A\\uFF41-\\uFF5A\\x{10400}-\\x{1044F}"     \
    "\\x{104B0}-\\x{104D3}\\x{104D8}-\\x{104FB}\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}"         \
    "\\x{118A0}-\\x{118DF}\\x{1E900}-\\x{1E943}]+"
#define AFMOE_SCRIPTS                                                                              \
    "[\\u4E00-\\u9FFF\\u3400-\\u4DBF\\uF900-\\uFAFF\\u3040-\\u309F\\u30A0-\\u30FF\\uFF65-\\uFF9F"  \
    "\\u2F00-\\u2FDF\\u0E40-\\u0E7F\\u0E80-\\u0EFF\\u1780-\\u17FF\\u1000-\\u109F\\uAA60-\\uAA7F"   \
    "\\uA9E0-\\uA9FF\\uAC00-\\uD7AF\\u1100-\\u11FF]+"

/* clang-format off */
static const struct splitting rules_by_name[] = {
    {"default ", 0, {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT_2, "\\p{N}+", "[0-9][0-9][0-9]"}},
    {"llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano ",
     RULE_WHOLE_WORDS | RULE_BOS, {WORDS_AND("\\p{N}{1,3}")}},
    {"dbrx smaug-bpe glm4 chatglm-bpe ", 0, {WORDS_AND("\\p{N}{1,3}")}},
    {"jais-2 ", 0, {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+"
                    "[\\r\\n]*" JAIS_SPACES}},
    {"minicpm5 ", RULE_WHOLE_WORDS, {"\\p{N}{1,3}", WORDS_AND("\\p{N}+")}},
    {"deepseek-llm ", 0, {"[\\r\\n]", DEEPSEEK_LETTERS, "\\s?[!-/:-~！-／：-～‘-‟\\u3000-。]+", "\\s+$",
                          "[一-龥ࠀ-一가-\\uD7FF]+", "\\p{N}+"}},
    {"deepseek-coder ", 0, {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-\\uD7FF]+", "\\p{N}"}},
    {"deepseek-v3 hunyuan-dense joyai-llm hy_v4 ", 0,
     {"\\p{N}{1,3}", CJK, DEEPSEEK_WORDS "[\\r\\n]*" LINES}},
    {"spark2_5 ", 0, {"\\p{N}{1,3}", CJK, DEEPSEEK_WORDS "|[\\r\\n]|\\s+(?!\\S)|\\s+", "\\p{N}"}},
    {"afmoe ", 0, {DIGITS_3, AFMOE_SCRIPTS, DEEPSEEK_WORDS "[\\r\\n]*" LINES}},
    {"youtu ", RULE_WHOLE_WORDS,
     {"[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|" CJK, GPT_4O("\\p{N}")}},
    {"falcon ", 0, {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT_2, "[0-9][0-9][0-9]"}},
    {"starcoder refact command-r smollm codeshell exaone minerva-7b mellum2 ", 0, {"\\p{N}", GPT_2}},
    {"gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert mpt olmo "
     "jais trillion granite-docling exaone4 jina-v1-en jina-v2-code roberta-bpe ", 0, {GPT_2}},
    {"qwen2 deepseek-r1-qwen kormo f2llmv2 stablelm2 hunyuan solar-open megrez grok-2 ", 0,
     {WORDS_AND("\\p{N}")}},
    {"qwen35 ", 0, {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+"
                    "[\\r\\n]*" LINES}},
    {"ufakzeka ", 0, {"[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" LINES}},
    {"laguna ", 0, {"[^\\n]+|[\\n]+", WORDS_AND("\\p{N}")}},
    {"seed-coder ", 0, {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+"
                        LINES}},
    {"bailingmoe bailingmoe2 llada-moe ", 0,
     {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|"
      "\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}},
    {"exaone-moe ", 0,
     {CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+"
      "[\\r\\n/]?|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}},
    {"poro-chat bloom gpt3-finnish ", 0, {BLOOM}},
    {"viking ", 0, {BLOOM, "\\p{N}"}},
    {"tekken ", RULE_WHOLE_WORDS | RULE_BOS,
     {CASED("") "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" LINES}},
    {"gpt-4o llama4 kanana2 talkie minimax-m2 ", 0, {GPT_4O("\\p{N}{1,3}")}},
    {"granite-embed-multi-97m ", RULE_WHOLE_WORDS, {GPT_4O("\\p{N}{1,3}")}},
    {"tiny_aya cohere2moe ", 0, {DIGITS_3_EDGE, GPT_4O("\\p{N}{1,3}")}},
    {"kimi-k2 ", 0,
     {"[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?" HAN_UPPER "*" HAN_LOWER "+" CONTRACTIONS "?|[^\\r\\n\\p{L}\\p{N}]?"
      HAN_UPPER "+" HAN_LOWER "*" CONTRACTIONS "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" LINES}},
    {"superbpe ", 0, {"\\p{N}+", DIGITS_3}},
    {"chameleon ", RULE_BOS,
     {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )", "\\p{N}",
      "[\\p{P}!-/:-@\\[-`{-~]", GPT_2}},
    {"gemma4 granite-embed-multi-311m sarvam-moe ", RULE_CHARACTERS | RULE_METASPACE, {"[^\\n]+|[\\n]+"}},
    {"whitespace ", RULE_CHARACTERS, {"\\S+"}},
};
/* clang-format on */

/* "name " among "one two three ". */
static bool names(const char *list, struct span name)
{
    for (const char *end; (end = strchr(list, ' ')); list = end + 1)
        if (span_eq((struct span){(const uint8_t *)list, (size_t)(end - list)}, name))
            return true;
    return false;
}

bool add_split(struct tokenizer *t, struct split_step step, struct err *e)
{
    if (t->split_count == STEPS_MAX)
        return err_set(e, ERR_LIMIT, "more than %d splitting steps", STEPS_MAX);
    t->split[t->split_count++] = step;
    return true;
}

bool add_normal(struct tokenizer *t, struct normal_step step, struct err *e)
{
    if (t->normal_count == STEPS_MAX)
        return err_set(e, ERR_LIMIT, "more than %d normalising steps", STEPS_MAX);
    t->normal[t->normal_count++] = step;
    return true;
}

bool add_pattern(struct tokenizer *t, struct span pattern, enum split_behaviour behaviour,
                 bool invert, struct err *e)
{
    struct split_step s = {.kind = SPLIT_PATTERN, .behaviour = behaviour, .invert = invert};
    return regex_new(&s.pattern, pattern, t->arena, e) && add_split(t, s, e);
}

static bool add_rule_step(struct tokenizer *t, const char *pattern, struct err *e)
{
    bool edge = strcmp(pattern, DIGITS_3_EDGE) == 0;
    if (edge || strcmp(pattern, DIGITS_3) == 0)
        return add_split(t, (struct split_step){.kind = SPLIT_DIGITS_3, .invert = edge}, e);
    return add_pattern(t, span_str(pattern), SPLIT_ISOLATED, false, e);
}

bool rule_apply(struct tokenizer *t, struct span name, struct err *e)
{
    const struct splitting *rule = NULL;
    char shown[80];
    for (size_t i = 0; i < sizeof rules_by_name / sizeof *rules_by_name && !rule; i++)
        if (names(rules_by_name[i].names, name))
            rule = &rules_by_name[i];
    if (!rule)
        return err_set(e, ERR_UNSUPPORTED,
                       "tokenizer.ggml.pre names the splitting rule \"%s\", "
                       "which is not known here",
                       text_shown(shown, sizeof shown, name));
    memcpy(t->rule, name.p, name.n < RULE_NAME_MAX ? name.n : RULE_NAME_MAX - 1);
    t->ignore_merges = rule->flags & RULE_WHOLE_WORDS;
    t->roles.add_bos = rule->flags & RULE_BOS;
    t->byte_level = !(rule->flags & RULE_CHARACTERS);
    t->byte_fallback = !t->byte_level;
    t->newlines_whole = names("gemma4 granite-embed-multi-311m ", name);
    t->metaspace = rule->flags & RULE_METASPACE;
    if (t->metaspace) {
        struct normal_step spaces = {
            .kind = NORMALISE_REPLACE, .find = span_str(" "), .text = span_str("\xE2\x96\x81")};
        if (!add_normal(t, spaces, e))
            return false;
    }
    for (size_t i = 0; i < RULE_PATTERNS && rule->patterns[i]; i++)
        if (!add_rule_step(t, rule->patterns[i], e))
            return false;
    return true;
}
