#!/usr/bin/env python3
"""A real instruction-tuned model (SMOLLM2, in Q4_1) answers questions sensibly, on record and again."""
import os
import subprocess
import sys
import tempfile

ASSAY = os.environ.get("ASSAY", "build/release/assay")
QUESTIONS = [("How many days are in a week?", "7"), ("What color is the sky on a clear day?", "blue")]


def run(*arguments):
    done = subprocess.run([ASSAY, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def main():
    model = os.environ.get("SMOLLM2", "")
    if not os.path.exists(model):
        print("0 passed, 0 failed, 1 skipped")
        return 0
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        log = folder + "/log"
        run("log", "init", log, "--origin", "example.org/smollm2")
        for question, word in QUESTIONS:
            status, answer = run("run", model, question, "--temperature", "0", "--max-tokens", "24", "--log", log)
            ok = status == 0 and word in answer
            passed += ok
            failed += not ok
            if not ok:
                print("FAILED: %s: status %d, %r" % (question, status, answer))
        status, said = run("replay", log, "--model", model)
        ok = status == 0 and said.count("reproduced") == len(QUESTIONS)
        passed += ok
        failed += not ok
        if not ok:
            print("FAILED: replay: status %d, %r" % (status, said))
    print("%d passed, %d failed" % (passed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
