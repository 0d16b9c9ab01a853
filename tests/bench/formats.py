"""formats.py ASSAY PICKLESCAN FOLDER: figures of reading pickles, checkpoints and folders."""
import os
import pickle
import struct
import subprocess
import sys
import time
import zipfile

assay, picklescan, folder = sys.argv[1:4]
ROUNDS = 5


def run(*command):
    """Least wall time of a few runs, and the peak of resident memory in MiB."""
    best, peak = 1e9, 0
    for _ in range(ROUNDS if command[0] == assay else 1):
        start = time.monotonic()
        p = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, _, usage = os.wait4(p.pid, 0)
        p.returncode = 0
        best = min(best, time.monotonic() - start)
        peak = max(peak, usage.ru_maxrss / 1024)
    return best, peak


def line(name, figure, reference, ratio, target, ok):
    print(f"{name}, {figure}, {reference}, {ratio}, {target}, {'ok' if ok else 'missed'}")


# In a process of its own: what a parent holds counts as its child's peak.
DENSE = """import pickle, sys
rows = [{"id": i, "v": [i * 0.5, str(i), (i, i + 1, None, True)], "n": {"a": i % 7}} for i in range(248000)]
pickle.dump(rows, open(sys.argv[1], "wb"), 4)"""


def dense():
    path = os.path.join(folder, "dense.pkl")
    subprocess.run([sys.executable, "-c", DENSE, path], check=True)
    seconds, peak = run(assay, "inspect", "--no-cache", path)
    theirs, their_peak = run(picklescan, "-p", path) if os.path.exists(picklescan) else (0, 0)
    size = os.path.getsize(path) / 1e6
    line(f"pickle of {size:.1f} MB", f"{seconds:.3f} s", f"picklescan {theirs:.1f} s", f"{theirs / seconds:.0f}x",
         "below 0.4 s and 20 times faster", seconds < 0.4 and theirs / seconds >= 20)
    line("its memory", f"{peak:.1f} MiB", f"picklescan {their_peak:.0f} MiB", f"{their_peak / peak:.0f}x",
         "below 32 MiB", peak < 32)


def checkpoint():
    """A gibibyte in 64 storages, with the pickle that torch.save would write."""
    path, blob, n = os.path.join(folder, "large.pt"), os.urandom(1 << 20) * 16, 64

    def text(s):
        return b"X" + struct.pack("<I", len(s)) + s.encode()

    def tensor(i):
        count = len(blob) // 4
        return (text(f"layer.{i}.weight") + b"ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") +
                b"ctorch\nFloatStorage\n" + text(str(i)) + text("cpu") + b"J" + struct.pack("<i", count) +
                b"tQK\x00J" + struct.pack("<i", count) + b"\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR")

    with zipfile.ZipFile(path, "w") as z:
        z.writestr("archive/data.pkl", b"\x80\x02}(" + b"".join(map(tensor, range(n))) + b"u.")
        for i in range(n):
            z.writestr(f"archive/data/{i}", blob)
        z.writestr("archive/version", "3\n")
    raw = os.path.join(folder, "large.bin")
    os.rename(path, raw + ".pt")
    whole, _ = run(assay, "digest", "--no-cache", raw + ".pt")
    judged, peak = run(assay, "inspect", "--no-digest", raw + ".pt")
    with open(raw, "wb") as f:
        f.write(b"\0" * 64)
        for _ in range(n):
            f.write(blob)
    digest, _ = run("openssl", "dgst", "-sha256", raw)
    line("checkpoint of 1 GiB, judged and hashed", f"{whole:.2f} s", f"openssl sha256 {digest:.2f} s",
         f"{whole / digest:.2f}x", "at the speed of its digest (both of file and tensors)", whole < 1.6 * digest)
    line("  judged alone", f"{judged:.3f} s", "", "", "below 0.1 s", judged < 0.1)


def small_files():
    path = os.path.join(folder, "many")
    os.mkdir(path)
    for i in range(2000):
        with open(os.path.join(path, f"{i:04}.{('pkl', 'txt', 'py', 'json')[i % 4]}"), "wb") as f:
            f.write((pickle.dumps({"a": i}), b"some text\n", b"import math\n", b"{}\n")[i % 4])
    seconds, _ = run(assay, "inspect", "--no-cache", path)
    line("folder of 2,000 small files", f"{seconds:.2f} s", "", "", "below 2 s", seconds < 2)


dense()
checkpoint()
small_files()
