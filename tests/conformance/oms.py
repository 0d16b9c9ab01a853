#!/usr/bin/env python3
"""Model signatures with the reference implementation, PyPI model-signing, both ways:
keys on three curves, certificates, single files, links, shards, tampering. The
bundles that Assay writes validate against the specification's schemas."""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import model_signing
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSAY = os.environ.get("ASSAY", str(ROOT / "build/release/assay"))
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build/release"))
SHARED = pathlib.Path(os.environ.get("CONFORMANCE", ROOT.parent / "shared/conformance"))
passed = failed = 0


def check(ok, what):
    global passed, failed
    passed += bool(ok)
    failed += not ok
    if not ok:
        print("oms:", what)


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def run(*arguments):
    done = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, timeout=120,
                          env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"})
    return done.returncode


def new_key(folder, curve):
    key, public = folder / f"{curve}.key", folder / f"{curve}.pub"
    openssl("genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}",
            "-out", key)
    key.chmod(0o600)
    openssl("pkey", "-in", key, "-pubout", "-out", public)
    return key, public


def new_chain(folder):
    """Root, intermediate, leaf that may sign."""
    made = {}
    for name, issuer, extension in (("root", None, "basicConstraints=critical,CA:TRUE\n"),
                                    ("mid", "root", "basicConstraints=critical,CA:TRUE\n"),
                                    ("leaf", "mid", "keyUsage=digitalSignature\n")):
        key, _ = new_key(folder / "pki", "P-384")
        made[name] = (key.rename(folder / "pki" / f"{name}.key"), folder / "pki" / f"{name}.pem")
        request, ext = folder / "pki/request", folder / "pki/ext"
        ext.write_text(extension)
        openssl("req", "-new", "-key", made[name][0], "-subj", f"/CN=Test {name}", "-out", request)
        signer = (["-signkey", made[name][0]] if issuer is None else
                  ["-CA", made[issuer][1], "-CAkey", made[issuer][0], "-CAcreateserial"])
        openssl("x509", "-req", "-in", request, "-days", "30", "-extfile", ext, *signer, "-out",
                made[name][1])
    return made


def reference_accepts(model, signature, **how):
    config = model_signing.verifying.Config()
    try:
        if "public" in how:
            config.use_elliptic_key_verifier(public_key=how["public"])
        else:
            config.use_certificate_verifier(certificate_chain=[how["root"]])
        config.verify(model, signature)
        return True
    except Exception as e:  # noqa: BLE001: whatever it raises, it does not accept
        how["why"] = e
        return False


def reference_signs(model, signature, key, hashing=None, chain=None):
    config = model_signing.signing.Config()
    if chain:
        config.use_certificate_signer(private_key=key, signing_certificate=chain[0],
                                      certificate_chain=chain[1:])
    else:
        config.use_elliptic_key_signer(private_key=key)
    config.set_hashing_config(hashing or model_signing.hashing.Config())
    config.sign(model, signature)


def schemas():
    folder = SHARED / "oms/schemas/v1.0"
    loaded = {p.name.split(".")[0]: json.loads(p.read_text()) for p in folder.glob("*.json")}
    registry = Registry().with_resources(
        [(s.get("$id", n), Resource.from_contents(s)) for n, s in loaded.items()])
    return {n: Draft202012Validator(s, registry=registry) for n, s in loaded.items()}  # or none


def validate(validators, path):
    bundle = json.loads(path.read_text())
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    for name, value in (("bundle", bundle), ("statement", statement)) if validators else ():
        errors = list(validators[name].iter_errors(value))
        check(not errors, f"{path.name}: {name}: {errors[0].message[:200] if errors else ''}")


def keys(folder, model, validators):
    for curve in ("P-256", "P-384", "P-521"):
        key, public = new_key(folder, curve)
        ours, theirs = folder / f"ours-{curve}.sig", folder / f"theirs-{curve}.sig"
        check(run("sign", model, "--key", key, "--output", ours) == 0, f"{curve}: sign")
        validate(validators, ours)
        check(reference_accepts(model, ours, public=public), f"{curve}: the reference refuses ours")
        check(run("verify", model, "--signature", ours, "--key", public) == 0, f"{curve}: ours")
        reference_signs(model, theirs, key)
        check(run("verify", model, "--signature", theirs, "--key", public) == 0, f"{curve}: theirs")
        other = new_key(folder / "pki", curve)[1]
        check(run("verify", model, "--signature", ours, "--key", other) == 4, f"{curve}: other key")
        check(not reference_accepts(model, ours, public=other), f"{curve}: the peer takes any key")
    return key, public


def certificates(folder, model, validators):
    made = new_chain(folder)
    ours, theirs = folder / "ours-cert.sig", folder / "theirs-cert.sig"
    leaf, mid, root = (made[n] for n in ("leaf", "mid", "root"))
    check(run("sign", model, "--key", leaf[0], "--certificate", leaf[1], "--chain", mid[1],
              "--output", ours) == 0, "sign with a certificate")
    validate(validators, ours)
    check(reference_accepts(model, ours, root=root[1]), "the reference refuses our certificate")
    check(run("verify", model, "--signature", ours, "--ca", root[1]) == 0, "our certificate")
    reference_signs(model, theirs, leaf[0], chain=[leaf[1], mid[1]])
    check(run("verify", model, "--signature", theirs, "--ca", root[1]) == 0, "their certificate")
    stranger = new_chain(folder)["root"][1]
    check(run("verify", model, "--signature", ours, "--ca", stranger) == 4, "another root")
    check(run("sign", model, "--key", leaf[0], "--certificate", root[1], "--output",
              folder / "x.sig") == 2, "a certificate of another key")


