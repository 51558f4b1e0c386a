#!/usr/bin/env python3
"""Makes BARS's Avazu_x1 of the files that it is defined by.

    avazu_x1.py SOURCE DIR          writes DIR/train.csv, valid.csv and test.csv

Avazu_x1 is not made of Kaggle's file but of the split that the authors of AFN
(Cheng, Shen & Huang, AAAI 2020) published with values already replaced by
numbers; how, they do not say. SOURCE is a folder with their train.libsvm,
valid.libsvm and test.libsvm, or BARS's Avazu_x1.zip (zenodo.org/record/5700987
or huggingface.co/datasets/reczoo/Avazu_x1), which has the three CSV files.
The conversion is that of convert_avazu_x1.py (github.com/reczoo/BARS,
datasets/Avazu/Avazu_x1): `label id:1 id:1 …` becomes `label,id,id,…`.

The MD5 sums are compared with the published ones; --any accepts other files.
Needs nothing but Python.
"""

import argparse
import sys
import zipfile
from pathlib import Path

from avazu_x4 import compare

FIELDS = 22
PARTS = ("train", "valid", "test")
MD5 = {  # github.com/reczoo/BARS, datasets/Avazu/README.md
    "train.csv": "f1114a07aea9e996842c71648e0f6395",
    "valid.csv": "d9568f246357d156c4b8030fadb8b623",
    "test.csv": "9e2fe9c48705c9315ae7a0953eb57acf",
}


def convert(source, target):
    header = ["label"] + [f"feat_{i}" for i in range(1, FIELDS + 1)]
    with open(source) as rows, open(target, "w") as out:
        out.write(",".join(header) + "\n")
        for number, line in enumerate(rows, 1):
            label, *pairs = line.split()
            if len(pairs) != FIELDS:
                sys.exit(f"{source}:{number}: {len(pairs)} fields: want {FIELDS}")
            out.write(",".join([label] + [pair.split(":", 1)[0] for pair in pairs]) + "\n")


def unpack(source, folder):
    """Takes the three CSV files out of BARS's archive, wherever in it they lie."""
    with zipfile.ZipFile(source) as archive:
        for part in PARTS:
            names = [n for n in archive.namelist() if Path(n).name == f"{part}.csv"]
            if len(names) != 1:
                sys.exit(f"{source}: {len(names)} files {part}.csv: want one")
            with archive.open(names[0]) as rows, open(folder / f"{part}.csv", "wb") as out:
                while block := rows.read(1 << 20):
                    out.write(block)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a folder of .libsvm files, or Avazu_x1.zip")
    parser.add_argument("folder", type=Path, help="where train.csv, valid.csv and test.csv go")
    parser.add_argument("--any", action="store_true", help="compare no sums")
    o = parser.parse_args()
    o.folder.mkdir(parents=True, exist_ok=True)
    if zipfile.is_zipfile(o.source):
        unpack(o.source, o.folder)
    else:
        for part in PARTS:
            convert(o.source / f"{part}.libsvm", o.folder / f"{part}.csv")
    if not o.any:
        compare(o.folder, MD5)


if __name__ == "__main__":
    main()
