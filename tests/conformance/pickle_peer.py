#!/usr/bin/env python3
"""Pickles against CPython and the libraries that write models.

What they write of plain objects, arrays and fitted estimators must be clean,
in every protocol and through joblib; opcodes of mutated pickles must be framed
as pickletools frames them. Nothing that Assay is asked about is loaded here.
"""
import base64
import collections
import datetime
import decimal
import fractions
import io
import json
import os
import pathlib
import pickle
import pickletools
import random
import re
import struct
import subprocess
import sys
import tempfile
import uuid
import warnings

import joblib
import numpy as np

ASSAY = os.environ["ASSAY"]
BUILD = os.environ["BUILD"]
MUTATIONS = int(os.environ.get("MUTATIONS", "20000"))

passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED:", what)


def plain():
    return {
        "a": [1, 2.5, -3, 10**30, True, None, "x\u20ac", "y" * 300, b"zz", bytearray(b"q"), (1, 2, 3, 4), ()],
        "sets": [{1}, frozenset([2])], "od": collections.OrderedDict(a=1),
        "dd": collections.defaultdict(list, {1: [2]}), "count": collections.Counter("aab"),
        "deque": collections.deque([1, 2], 5), "dt": datetime.datetime(2020, 1, 2, tzinfo=datetime.timezone.utc),
        "td": datetime.timedelta(1, 2), "date": datetime.date(2020, 1, 1), "dec": decimal.Decimal("1.5"),
        "fr": fractions.Fraction(1, 3), "path": pathlib.PurePosixPath("/a/b"), "uuid": uuid.UUID(int=5),
        "re": re.compile("a.*"), "cx": 1j, "slice": slice(1, 2, 3), "range": range(5),
    }


def arrays():
    return {
        "a": np.arange(5), "s": np.float64(1.5), "o": np.array([1, "x", {"y": np.arange(3)}], dtype=object),
        "dt": np.dtype("f4"), "st": np.zeros(2, dtype=[("a", "f4")]), "u": np.array(["a"]),
        "rs": np.random.RandomState(1), "rng": np.random.default_rng(1), "ma": np.ma.array([1, 2], mask=[0, 1]),
        "b": np.bool_(True), "dm": np.datetime64("2020-01-01"), "f": np.asfortranarray(np.ones((3, 4))),
    }


def libraries():
    """What other libraries leave in pickles: frames, graphs, interpolators, searches."""
    import array
    import ipaddress

    import networkx
    import pandas as pd
    import scipy.interpolate
    import scipy.spatial
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.preprocessing import FunctionTransformer

    rng = np.random.RandomState(0)
    x, y = rng.rand(30, 4), np.arange(30) % 2
    frame = pd.DataFrame({"i": [1, 2], "s": ["x", "y"], "c": pd.Categorical(["u", "v"]), "d": pd.to_datetime(["2020-01-01", "2021-01-01"]),
                          "f": [1.5, None], "n": pd.array([1, None], dtype="Int64"), "b": pd.array([True, None], dtype="boolean"),
                          "t": pd.to_timedelta(["1d", "2d"]), "o": pd.array([1.5, None], dtype="Float64")})
    words = "can cannot could do be cat dog cow horse bird car bus cos sin cosh tan".split()
    return {
        "frame": frame, "indexed": frame.set_index(["i", "s"]), "dates": frame.set_index("d"), "series": frame["c"],
        "periods": pd.period_range("2020", "2021", freq="M"), "bins": pd.cut(pd.Series([1, 2, 3]), 2),
        "moments": (pd.Timestamp("2020"), pd.Timedelta("1d"), pd.NaT, pd.NA, pd.Period("2020-01"), pd.Interval(0, 1), pd.offsets.Day(2)),
        "graph": networkx.karate_club_graph(), "directed": networkx.MultiDiGraph([(1, 2)]),
        "spline": scipy.interpolate.CubicSpline([1, 2, 3], [1, 2, 3]), "tree": scipy.spatial.KDTree(x),
        "search": GridSearchCV(LogisticRegression(), {"C": [1, 2]}, scoring="f1", cv=StratifiedKFold(2)).fit(x, y),
        "function": FunctionTransformer(np.log1p).fit(x), "polynomial": np.polynomial.Polynomial([1, 2]), "old": np.poly1d([1, 2]),
        "array": array.array("d", [1, 2]), "address": ipaddress.ip_address("1.2.3.4"), "user": collections.UserDict(a=1),
        "words": words, "lines": "\n".join(words) * 20, "scalars": [np.float64(v) for v in rng.rand(20000)],
        "tokens": [rng.bytes(n).hex() for n in range(8, 64)] + [base64.b64encode(rng.bytes(n)).decode() for n in range(8, 200)],
    }