def gate(folder, model):
    """check with a policy that trusts a root, a key, or somebody else."""
    made, copy, policy = new_chain(folder), folder / "gate", folder / "policy.yaml"
    shutil.copytree(model, copy)
    leaf, mid, root = (made[n] for n in ("leaf", "mid", "root"))
    run("sign", copy, "--key", leaf[0], "--certificate", leaf[1], "--chain", mid[1])
    other = new_key(folder / "pki", "P-256")
    for trusted, expected in ((f"certificates: {root[1]}", 0), (f"certificates: pki/{root[1].name}", 0),
                              (f"certificates: {leaf[1]}", 1), (f"keys: {other[1]}", 1),
                              ("keys: nothing.pub", 2)):
        policy.write_text("version: 1\nrequire:\n  signature: {%s}\n" % trusted)
        status = run("check", copy, "--policy", policy)
        check(status == expected, f"policy {trusted}: status {status}")
    (copy / "model.sig").unlink()
    check(run("check", copy, "--policy", policy) == 2, "no key")
    policy.write_text("version: 1\nrequire:\n  signature: {certificates: %s}\n" % root[1])
    check(run("check", copy, "--policy", policy) == 1, "a policy that wants a signature, and none")


def shapes(folder, model, key, public):
    sharded = model_signing.hashing.Config().use_shard_serialization(shard_size=50000)
    reference_signs(model, folder / "shards.sig", key, sharded)
    check(run("verify", model, "--signature", folder / "shards.sig", "--key", public) == 0, "shards")
    lone = next(model.glob("*.safetensors"))
    check(run("sign", lone, "--key", key, "--output", folder / "lone.sig") == 0, "sign a file")
    check(reference_accepts(lone, folder / "lone.sig", public=public), "the peer refuses a file")
    reference_signs(lone, folder / "lone2.sig", key)
    check(run("verify", lone, "--signature", folder / "lone2.sig", "--key", public) == 0, "a file")
    names = folder / "names"
    for name in ("a/b", "a-b", "a", "é ü", "a.b/c"):
        path = names / (name if name != "a" else "a0")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    check(run("sign", names, "--key", key) == 0, "sign names")
    check(reference_accepts(names, names / "model.sig", public=public), "the peer refuses names")
    (names / "model.sig").unlink()
    reference_signs(names, folder / "names.sig", key)
    check(run("verify", names, "--signature", folder / "names.sig", "--key", public) == 3,
          "names: as signed, and no model")


def tampering(folder, model, key, public):
    sharded = model_signing.hashing.Config().use_shard_serialization(shard_size=50000)
    reference_signs(model, folder / "files.sig", key)
    reference_signs(model, folder / "shard.sig", key, sharded)
    copy = folder / "copy"
    for signature in ("files.sig", "shard.sig"):
        for what in ("flip", "cut", "remove", "add", "rename"):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(model, copy)
            target = copy / "model.safetensors"
            data = bytearray(target.read_bytes())
            if what == "flip":
                data[-1] ^= 1
                target.write_bytes(data)
            elif what == "cut":
                (copy / "README.md").write_bytes((copy / "README.md").read_bytes()[:-1])
            elif what == "remove":
                (copy / "LICENSE").unlink()
            elif what == "add":
                (copy / "more.txt").write_text("more")
            else:
                (copy / "LICENSE").rename(copy / "LICENCE")
            status = run("verify", copy, "--signature", folder / signature, "--key", public)
            check(status == 4, f"{signature}: {what}: status {status}")
            check(not reference_accepts(copy, folder / signature, public=public),
                  f"{signature}: {what}: the peer accepts")
    shutil.rmtree(copy)
    shutil.copytree(model, copy)
    (copy / "more.txt").write_text("more")
    check(run("verify", copy, "--signature", folder / "files.sig", "--key", public,
              "--unsigned-files") == 0, "a file more, allowed")
    bundle = json.loads((folder / "files.sig").read_text())
    payload = bytearray(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    payload[-30] ^= 1
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    (folder / "bad.sig").write_text(json.dumps(bundle))
    check(run("verify", model, "--signature", folder / "bad.sig", "--key", public) in (3, 4),
          "a changed statement")


def vectors(folder, public):
    model = folder / "models/tiny-hf"
    for path in sorted((SHARED / "oms/test-vectors").rglob("*.json")):
        status = run("verify", model, "--signature", path, "--key", public)
        expected = 4 if path.parent.name == "valid" and "key" in path.name else \
            2 if path.parent.name == "valid" else 3
        check(status == expected, f"{path.parent.name}/{path.name}: status {status}")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "pki").mkdir()
        subprocess.run([BUILD / "fixtures/make/tinymodel", folder / "models"], check=True)
        model = folder / "models/tiny-hf"
        validators = schemas()
        key, public = keys(folder, model, validators)
        certificates(folder, model, validators)
        gate(folder, model)
        shapes(folder, model, key, public)
        tampering(folder, model, key, public)
        vectors(folder, public)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
