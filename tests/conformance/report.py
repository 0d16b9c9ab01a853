"""Reports against what is not ours: CycloneDX and SARIF schemas by ajv, SPDX shapes by SHACL,
Croissant by mlcroissant, roots and ids recomputed here, and the page in Chromium with hostile
names in every field. `report.py update` rewrites the page's picture."""
import base64, hashlib, html, json, os, re, shutil, struct, subprocess, sys, tempfile, zlib

ASSAY, BUILD = os.environ["ASSAY"], os.environ["BUILD"]
HERE = os.path.dirname(os.path.abspath(__file__))
SCHEMAS = os.path.join(os.environ.get("CONFORMANCE", ""), "schemas")
passed, failed, skipped = 0, [], 0
HOSTILE = """</title></script><script>document.documentElement.dataset['p'+'wned']=1</script><img src=x onerror="document.documentElement.dataset['p'+'wned']=1">{{x}}'"&lt;\u202e"""


def check(name, ok, detail=""):
    global passed
    if ok:
        passed += 1
    else:
        failed.append(name)
        print("FAILED", name, str(detail)[:600])


def skip(why):
    global skipped
    skipped += 1
    print("skipped:", why)


def assay(*args, ok=(0,)):
    r = subprocess.run([ASSAY, *args], capture_output=True, text=True, timeout=120)
    if r.returncode not in ok:
        raise SystemExit(f"assay {args}: {r.returncode}\n{r.stdout}{r.stderr}")
    return r.stdout


def sha(b):
    return hashlib.sha256(b).digest()


def root(leaves):
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha(b"\1" + root(leaves[:k]) + root(leaves[k:]))


def canonical(v):
    return json.dumps(v, sort_keys=True, ensure_ascii=False, separators=(",", ":")).replace("\x7f", "\\u007f").encode()


def framed(b):
    return struct.pack(">Q", len(b)) + b


def recompute(report):
    commitments = []
    for c in report["claims"]:
        if "commitment" in c:
            commitments.append(bytes.fromhex(c["commitment"]))
        else:
            commitments.append(sha(b"assay/commit/v1\0" + framed(b"claim") + bytes.fromhex(c["salt"]) + framed(canonical(c["claim"]))))
    return root([sha(b"\0" + c) for c in commitments]).hex()


def make_inputs(work):
    subprocess.run([f"{BUILD}/fixtures/make/tinymodel", f"{work}/models"], check=True)
    hostile = f"{work}/hostile"
    shutil.copytree(f"{work}/models/tiny-hf", hostile)
    card = f"---\nlicense: mit\ntags: [{json.dumps(HOSTILE)}]\nbase_model: {json.dumps(HOSTILE)}\ndatasets: [{json.dumps(HOSTILE)}]\nlanguage: [en]\n---\n# {HOSTILE}\n\n## Intended use\n\n{HOSTILE}\n\n## Limitations\n\n{HOSTILE}\n"
    with open(f"{hostile}/README.md", "w") as f:
        f.write(card)
    config = json.load(open(f"{hostile}/config.json"))
    config["_name_or_path"] = HOSTILE
    json.dump(config, open(f"{hostile}/config.json", "w"))
    with open(f"{hostile}/<img src=x onerror=alert(1)>.txt", "w") as f:
        f.write("x")
    os.mkdir(f"{work}/data")
    with open(f"{work}/data/train.jsonl", "w") as f:
        f.write('{"text": "The cat sat on the mat and it was not for you."}\n')
    with open(f"{work}/data/dataset.yaml", "w") as f:
        f.write(f"name: {json.dumps('corpus ' + HOSTILE)}\ndescription: {json.dumps(HOSTILE)}\nlicence: cc-by-4.0\nurl: https://example.org/d\ncreator: Acme\npublished: 2026-05-01\nversion: 1.0.0\nrows: 5\ncollection: {json.dumps(HOSTILE)}\n")
    with open(f"{work}/people.yaml", "w") as f:
        f.write(f"by: {json.dumps(HOSTILE)}\ndated: 2026-11-01\nstatements:\n  - {{property: human.provider-name, value: {json.dumps(HOSTILE)}}}\n")
    out = assay("log", "init", f"{work}/audit", "--origin", "example.org/<script>alert(1)</script>")
    assay("record", hostile, "--log", f"{work}/audit", "--source", HOSTILE)
    return re.search(r"verifier key (\S+)", out).group(1)


