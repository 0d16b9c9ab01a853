#!/usr/bin/env python3
"""The bundled model against its record: its log verifies, its corpus is written again with the
recorded digests, the first steps of its training, computed again, give the recorded roots, and it
answers what its card says that it answers: reports/bundled/evaluation.md is compared, or with
EVALUATION=PATH written there.
"""
import json
import os
import subprocess
import sys
import tempfile

ASSAY, BUILD = os.environ["ASSAY"], os.environ["BUILD"]
BUNDLED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models", "bundled")
LOG = os.path.join(BUNDLED, "log")
EVALUATION = os.path.join(BUNDLED, "..", "..", "reports", "bundled", "evaluation.md")
passed = failed = 0


def check(ok, what):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED:", what)


def run(*arguments, **environment):
    done = subprocess.run([ASSAY, *arguments], capture_output=True, text=True,
                          env={**os.environ, **environment})
    return done.returncode, done.stdout + done.stderr


def leaves(kind):
    _, text = run("log", "query", LOG, "--kind", kind, "--format", "json")
    return [json.loads(line)["leaf"]["record"] for line in text.splitlines() if line.startswith("{")]


def root_of(path):
    _, text = run("digest", path, "--no-cache")
    return next(line.split()[2] for line in text.splitlines() if line.startswith("# tensor-root"))


def replay(folder, steps, isa):
    status, text = run("replay", LOG, "--training", "--folder", folder, "--steps", str(steps),
                       "--no-record", ASSAY_ISA=isa)
    check(status == 0 and "Reproduced to the bit" in text, f"replay of {steps} steps on {isa}: {text}")


def about_the_vale(question):
    """Of a person or village: stories that are asked for have no one answer, and greetings none."""
    return "story about" not in question and question not in ("Good morning!", "Thanks!", "Goodbye!", "What are you?")


def held_out(path):
    with open(path) as f:
        chats = [json.loads(line)["messages"] for line in f]
    turns = [[m["content"] for m in chat if m["role"] in ("user", "assistant")][:2] for chat in chats]
    return [(question, answer) for question, answer in turns if about_the_vale(question)]


def answers(folder):
    """The card: 102 of 102 held-out questions are answered word for word."""
    log = os.path.join(folder, "answers")
    run("log", "init", log, "--origin", "example.org/answers")
    asked = held_out(os.path.join(folder, "data", "valid.jsonl"))
    check(len(asked) == 102, f"102 questions are held out: {len(asked)}")
    right, table = 0, []
    for question, answer in asked:
        done = subprocess.run([ASSAY, "run", os.path.join(BUNDLED, "model"), question, "--temperature", "0",
                               "--log", log], capture_output=True, text=True)
        table.append((question, done.stdout.rstrip("\n"), "as the corpus has it" if done.stdout == answer + "\n" else answer))
        if done.returncode == 0 and done.stdout == answer + "\n":
            right += 1
        else:
            print(f"{question} {done.stdout!r} instead of {answer!r}")
    check(right == len(asked), f"{right} of {len(asked)} answers word for word")
    evaluation(right, table)


def evaluation(right, table):
    text = (f"# Orrin 0.82M: held-out questions\n\n{right} of {len(table)} answered word for word: greedy, F32 arithmetic over "
            "the committed weights.\nEach is the first question of a chat in data/valid.jsonl that asks about a person or "
            "village.\n\n| question | answer | expected |\n|---|---|---|\n")
    text += "".join(f"| {q} | {a} | {expected} |\n" for q, a, expected in table)
    if "EVALUATION" in os.environ:
        with open(os.environ["EVALUATION"], "w") as f:
            f.write(text)
    else:
        with open(EVALUATION) as f:
            check(f.read() == text, "reports/bundled/evaluation.md is not what it answers: make bundled-report")


def main():
    key = open(os.path.join(BUNDLED, "log.vkey")).read().strip()
    status, text = run("log", "verify", LOG, "--key", key)
    check(status == 0, f"log verify: {text}")
    end = [r for r in leaves("training") if r["phase"] == "end"]
    model = leaves("model")
    check(len(end) == 1 and len(model) == 2, "one end, and the model in two formats, are recorded")
    check(model[0]["tensor_root"] == root_of(os.path.join(BUNDLED, "model")), "tensor root of the model")
    check(model[1]["tensor_root"] == root_of(os.path.join(BUNDLED, "orrin-q8_0.gguf")), "tensor root of the GGUF file")
    check(model[0]["source"] == end[0]["run"], "the model's source is the run")
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "data")
        os.mkdir(data)
        subprocess.run([os.path.join(BUILD, "corpus"), data], check=True)
        with open(os.path.join(BUNDLED, "data", "README.md"), "rb") as a, \
                open(os.path.join(data, "README.md"), "rb") as b:
            check(a.read() == b.read(), "card of the data set")
        answers(folder)
        replay(folder, 20, "avx512")
        replay(folder, 20, "avx2")
        with open(os.path.join(data, "chats.jsonl"), "a") as f:
            f.write('{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}\n')
        status, text = run("replay", LOG, "--training", "--folder", folder, "--no-record")
        check(status == 4, f"other data are noticed: {status} {text}")


main()
print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
