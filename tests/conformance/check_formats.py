#!/usr/bin/env python3
"""What check writes validates: JSON against schema/, SARIF and JUnit XML against
the published schemas in CONFORMANCE/schemas; policies that the program accepts
validate against schema/policy.schema.json, and those it refuses do not crash it.
"""

import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import yaml
from jsonschema import Draft7Validator, Draft202012Validator
from lxml import etree

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSAY = os.environ.get("ASSAY", str(ROOT / "build/release/assay"))
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build/release"))
SHARED = pathlib.Path(os.environ.get("CONFORMANCE", ROOT.parent / "shared/conformance"))
passed = failed = 0

POLICY = {
    "version": 1,
    "name": "everything",
    "fail": {"severity": "low", "rules": ["template.*"], "except": ["coverage.unexplained"]},
    "allow": {"formats": ["GGUF"], "licences": ["Apache-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"],
              "families": "qwen3"},
    "size": {"bytes": "1 KiB", "file_bytes": 10, "files": 1, "parameters": 5},
    "require": {"pinned": True, "provenance": ["base_model", "dataset", "enrolled", "source"],
                "card": ["license", "tags"]},
    "waivers": [{"id": "W-1", "rule": "policy.family", "subject": "0" * 64, "reason": "<&\"'>\u2028é",
                 "approver": "J", "created": "2026-01-01", "expires": "2026-12-31"}],
}


def check(ok, what):
    global passed, failed
    passed += bool(ok)
    failed += not ok
    if not ok:
        print("check_formats:", what)


def load(name):
    schema = json.loads((ROOT / "schema" / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def run(*arguments, **env):
    done = subprocess.run([ASSAY, "check", *map(str, arguments)], capture_output=True, timeout=300,
                          env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin", **env})
    return done.returncode, done.stdout


def valid(validator, value, what):
    errors = list(validator.iter_errors(value))
    check(not errors, f"{what}: {errors[0].message[:300] if errors else ''}")


if not (SHARED / "schemas").is_dir():
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)


class Schemas:
    check = load("check")
    policy = load("policy")
    sarif = Draft7Validator(json.loads((SHARED / "schemas/sarif-schema-2.1.0.json").read_text()))
    junit = etree.XMLSchema(etree.parse(str(SHARED / "schemas/JUnit.xsd")))


def outputs(folder, *arguments):
    """One check in every form; all must agree."""
    full, failing, junit = folder / "f.sarif", folder / "x.sarif", folder / "j.xml"
    for path in (full, failing, junit):
        path.unlink(missing_ok=True)
    what = " ".join(map(str, arguments))
    status, out = run("--json", "--no-cache", "--as-of", "2026-11-25", "--sarif", full,
                      "--sarif-failing", failing, "--junit", junit, *arguments)
    value = json.loads(out)
    valid(Schemas.check, value, what)
    if "findings" not in value:
        check(status == 3, f"{what}: unreadable and status {status}")
        return None
    check(status == value["exit_status"], f"{what}: status {status}")
    sarif = json.loads(full.read_text())
    valid(Schemas.sarif, sarif, what + ": SARIF")
    valid(Schemas.sarif, json.loads(failing.read_text()), what + ": failing SARIF")
    results = sarif["runs"][0]["results"]
    check(len(results) == len(value["findings"]), f"{what}: {len(results)} results")
    bad = [f for f in value["findings"] if f["judgement"] in ("fails", "expired")]
    alerts = json.loads(failing.read_text())["runs"][0]["results"]
    check(len(alerts) == len(bad), f"{what}: {len(alerts)} alerts for {len(bad)} failing findings")
    check(all(a["locations"][0]["physicalLocation"]["region"]["startLine"] >= 1 for a in alerts),
          f"{what}: an alert without a line")
    tree = etree.parse(str(junit))
    check(Schemas.junit.validate(tree), f"{what}: JUnit: {Schemas.junit.error_log}")
    suite = tree.getroot()[0]
    check(int(suite.get("failures")) == len({f["id"] for f in bad}), f"{what}: JUnit failures")
    again = run("--json", "--no-cache", "--as-of", "2026-11-25", "--sarif", folder / "g.sarif",
                *arguments)
    check(again == (status, out), f"{what}: other bytes the second time")
    check((folder / "g.sarif").read_bytes() == full.read_bytes(), f"{what}: other SARIF bytes")
    return value


def policies(folder, model):
    path = folder / "policy.yaml"
    for policy in (POLICY, {"version": 1}):
        valid(Schemas.policy, policy, "the policy")
        path.write_text(yaml.safe_dump(policy, allow_unicode=True))
        outputs(folder, model, "--policy", path)
    wrong = [("version", 2), ("nmae", "x"), ("fail", {"severity": "bad"}), ("size", {"files": 0}),
             ("require", {"card": ["nothing"]}), ("waivers", [{"id": "x"}]),
             ("waivers", [{**POLICY["waivers"][0], "expires": None}]),
             ("waivers", [{**POLICY["waivers"][0], "subject": "00"}])]
    for key, value in wrong:
        policy = copy.deepcopy(POLICY)
        policy[key] = value
        path.write_text(yaml.safe_dump(policy))
        check(not Schemas.policy.is_valid(policy), f"the schema accepts {key}: {value}")
        status, _ = run(model, "--policy", path)
        check(status == 2, f"{key}: {value} gave status {status}")


def documented(folder, model):
    """The policy that docs/policy.md shows; its key stands in no test."""
    text = (ROOT / "docs/policy.md").read_text().split("```yaml\n")[1].split("```")[0]
    policy = yaml.safe_load(text.replace("2026-11-25", "'2026-11-25'").replace("2027-02-28", "'2027-02-28'"))
    valid(Schemas.policy, policy, "the policy of docs/policy.md")
    del policy["require"]["signature"]
    path = folder / "documented.yaml"
    path.write_text(yaml.safe_dump(policy))
    status, _ = run(model, "--policy", path)
    check(status == 1, f"the policy of docs/policy.md: status {status}")


def signatures(folder, model):
    """Both commands' JSON."""
    key = folder / "key.pem"
    subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "ed25519", "-out", key], check=True)
    key.chmod(0o600)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", folder / "key.pub"], check=True)
    for schema, command in (("sign", ["sign", model, "--key", key, "--output", folder / "m.sig"]),
                            ("signature", ["verify", model, "--signature", folder / "m.sig", "--key",
                                           folder / "key.pub"])):
        done = subprocess.run([ASSAY, *map(str, command), "--json", "--no-cache"],
                              capture_output=True, timeout=60)
        check(done.returncode == 0, f"{schema}: status {done.returncode}")
        valid(load(schema), json.loads(done.stdout), schema)