def report(work, *more, model="hostile", ok=(0, 1)):
    return assay("report", "--framework", "eu-ai-act-gpai", "--framework", "inventory", "--model", f"{work}/{model}",
                 "--log", f"{work}/audit", "--as-of", "2026-11-23", "--no-record", *more, ok=ok)


def validators():
    if not (shutil.which("node") and shutil.which("npm")):
        skip("node and npm are not here: CycloneDX, SARIF and SPDX were not validated")
        return None
    folder = os.path.join(os.path.dirname(BUILD), "validators")
    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "validate.mjs"):
        shutil.copy(os.path.join(HERE, "validators", name), folder)
    if not os.path.isdir(os.path.join(folder, "node_modules", "ajv")):
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True, timeout=300)
    return os.path.join(folder, "validate.mjs")


def validate(script, kind, path):
    r = subprocess.run(["node", script, SCHEMAS, kind, path], capture_output=True, text=True, timeout=120)
    return r.returncode == 0, r.stdout + r.stderr


def formats(work):
    names = ["json", "markdown", "csv", "cyclonedx", "spdx", "sarif", "intoto", "card", "croissant", "html"]
    report(work, *[a for n in names for a in ("--format", n)], "--datasets", f"{work}/data", "--attestation", f"{work}/people.yaml", "--output", f"{work}/out")
    script = validators()
    if script and os.path.isdir(SCHEMAS):
        for kind, suffix in (("cyclonedx", "cdx.json"), ("sarif", "sarif"), ("spdx", "spdx.json")):
            ok, text = validate(script, kind, f"{work}/out/report.{suffix}")
            check(f"{kind} is valid", ok, text)
        # The validators can say no.
        doc = json.load(open(f"{work}/out/report.spdx.json"))
        for e in doc["@graph"]:
            if e["type"] == "dataset_DatasetPackage":
                del e["dataset_datasetType"]
        json.dump(doc, open(f"{work}/bad.json", "w"))
        check("spdx without a mandatory member is refused", not validate(script, "spdx", f"{work}/bad.json")[0])
        bom = json.load(open(f"{work}/out/report.cdx.json"))
        del bom["bomFormat"]
        json.dump(bom, open(f"{work}/bad.json", "w"))
        check("cyclonedx without a mandatory member is refused", not validate(script, "cyclonedx", f"{work}/bad.json")[0])
    try:
        import mlcroissant
        mlcroissant.Dataset(jsonld=f"{work}/out/report.croissant.json")
        check("mlcroissant reads it", True)
    except ImportError:
        skip("mlcroissant is not installed")
    except Exception as e:
        check("mlcroissant reads it", False, e)


def proofs(work, key):
    full = json.load(open(f"{work}/out/report.json"))
    check("the root is recomputed", recompute(full) == full["claims_root"])
    check("evidence ids are digests", all(sha(canonical(v)).hex()[:32] == i for i, v in full["evidence"].items()))
    try:
        import jsonschema
        schema = json.load(open(os.path.join(HERE, "..", "..", "schema", "report.schema.json")))
        jsonschema.Draft202012Validator(schema).validate(full)
        check("the report keeps its schema", True)
        full["claims"][0]["claim"]["status"] = "certified"
        check("another status does not", not jsonschema.Draft202012Validator(schema).is_valid(full))
        full = json.load(open(f"{work}/out/report.json"))
    except ImportError:
        skip("jsonschema is not installed")
    statement = json.loads(base64.b64decode(full["signed"]["payload"]))
    check("the statement names the root", statement["predicate"]["claims_root"] == full["claims_root"])
    for edition in ("AIO", "NCA", "DP"):
        report(work, "--edition", edition, "--datasets", f"{work}/data", "--attestation", f"{work}/people.yaml", "--format", "json", "--output", f"{work}/{edition}.json")
        part = json.load(open(f"{work}/{edition}.json"))
        check(f"{edition} is under the same root", recompute(part) == full["claims_root"] and any("commitment" in c for c in part["claims"]))
        assay("verify", f"{work}/{edition}.json", "--key", key)
    again = report(work, "--format", "card")
    os.mkdir(f"{work}/round")
    for f in os.listdir(f"{work}/hostile"):
        shutil.copy(f"{work}/hostile/{f}", f"{work}/round/{f}")
    with open(f"{work}/round/README.md", "w") as f:
        f.write(again)
    names = ("model.base", "model.datasets", "model.languages", "model.tags", "model.licence")
    def declared(model):
        r = json.loads(report(work, "--format", "json", model=model))
        return {c["claim"]["property"]: c["claim"].get("value") for c in r["claims"] if c["claim"]["property"] in names}
    check("a generated card says the same again", declared("hostile") == declared("round"), [declared("hostile"), declared("round")])


