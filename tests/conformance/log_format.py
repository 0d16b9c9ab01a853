#!/usr/bin/env python3
"""docs/log-format.md against an implementation that is not ours.

Every vector of the document is recomputed here from what its text says, with
Python's standard library and the openssl command: canonical JSON, trees,
proofs, notes, Ed25519, commitments, AES-256-GCM, key wrapping, the receipt and
the disclosure. The leaves of all kinds are judged by their JSON Schemas.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import subprocess
import tempfile

from jsonschema import Draft202012Validator

ROOT = pathlib.Path(__file__).resolve().parents[2]
passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("log-format:", what)


def vectors():
    text = (ROOT / "docs/log-format.md").read_text()
    text = text.split("<!-- begin vectors -->")[1].split("<!-- end vectors -->")[0]
    found = re.findall(r"^(\S[^\n]*):\n\n```\n(.*?)```\n", text, re.M | re.S)
    return {title.split(" (")[0].split(",")[0]: body for title, body in found}


V = vectors()


def raw(title):
    return bytes.fromhex(V[title].replace("\n", ""))


def openssl(*arguments, data=b""):
    done = subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True)
    return done.returncode, done.stdout


def sha(data):
    return hashlib.sha256(data).digest()


def u64(n):
    return n.to_bytes(8, "big")


def framed(data):
    return u64(len(data)) + data


# ---- leaves ----

def unique(pairs):
    assert len({k for k, _ in pairs}) == len(pairs)
    return dict(pairs)


def canonical(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


LEAVES = [V[f"Leaf {i}"].rstrip("\n").encode() for i in range(5)]
for i, leaf in enumerate(LEAVES):
    value = json.loads(leaf, object_pairs_hook=unique)
    check(canonical(value) == leaf and value["seq"] == i, f"leaf {i} is canonical")

for schema_file in sorted((ROOT / "schema/records").glob("*.schema.json")):
    kind = schema_file.name.split(".")[0]
    schema = json.loads(schema_file.read_text())
    Draft202012Validator.check_schema(schema)
    judge = Draft202012Validator(schema)
    seeds = [ROOT / "tests/fuzz/corpus/record" / (kind + s) for s in ("", "-full")]
    leaves = [s.read_bytes() for s in seeds]
    for leaf in leaves + [x for x in LEAVES if json.loads(x)["kind"] == kind]:
        value = json.loads(leaf, object_pairs_hook=unique)
        check(judge.is_valid(value), f"{kind}: the schema takes the leaf")
        check(canonical(value) == leaf, f"{kind}: canonical for Python too")
        check(not judge.is_valid({**value, "more": 1}), f"{kind}: no unknown member")
        check(not judge.is_valid({**value, "record": {**value["record"], "more": 1}}),
              f"{kind}: no unknown member of the kind")
        check(not judge.is_valid({**value, "seq": 1.5}), f"{kind}: no fraction")
        for name in schema["properties"]["record"]["required"]:
            less = {k: v for k, v in value["record"].items() if k != name}
            check(not judge.is_valid({**value, "record": less}), f"{kind}: {name} is required")

# ---- tree ----

HASHES = [sha(b"\0" + leaf) for leaf in LEAVES]


def root(hashes):
    if not hashes:
        return sha(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return sha(b"\1" + root(hashes[:k]) + root(hashes[k:]))


def inclusion(h, i, n, proof):
    inner = (i ^ (n - 1)).bit_length()
    assert i < n and len(proof) == inner + bin(i >> inner).count("1")
    for k, p in enumerate(proof):
        h = sha(b"\1" + (p + h if k >= inner or i >> k & 1 else h + p))
    return h


def consistency(m, n, root_m, proof):
    shift = (m & -m).bit_length() - 1
    inner = ((m - 1) ^ (n - 1)).bit_length() - shift
    border = bin((m - 1) >> (inner + shift)).count("1")
    power = m == m & -m
    seed, rest = (root_m, proof) if power else (proof[0], proof[1:])
    assert len(rest) == inner + border
    small = large = seed
    for k, p in enumerate(rest):
        if k >= inner or (m - 1) >> shift >> k & 1:
            small, large = sha(b"\1" + p + small), sha(b"\1" + p + large)
        else:
            large = sha(b"\1" + large + p)
    return small, large


for line in V["Leaf hashes by index"].splitlines():
    what, i, digest = line.split()
    mine = HASHES[int(i)] if what == "leaf" else root(HASHES[: int(i)])
    check(mine.hex() == digest, line)
proof = [bytes.fromhex(x) for x in V["Inclusion proof of leaf 2 in the tree of size 4"].split()]
check(inclusion(HASHES[2], 2, 4, proof) == root(HASHES[:4]), "inclusion proof")
proof = [bytes.fromhex(x) for x in V["Consistency proof from size 3 to size 4"].split()]
check(consistency(3, 4, None, proof) == (root(HASHES[:3]), root(HASHES[:4])), "consistency proof")

# ---- keys and notes ----


def verified(public, message, signature):
    with tempfile.TemporaryDirectory() as folder:
        f = pathlib.Path(folder)
        (f / "key").write_bytes(bytes.fromhex("302a300506032b6570032100") + public)
        (f / "message").write_bytes(message)
        (f / "signature").write_bytes(signature)
        return openssl("pkeyutl", "-verify", "-pubin", "-inkey", f / "key", "-keyform", "DER",
                       "-rawin", "-in", f / "message", "-sigfile", f / "signature")[0] == 0


def key(vkey):
    name, key_id, coded = vkey.strip().split("+", 2)
    kind = base64.b64decode(coded, validate=True)
    assert sha(name.encode() + b"\n" + kind)[:4].hex() == key_id
    return name, bytes.fromhex(key_id), kind[0], kind[1:]


def signed(note, vkey):
    name, key_id, kind, public = key(vkey)
    text, lines = note.rsplit("\n\n", 1)
    text += "\n"
    for line in lines.splitlines():
        dash, who, coded = line.split(" ")
        payload = base64.b64decode(coded, validate=True)
        if dash != "—" or who != name or payload[:4] != key_id:
            continue
        message, signature = text.encode(), payload[4:]
        if kind == 4:
            seconds = int.from_bytes(payload[4:12], "big")
            message, signature = f"cosignature/v1\ntime {seconds}\n".encode() + message, payload[12:]
        return verified(public, message, signature)
    return False


LOG, WITNESS = V["Verifier key of the log"], V["Verifier key of a witness"]
NEW = V["Verifier key of the log after the rotation"]
check(signed(V["Checkpoint of size 4"], LOG), "checkpoint by the log's key")
check(signed(V["Checkpoint of size 4"], WITNESS), "cosignature")
check(not signed(V["Checkpoint of size 4"].replace("\n4\n", "\n5\n"), LOG), "another size")
check(signed(V["Checkpoint of size 5"], NEW), "checkpoint by the new key")
for size in (4, 5):
    origin, count, coded = V[f"Checkpoint of size {size}"].splitlines()[:3]
    check(origin == "example.org/audit" and int(count) == size
          and base64.b64decode(coded) == root(HASHES[:size]), f"checkpoint of size {size}")
rotation = json.loads(LEAVES[4])["record"]
message = "".join(x + "\n" for x in ("assay/key-rotation/v1", "example.org/audit", "4",
                                     rotation["old"], rotation["new"]))
check(message == V["Message that both keys sign at the rotation"], "rotation message")
for which in ("old", "new"):
    check(verified(key(rotation[which])[3], message.encode(),
                   bytes.fromhex(rotation["signature_" + which])), f"rotation by the {which} key")

# ---- sealed content ----

record_key, salt = raw("Record key"), raw("Salt r of `prompt`")
content, field = V["Content of `prompt`"].rstrip("\n").encode(), framed(b"prompt")
sealed = json.loads(LEAVES[2])["sealed"][0]
commitment = sha(b"assay/commit/v1\0" + field + salt + framed(content))
check(commitment == raw("Commitment to it"), "commitment")
check(sealed["commitment"] == commitment.hex(), "the leaf commits")
field_key = hmac.digest(record_key, b"assay/field/v1\0" + field, "sha256")
check(field_key == raw("Key of the field"), "field key")
plain = salt + framed(content)
step = 1 << (e := len(plain).bit_length() - 1) - e.bit_length()
plain += bytes(-len(plain) % step)


def block(data):
    return openssl("enc", "-aes-256-ecb", "-nopad", "-K", field_key.hex(), data=data)[1]


def gcm_multiply(x, y):
    z = 0
    for i in range(127, -1, -1):
        z ^= y if x >> i & 1 else 0
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return z


def gcm(nonce, additional, data):
    count = -(-len(data) // 16)
    stream = block(b"".join(nonce + (i + 1).to_bytes(4, "big") for i in range(count + 1)))
    out = bytes(a ^ b for a, b in zip(data, stream[16:]))
    h, y = int.from_bytes(block(bytes(16)), "big"), 0
    blocks = additional + bytes(-len(additional) % 16) + out + bytes(-len(out) % 16)
    blocks += u64(8 * len(additional)) + u64(8 * len(out))
    for i in range(0, len(blocks), 16):
        y = gcm_multiply(y ^ int.from_bytes(blocks[i:i + 16], "big"), h)
    return out + bytes(a ^ b for a, b in zip(y.to_bytes(16, "big"), stream))


additional = (b"assay/seal/v1\0" + framed(b"example.org/audit") + bytes.fromhex("a2" * 16) + field
              + u64(0) + b"\1")
ciphertext = gcm(bytes(4) + u64(0), additional, plain)
check(ciphertext == raw("Ciphertext"), "ciphertext")
check(sealed["ciphertext"] == sha(ciphertext).hex() == raw("SHA-256 of the ciphertext").hex()
      and sealed["size"] == len(ciphertext), "digest and size of the ciphertext")
wrapped = raw("Record key wrapped by the subject key")
status, out = openssl("enc", "-d", "-id-aes256-wrap", "-K", raw("Subject key").hex(), "-iv",
                      "a6" * 8, data=wrapped)
check(status == 0 and out == record_key, "wrapped key")

# ---- receipt and disclosure ----


def receipt_leaf(text, vkey):
    head, checkpoint = text.split("\n\n", 1)
    magic, extra, index, *hashes = head.splitlines()
    leaf = base64.b64decode(extra.removeprefix("extra "), validate=True)
    index = int(index.removeprefix("index "))
    origin, size, coded = checkpoint.splitlines()[:3]
    top = inclusion(sha(b"\0" + leaf), index, int(size), [base64.b64decode(x) for x in hashes])
    ok = (magic == "c2sp.org/tlog-proof@v1" and signed(checkpoint, vkey)
          and top == base64.b64decode(coded) and json.loads(leaf)["seq"] == index)
    return json.loads(leaf) if ok else None


check(receipt_leaf(V["Receipt of entry 2 in the tree of size 4"], LOG) is not None, "receipt")
bundle = json.loads(V["Disclosure of its field `prompt`"], object_pairs_hook=unique)
opened = receipt_leaf(bundle["receipt"], LOG)
check(bundle["bundle"] == "assay/disclosure/v1" and len(bundle["fields"]) == 1, "disclosure")
for f in bundle["fields"]:
    want = sha(b"assay/commit/v1\0" + framed(f["field"].encode()) + bytes.fromhex(f["salt"])
               + framed(f["content"].encode()))
    check(any(s["field"] == f["field"] and s["commitment"] == want.hex()
              for s in opened["sealed"]), "disclosed field")

print(f"log-format: {passed} passed, {failed} failed")
raise SystemExit(failed != 0)
