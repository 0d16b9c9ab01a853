#!/usr/bin/env python3
"""An independent verifier of Assay's logs, written from docs/log-format.md alone.

    verify_log.py [--key VKEY]... [--witness VKEY]... [--older NOTE]... PATH

PATH is a checkpoint, a receipt, a disclosure or an exported folder. Python's
standard library and the openssl command, nothing else. Exit status 0: verified.
"""
import argparse, base64, hashlib, json, pathlib, subprocess, tempfile

KINDS = """genesis key model dataset training call-intent call-outcome replay check report
disclosure erasure config start stop hold restore refused""".split()
P = 2**255 - 19
LOW_ORDER = {0, 1, P - 1, 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
             0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7}

class Refused(Exception): pass

def need(ok, why):
    if not ok: raise Refused(why)

def sha(data): return hashlib.sha256(data).digest()
def node(left, right): return sha(b"\1" + left + right)
def leaf_hash(leaf): return sha(b"\0" + leaf)
def b64(text, size=None):
    raw = base64.b64decode(text, validate=True)
    need(base64.b64encode(raw).decode() == text and len(raw) == (size or len(raw)), "bad base64")
    return raw

def framed(data): return len(data).to_bytes(8, "big") + data
def decimal(text):
    need(text.isascii() and text.isdigit() and str(int(text)) == text, "not a plain decimal")
    return int(text)

def ed25519(public, message, signature):
    y = int.from_bytes(public, "little") & (2**255 - 1)
    if y >= P or y in LOW_ORDER or len(signature) != 64:
        return False
    with tempfile.TemporaryDirectory() as folder:
        der = bytes.fromhex("302a300506032b6570032100") + public
        for name, data in (("key", der), ("text", message), ("signature", signature)):
            pathlib.Path(folder, name).write_bytes(data)
        command = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in text -sigfile signature"
        return subprocess.run(command.split(), cwd=folder, capture_output=True).returncode == 0

def vkey(text):
    name, key_id, key = text.split("+", 2)
    raw = b64(key, 33)
    need(raw[0] in (1, 4) and sha(name.encode() + b"\n" + raw)[:4].hex() == key_id,
         "a key of an unknown type, or its id is wrong")
    return name, bytes.fromhex(key_id), raw[0], raw[1:]

def open_note(data, keys):
    """The text, and those of `keys` that signed it."""
    need(len(data) <= 1 << 20, "a note of more than 1 MiB")
    cut = data.rfind(b"\n\n")
    need(cut >= 0 and data.endswith(b"\n"), "not a signed note")
    text, lines = data[:cut + 1], data[cut + 2:].decode().split("\n")[:-1]
    need(1 <= len(lines) <= 64, "no signatures, or too many")
    need(all(c == "\n" or not ord(c) < 32 for c in data.decode()), "control characters")
    signed = []
    for line in lines:
        dash, name, payload = line.split(" ")
        raw = b64(payload)
        need(dash == "—" and name and len(raw) >= 5, "not a signature line")
        for key in keys:
            if key[:2] != (name, raw[:4]): continue
            message, signature = text, raw[4:]
            if key[2] == 4:
                message = b"cosignature/v1\ntime %d\n" % int.from_bytes(raw[4:12], "big") + text
                signature = raw[12:]
            need(ed25519(key[3], message, signature), "a signature of %s does not match" % name)
            signed.append(key)
    return text, signed

def checkpoint(data, keys, witnesses):
    text, signed = open_note(data, keys + witnesses)
    lines = text.decode().split("\n")
    need(len(lines) == 4 and not lines[3] and lines[0], "not the three lines of a checkpoint")
    need(any(k in signed and k[2] == 1 and k[0] == lines[0] for k in keys), "not signed by the log")
    need(all(k in signed for k in witnesses), "a witness did not cosign")
    return lines[0], decimal(lines[1]), b64(lines[2], 32)

def read_leaf(data):
    def no(text): raise Refused("a number that is not an integer: " + text)
    need(len(data) <= 65535, "too long a leaf")
    value = json.loads(data, parse_float=no, parse_constant=no)
    again = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    need(again.encode() == data and b":null" not in data, "the leaf is not canonical")
    need(value.get("assay") == 1 and value["kind"] in KINDS, "a leaf of another version")
    return value

def receipt(data, keys, witnesses):
    head, blank, note = data.partition(b"\n\n")
    lines = head.decode().split("\n")
    need(blank and lines[0] == "c2sp.org/tlog-proof@v1", "not a receipt")
    need(lines[1].startswith("extra ") and lines[2].startswith("index "), "no extra or no index")
    leaf, index = b64(lines[1][6:]), decimal(lines[2][6:])
    proof = [b64(line, 32) for line in lines[3:]]
    _, size, root = checkpoint(note, keys, witnesses)
    need(index < size, "the index is beyond the tree")
    inner = (index ^ (size - 1)).bit_length()
    need(len(proof) == inner + bin(index >> inner).count("1"), "a proof of the wrong length")
    h = leaf_hash(leaf)
    for k, p in enumerate(proof):
        h = node(p, h) if k >= inner or index >> k & 1 else node(h, p)
    need(h == root, "the proof does not lead to the root")
    need(read_leaf(leaf)["seq"] == index, "the leaf is of another place")
    return read_leaf(leaf)

