#!/usr/bin/env python3
"""A witness written from the text of C2SP tlog-witness v1.0.0, for tests.

Standard library and the `openssl` command only; nothing of Assay. It listens
on 127.0.0.1 alone and ends by itself. `fault` makes it misbehave by name.

  witness_double.py FOLDER LOG_VKEY...     serves for --seconds, prints "URL VKEY"
"""
import argparse
import base64
import hashlib
import http.server
import json
import os
import re
import ssl
import subprocess
import tempfile
import threading
import time

SIZE = re.compile(r"0|[1-9][0-9]*")
DASH = "\u2014 "


# ---- hashes, notes and keys ----

def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def consistent(size1, root1, size2, root2, proof):
    """RFC 9162 section 2.1.4.2, for 0 < size1 < size2."""
    proof = list(proof)
    if size1 & (size1 - 1) == 0:
        proof.insert(0, root1)
    if not proof:
        return False
    fn, sn = size1 - 1, size2 - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for c in proof[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == root1 and sr == root2


def openssl(*arguments, files):
    """Run openssl with named temporary files; its standard output, or None when it fails."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            with open(os.path.join(folder, name), "wb") as f:
                f.write(data)
        run = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, timeout=30)
        return run.stdout if run.returncode == 0 else None


class Key:
    """An Ed25519 key from a seed, with a name: a cosigner (type 4) or a log (type 1)."""

    def __init__(self, name, kind, seed):
        self.name, self.kind = name, kind
        self.private = bytes.fromhex("302e020100300506032b657004220420") + seed
        self.public = openssl("pkey", "-inform", "DER", "-in", "k", "-pubout", "-outform", "DER",
                              files={"k": self.private})[-32:]
        payload = bytes([kind]) + self.public
        self.id = hashlib.sha256(name.encode() + b"\n" + payload).digest()[:4]
        self.vkey = f"{name}+{self.id.hex()}+{base64.b64encode(payload).decode()}"

    def sign(self, message):
        return openssl("pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", "k", "-in", "m",
                       files={"k": self.private, "m": message})

    def line(self, payload):
        return f"{DASH}{self.name} {base64.b64encode(self.id + payload).decode()}\n"

    def note_line(self, text):
        return self.line(self.sign(text.encode()))

    def cosignature(self, text, seconds):
        signature = self.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
        return self.line(seconds.to_bytes(8, "big") + signature)


def verified(vkey, text, lines):
    """One of the signature lines is by this key (type 1) over the text."""
    name, key_id, payload = vkey.split("+", 2)
    public = bytes.fromhex("302a300506032b6570032100") + base64.b64decode(payload)[1:]
    for line in lines:
        if not line.startswith(DASH + name + " "):
            continue
        raw = base64.b64decode(line.rsplit(" ", 1)[1], validate=True)
        if raw[:4].hex() == key_id and len(raw) == 68:
            return openssl("pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey",
                           "k", "-in", "m", "-sigfile", "s",
                           files={"k": public, "m": text.encode(), "s": raw[4:]}) is not None
    return False


# ---- the witness ----

class Refusal(Exception):
    def __init__(self, status, body="", kind="text/plain; charset=utf-8"):
        super().__init__(status)
        self.status, self.body, self.kind = status, body, kind


def parse(body):
    """old size, proof, text and signature lines of a request; 400 when it is not one."""
    try:
        head, text, signatures = body.decode().split("\n\n", 2)
        first, *proof = head.split("\n")
        origin, size, root = text.split("\n")
        lines = signatures.split("\n")
        if not first.startswith("old ") or not SIZE.fullmatch(first[4:]) or \
                not SIZE.fullmatch(size) or len(proof) > 63 or lines.pop() != "" or not origin:
            raise ValueError
        proof = [base64.b64decode(line, validate=True) for line in proof]
        root = base64.b64decode(root, validate=True)
        if any(len(h) != 32 for h in proof + [root]):
            raise ValueError
        return int(first[4:]), proof, origin, int(size), root, text + "\n", lines
    except (ValueError, IndexError):
        raise Refusal(400, "malformed\n")


class Witness:
    """What it cosigned last of each log stands in FOLDER, one JSON file a log."""

    def __init__(self, folder, logs, name="witness.example/w1", seed=b"\x02" * 32):
        self.folder = folder
        self.logs = {vkey.split("+")[0]: vkey for vkey in logs}
        self.key = Key(name, 4, seed)
        self.other = Key(name + "-other", 4, b"\x55" * 32)
        self.fault = None
        self.lock = threading.Lock()
        self.history = []  # sizes in the order they were kept

    def _path(self, origin):
        return os.path.join(self.folder, hashlib.sha256(origin.encode()).hexdigest())

    def state(self, origin):
        try:
            with open(self._path(origin)) as f:
                held = json.load(f)
                return held["size"], bytes.fromhex(held["root"])
        except FileNotFoundError:
            return 0, hashlib.sha256(b"").digest()

    def _keep(self, origin, size, root):
        path = self._path(origin)
        with open(path + ".new", "w") as f:
            json.dump({"size": size, "root": root.hex()}, f)
            f.flush()
            os.fsync(f.fileno())
        os.rename(path + ".new", path)
        self.history.append(size)

    def add_checkpoint(self, body):
        old, proof, origin, size, root, text, lines = parse(body)
        if origin not in self.logs:
            raise Refusal(404, "unknown log\n")
        if not verified(self.logs[origin], text, lines):
            raise Refusal(403, "no signature by a trusted key\n")
        if old > size:
            raise Refusal(400, "old size above the checkpoint's\n")
        with self.lock:  # "performed atomically, otherwise the following race can occur"
            held, held_root = self.state(origin)
            if old != held or (old == size and root != held_root):
                raise Refusal(409, f"{held}\n", "text/x.tlog.size")
            if old == size or old == 0:
                fine = not proof and (size > 0 or root == held_root)
            else:
                fine = consistent(old, held_root, size, root, proof)
            if not fine:
                raise Refusal(422, "the proof does not hold\n")
            self._keep(origin, size, root)
        return self.key.cosignature(text, int(time.time())), text

    def answer(self, body):
        """Status, type and body, honest or as `fault` wants it."""
        if self.fault and self.fault.isdigit():
            return int(self.fault), "text/plain", b"so it is\n"
        try:
            line, text = self.add_checkpoint(body)
        except Refusal as r:
            return r.status, r.kind, r.body.encode()
        if self.fault == "garbage":
            line = "<html>welcome</html>\n"
        elif self.fault == "oversized":
            line = line * 5000
        elif self.fault == "other-key":
            line = self.other.cosignature(text, int(time.time()))
        elif self.fault == "both-keys":
            line = self.other.cosignature(text, int(time.time())) + line
        elif self.fault == "wrong-signature":
            raw = bytearray(base64.b64decode(line.rsplit(" ", 1)[1]))
            raw[-1] ^= 1
            line = self.key.line(bytes(raw[4:]))
        elif self.fault == "wrong-time":
            raw = bytearray(base64.b64decode(line.rsplit(" ", 1)[1]))
            raw[11] ^= 1
            line = self.key.line(bytes(raw[4:]))
        return 200, "text/plain; charset=utf-8", line.encode()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        witness = self.server.witness
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(min(length, 1 << 20))
        if witness.fault == "slow":
            time.sleep(3)
        if self.path == "/w/add-checkpoint":
            status, kind, data = witness.answer(body)
        else:
            status, kind, data = 404, "text/plain", b"no such thing\n"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except OSError:
            pass  # the client had enough

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # clients that go away are part of the tests


def serve(witness, certificate=None, private=None):
    """A running server and its submission prefix; https with a certificate."""
    server = Server(("127.0.0.1", 0), Handler)
    server.witness = witness
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, private)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}/w"


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="A test witness (C2SP tlog-witness v1.0.0).")
    options.add_argument("folder")
    options.add_argument("vkey", nargs="+", help="verifier keys of the logs to cosign")
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--fault")
    given = options.parse_args()
    double = Witness(given.folder, given.vkey)
    double.fault = given.fault
    _, url = serve(double)
    print(url, double.key.vkey, flush=True)
    time.sleep(given.seconds)
