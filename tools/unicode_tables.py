#!/usr/bin/env python3
"""unicode_tables.py FOLDER: writes categories.c, canonical.c, compatible.c,
longer.c, marks.c.

Needs PyPI unicodedata2==16.0.0, because Debian 12's Python knows Unicode 14 and
the tokenizers that Assay must agree with know 16. Run it from the top folder:

    tools/unicode_tables.py src/unicode
"""
import sys
import unicodedata

import unicodedata2 as u

CATEGORIES = ("Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po "
              "Sm Sc Sk So Zs Zl Zp Cc Cf Co Cs").split()
ALL = range(0x110000)
HEAD = """/*
 * Unicode %s: %s.
 * Written by tools/unicode_tables.py; do not edit.
 */
#include "unicode/data.h"

/* clang-format off */
""" % (u.unidata_version, "%s")


def rows(items, width=100):
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > width:
            yield line
            line = "   "
        line += " " + item + ","
    if line.strip():
        yield line


def array(declaration, items):
    return "\nconst %s = {\n%s\n};\n" % (declaration, "\n".join(rows(items)))


def runs(value, skip):
    """(first, last, value) of every run of equal values other than skip."""
    start = 0
    for c in range(1, 0x110001):
        if c == 0x110000 or value(c) != value(start):
            if value(start) != skip:
                yield start, c - 1, value(start)
            start = c


def categories():
    number = {name: i for i, name in enumerate(CATEGORIES)}
    found = [number[u.category(chr(c))] for c in ALL]
    packed = ["0x%07x" % (first << 5 | v) for first, _, v in runs(lambda c: found[c], None)]
    count = "\nconst size_t unicode_category_count = %d;\n" % len(packed)
    return (HEAD % "general categories, each run as first code point << 5 | category"
            + array("uint32_t unicode_category_runs[]", packed) + count)


def canonical():
    for c in ALL:
        d = u.decomposition(chr(c))
        if not d or d.startswith("<"):
            continue
        parts = [int(x, 16) for x in d.split()]
        text = "".join(map(chr, parts))
        composes = len(parts) == 2 and u.normalize("NFC", text) == chr(c)
        yield c | (0 if composes else 1 << 31), parts[0], parts[1] if len(parts) > 1 else 0


def lower(c):
    """Python's own lower() knows an older Unicode: newer capitals are found by name."""
    if unicodedata.category(chr(c)) == "Cn" and u.category(chr(c)) == "Lu":
        return ord(u.lookup(u.name(chr(c)).replace("CAPITAL", "SMALL")))
    low = chr(c).lower()
    return ord(low) if len(low) == 1 else c


def shifts(to):
    """A mapping to single code points as (first, last, step, difference)."""
    out = []
    for c, low in ((c, to(c)) for c in ALL):
        if low == c:
            continue
        if out:
            first, last, step, diff = out[-1]
            if diff == low - c and c - last in (1, 2) and (first == last or c - last == step):
                out[-1] = (first, c, c - last, diff)
                continue
        out.append((c, c, 1, low - c))
    return out


def table(kind, name, items):
    return (array("%s %s_rows[]" % (kind, name), items)
            + "\nconst size_t %s_count = %d;\n" % (name, len(items)))


def compatible(c):
    """The whole compatibility decomposition, where it is not the canonical one."""
    text = u.normalize("NFKD", chr(c))
    return text if text != u.normalize("NFD", chr(c)) else chr(c)


def compatibles():
    rows = shifts(lambda c: ord(compatible(c)) if len(compatible(c)) == 1 else c)
    return HEAD % "compatibility decompositions to one code point" + table(
        "struct unicode_shift", "unicode_compatible", ["{0x%04x, 0x%04x, %d, %d}" % r for r in rows])


def longer():
    """The others, each by its place in one text of all."""
    parts = {c: compatible(c) for c in ALL if len(compatible(c)) > 1}
    text = ""
    for part in sorted(set(parts.values()), key=lambda x: (-len(x), x)):
        text += "" if part in text else part
    places = ["{0x%04x, %d, %d}" % (c, text.index(part), len(part)) for c, part in parts.items()]
    return (HEAD % "compatibility decompositions to several code points"
            + table("struct unicode_text", "unicode_longer", places)
            + array("uint16_t unicode_longer_text[]", ["0x%04x" % ord(c) for c in text]))


def decompositions():
    return HEAD % "canonical decompositions; bit 31: not composed again" + table(
        "struct unicode_pair", "unicode_canonical",
        ["{0x%08x, 0x%04x, 0x%04x}" % r for r in canonical()])


def marks():
    ccc = ["{0x%04x, 0x%04x, %d}" % r for r in runs(lambda c: u.combining(chr(c)), 0)]
    low = ["{0x%04x, 0x%04x, %d, %d}" % r for r in shifts(lower)]
    return (HEAD % "combining classes and lower case"
            + table("struct unicode_class", "unicode_combining", ccc)
            + table("struct unicode_shift", "unicode_lower", low))


def main():
    for name, text in (("categories.c", categories()),
                       ("canonical.c", decompositions()), ("compatible.c", compatibles()),
                       ("longer.c", longer()), ("marks.c", marks())):
        with open(sys.argv[1] + "/" + name, "w", encoding="utf-8") as f:
            f.write(text)


main()
