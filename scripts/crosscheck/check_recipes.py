"""The recipes of docs/recipes split as their originals do.

NumPy's RandomState draws today what it drew for scikit-learn 0.19.1; what
StratifiedKFold made of it there is written out here anew, from its definition.
"""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np

ROWS = 20_011  # not a multiple of the folds
RECIPES = Path(__file__).resolve().parents[1] / "recipes"


def stratified_folds(clicks):
    """scikit-learn 0.19.1: StratifiedKFold(10, shuffle=True, random_state=2018)."""
    rng = np.random.RandomState(2018)
    folds = np.zeros(len(clicks), dtype=int)
    for label in (0, 1):
        members = np.flatnonzero(clicks == label)
        order = np.arange(len(members))
        rng.shuffle(order)
        for k, part in enumerate(np.array_split(order, 10)):
            folds[members[part]] = k
    return folds


def recipe(name, *args):
    return subprocess.run([sys.executable, RECIPES / name, *map(str, args)], capture_output=True, text=True, check=False)


def rows_of(path):
    with open(path, newline="") as f:
        return list(csv.reader(f))[1:]


def run(context):
    rows = context.scratch / "recipe.csv"
    context.run("synth", "--rows", ROWS, "--seed", 21, "--out", rows)
    x4(context, rows)
    x1(context)
    sample(context, rows)


def x4(context, rows):
    folder = context.scratch / "x4"
    done = recipe("avazu_x4.py", rows, folder, "--any")
    table = rows_of(rows)
    folds = stratified_folds(np.array([int(r[1]) for r in table]))
    order = [np.flatnonzero(folds == k) for k in range(10)]
    want = {"test": order[0], "valid": order[1], "train": np.concatenate(order[2:])}
    same = done.returncode == 0 and all(
        rows_of(folder / f"{part}.csv") == [table[i] for i in places] for part, places in want.items())
    sizes = " + ".join(f"{len(places)} {part}" for part, places in want.items())
    context.report.check("recipes/x4", same, f"{sizes} rows as StratifiedKFold of scikit-learn 0.19.1 has them {done.stderr}")
    refused = recipe("avazu_x4.py", rows, folder)
    context.report.check("recipes/x4 wants Kaggle's file", refused.returncode == 1 and str(ROWS) in refused.stderr, refused.stderr.strip()[-80:])


def x1(context):
    source, folder = context.scratch / "libsvm", context.scratch / "x1"
    source.mkdir(exist_ok=True)
    for part, label in (("train", 1), ("valid", 0), ("test", 1)):
        (source / f"{part}.libsvm").write_text(f"{label} " + " ".join(f"{100 + i}:1" for i in range(22)) + "\n")
    done = recipe("avazu_x1.py", source, folder, "--any")
    header = "label," + ",".join(f"feat_{i}" for i in range(1, 23))
    want = header + "\n0," + ",".join(str(100 + i) for i in range(22)) + "\n"
    got = (folder / "valid.csv").read_text() if done.returncode == 0 else done.stderr
    context.report.check("recipes/x1", got == want, f"a libsvm row becomes {got.splitlines()[-1][:40]}…")
    compared = recipe("avazu_x1.py", source, folder)
    context.report.check("recipes/x1 compares sums", compared.returncode == 1 and "published: f1114a07" in compared.stdout, compared.stdout.strip()[:60])


def sample(context, rows):
    folder = context.scratch / "sample"
    done = recipe("sample.py", rows, folder, "--train", 8000, "--stream", 3500)
    ids = [r[0] for r in rows_of(rows)]
    parts = [[r[0] for r in rows_of(folder / name)] for name in ("train.csv", "stream.csv")] if done.returncode == 0 else [[], []]
    place = {row_id: i for i, row_id in enumerate(ids)}
    ok = [len(p) for p in parts] == [8000, 3500] and not set(parts[0]) & set(parts[1])
    ok = ok and all([place[i] for i in p] == sorted(place[i] for i in p) for p in parts)
    context.report.check("recipes/sample", ok, f"{len(parts[0])} and {len(parts[1])} rows, none twice, in order {done.stderr}")
