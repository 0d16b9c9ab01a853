#!/usr/bin/env python3
"""Validates everything that --json writes against the schemas in schema/.

Over the shared models and tokenizers (CONFORMANCE), the generated models and
cut, damaged and absent ones; with the lists and without. Also: the output is
one object a line for several paths, the same bytes twice, keys stand once, and
a wrong object is refused, so that a schema that accepts anything fails here.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from jsonschema import Draft202012Validator

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSAY = os.environ.get("ASSAY", str(ROOT / "build/release/assay"))
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build/release"))
SHARED = pathlib.Path(os.environ.get("CONFORMANCE", ROOT.parent / "shared/conformance"))
passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("json_schema:", what)


def unique(pairs):
    keys = [k for k, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError("a key stands twice")
    return dict(pairs)


def load(name):
    schema = json.loads((ROOT / "schema" / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


SCHEMAS = {name: load(name) for name in ("inspect", "diff", "digest", "log-entry", "log-stats",
                                         "log-sample", "verify", "record", "tokenize", "lineage",
                                         "verify-report", "record-dataset", "record-training", "bench", "replay")}
KINDS = {path.name.split(".")[0]: load(f"records/{path.name.split('.')[0]}")
         for path in sorted((ROOT / "schema/records").glob("*.schema.json"))}


def run(*arguments):
    done = subprocess.run([ASSAY, *map(str, arguments)], capture_output=True, timeout=300,
                          env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"})
    return done.returncode, done.stdout


def validate(command, *arguments):
    status, out = run(command, "--json", *arguments)
    what = " ".join(map(str, (command, *arguments)))
    check(status in (0, 1, 3), f"{what}: exit status {status}")
    try:
        value = json.loads(out.decode("utf-8"), object_pairs_hook=unique)
    except ValueError as e:
        check(False, f"{what}: {e}")
        return None
    errors = list(SCHEMAS[command].iter_errors(value))
    check(not errors, f"{what}: {errors[0].message[:300] if errors else ''}")
    return value


def described(schema, path=""):
    """Every property carries a description."""
    if isinstance(schema, dict):
        for key, value in schema.get("properties", {}).items():
            if "description" not in value:
                yield f"{path}/{key}"
        for key, value in schema.items():
            yield from described(value, f"{path}/{key}")
    elif isinstance(schema, list):
        for i, value in enumerate(schema):
            yield from described(value, f"{path}/{i}")


def inspect(path):
    value = validate("inspect", "--no-cache", path)
    validate("inspect", "--no-cache", "--tensors", "--stats", "--metadata", path)
    validate("inspect", "--no-digest", path)
    validate("digest", "--no-cache", "--tensors", path)
    return value


def generated(folder):
    subprocess.run([BUILD / "fixtures/make/tinymodel", folder], check=True)
    models = sorted(folder.iterdir())
    whole = (folder / "tiny-q4_0.gguf").read_bytes()
    for cut in (0, 3, 4, 20, 24, 100, 3000, 7104, 50000):
        (folder / f"cut-{cut}.gguf").write_bytes(whole[:cut])
    for at in range(0, 1200, 7):
        damaged = bytearray(whole)
        damaged[at] ^= 0xFF
        (folder / "damaged.gguf").write_bytes(damaged)
        inspect(folder / "damaged.gguf")
    weights = (folder / "tiny-hf/model.safetensors").read_bytes()
    for cut in (0, 7, 8, 100, 100000):
        (folder / f"cut-{cut}.safetensors").write_bytes(weights[:cut])
    for model in sorted(folder.iterdir()):
        inspect(model)
    return models


def differences(models):
    for a in models:
        for b in models:
            validate("diff", a, b)
    validate("diff", "--all", models[0], models[1])
    validate("diff", "--tensors", models[0], models[-1])


def several(models):
    _, out = run("inspect", "--json", "--no-cache", models[0], "/nonexistent/model", models[1])
    lines = out.decode("utf-8").splitlines()
    check(len(lines) == 3, f"three paths gave {len(lines)} lines")
    for line in lines:
        check(SCHEMAS["inspect"].is_valid(json.loads(line)), "a line of several is not valid")
    _, again = run("inspect", "--json", "--no-cache", models[0], "/nonexistent/model", models[1])
    check(out == again, "the same input gave other bytes")


def parsed(text, schema, what):
    """One JSON object that keeps a schema, or None."""
    try:
        value = json.loads(text, object_pairs_hook=unique)
    except ValueError as e:
        check(False, f"{what}: {e}")
        return None
    errors = list(schema.iter_errors(value))
    check(not errors, f"{what}: {errors[0].message[:300] if errors else ''}")
    return value


def entry(text, what):
    value = parsed(text, SCHEMAS["log-entry"], what)
    leaf = value["leaf"] if value else None
    if leaf:
        errors = list(KINDS[leaf["kind"]].iter_errors(leaf))
        check(not errors, f"{what}: leaf: {errors[0].message[:300] if errors else ''}")
        for spoiled in ({**leaf, "extra": 1}, {**leaf, "seq": -1}, {**leaf, "record": {"x": 1}}):
            check(not KINDS[leaf["kind"]].is_valid(spoiled), f"{what}: a spoiled leaf is accepted")
    return leaf


def told(schema, allowed, *arguments):
    status, out = run(*arguments)
    what = " ".join(map(str, arguments))
    check(status in allowed, f"{what}: exit status {status}")
    return parsed(out.decode("utf-8"), SCHEMAS[schema], what)


def logs(folder, models):
    """Every log command with --json, over logs of every kind of entry that a command writes."""
    subprocess.run([BUILD / "fixtures/make/auditlog", folder / "logs"], check=True)
    log, key = folder / "logs/store/log", (folder / "logs/store/log.vkey").read_text().strip()
    order = ("--by", "dpo", "--basis", "case 1")
    for model in models[:3]:
        told("record", (0,), "record", model, "--log", log, "--json")
    for command in (("disclose", log, "2", "prompt", "--recipient", "court", *order),
                    ("hold", log, "--from", "4", "--to", "9", *order),
                    ("erase", log, "--entry", "2", *order),
                    ("erase", log, "--entry", "4", *order),
                    ("retention", log, "--floor", "10", "--ceiling", "400", *order),
                    ("rotate-key", log, "--reason", "yearly")):
        check(run("log", *command)[0] in (0, 1), f"log {command[0]}")
    status, out = run("log", "query", log, "--format", "json")
    kinds = {leaf["kind"] for leaf in (entry(line, "log query") for line in
                                       out.decode("utf-8").splitlines()) if leaf}
    check(status == 0 and len(kinds) >= 11, f"kinds of entries seen: {sorted(kinds)}")
    entry(run("log", "show", log, "1", "--json")[1].decode("utf-8"), "log show")
    told("log-stats", (0,), "log", "stats", log, "--json")
    told("log-sample", (0,), "log", "sample", log, "--seed", "1", "--n", "5", "--json")
    run("log", "prove", log, "1", "--output", folder / "1.tlog-proof")
    run("log", "disclose", log, "6", "prompt", "--recipient", "court", *order,
        "--output", folder / "6.json")
    (folder / "checkpoint").write_bytes(run("log", "checkpoint", log)[1])
    run("log", "export", log, folder / "out")
    (folder / "wrong.tlog-proof").write_bytes(b"c2sp.org/tlog-proof@v1\n")
    for path in (log, folder / "1.tlog-proof", folder / "6.json", folder / "checkpoint",
                 folder / "out", folder / "wrong.tlog-proof", models[0], folder / "nothing"):
        told("verify", (0, 3, 4), "verify", path, "--json")
        told("verify", (0, 3, 4), "verify", path, "--key", key, "--json")
    for name, schema in KINDS.items():
        missing = list(described(schema.schema))
        check(not missing, f"records/{name}: not described: {missing[:5]}")


def provenance(folder, models):
    """Lineage, data sets and the verification of a report."""
    log, data = folder / "plog", folder / "data"
    key = run("log", "init", log, "--origin", "example.org/p")[1].decode("utf-8").split("verifier key ")[1].split()[0]
    tuned, base = folder / "tiny-hf-tuned", folder / "tiny-hf"
    for bases in ((), ("--base", base), ("--base", folder / "tiny-f16.gguf")):
        told("lineage", (0, 1), "lineage", tuned, *bases, "--format", "json")
    data.mkdir()
    (data / "a.jsonl").write_text('{"text": "on 2026-01-02"}\n{"text": "on 2026-01-02"}\n')
    for card in ("rows: 2\nlicence: MIT\n", "rows: 9\n", "rows: [\n"):
        (data / "dataset.yaml").write_text(card)
        value = told("record-dataset", (0, 1, 3), "record", "dataset", data, "--log", log, "--json")
        if value:
            errors = list(Draft202012Validator(KINDS["dataset"].schema["properties"]["record"]).iter_errors(value["record"]))
            check(not errors, f"record dataset: {errors[0].message[:200] if errors else ''}")
    (data / "training.yaml").write_text("name: r\nbase_model: b\ntokens: 10\n")
    value = told("record-training", (0,), "record", "training", data / "training.yaml", "--log", log, "--json")
    errors = list(Draft202012Validator(KINDS["training"].schema["properties"]["record"]).iter_errors(value["record"]))
    check(not errors, f"record training: {errors[0].message[:200] if errors else ''}")
    report = folder / "report.json"
    check(run("report", "--framework", "activity", "--model", base, "--log", log, "--output", report)[0] == 0, "report")
    for given in ((), ("--key", key), ("--key", key, "--log", log, "--model", base), ("--key", key, "--model", tuned)):
        told("verify-report", (0, 3, 4), "verify", report, *given, "--json")
    report.write_text(report.read_text().replace('"value":"117056"', '"value":"217056"'))
    changed = told("verify-report", (4,), "verify", report, "--key", key, "--json")
    check(changed and not changed["verified"], "a changed report is verified")
    for name, value in (("lineage", {"schema": "assay.lineage/1"}), ("verify-report", {**(changed or {}), "failed": -1})):
        check(not SCHEMAS[name].is_valid(value), f"{name}: a spoiled object is accepted")


def refused(value):
    """A schema that accepts anything would let everything above pass."""
    schema = SCHEMAS["inspect"]
    check(schema.is_valid(value), "the object to spoil is not valid")
    spoiled = [{**value, "extra": 1}, {**value, "strict": None}, {**value, "schema": "other"},
               {k: v for k, v in value.items() if k != "identity"},
               {**value, "tensor_count": 2**53}, {**value, "tensor_count": -1}]
    for one in spoiled:
        check(not schema.is_valid(one), "a spoiled object is accepted")


def calls(folder):
    """The engine's own: a measurement, and a call that is computed again."""
    bundled, log = ROOT / "models/bundled/orrin-q8_0.gguf", folder / "calls"
    value = validate("bench", bundled, "--repeat", "1", "--prompt", "8", "--answer", "4")
    check(value and value["decode_tokens_s"] > 0, "bench measures nothing")
    run("log", "init", log, "--origin", "example.org/calls")
    measured = folder / "measured"
    run("log", "init", measured, "--origin", "example.org/measured")
    value = validate("bench", bundled, "--repeat", "3", "--prompt", "8", "--answer", "4", "--log", measured)
    check(value and value["on_record"]["rounds"] == 3, "bench measures no calls on record")
    status, _ = run("run", bundled, "Where does Quill live?", "--temperature", "0", "--log", log)
    check(status == 0, f"run: exit status {status}")
    value = validate("replay", log, "--model", bundled)
    check(value and value["verdict"] == "match", "the call is not reproduced")
    value = validate("replay", log, "3", "--model", ROOT / "models/bundled/model")
    check(value and value["verdict"] == "impossible", "other weights reproduce the call")


def main():
    for name, validator in SCHEMAS.items():
        missing = list(described(validator.schema))
        check(not missing, f"{name}: not described: {missing[:5]}")
    validate("inspect", "/nonexistent")
    validate("digest", "/nonexistent")
    validate("diff", "/nonexistent", "/nonexistent")
    with tempfile.TemporaryDirectory() as folder:
        models = generated(pathlib.Path(folder))
        differences(models)
        several(models)
        logs(pathlib.Path(folder), models)
        provenance(pathlib.Path(folder), models)
        calls(pathlib.Path(folder))
        refused(validate("inspect", "--no-cache", models[0]))
    shared = []
    for sub in ("models", "tokenizers"):
        if (SHARED / sub).is_dir():
            shared += [p for p in sorted((SHARED / sub).rglob("*")) if p.is_file()]
    for path in shared:
        inspect(path)
    print(f"{passed} passed, {failed} failed, {0 if shared else 1} skipped")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
