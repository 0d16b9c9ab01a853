#!/usr/bin/env python3
"""Witnessing against a witness written from the protocol's text alone.

Trees, notes and keys are made here, by Python and openssl, so that both
halves of every exchange come from different hands.
"""
import base64
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import witness_double as double  # noqa: E402

CLIENT = os.path.join(os.environ["BUILD"], "conformance", "witness_client")
ORIGIN = "example.org/log"
for name in ("http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
    os.environ.pop(name, None)

passed = failed = 0


def check(ok, what):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print("FAILED:", what)


def root(leaves):
    """RFC 9162 section 2.1.1, by recursion."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return double.node(root(leaves[:k]), root(leaves[k:]))


class Log:
    def __init__(self, folder, fork_at=None):
        self.folder = folder
        self.key = double.Key(ORIGIN, 1, b"\x01" * 32)
        self.leaves = [b"%d%s" % (i, b"!" if i == fork_at else b"") for i in range(1000)]
        self.origin = ORIGIN

    def text(self, size):
        return f"{self.origin}\n{size}\n{base64.b64encode(root(self.leaves[:size])).decode()}\n"

    def submit(self, url, vkey, size, old=0, key=None, timeout=5000, ca=None):
        """Outcome, status, size, time, error, text, lines of one call of the client."""
        with tempfile.TemporaryDirectory() as folder:
            note, leaves = os.path.join(folder, "note"), os.path.join(folder, "leaves")
            text = self.text(size)
            with open(note, "w", encoding="utf-8") as f:
                f.write(text + "\n" + (key or self.key).note_line(text))
            with open(leaves, "wb") as f:
                f.write(b"".join(leaf + b"\n" for leaf in self.leaves))
            arguments = [CLIENT, url, vkey, str(old), note, leaves, str(timeout)]
            run = subprocess.run(arguments + ([ca] if ca else []), capture_output=True, timeout=60)
            out = run.stdout.decode().split("\n", 6)
            return dict(zip(("outcome", "status", "size", "time", "error", "text", "lines"), out))


def happy(folder, log):
    witness = double.Witness(folder, [log.key.vkey])
    server, url = double.serve(witness)
    vkey = witness.key.vkey
    last = 0
    for size in (1, 2, 3, 7, 64, 65, 255, 256, 257, 1000):
        got = log.submit(url, vkey, size, old=last)
        check(got["outcome"] == "cosigned", f"size {size}: {got}")
        text = log.text(size)
        check(got["lines"] == witness.key.cosignature(text, int(got["time"])), f"line of {size}")
        check(witness.state(ORIGIN) == (size, root(log.leaves[:size])), f"state of {size}")
        last = size
    check(log.submit(url, vkey, 1000, old=1000)["outcome"] == "cosigned", "the same size again")
    check(log.submit(url + "/", vkey, 1000, old=1000)["outcome"] == "cosigned", "a final slash")
    server.shutdown()


def conflicts(folder, log):
    witness = double.Witness(folder, [log.key.vkey])
    server, url = double.serve(witness)
    vkey = witness.key.vkey
    log.submit(url, vkey, 100)
    for size, old in ((200, 0), (333, 40), (334, 334), (334, 0), (500, 499)):
        got = log.submit(url, vkey, size, old=old)
        check(got["outcome"] == "cosigned", f"409 and again: {size} from {old}: {got}")
    got = log.submit(url, vkey, 400, old=300)
    check((got["outcome"], got["size"], got["error"]) == ("ahead", "500", "integrity"), got)
    forked = Log(folder, fork_at=10)
    got = forked.submit(url, vkey, 500, old=500)
    check((got["outcome"], got["status"], got["error"]) == ("forked", "409", "integrity"), got)
    got = forked.submit(url, vkey, 600, old=500)
    check((got["outcome"], got["status"], got["error"]) == ("forked", "422", "integrity"), got)
    got = forked.submit(url, vkey, 600)
    check((got["outcome"], got["status"], got["error"]) == ("forked", "422", "integrity"), got)
    check(witness.state(ORIGIN) == (500, root(log.leaves[:500])), "a fork changed the witness")
    server.shutdown()


def refusals(folder, log):
    witness = double.Witness(folder, [log.key.vkey])
    server, url = double.serve(witness)
    vkey = witness.key.vkey
    stranger = double.Key(ORIGIN, 1, b"\x09" * 32)
    got = log.submit(url, vkey, 5, key=stranger)
    check((got["outcome"], got["status"]) == ("untrusted-key", "403"), got)
    other = Log(folder)
    other.origin = "example.org/elsewhere"
    got = other.submit(url, vkey, 5)
    check((got["outcome"], got["status"]) == ("unknown-log", "404"), got)
    got = log.submit(url + "/wrong", vkey, 5)
    check((got["outcome"], got["status"]) == ("unknown-log", "404"), got)
    check(witness.state(ORIGIN)[0] == 0, "a refusal changed the witness")
    # The double itself refuses what the client never sends.
    for body in (b"", b"old 0\n", b"old 01\n\nx\n1\nAA==\n\nx\n", b"old 5\n\n" + log.text(3).encode()):
        request = urllib.request.Request(url + "/add-checkpoint", data=body)
        try:
            urllib.request.urlopen(request, timeout=10)
            check(False, f"accepted {body}")
        except urllib.error.HTTPError as e:
            check(e.code == 400, f"{e.code} for {body}")
    server.shutdown()


def faults(folder, log):
    expected = {
        "garbage": ("invalid", "integrity"), "other-key": ("invalid", "integrity"),
        "wrong-signature": ("invalid", "integrity"), "wrong-time": ("invalid", "integrity"),
        "oversized": ("invalid", "limit"), "slow": ("unreached", "io"),
        "both-keys": ("cosigned", ""), "400": ("malformed", "format"), "403": ("untrusted-key", "config"),
        "404": ("unknown-log", "config"), "422": ("forked", "integrity"), "409": ("invalid", "format"),
        "429": ("busy", "io"), "500": ("busy", "io"), "301": ("invalid", "format"),
    }
    for fault, outcome in expected.items():
        with tempfile.TemporaryDirectory() as own:
            witness = double.Witness(own, [log.key.vkey])
            witness.fault = fault
            server, url = double.serve(witness)
            got = log.submit(url, witness.key.vkey, 9, timeout=700 if fault == "slow" else 5000)
            check((got["outcome"], got["error"]) == outcome, f"{fault}: {got}")
            check(outcome[0] == "cosigned" or not got["lines"], f"{fault}: lines let through")
            check(outcome[0] != "cosigned" or got["lines"].count("\n") == 1, f"{fault}: {got}")
            server.shutdown()
    got = log.submit("http://127.0.0.1:9/w", witness.key.vkey, 9)
    check((got["outcome"], got["error"]) == ("unreached", "io"), got)


def race(folder, log):
    """Many sizes at once: whoever is cosigned, the witness never goes back."""
    witness = double.Witness(folder, [log.key.vkey])
    server, url = double.serve(witness)
    sizes = random.Random(1).sample(range(1, 1000), 12)
    results = []
    threads = [threading.Thread(target=lambda s=s: results.append(
        log.submit(url, witness.key.vkey, s)["outcome"])) for s in sizes]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check(witness.history == sorted(witness.history), f"went back: {witness.history}")
    check(results.count("cosigned") == len(witness.history), f"{results} {witness.history}")
    check(set(results) <= {"cosigned", "ahead", "conflict"}, results)
    server.shutdown()


def certificates(folder, log):
    def certificate(name):
        path = os.path.join(folder, name)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2",
                        "-subj", "/CN=test", "-addext", f"subjectAltName={name}",
                        "-keyout", path + ".key", "-out", path + ".pem"],
                       check=True, capture_output=True, timeout=60)
        return path + ".pem", path + ".key"

    right, wrong = certificate("IP:127.0.0.1"), certificate("DNS:other.example")
    for number, (pair, ca, outcome) in enumerate((
            (right, right[0], "cosigned"), (right, None, "unreached"),
            (right, wrong[0], "unreached"), (wrong, wrong[0], "unreached"))):
        witness = double.Witness(tempfile.mkdtemp(dir=folder), [log.key.vkey])
        server, url = double.serve(witness, *pair)
        got = log.submit(url, witness.key.vkey, 9, ca=ca)
        check(got["outcome"] == outcome, f"certificate {number}: {got}")
        check(outcome == "cosigned" or got["error"] == "integrity", f"certificate {number}: {got}")
        check(outcome == "cosigned" or "certificate" in got["text"], f"certificate {number}: {got}")
        server.shutdown()


def command(folder, log):
    """assay log witness: a log of Assay's own, a rollback, and what is shown."""
    assay = os.environ["ASSAY"]

    def run(*arguments):
        got = subprocess.run([assay, *arguments], cwd=folder, capture_output=True, timeout=60)
        return got.returncode, got.stdout.decode(), got.stderr.decode()

    status, out, _ = run("log", "init", "audit", "--origin", "example.org/audit")
    vkey = next(word for word in out.split() if word.startswith("example.org/audit+"))
    check(status == 0, "init")
    check("No witness" in run("log", "witness", "audit")[1], "shown before any")
    state = tempfile.mkdtemp(dir=folder)
    witness = double.Witness(state, [vkey])
    server, url = double.serve(witness)
    status, out, errors = run("log", "witness", "audit", url, witness.key.vkey)
    check(status == 0 and "cosigned" in out, f"command: {status} {out} {errors}")
    status, note, _ = run("log", "witness", "audit", "--note")
    text, lines = note.split("\n\n")
    check(double.verified(vkey, text + "\n", lines.split("\n")), "the log's line")
    stamp = int.from_bytes(base64.b64decode(lines.split("\n")[1].rsplit(" ", 1)[1])[4:12], "big")
    check(lines.split("\n")[1] + "\n" == witness.key.cosignature(text + "\n", stamp), "its line")
    check("witness.example/w1" in run("log", "witness", "audit")[1], "shown after one")
    with open(os.path.join(folder, "cosigned"), "w", encoding="utf-8") as f:
        f.write(note)
    keys = ["--key", vkey, "--key", witness.key.vkey]
    check(run("verify", "cosigned", *keys, "--require", "1")[0] == 0, "verify the cosigned note")
    check(run("verify", "cosigned", *keys, "--require", "2")[0] == 4, "two are too many")
    check(run("verify", "cosigned", "--key", vkey, "--key", witness.other.vkey,
              "--require", "1")[0] == 4, "another witness's key")
    check(run("log", "verify", "audit", "--key", vkey, "--older", "cosigned")[0] == 0, "extends it")
    check(run("log", "prove", "audit", "0", "--output", "0.tlog-proof")[0] == 0, "a receipt")
    status, out, _ = run("verify", "0.tlog-proof", *keys, "--require", "1")
    check(status == 0 and "cosigned" in out, f"a receipt with its cosignature: {out}")
    check(run("verify", "0.tlog-proof", *keys, "--require", "2")[0] == 4, "a receipt of two")
    check(run("verify", "0.tlog-proof", "--key", vkey, "--key", witness.other.vkey,
              "--require", "1")[0] == 4, "a receipt of another witness")
    stripped = "".join(line + "\n" for line in open(os.path.join(folder, "0.tlog-proof"),
                       encoding="utf-8").read().splitlines() if "witness.example" not in line)
    with open(os.path.join(folder, "stripped.tlog-proof"), "w", encoding="utf-8") as f:
        f.write(stripped)
    check(run("verify", "stripped.tlog-proof", *keys, "--require", "1")[0] == 4, "without its line")
    check(run("verify", "stripped.tlog-proof", "--key", vkey)[0] == 0, "the log's own signature")
    check(run("log", "export", "audit", "out")[0] == 0 and
          run("verify", "out", "--key", vkey)[0] == 0, "the export verifies")
    shutil.copytree(os.path.join(folder, "audit"), os.path.join(folder, "old"),
                    ignore=shutil.ignore_patterns("LOG.sock"))
    for _ in range(2):
        status, out, errors = run("log", "witness", "audit", url, witness.key.vkey,
                                  "http://127.0.0.1:9", witness.other.vkey)
        check(status == 3 and "cosigned" in out and "unreached" in out, f"{status} {out} {errors}")
    held = witness.state("example.org/audit")
    status, out, errors = run("log", "witness", "old", url, witness.key.vkey)
    check(status == 4 and "rolled back" in errors, f"rollback: {status} {out} {errors}")
    check(witness.state("example.org/audit") == held, "a rollback changed the witness")
    check(run("log", "witness", "audit", url)[0] == 2, "a URL without a key")
    check(run("log", "witness", "audit", url, vkey)[0] == 2, "a log's key for a witness's")
    server.shutdown()


for test in (command, happy, conflicts, refusals, faults, race, certificates):
    with tempfile.TemporaryDirectory() as place:
        test(place, Log(place))
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
