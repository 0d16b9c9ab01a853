"""The rules that tokenizer.ggml.pre names, each against the patterns in llama.cpp's own source.

llama-vocab.cpp says which names share which regular expressions, and quotes the model's original
where its own is an adaptation. One byte BPE whose merges cross all boundaries is written once for
each name and read here; Hugging Face's tokenizers split with the quoted patterns. Skipped politely
where npm, which carries the source, does not answer.
"""
import ast
import json
import os
import re
import sys
import tempfile

import gguf
from tokenizers import Regex, Tokenizer, decoders, models, trainers
from tokenizers import pre_tokenizers as pre

sys.path.insert(0, "tests/support")
import llama_source  # noqa: E402
from tokenizer_peer import CORPUS, TEXTS, Ours, Tally, random_texts  # noqa: E402

# Of these llama.cpp has code instead of a pattern, or a pattern without its original's cases.
OTHERWISE = {"afmoe", "kimi-k2", "tekken"}
# These hold text and not bytes.
OTHERWISE |= {"gemma4", "granite-embed-multi-311m", "sarvam-moe", "whitespace"}
STRING = r'"((?:[^"\\]|\\.)*)"'
MORE = ["\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e351234567", "12345 1234567890123 \u0661\u0662\u0663\u0664\u0665",
        "\u4f60\u597dABC\u4e16\u754c's \u3042\u30a2 \uac00\ub098 x\u0301y", "IMGIMGABCZ <sentinel:12>",
        "a/b//c\n/\r\n/ x", "\u00c9COLE \u00e9cole McDonald \u01c5x \u02b0a", " \t \n\n  \r\n x  y\u3000z\u2028w", " " * 600 + "x"]


def names(source):
    """LLAMA_VOCAB_PRE_TYPE_X: the names that mean it."""
    found = {}
    test = r'tokenizer_pre == "[^"]+"'
    for m in re.finditer(r"if \(\s*((?:%s[^\"{]*)+)\)\s*\{[^{}]*?pre_type = (\w+);" % test, source):
        found.setdefault(m.group(2), []).extend(re.findall(r'== "([^"]+)"', m.group(1)))
    return found


def originals(said):
    """An original that is quoted in a comment stands for the adaptation that follows it."""
    patterns, quoted = [], None
    for comment, text in said:
        if comment:
            quoted = text
        else:
            patterns.append(quoted or text)
            quoted = None
    return patterns


def rules(source):
    """(types, patterns) of every case."""
    body = source[source.index("struct llm_tokenizer_bpe : "):]
    types = []
    for m in re.finditer(r"case (LLAMA_VOCAB_PRE_TYPE_\w+):|regex_exprs = \{(.*?)\};|\n {12}default:", body, re.S):
        if m.group(0).startswith("case"):
            types.append(m.group(1))
        elif m.group(2) is None:
            return
        else:
            lines = [re.match(r"(//\s*)?" + STRING, line.strip()) for line in m.group(2).split("\n")]
            said = [(bool(x.group(1)), ast.literal_eval('"%s"' % x.group(2))) for x in lines if x]
            yield types, originals(said)
            types = []


def trained():
    t = Tokenizer(models.BPE())
    t.decoder = decoders.ByteLevel()
    t.pre_tokenizer = pre.Sequence([pre.Split(Regex("[^.]{1,40}"), "isolated"),
                                    pre.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=1500, show_progress=False,
                                                      initial_alphabet=pre.ByteLevel.alphabet()))
    return t


def write(t, name, path):
    model = json.loads(t.to_str())["model"]
    words = sorted(model["vocab"], key=model["vocab"].get)
    w = gguf.GGUFWriter(path, "llama")
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre(name)
    w.add_token_list(words)
    w.add_token_types([1] * len(words))
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in model["merges"]])
    w.add_bool("tokenizer.ggml.add_bos_token", False)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()


def main():
    folder = llama_source.folder()
    if not folder:
        print("skipped: llama.cpp's source, npm does not answer")
        print("0 passed, 0 failed")
        return False
    with open(folder + "/src/llama-vocab.cpp", encoding="utf-8") as f:
        source = f.read()
    known, tally, t, seen = names(source), Tally(), trained(), 0
    with tempfile.TemporaryDirectory() as work:
        for types, patterns in rules(source):
            t.pre_tokenizer = pre.Sequence([pre.Split(Regex(p), "isolated") for p in patterns if "AFMoE" not in p]
                                           + [pre.ByteLevel(add_prefix_space=False, use_regex=False)])
            for name in [n for x in types for n in known.get(x, []) if n not in OTHERWISE]:
                path = "%s/%s.gguf" % (work, name)
                write(t, name, path)
                ours = Ours(path)
                seen += 1
                tally.check(ours.started == [], name, "refused: %s" % ours.started)
                for text in TEXTS + MORE + list(random_texts(name, 30)) if ours.started == [] else []:
                    want, got = t.encode(text).ids, ours.encode(text)
                    tally.check(want == got, name, repr(text), "theirs %s" % want, "ours   %s" % got)
                ours.close()
                os.unlink(path)
    tally.check(seen > 40, "only %d names were found in llama.cpp's source" % seen)
    print("%d rules" % seen)
    print("%d passed, %d failed" % (tally.passed, tally.failed))
    return tally.failed != 0


if __name__ == "__main__":
    sys.exit(main())