CHROMIUM = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--virtual-time-budget=20000"]


def chromium(work, *args):
    profile = tempfile.mkdtemp(dir=work)
    r = subprocess.run(["chromium", *CHROMIUM, f"--user-data-dir={profile}", *args], capture_output=True, text=True, timeout=120)
    return r.stdout


def png_grid(path, columns=16, rows=24):
    """Mean brightness of a grid of fields, each as a digit."""
    data, at, idat = open(path, "rb").read(), 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, _, colour = struct.unpack(">IIBB", body[:10])
        if kind == b"IDAT":
            idat += body
        at += size + 12
    raw, bpp = zlib.decompress(idat), 4 if colour == 6 else 3
    stride, previous, lines, at = width * bpp, bytearray(width * bpp), [], 0
    for _ in range(height):
        kind, line = raw[at], bytearray(raw[at + 1:at + 1 + stride])
        at += stride + 1
        for i in range(stride):
            a = line[i - bpp] if i >= bpp else 0
            b, c = previous[i], previous[i - bpp] if i >= bpp else 0
            if kind == 1:
                line[i] = (line[i] + a) & 255
            elif kind == 2:
                line[i] = (line[i] + b) & 255
            elif kind == 3:
                line[i] = (line[i] + (a + b) // 2) & 255
            elif kind == 4:
                p = a + b - c
                line[i] = (line[i] + min(((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c)))[2]) & 255
        lines.append(line)
        previous = line
    grid = []
    for y in range(rows):
        for x in range(columns):
            total = n = 0
            for j in range(y * height // rows, (y + 1) * height // rows, 3):
                for i in range(x * width // columns, (x + 1) * width // columns, 3):
                    total += lines[j][i * bpp + 1]
                    n += 1
            grid.append(total / n)
    return grid


def page(work):
    if not shutil.which("chromium"):
        skip("chromium is not here: the page was not opened")
        return
    dom = chromium(work, "--dump-dom", f"file://{work}/out/report.html")
    head = re.search(r"<html[^>]*>", dom).group(0)
    check("the page proves itself", 'data-proofs="good"' in head, head)
    check("no foreign script runs", "pwned" not in head, head)
    check("nothing is loaded from anywhere", not re.search(r'(src|href)="(https?:)?//', dom))
    text = open(f"{work}/out/report.html").read()
    at = text.index("&quot;value&quot;:&quot;117056&quot;")
    with open(f"{work}/changed.html", "w") as f:
        f.write(text[:at] + text[at:].replace("117056", "217056", 1))
    check("a changed claim is seen by the page", 'data-proofs="bad"' in chromium(work, "--dump-dom", f"file://{work}/changed.html"))
    shown = text.replace('<p class="value">117056', '<p class="value">217056')
    with open(f"{work}/shown.html", "w") as f:
        f.write(shown)
    check("a page that shows something else is seen", shown != text and 'data-proofs="bad"' in chromium(work, "--dump-dom", f"file://{work}/shown.html"))
    badge = text.replace('<span class="status missing">missing</span></header>', '<span class="status verified">verified</span></header>', 1)
    with open(f"{work}/badge.html", "w") as f:
        f.write(badge)
    check("a requirement that shows another status is seen", badge != text and 'data-proofs="bad"' in chromium(work, "--dump-dom", f"file://{work}/badge.html"))
    plain = f"{work}/plain.html"
    report(work, "--format", "html", "--output", plain, model="models/tiny-hf")
    chromium(work, "--window-size=1000,1500", f"--screenshot={work}/page.png", f"file://{plain}")
    grid, kept = png_grid(f"{work}/page.png"), os.path.join(HERE, "report-page.txt")
    if sys.argv[1:] == ["update"]:
        with open(kept, "w") as f:
            f.write("\n".join(" ".join(str(round(v)) for v in grid[i:i + 16]) for i in range(0, len(grid), 16)) + "\n")
    want = [float(v) for v in open(kept).read().split()]
    off = sum(abs(a - b) for a, b in zip(grid, want)) / len(want)
    check("the page looks as it did", off < 6, f"mean difference {off:.1f} of 255")


def witnessed(work):
    """A log that a witness cosigned: the page checks the cosignature, and that the head extends it."""
    if not shutil.which("chromium"):
        return
    subprocess.run([f"{BUILD}/fixtures/make/calllog", f"{work}/calls"], check=True)
    key = open(f"{work}/calls/calls/witness.vkey").read().strip()
    assay("report", "--framework", "activity", "--log", f"{work}/calls/calls/log", "--trust", key, "--as-of", "2026-11-20", "--no-record", "--output", f"{work}/cosigned.html", ok=(0, 1))
    text = open(f"{work}/cosigned.html").read()
    dom = chromium(work, "--dump-dom", f"file://{work}/cosigned.html")
    check("the page checks cosignatures", 'data-proofs="good"' in dom[:400] and "the witness witness.example/w cosigned the first 357 entries" in dom and "extends the 357 that were cosigned" in dom)
    note = json.loads(html.unescape(re.search(r'<pre id="report-json" hidden>(.*?)</pre>', text, re.S).group(1)))["log"]
    for what, old in (("a cosignature", note["anchor"].split("witness.example/w ")[1][40:48]), ("a proof of consistency", note["consistency"][1][:8])):
        with open(f"{work}/forged.html", "w") as f:
            f.write(text.replace(old, old[::-1] if old != old[::-1] else "AAAAAAAA"))
        check(f"{what} that was changed is seen", 'data-proofs="bad"' in chromium(work, "--dump-dom", f"file://{work}/forged.html")[:400])


def lineage(work):
    """PROV-JSON and SLSA provenance: what they must have, and references that lead somewhere."""
    tuned, base = f"{work}/models/tiny-hf-tuned", f"{work}/models/tiny-hf"
    doc = json.loads(assay("lineage", tuned, "--base", base, "--format", "prov"))
    names = set(doc["entity"])
    prefixes = set(doc["prefix"]) | {"prov", "_"}
    check("prov names its prefixes", all(n.split(":")[0] in prefixes for part in doc if part != "prefix" for n in doc[part]))
    check("prov derives from what it lists", doc["wasDerivedFrom"] and all(
        {d["prov:generatedEntity"], d["prov:usedEntity"]} <= names for d in doc["wasDerivedFrom"].values()))
    try:
        from prov.model import ProvDocument
        check("the prov package reads it", len(ProvDocument.deserialize(content=json.dumps(doc), format="json").get_records()) == len(names) + len(doc["wasDerivedFrom"]))
    except ImportError:
        pass
    s = json.loads(assay("lineage", tuned, "--base", base, "--format", "slsa"))
    p = s["predicate"]
    check("slsa is an in-toto statement", s["_type"] == "https://in-toto.io/Statement/v1" and s["predicateType"] == "https://slsa.dev/provenance/v1"
          and all(d["digest"] and all(isinstance(v, str) for v in d["digest"].values()) for d in s["subject"]))
    check("slsa has what v1 requires", isinstance(p["buildDefinition"]["buildType"], str) and isinstance(p["buildDefinition"]["externalParameters"], dict)
          and isinstance(p["runDetails"]["builder"]["id"], str))
    check("a verified edge has the digest of its base", any(
        d["annotations"]["status"] == "verified" and d.get("digest") for d in p["buildDefinition"]["resolvedDependencies"]))


def example(work):
    """The example over a log with calls: every claim is marked by the page, and the figures are there."""
    if not shutil.which("chromium"):
        return
    path = os.path.join(HERE, "..", "..", "reports", "examples", "report.html")
    dom = chromium(work, "--dump-dom", "file://" + os.path.realpath(path))
    claims = re.findall(r'<article class="claim[^>]*>.*?<span class="(proof[^"]*)"', dom, re.S)
    check("the example proves itself", 'data-proofs="good"' in dom[:400], dom[:200])
    check("every claim of the example is marked", len(claims) > 100 and set(claims) == {"proof good"}, set(claims))
    for figure in ("Calls through Assay", "Tokens", "Time to answer", "Element types of the weights", "Lineage"):
        check(f"the example shows {figure}", f'aria-label="{figure}: ' in dom)
    chromium(work, f"--print-to-pdf={work}/page.pdf", "file://" + os.path.realpath(path))
    pages = open(f"{work}/page.pdf", "rb").read().count(b"/Type /Page\n") if os.path.exists(f"{work}/page.pdf") else 0
    check("the example prints", 10 <= pages <= 120, pages)


with tempfile.TemporaryDirectory() as work:
    key = make_inputs(work)
    formats(work)
    proofs(work, key)
    page(work)
    witnessed(work)
    lineage(work)
    example(work)
print(f"{passed} passed, {len(failed)} failed, {skipped} skipped")
sys.exit(1 if failed else 0)
