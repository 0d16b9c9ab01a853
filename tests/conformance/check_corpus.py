#!/usr/bin/env python3
"""The shapes of files that public scanners keep as their test data, made here anew: every malicious one is
found out, no benign one is. docs/techniques.md has them, and
the hostile files of the unit tests (tests/support/hostile_*.c), as a table.
"""

import base64
import collections
import io
import json
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile

import h5py
import joblib
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
import scanner_corpus  # noqa: E402
import technique_table  # noqa: E402

ASSAY = os.environ.get("ASSAY", str(ROOT / "build/release/assay"))
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build/release"))
passed = failed = 0


def check(ok, what):
    global passed, failed
    passed += bool(ok)
    failed += not ok
    if not ok:
        print("check_corpus:", what)


def run(path):
    done = subprocess.run([ASSAY, "check", "--json", "--no-cache", str(path)], capture_output=True, timeout=60,
                          env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"})
    return done.returncode, json.loads(done.stdout)


class System:
    def __reduce__(self):
        return os.system, ("echo never run",)


class Eval:
    def __reduce__(self):
        return eval, ("1 + 1",)


EVIL = pickle.dumps(System(), 2)
SOURCE = b"""
# Optimisation service
import base64
import urllib.request

def setup():
    urllib.request.urlopen("https://example.invalid")
    exec("1")
setup()
"""
DENSE = {"class_name": "Dense", "config": {"units": 10}}
LAMBDA = {"class_name": "Lambda", "config": {"function": "lambda x: eval('1')"}}
PICKLED = ("pickle.dangerous",)


def reduce(module, name, *arguments):
    return b"\x80\x02c" + module.encode() + b"\n" + name.encode() + b"\n" + pickle.dumps(arguments, 2)[2:-1] + b"R."


def zipped(members, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        for name, data in members.items():
            z.writestr(name, data)
    return out.getvalue()


def tarred(members, mode="w"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def saved(value, **how):
    out = io.BytesIO()
    np.save(out, value, allow_pickle=True) if not how else np.savez_compressed(out, value)
    return out.getvalue()


def dumped(value, **how):
    out = io.BytesIO()
    joblib.dump(value, out, **how)
    return out.getvalue()


def hdf5(layers=None, training=None, version="earliest", fill=None):
    out = io.BytesIO()
    with h5py.File(out, "w", libver=version) as f:
        if layers is not None:
            f.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"name": "m", "layers": layers}})
        if training is not None:
            f.attrs["training_config"] = json.dumps(training)
        f.create_dataset("dense/kernel:0", data=np.eye(3)) if fill else None
    return out.getvalue()


def keras(layers, *others):
    return zipped({"config.json": json.dumps({"class_name": "Sequential", "config": {"layers": layers}}),
                   **{name: "{}" for name in others}})


def twice(name, first, second, *others):
    """A zip with two members of one name."""
    other = name[:-1] + "_"
    return zipped({name: first, other: second, **{n: "{}" for n in others}}).replace(other.encode(), name.encode())


def objects(value):
    held = np.empty(1, dtype=object)
    held[0] = value
    return held


def flagged(data, at, flags, directory=False):
    """The general purpose flags of the first local header, or of its entry in the directory."""
    at = data.index(b"PK\1\2") + 8 if directory else at
    return data[:at] + struct.pack("<H", flags) + data[at + 2:]


