"""docs/techniques.md: what the corpora hold and what check finds of each. Under TABLE=1 (make techniques) a
section is written, otherwise compared, so that the page is never older than the rules.
"""

import os
import pathlib

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/techniques.md"
HEAD = """# Techniques and what is found

Written by `make techniques` from the corpora of `tests/`; `make conformance` compares it. Status 1: it fails;
3: not everything could be read, which never passes either. Findings of severity high and critical.
"""


def sections():
    parts = PAGE.read_text().split("\n## ") if PAGE.exists() else [HEAD]
    return {part.split("\n", 1)[0]: part.split("\n", 1)[1] for part in parts[1:]}


def shown(text):
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text).replace("|", "\\|")


def up_to_date(section, head, rows):
    """Rows of texts under a heading; True when the page has just these, or has been written."""
    text = "\n" + "\n".join("| " + " | ".join(map(shown, row)) + " |" for row in [head, ["---"] * len(head), *rows]) + "\n"
    known = sections()
    if os.environ.get("TABLE"):
        known[section] = text
        PAGE.write_text(HEAD + "".join(f"\n## {name}\n{known[name]}" for name in sorted(known)))
        return True
    return known.get(section) == text
