#!/usr/bin/env python3
"""Splits Kaggle's Avazu training file as BARS's Avazu_x4 does.

    avazu_x4.py train.csv DIR       writes DIR/train.csv, valid.csv and test.csv

The split is that of split_avazu_x4.py (github.com/reczoo/BARS,
datasets/Avazu/Avazu_x4): scikit-learn 0.19.1's StratifiedKFold of ten folds,
shuffled with seed 2018; fold 0 is the test part, fold 1 the validation part,
folds 2 to 9, one after another, the training part. Later scikit-learns split
otherwise, and 0.19.1 installs on no Python of today, so its draw is made here
from its definition: for each class an array 0 … n-1 is shuffled by NumPy's
RandomState (the Mersenne twister, Fisher-Yates with masked rejection) and cut
into ten.

The MD5 sums are compared with the published ones where there are as many rows
as in Kaggle's file; --any accepts other files. Needs nothing but Python; about
five minutes and 300 MB for Kaggle's 40,428,967 rows.
"""

import argparse
import hashlib
import random
import shutil
import sys
from array import array
from pathlib import Path

FOLDS = 10
SEED = 2018
ROWS = 40_428_967
MD5 = {  # github.com/reczoo/BARS, datasets/Avazu/README.md
    "train.csv": "de3a27264cdabf66adf09df82328ccaa",
    "valid.csv": "33232931d84d6452d3f956e936cab2c9",
    "test.csv": "3ebb774a9ca74d05919b84a3d402986d",
}


def twister(seed):
    """Python's Mersenne twister in the state that RandomState(seed) begins
    with: init_genrand of Matsumoto & Nishimura's mt19937ar.c (2002). Python
    itself seeds by init_by_array."""
    state = [seed & 0xFFFFFFFF]
    for i in range(1, 624):
        state.append((1812433253 * (state[-1] ^ state[-1] >> 30) + i) & 0xFFFFFFFF)
    rng = random.Random()
    rng.setstate((3, (*state, 624), None))
    return rng


def shuffle(rng, items):
    """RandomState.shuffle: swaps each item, from the last, with one at or
    before it, whose place is drawn by masking 32 bits until it fits."""
    bits = rng.getrandbits
    for i in range(len(items) - 1, 0, -1):
        mask = (1 << i.bit_length()) - 1
        j = bits(32) & mask
        while j > i:
            j = bits(32) & mask
        items[i], items[j] = items[j], items[i]


def folds_of(clicks):
    """The fold of each row, given each row's class, 0 or 1, as bytes."""
    rng = twister(SEED)
    by_class = []
    for label in (0, 1):
        order = array("I", range(clicks.count(label)))
        if len(order) < FOLDS:
            sys.exit(f"{len(order)} rows of class {label}: want {FOLDS} or more")
        shuffle(rng, order)
        fold, start = bytearray(len(order)), 0
        for k in range(FOLDS):
            end = start + len(order) // FOLDS + (k < len(order) % FOLDS)
            for i in order[start:end]:
                fold[i] = k
            start = end
        by_class.append(fold)
    seen, out = [0, 0], bytearray(len(clicks))
    for row, label in enumerate(clicks):
        out[row] = by_class[label][seen[label]]
        seen[label] += 1
    return out


def read_clicks(path):
    """The header, and the class of each row."""
    clicks = bytearray()
    with open(path, "rb") as f:
        header = f.readline().rstrip(b"\r\n")
        if header.split(b",")[:2] != [b"id", b"click"]:
            sys.exit(f"{path}: header {header[:60]!r}: want id,click,… as Kaggle's train.csv has")
        for number, line in enumerate(f, 2):
            label = line.split(b",", 2)[1]
            if label not in (b"0", b"1"):
                sys.exit(f"{path}:{number}: click {label[:20]!r}: want 0 or 1")
            clicks.append(label == b"1")
    return header, clicks


def write_parts(path, folder, header, folds):
    """Writes the rows of each fold in their order."""
    names = ["test.csv", "valid.csv"] + [f"fold-{k}.tmp" for k in range(2, FOLDS)]
    files = [open(folder / name, "wb", buffering=1 << 20) for name in names]
    for f in files[:2]:
        f.write(header + b"\n")
    with open(path, "rb") as rows:
        rows.readline()
        for fold, line in zip(folds, rows):
            files[fold].write(line.rstrip(b"\r\n") + b"\n")
    for f in files:
        f.close()
    with open(folder / "train.csv", "wb") as out:
        out.write(header + b"\n")
        for name in names[2:]:
            with open(folder / name, "rb") as part:
                shutil.copyfileobj(part, out, 1 << 20)
            (folder / name).unlink()


def md5_of(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "md5").hexdigest()


def compare(folder, sums):
    """Prints the MD5 sums and fails where they are not those of sums."""
    wrong = 0
    for name, want in sums.items():
        got = md5_of(folder / name)
        wrong += got != want
        print(f"{got}  {folder / name}  {'as published' if got == want else 'published: ' + want}")
    if wrong:
        sys.exit(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path, help="Kaggle's train.csv, unpacked")
    parser.add_argument("folder", type=Path, help="where train.csv, valid.csv and test.csv go")
    parser.add_argument("--any", action="store_true", help="take a file that is not Kaggle's, and compare no sums")
    o = parser.parse_args()
    o.folder.mkdir(parents=True, exist_ok=True)
    if (o.folder / "train.csv").resolve() == o.rows.resolve():
        sys.exit(f"{o.rows}: would be overwritten: want another folder")
    header, clicks = read_clicks(o.rows)
    if len(clicks) != ROWS and not o.any:
        sys.exit(f"{o.rows}: {len(clicks)} rows: want the {ROWS} of Kaggle's file, or --any")
    write_parts(o.rows, o.folder, header, folds_of(clicks))
    if not o.any:
        compare(o.folder, MD5)


if __name__ == "__main__":
    main()
