"""Tokenizers of random shape against Hugging Face's own, id for id.

Each is drawn from a seed: a normaliser, a chain of pre-tokenizers, a trained
model with random settings (byte_fallback, ignore_merges, fuse_unk, prefixes) and
added tokens with random flags. What this build refuses, it must refuse by name.
RANDOM_TOKENIZERS: how many; RANDOM_SEED: the first.
"""
import os
import random
import sys
import tempfile
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, processors, trainers
from tokenizers import pre_tokenizers as pre

from tokenizer_peer import CORPUS, TEXTS, Ours, Tally, random_texts, save

# Never part of what is learned: here no merge can spell a control token, there any can.
SPECIAL = ["<s>", "</s>", "[MASK]", "<pad>", "<|im_start|>"]
LEARNED = CORPUS
for word in SPECIAL:
    LEARNED = [text.replace(word, "") for text in LEARNED]
PATTERNS = ["\\s+", "\\d{1,3}", "\\p{L}+", "[,.;:!?]", " ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", "[A-Z]",
            "\\p{Han}|\\p{P}", "'s|'t|'re|'ll", "\\w+|[^\\w\\s]+", "[\\r\\n]+", "(?i:the|and)", "\\p{Lu}?\\p{Ll}+"]
BEHAVIORS = ["isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"]


def normalizer(r):
    one = [lambda: normalizers.NFC(), lambda: normalizers.NFD(), lambda: normalizers.NFKC(), lambda: normalizers.NFKD(),
           lambda: normalizers.Lowercase(),
           lambda: normalizers.Strip(r.random() < 0.5, r.random() < 0.5), lambda: normalizers.StripAccents(),
           lambda: normalizers.Prepend(r.choice(["\u2581", "x", " "])),
           lambda: normalizers.Replace(r.choice([" ", "a", "\u00e9", "''"]), r.choice(["\u2581", "", "b", " "])),
           lambda: normalizers.Replace(Regex(r.choice(["\\s+", "[0-9]", "\\p{P}"])), r.choice([" ", "", "0"])),
           lambda: normalizers.BertNormalizer(r.random() < 0.5, r.random() < 0.5, r.choice([None, True, False]),
                                              r.random() < 0.5)]
    n = r.choice([0, 0, 1, 1, 2, 3])
    chosen = [r.choice(one)() for _ in range(n)]
    return None if n == 0 else chosen[0] if n == 1 and r.random() < 0.5 else normalizers.Sequence(chosen)


def splitter(r, level, first):
    one = [lambda: pre.Split(Regex(r.choice(PATTERNS)), r.choice(BEHAVIORS), r.random() < 0.3),
           lambda: pre.Split(r.choice([" ", "a", "\n", "..."]), r.choice(BEHAVIORS), r.random() < 0.2),
           lambda: pre.Digits(r.random() < 0.5), lambda: pre.Punctuation(r.choice(BEHAVIORS)),
           lambda: pre.Whitespace(), lambda: pre.WhitespaceSplit(), lambda: pre.BertPreTokenizer()]
    if not level:
        one.append(lambda: pre.Metaspace(replacement=r.choice("\u2581_"),
                                         prepend_scheme=r.choice(["always", "never"] + ["first"] * first),
                                         split=r.random() < 0.7))
    stages = [r.choice(one)() for _ in range(r.choice([0, 1, 1, 2, 3]))]
    if level:
        at = len(stages) if r.random() < 0.7 else r.randint(0, len(stages))
        stages.insert(at, pre.ByteLevel(add_prefix_space=r.random() < 0.3, use_regex=r.random() < 0.5))
    if not stages:
        return None
    return stages[0] if len(stages) == 1 and r.random() < 0.5 else pre.Sequence(stages)


def trained(r):
    kind = r.choice(["byte", "byte", "char", "char", "wordpiece"])
    special, alphabet = ["<unk>"], []
    if kind == "byte":
        t = Tokenizer(models.BPE(ignore_merges=r.random() < 0.4))
        t.decoder = decoders.ByteLevel()
        special, alphabet = [], pre.ByteLevel.alphabet()
    elif kind == "char":
        fallback = r.random() < 0.5
        prefix = {} if r.random() < 0.7 else {"continuing_subword_prefix": "##"}
        t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=fallback, fuse_unk=r.random() < 0.5,
                                 ignore_merges=r.random() < 0.3, **prefix))
        special += ["<0x%02X>" % b for b in range(256)] if fallback else []
    else:
        t = Tokenizer(models.WordPiece(unk_token="<unk>", max_input_chars_per_word=r.choice([5, 100])))
    n = normalizer(r)
    p = splitter(r, kind == "byte", n is None)  # "first" looks at places before normalising
    if n:
        t.normalizer = n
    if p:
        t.pre_tokenizer = p
    common = dict(vocab_size=r.randint(400, 900), show_progress=False, special_tokens=special)
    if kind == "wordpiece":
        t.train_from_iterator(LEARNED, trainers.WordPieceTrainer(limit_alphabet=150, **common))
    else:
        t.train_from_iterator(LEARNED, trainers.BpeTrainer(initial_alphabet=alphabet, limit_alphabet=300, **common))
    return t


def decorate(r, t):
    words = ["the", "comment", "ab", "na\u00efve", "\u4f60\u597d", "1", "I'm", "a b", "LL", "x<"] + SPECIAL
    for word in r.sample(words, r.choice([0, 1, 3, 5])):
        flags = {k: r.random() < 0.35 for k in ("lstrip", "rstrip", "single_word", "normalized")}
        flags["normalized"] &= word not in SPECIAL  # control tokens are sought as they are written
        one = AddedToken(word, **flags)
        if word in SPECIAL:
            t.add_special_tokens([one])
        else:
            t.add_tokens([one])
    if r.random() < 0.4:
        t.add_special_tokens(["<bos>", "<eos>"])
        ids = [(s, t.token_to_id(s)) for s in ("<bos>", "<eos>")]
        t.post_processor = processors.TemplateProcessing(r.choice(["<bos> $A", "$A <eos>", "<bos> $A <eos>"]),
                                                         special_tokens=ids)


def settled(text):
    """Only characters that Unicode 3.2 had: their categories are the same in every later version."""
    return all(unicodedata.ucd_3_2_0.category(c) != "Cn" for c in text)


def main():
    first, count = int(os.environ.get("RANDOM_SEED", "1")), int(os.environ.get("RANDOM_TOKENIZERS", "60"))
    tally, refused = Tally(), {}
    with tempfile.TemporaryDirectory() as work:
        for seed in range(first, first + count):
            r = random.Random(seed)
            t = trained(r)
            decorate(r, t)
            folder = "%s/%d" % (work, seed)
            save(t, folder)
            ours = Ours(folder)
            if ours.started != []:
                refused[str(ours.started)] = refused.get(str(ours.started), 0) + 1
                ours.close()
                continue
            for text in TEXTS + [x for x in random_texts(seed, 60) if settled(x)]:
                want, got = t.encode(text).ids, ours.encode(text)
                if want != got:
                    tally.check(False, "seed %d" % seed, repr(text), "theirs %s" % want, "ours   %s" % got)
                    break
                tally.check(True)
            ours.close()
    for what, n in sorted(refused.items()):
        print("refused %d: %s" % (n, what))
    tally.check(sum(refused.values()) <= count // 3, "most shapes are refused")
    print("%d passed, %d failed" % (tally.passed, tally.failed))
    return tally.failed != 0


if __name__ == "__main__":
    sys.exit(main())