def estimators():
    from sklearn.utils import all_estimators
    np.random.seed(1)
    x = np.abs(np.random.RandomState(0).rand(30, 4))
    y = (x[:, 0] > 0.5).astype(int)
    for name, kind in all_estimators():
        try:
            e = kind()
            e.fit(x, y)
            pickle.dumps(e)
        except Exception:
            continue
        yield name, e


def benign(folder):
    def put(name, data):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)

    for protocol in range(6):
        put(f"plain{protocol}.pkl", pickle.dumps(plain(), protocol))
        put(f"arrays{protocol}.pkl", pickle.dumps(arrays(), protocol))
    for name, value in libraries().items():
        for protocol in (0, 2, 4, 5) if isinstance(value, (str, list)) else (2, 4, 5):
            put(f"{name}{protocol}.pkl", pickle.dumps(value, protocol))
    joblib.dump(arrays(), os.path.join(folder, "arrays.joblib"))
    for kind in ("zlib", "gzip"):
        joblib.dump(arrays(), os.path.join(folder, f"arrays-{kind}.joblib"), compress=(kind, 3))
    for i, (name, e) in enumerate(estimators()):
        if i % 3 == 0:
            joblib.dump(e, os.path.join(folder, f"{name}.joblib"))
        else:
            put(f"{name}.pkl", pickle.dumps(e, 2 + i % 4))
    np.save(os.path.join(folder, "o.npy"), np.array([{"a": 1}, "x"], dtype=object), allow_pickle=True)
    np.savez_compressed(os.path.join(folder, "z.npz"), a=np.arange(3), o=np.array([1, None], dtype=object))


def judge_benign():
    with tempfile.TemporaryDirectory() as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            benign(folder)
        names = sorted(os.listdir(folder))
        out = subprocess.run([ASSAY, "inspect", "--json", "--no-digest"] + [os.path.join(folder, n) for n in names],
                             capture_output=True, text=True).stdout
        lines = out.splitlines()
        check(len(lines) == len(names), f"{len(lines)} results for {len(names)} files")
        for name, line in zip(names, lines):
            result = json.loads(line)
            bad = [f["id"] for f in result["findings"] if f["severity"] in ("medium", "high", "critical")]
            check(not bad and result["complete"], f"{name}: {bad or 'incomplete'}")


def reference(data):
    ops = []
    try:
        for op, _, at in pickletools.genops(io.BytesIO(data)):
            ops.append(f"{at}:{op.name}")
        return ops, True
    except Exception:
        return ops, False


def mutate(rng, data):
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(data))
        kind = rng.randrange(4)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            del data[at:at + rng.randint(1, 8)]
        elif kind == 2:
            data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 4)))
        else:
            data[at:at] = data[rng.randrange(len(data)):][:rng.randint(1, 20)]
        if not data:
            data = bytearray(b".")
    return bytes(data)


# Where ours ends for another reason than framing, pickletools goes on.
FRAMING = ("there is no such opcode", "cut", "the pickle ends without STOP",
           "a string is longer than the bytes left")


def differential():
    rng = random.Random(1)
    seeds = [pickle.dumps(plain(), p) for p in range(6)] + [pickle.dumps({"a": np.arange(3)}, p) for p in range(6)]
    cases = seeds + [mutate(rng, rng.choice(seeds)) for _ in range(MUTATIONS)]
    stdin = b"".join(struct.pack("<I", len(c)) + c for c in cases)
    out = subprocess.run([os.path.join(BUILD, "conformance/pickle_trace")], input=stdin, capture_output=True).stdout
    lines = out.decode().splitlines()
    check(len(lines) == len(cases), "one line a pickle")
    wrong = 0
    for data, line in zip(cases, lines):
        head = re.match(r"(?:\d+:\w+ )*", line).group(0)
        ops, end = head.split(), line[len(head):]
        theirs, whole = reference(data)
        same = ops[:len(theirs)] == theirs
        if whole:
            same = same and (ops == theirs if end == "stop" else False)
        if not same and end not in FRAMING and ops == theirs[:len(ops)]:
            same = True
        if not same:
            wrong += 1
            if wrong < 5:
                print("DIFFERS:", data[:200], "\n ", ops[-4:], end, "\n ", theirs[-4:], whole)
    check(wrong == 0, f"{wrong} of {len(cases)} pickles are framed otherwise than by pickletools")


judge_benign()
differential()
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