def disclosure(data, keys, witnesses):
    bundle = json.loads(data, object_pairs_hook=lambda p: need(len(dict(p)) == len(p), "a name twice") or dict(p))
    need(set(bundle) == {"bundle", "fields", "receipt"} and len(data) <= 1 << 27, "unknown members, or too long")
    need(bundle["bundle"] == "assay/disclosure/v1" and 1 <= len(bundle["fields"]) <= 64, "another version")
    leaf = receipt(bundle["receipt"].encode(), keys, witnesses)
    sealed = {f["field"]: f["commitment"] for f in leaf.get("sealed", [])}
    for f in bundle["fields"]:
        content = f["content"].encode() if "content" in f else b64(f["content_base64"])
        need(len(f) == 3 and f["field"] in sealed and f["salt"] == f["salt"].lower(), "the leaf commits to no such field")
        made = sha(b"assay/commit/v1\0" + framed(f["field"].encode()) + bytes.fromhex(f["salt"])
                   + framed(content))
        need(made.hex() == sealed[f["field"]], "not the content that was committed to")

def tile(folder, level, number, width):
    digits = "%03d" % (number % 1000)
    while number >= 1000:
        number //= 1000
        digits = "x%03d/" % (number % 1000) + digits
    return (folder / "tile" / level / (digits + (".p/%d" % width if width < 256 else ""))).read_bytes()

def fold(hashes):
    if len(hashes) < 2:
        return hashes[0] if hashes else sha(b"")
    k = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node(fold(hashes[:k]), fold(hashes[k:]))

def export(folder, keys, witnesses, older):
    note = (folder / "checkpoint").read_bytes()
    size = decimal(note.decode().split("\n")[1])
    leaves, active, pinned, closed, epochs = [], None, False, False, []
    for first in range(0, size, 256):
        width = min(256, size - first)
        data = tile(folder, "entries", first // 256, width)
        for i in range(first, first + width):
            n = int.from_bytes(data[:2], "big")
            need(len(data) >= 2 + n, "a bundle is cut short")
            leaf, data = data[2:2 + n], data[2 + n:]
            value = read_leaf(leaf)
            kind, body = value["kind"], value["record"]
            need(value["seq"] == i and not closed, "entry %d: out of order" % i)
            need((kind == "genesis") == (i == 0), "entry %d: genesis" % i)
            if kind == "genesis":
                origin, active = body["origin"], body["key"]
            if kind == "key":
                message = "assay/key-rotation/v1\n%s\n%d\n%s\n%s\n" % (origin, i, active, body["new"])
                for key, by in ((active, "signature_old"), (body["new"], "signature_new")):
                    need(ed25519(vkey(key)[3], message.encode(), bytes.fromhex(body[by])),
                         "entry %d: %s" % (i, by))
                need(body["old"] == active, "entry %d: not the key in use" % i)
                active = body["new"]
            if kind in ("genesis", "key"):
                need(vkey(active)[0] == origin and vkey(active)[2] == 1, "a key of another log")
                epochs.append((i, vkey(active)))
                pinned = pinned or vkey(active) in keys
            closed = kind == "stop" and body["reason"] == "seal-off"
            leaves.append(leaf_hash(leaf))
        need(not data, "bytes behind the last entry")
    need(pinned, "none of the log's keys is the one expected")
    for text, who in [(note, witnesses)] + [(path.read_bytes(), []) for path in older]:
        covered = decimal(text.decode().split("\n")[1])
        key = [k for start, k in epochs if start < covered][-1:]
        name, n, root = checkpoint(text, key, who)
        need(name == origin and n <= size and fold(leaves[:n]) == root, "another history")
    level, hashes = 0, leaves
    while hashes:
        parts = [hashes[i:i + 256] for i in range(0, len(hashes), 256)]
        for i, part in enumerate(parts):
            need(tile(folder, str(level), i, len(part)) == b"".join(part), "a tile differs")
        hashes, level = [fold(part) for part in parts if len(part) == 256], level + 1

def main():
    args = argparse.ArgumentParser()
    for option, kind in (("--key", vkey), ("--witness", vkey), ("--older", pathlib.Path)):
        args.add_argument(option, action="append", type=kind, default=[])
    args.add_argument("path", type=pathlib.Path)
    a = args.parse_args()
    try:
        if a.path.is_dir():
            export(a.path, a.key, a.witness, a.older)
        else:
            data = a.path.read_bytes()
            judge = (receipt if data.startswith(b"c2sp.org/tlog-proof") else
                     disclosure if data.lstrip().startswith(b"{") else checkpoint)
            judge(data, a.key, a.witness)
    except (Refused, ValueError, KeyError, TypeError, IndexError, AttributeError, OSError) as why:
        raise SystemExit("refused: %s" % (str(why) or type(why).__name__))
    print("verified")

main()
