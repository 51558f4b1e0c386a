#!/usr/bin/env python3
"""Takes two disjoint uniform samples of a CSV file with a header.

    sample.py ROWS.csv DIR [--train 800000] [--stream 350000] [--seed 1]

writes DIR/train.csv and DIR/stream.csv, rows in the order of the file, each
with the header: as many rows as the PySpark system that ctr replaces trained
on and sent to its topic. Needs nothing but Python.
"""

import argparse
import random
import sys
from pathlib import Path

TRAIN, STREAM = 1, 2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", type=int, default=800_000, help="rows to train on")
    parser.add_argument("--stream", type=int, default=350_000, help="rows to send")
    parser.add_argument("--seed", type=int, default=1)
    o = parser.parse_args()
    if o.train < 1 or o.stream < 1:
        sys.exit("want 1 row or more for each part")
    with open(o.rows, "rb") as f:
        total = sum(1 for _ in f) - 1
    if total < o.train + o.stream:
        sys.exit(f"{o.rows}: {total} rows: want {o.train + o.stream} or more")
    o.folder.mkdir(parents=True, exist_ok=True)
    where = bytearray(total)
    for i, row in enumerate(random.Random(o.seed).sample(range(total), o.train + o.stream)):
        where[row] = TRAIN if i < o.train else STREAM
    with (
        open(o.rows, "rb") as f,
        open(o.folder / "train.csv", "wb") as train,
        open(o.folder / "stream.csv", "wb") as stream,
    ):
        header = f.readline()
        outputs = {TRAIN: train, STREAM: stream}
        for out in outputs.values():
            out.write(header)
        for part, line in zip(where, f):
            if part:
                outputs[part].write(line if line.endswith(b"\n") else line + b"\n")


if __name__ == "__main__":
    main()