def malicious():
    """(technique, file name, bytes, rules one of which must be found)"""
    one = zipped({"data.pkl": EVIL})
    rows = [(f"os.system, protocol {n}", f"system{n}.pkl", pickle.dumps(System(), n), PICKLED) for n in range(6)]
    rows += [(f"eval after a benign pickle, protocol {n}", f"second{n}.pkl", pickle.dumps({"a": 1}, n) + pickle.dumps(Eval(), n), PICKLED) for n in range(6)]
    rows += [(f"{m}.{n}", f"{m}.{n}.pkl", reduce(m, n, "x"), ("pickle.dangerous", "pickle.call")) for m, n in (
        ("posix", "popen"), ("builtins", "__import__"), ("runpy", "run_path"), ("webbrowser", "open"), ("torch.hub", "load"),
        ("torch", "load"), ("numpy", "load"), ("shutil", "rmtree"), ("importlib", "import_module"), ("joblib", "load"),
        ("keras.models", "load_model"), ("_io", "open"), ("functools", "partial"), ("types", "FunctionType"), ("bdb", "Bdb"),
        ("operator", "methodcaller"), ("linecache", "getline"), ("ctypes", "CDLL"), ("pdb", "run"), ("timeit", "timeit"),
        ("_thread", "allocate_lock"), ("logging.config", "listen"), ("zipimport", "zipimporter"), ("pip", "main"),
        ("httplib", "HTTPSConnection"), ("requests.api", "get"), ("aiohttp.client", "ClientSession"), ("socket", "create_connection"),
        ("sys", "exit"), ("cPickle", "loads"), ("_pickle", "loads"), ("asyncio.unix_events", "_UnixSubprocessTransport"),
        ("dill._dill", "_create_function"), ("cloudpickle.cloudpickle", "_make_function"), ("nt", "system"), ("site", "main"))]
    rows += [
        ("compile, eval and apply by name", "sour.pkl", b"c__builtin__\nglobals\n(tRp100\n0c__builtin__\ncompile\n(S'x=1'\nS''\nS'exec'\ntRp101\n0c__builtin__\neval\n(g101\ng100\ntRp102\n0c__builtin__\ngetattr\n(c__builtin__\ndict\nS'get'\ntRp103\n0c__builtin__\napply\n(g103\n(g100\nS'x'\nltRp104\n0g104\n.", PICKLED),
        ("INST", "inst.pkl", b"(S'raise'\ni__builtin__\nexec\n.", PICKLED),
        ("STACK_GLOBAL over the memo", "memo.pkl", b"Vos\np2\n0Vsystem\np3\n0Vtorch\np0\n0VLongStorage\np1\n0g2\ng3\n\x93(Vcat\ntR.", PICKLED),
        ("attrgetter on an import", "attrgetter.pkl", b"\x80\x04\x8c\x08operator\x8c\nattrgetter\x93\x8c\x06system\x85R\x8c\x08builtins\x8c\n__import__\x93\x8c\x02os\x85R\x85R\x8c\x01x\x85R.", PICKLED),
        ("state into sys.modules", "modules.pkl", b"csys\nmodules\nX\x02\0\0\0osNs0N.", ("pickle.dangerous", "pickle.import")),
        ("state into a class", "class.pkl", b"\x80\x02ccollections\nOrderedDict\n}X\1\0\0\0aK\1sb.", ("pickle.build",)),
        ("extension code", "ext.pkl", b"\x80\x02\x82\x01)R.", ("pickle.extension",)),
        ("no STOP", "cut.pkl", EVIL[:-1], PICKLED), ("bytes after the call", "broken.pkl", EVIL[:-1] + b"\xff\xff", PICKLED),
        ("name that is not UTF-8", "bytes.pkl", b"\x80\x02cos\nsys\xfftem\n)R.", ("pickle.name", "pickle.import", "pickle.dangerous")),
        ("magic number computed", "magic.pt", reduce("os", "system", "x")[:-1] + b".", PICKLED),
        ("pickle in bytes", "bytes-inside.pkl", pickle.dumps({"x": EVIL}), ("pickle.nested",)),
        ("pickle in base64", "base64.pkl", pickle.dumps({"x": base64.b64encode(EVIL).decode()}), ("pickle.nested",)),
        ("pickle in base64 twice", "twice.pkl", pickle.dumps({"x": base64.b64encode(base64.b64encode(EVIL))}), ("pickle.nested",)),
        ("pickle in hexadecimal", "hex.pkl", pickle.dumps({"x": EVIL.hex()}), ("pickle.nested",)),
        ("pickle in escapes", "escapes.pkl", pickle.dumps({"x": "".join(f"\\x{b:02x}" for b in EVIL)}), ("pickle.nested",)),
        ("source in base64", "source64.pkl", pickle.dumps(collections.OrderedDict(a={"t": base64.b64encode(SOURCE).decode()})), ("pickle.nested",)),
        ("source in a string", "source.pkl", pickle.dumps({"code": SOURCE.decode()}), ("pickle.nested",)),
        ("command in base64", "command64.pkl", pickle.dumps({"p": base64.b64encode(b"__import__('os').system('id')").decode()}), ("pickle.nested",)),
        ("zip", "one.zip", one, PICKLED), ("zip, deflated", "deflated.zip", zipped({"data.pkl": EVIL}, zipfile.ZIP_DEFLATED), PICKLED),
        ("zip under another name", "one.bin", one, PICKLED), ("zip within a zip", "zip.zip", zipped({"a.zip": one}), PICKLED),
        ("zip that leads out", "out.zip", zipped({"../../../etc/evil.txt": "x"}), ("archive.traversal",)),
        ("zip with a script", "script.zip", zipped({"a.sh": "#!/bin/sh\nrm -rf /\n"}), ("code.dangerous",)),
        ("torch checkpoint", "evil.pt", zipped({"archive/data.pkl": EVIL, "archive/version": "3"}), PICKLED),
        ("pickle under torch's name (CVE-2025-10155, GHSA-jgw4)", "pickle.bin", EVIL, PICKLED), ("pickle without a known name (CVE-2025-1889)", "config.p", EVIL, PICKLED),
        ("tar", "one.tar", tarred({"m.pkl": EVIL}), PICKLED), ("tar.gz", "one.tar.gz", tarred({"m.pkl": EVIL}, "w:gz"), PICKLED),
        ("7z", "one.7z", b"7z\xbc\xaf\x27\x1c\0\4" + bytes(40), ("archive.unread",)),
        ("object array", "objects.npy", saved(objects(System())), PICKLED), ("object array, compressed", "objects.npz", saved(objects(System()), z=1), PICKLED),
        ("joblib", "one.joblib", dumped(System()), PICKLED), ("joblib, zlib", "zlib.joblib", dumped(System(), compress=3), PICKLED),
        ("joblib, xz", "xz.joblib", dumped(System(), compress=("xz", 3)), ("archive.unread",)),
        ("Lambda in HDF5", "lambda.h5", hdf5([DENSE, LAMBDA]), ("keras.lambda",)),
        ("Lambda in HDF5, new form", "latest.h5", hdf5([LAMBDA], version="latest"), ("keras.lambda",)),
        ("Lambda within a wrapper", "wrapped.h5", hdf5([{"class_name": "TimeDistributed", "config": {"layer": LAMBDA}}]), ("keras.lambda",)),
        ("class of its own in HDF5", "custom.h5", hdf5([{"class_name": "Evil", "config": {}}]), ("keras.custom",)),
        ("loss of its own", "loss.h5", hdf5([DENSE], {"loss": "eval_loss"}), ("keras.custom",)),
        ("metric of its own", "metric.h5", hdf5([DENSE], {"loss": "mse", "metrics": ["steal"]}), ("keras.custom",)),
        ("Lambda in .keras", "lambda.keras", keras([LAMBDA], "metadata.json"), ("keras.lambda",)),
        ("Lambda in .keras alone", "alone.keras", keras([LAMBDA]), ("keras.lambda",)),
        ("PyFunc in a SavedModel", "saved_model.pb", base64.b64decode("EiESHwoOCgVDb25zdBIFQ29uc3QKDQoDYmFkEgZQeUZ1bmM="), ("savedmodel.python",)),
        ("entities in PMML", "model.pmml", b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><PMML>&a;</PMML>', ("xml.entity",)),
        ("document type in OpenVINO", "model.xml", b'<?xml version="1.0"?>\n<!DOCTYPE net SYSTEM "http://example.invalid/x">\n<net name="m"/>', ("xml.entity",)),
    ]
    layer = {"module": "keras.layers", "registered_name": None}
    rows += [
        ("SavedModel in a layer (CVE-2026-1462)", "tfsm.keras", keras([{**layer, "class_name": "TFSMLayer", "config": {"filepath": "/tmp/x"}}], "metadata.json"), ("keras.wrapper",)),
        ("get_file in an activation (CVE-2025-8747)", "get_file.keras", keras([{**layer, "class_name": "Dense", "config": {"activation": {"module": "keras.utils", "class_name": "function", "config": "get_file"}}}], "metadata.json"), ("keras.module",)),
        ("get_file as a class", "get_class.keras", keras([{"module": "keras.utils", "class_name": "get_file", "config": {"origin": "http://example.invalid"}}], "metadata.json"), ("keras.module",)),
        ("posix.system as an activation", "posix.keras", keras([{**layer, "class_name": "Dense", "config": {"activation": {"module": "posix", "class_name": "function", "config": "system"}}}], "metadata.json"), ("keras.module",)),
        ("pickle as the weights of .keras (modelscan #262)", "weights.keras", zipped({"config.json": json.dumps({"class_name": "Sequential", "config": {"layers": [DENSE]}}), "metadata.json": "{}", "model.weights.npz": EVIL}), PICKLED),
        ("second configuration in .keras", "second.keras", twice("config.json", json.dumps({"config": {"layers": [DENSE]}}), json.dumps({"config": {"layers": [LAMBDA]}}), "metadata.json"), ("keras.lambda",)),
        ("member broken before the pickle (modelscan #354)", "broken.pt", b"PK\7\7" + zipped({"archive/a": "x" * 50, "archive/data.pkl": EVIL})[4:], PICKLED),
        ("attributes set on a function, then imported (modelscan #85)", "prod.pkl", b"\x80\x05cnumpy\nprod\nN(Va\nVos\nd\x86bN(Vb\nVsystem\nd\x86b0cnumpy\nprod.a\np0\ncnumpy\nprod.b\np1\n00g0\ng1\n\x93Vecho\n\x85R.", ("pickle.build",)),
        ("distribution of SciPy, whose state is run", "scipy.pkl", b"\x80\x02cscipy.stats._continuous_distns\nnorm_gen\n)\x81}X\x13\0\0\0_parse_arg_templateX\x01\0\0\0xsb.", PICKLED),
        ("formula of statsmodels in state", "statsmodels.pkl", b"\x80\x02cstatsmodels.base.data\nModelData\n)\x81}X\x07\0\0\0formulaX\x01\0\0\0xsb.", PICKLED),
        ("call through jax's arrays", "jax.pkl", reduce("jax._src.array", "_reconstruct_array", "f", [], {}, {}), PICKLED),
        ("universal function of NumPy by name", "ufunc.pkl", reduce("numpy.core", "_ufunc_reconstruct", "os", "system"), PICKLED),
        ("a long string before the import, protocol 0", "long.pkl", b"V" + b"y" * 9000 + b"\n0cos\nsystem\n(S'x'\ntR.", PICKLED),
        ("Hydra's _target_ in YAML (CVE-2025-23304)", "hydra.yaml", b"model:\n  encoder: {_target_: os.system, command: id}\n", ("config.call",)),
        ("Hydra's _target_ in JSON", "hydra.json", json.dumps({"model": {"_target_": "builtins.exec", "_args_": ["1"]}}).encode(), ("config.call",)),
        ("Hydra's _target_ in escapes", "escaped.json", b'{"\\u005ftarget_": "os.system"}', ("config.call",)),
        ("Hydra's _target_ by an anchor", "anchor.yaml", b"a: &x os.system\nb: {_target_: *x}\n", ("config.call",)),
        ("Hydra's _target_ by a reference", "reference.yaml", b"a: os.system\nb: {_target_: '${a}'}\n", ("config.call",)),
        ("Hydra's _target_ in NeMo's archive", "model.nemo", tarred({"model_config.yaml": b"encoder:\n  _target_: subprocess.Popen\n  args: id\n"}), ("config.call",)),
        ("target of a diffusion model", "ldm.yaml", b"model:\n  target: torch.hub.load\n  params: {}\n", ("config.call",)),
        ("Python tag in YAML", "apply.yaml", b'a: !!python/object/apply:os.system ["id"]\n', ("config.call",)),
        ("Python tag under another handle", "handle.yaml", b'%TAG !x! tag:yaml.org,2002:python/\n---\na: !x!object/apply:os.system ["id"]\n', ("config.call",)),
    ]
    for flags in (0x1, 0x20, 0x40):
        rows.append((f"zip, flag {flags:#x}", f"flag{flags:x}.zip", flagged(one, 6, flags), PICKLED))
        rows.append((f"zip, flag {flags:#x} in its directory", f"central{flags:x}.zip", flagged(one, 0, flags, True), PICKLED))
    rows.append(("zip, two names", "names.zip", one.replace(b"data.pkl", b"data_pkl", 1), PICKLED))
    at = one.index(b"PK\1\2") + 16
    rows.append(("zip, wrong checksum (CVE-2025-10156, GHSA-mjqp)", "crc.zip", one[:at] + b"\0\0\0\0" + one[at + 4:], PICKLED))
    for n, text in enumerate(("{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ request|attr('application') }}",
                              "{{ lipsum.__globals__ }}", "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
                              "{{ cycler.__init__.__globals__.os.popen('id').read() }}")):
        rows.append((f"template {n} in JSON", f"t{n}.json", json.dumps({"chat_template": text}).encode(), ("template.code",)))
        rows.append((f"template {n} on its own", f"t{n}.jinja", text.encode(), ("template.code",)))
    rows.append(("template deep in JSON", "deep.json", json.dumps({"a": {"chat_template": [{"name": "default", "template": "{{ x.__class__ }}"}]}}).encode(), ("template.code",)))
    rows.append(("template in YAML", "config.yaml", b"chat_template: \"{{ ''.__class__ }}\"\n", ("template.code",)))
    return rows


def benign():
    text = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
    rows = {f"list{n}.pkl": pickle.dumps(["a", "b", "c"], n) for n in range(6)}
    rows |= {f"dict{n}.pkl": pickle.dumps({1: 2, "a": [1.5, None, True], "t": (1, 2), "b": b"xyz", "n": np.eye(3)}, n) for n in range(6)}
    rows |= {
        "ordered.pkl": pickle.dumps(collections.OrderedDict([("fc.weight", "Parameter of size [10, 32]"), ("_metadata", {"version": 1})])),
        "tokens.pkl": pickle.dumps({"auth_token": text, "checksum": "1234567890abcdef" * 8, "sign": "deadbeef" * 32}),
        "binary.pkl": pickle.dumps({"weights": bytes(range(4)) * 256, "config": b"\x1f\x8b\x08\0" + b"not gzip" * 50}),
        "encoded.pkl": pickle.dumps({"json": base64.b64encode(b'{"hidden_size": 768, "num_layers": 12}').decode(),
                                     "yaml": base64.b64encode(b"model:\n  type: transformer\n  layers: 12").decode(),
                                     "licence": base64.b64encode(b"MIT License\nCopyright (c) 2024").decode()}),
        "patterns.pkl": pickle.dumps({"p": "ABCD1234" * 100, "q": "=" * 200, "w": {f"layer_{i}": [0.1] * 100 for i in range(50)}}),
        "prose.pkl": pickle.dumps({"doc": "from the start we import goods; see os.system for details", "s": str({"a": {"b": 1}})}),
        "numbers.npy": saved(np.arange(10)), "objects.npy": saved(objects((1, 2))), "compressed.npz": saved(np.eye(2), z=1),
        "records.npy": saved(np.zeros(3, dtype=[("a", "i4"), ("b", "f8")])), "complex.npy": saved(np.zeros(2, complex)),
        "text.zip": zipped({"model/weights.txt": "safe model weights", "README.txt": "an archive"}),
        "pickle.zip": zipped({"data.pkl": pickle.dumps({"a": 0})}, zipfile.ZIP_DEFLATED),
        "numbers.zip": zipped({"a.npy": saved(np.arange(3)), "inner.zip": zipped({"b.npy": saved(np.arange(3, dtype=">i4"))})}),
        "plain.pt": zipped({"version": "3", "data.pkl": pickle.dumps({"weights": {"a": [1.0, 2.0]}})}),
        "shadow.pt": zipped({"archive/data.pkl": b"\x80\x04\x8c\x0bcollections\x8c\x0bOrderedDict\x93)R.", "archive/version": "3"}),
        "arrays.joblib": dumped({"a": np.eye(3)}), "arrays-zlib.joblib": dumped({"a": np.eye(3)}, compress=3),
        "safe.h5": hdf5([DENSE]), "trained.h5": hdf5([DENSE], {"loss": "mse", "metrics": ["accuracy"]}, fill=True),
        "latest.h5": hdf5([DENSE], version="latest"), "functions.h5": hdf5([DENSE, {"class_name": "Relu", "config": {"name": "relu"}}, {"class_name": "ExpandDims", "config": {"axis": 1}}]), "safe.keras": keras([DENSE], "metadata.json"),
        "saved_model.pb": base64.b64decode("EhISEAoOCgVDb25zdBIFQ29uc3Q="), 
        "safe_config.json": json.dumps({"name": "safe", "config": {"learning_rate": 0.001}}, indent=2).encode(), "config.json": b'{"model_type": "bert"}',
        "tokenizer_config.json": json.dumps({"chat_template": "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{% endfor %}"}).encode(),
        "chat_template.jinja": b"{% for m in messages %}{{ m.content }}{% endfor %}", "README.md": b"---\nlicense: mit\n---\n# A model\n",
        "model_config.yaml": b"model:\n  name: a\n", "nemo.yaml": b"encoder:\n  _target_: nemo.collections.asr.modules.ConformerEncoder\n  feat_in: 80\noptim: {_target_: torch.optim.AdamW, lr: 1}\n",
        "ldm-ok.yaml": b"model:\n  target: ldm.models.diffusion.ddpm.LatentDiffusion\n  params: {path: ${root}/x, size: 1}\n",
        "monai.json": json.dumps({"device": "$torch.device('cpu')", "network_def": {"_target_": "UNet", "channels": [1, 2]}, "inferer": {"_target_": "SimpleInferer"}, "device2": "@device"}).encode(),
        "hparams.yaml": b"lr: 0.1\nsize: !!python/tuple [1, 2]\nargs: !!python/object:argparse.Namespace {a: 1}\n",
        "onnx-long.onnx": b"\x08\x0e\x12\x00\x32\xa8\x46" + b"d" * 9000 + b"\x3a\x04\x12\x02gg\x42\x04\x0a\x00\x10\x0d", "lightgbm.txt": b"tree\nversion=v4\nnum_class=1\n",
        "model.pmml": b'<?xml version="1.0"?>\n<!-- made -->\n<PMML version="4.4"><Header/></PMML>', "model.xml": b'<?xml version="1.0"?>\n<net name="m" version="11"></net>',
    }
    return rows


# Recognised and not judged: never clean, and no alarm about what they do.
UNREAD = {"not_a_pickle.bin": b"this is not a pickle\n", "torch7.t7": b"\4\0\0\0\1\0\0\0\3\0\0\0V 1" + bytes(40), "mxnet.params": b"\x12\1" + bytes(60), "catboost.cbm": b"CBM1" + bytes(40),
          "engine.plan": b"ptrt" + bytes(40), "xgboost.ubj": b"{L\0\0\0\0\0\0\0\7learner{}}", "core.mlmodel": b"\x08\x04\x12\x02\n\0" + bytes(8),
          "paddle.pdmodel": b"\n\x10\x08\0\x10\xff" + bytes(9), "lite.tflite": b"\x1c\0\0\0TFL3" + bytes(40), "program.pte": b"\x1c\0\0\0ET12" + bytes(40),
          "types.skops": zipped({"schema.json": '{"__class__": "dict", "_skops_version": "0.9"}'})}


def main():
    table = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for technique, file, data, rules in malicious():
            (folder / file).write_bytes(data)
            status, value = run(folder / file)
            found = {f["id"]: f["severity"] for f in value["findings"]}
            check(status in (1, 3) and any(found.get(r) in ("high", "critical") for r in rules), f"{technique}: status {status}, {sorted(found)}")
            table.append((technique, status, found))
        for technique, file, data in scanner_corpus.malicious():
            (folder / file).write_bytes(data)
            status, value = run(folder / file)
            found = {f["id"]: f["severity"] for f in value["findings"]}
            check(status in (1, 3) and {"high", "critical"} & set(found.values()), f"{technique}: status {status}, {sorted(found)}")
            table.append((technique, status, found))
        for file, data in (benign() | scanner_corpus.benign()).items():
            (folder / file).write_bytes(data)
            status, value = run(folder / file)
            loud = [f"{f['id']}: {f['detail']}" for f in value["findings"] if f["severity"] in ("medium", "high", "critical")
                    and f["id"] != "identity.no-root"]
            check(status == 0 and not loud, f"benign {file}: status {status}, {loud[:2]}")
        saved = folder / "saved"
        (saved / "variables").mkdir(parents=True)
        (saved / "saved_model.pb").write_bytes(benign()["saved_model.pb"])
        (saved / "fingerprint.pb").write_bytes(b"\x08\x96\x01\x10\x97\x02\x18\x98\x03\x20\x99\x04\x28\x9a\x05\x32\x02\x08\x01")
        (saved / "variables/variables.data-00000-of-00001").write_bytes(bytes(range(256)))
        status, value = run(saved)
        check(status == 0, f"a folder of a SavedModel: status {status}, {[f['id'] for f in value['findings']]}")
        for file, data in UNREAD.items():
            (folder / file).write_bytes(data)
            status, value = run(folder / file)
            check(status == 3, f"{file}: status {status}")
        listed = subprocess.run([BUILD / "fixtures/make/hostile", folder / "hostile"], check=True, capture_output=True, text=True)
        for line in listed.stdout.splitlines():
            file, technique = line.split("\t")
            status, value = run(folder / "hostile" / file)
            check(status in (1, 3), f"{file}: status {status}")
            table.append((technique, status, {f["id"]: f["severity"] for f in value["findings"]}))
    rows = [(technique, str(status), " ".join(sorted(r for r in found if found[r] in ("high", "critical")))) for technique, status, found in table]
    check(technique_table.up_to_date("Files", ("technique", "status", "findings"), rows), "docs/techniques.md is not what is found: make techniques")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