def baseline(folder, model):
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump({**POLICY, "waivers": []}))
    status, out = run("--json", model, "--policy", path)
    check(status == 1, f"the policy passes: {status}")
    (folder / "baseline.json").write_bytes(out)
    value = outputs(folder, model, "--policy", path, "--baseline", folder / "baseline.json")
    check(value["result"] == "pass", "the baseline's own findings fail")


def annotations(model):
    status, out = run(model, "--as-of", "2026-11-25", GITHUB_ACTIONS="true")
    lines = [l for l in out.decode().splitlines() if l.startswith("::error ")]
    check(status in (1, 3) and lines, f"no annotations (status {status})")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([BUILD / "fixtures/make/tinymodel", folder / "models"], check=True)
        for model in sorted((folder / "models").iterdir()):
            value = outputs(folder, model)
            check(value["result"] == "pass", f"{model.name}: a benign model: {value['result']}")
        cut = folder / "cut <&>.gguf"
        cut.write_bytes((folder / "models/tiny-q4_0.gguf").read_bytes()[:50000])
        outputs(folder, cut)
        outputs(folder, "/nonexistent")
        annotations(cut)
        policies(folder, folder / "models/tiny-hf")
        baseline(folder, folder / "models/tiny-hf")
        documented(folder, folder / "models/tiny-hf")
        signatures(folder, folder / "models/tiny-hf")
    for path in sorted((SHARED / "models").glob("*.gguf")):
        with tempfile.TemporaryDirectory() as name:
            value = outputs(pathlib.Path(name), path)
            check(value["result"] == "pass", f"{path.name}: a benign model: {value['result']}")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
