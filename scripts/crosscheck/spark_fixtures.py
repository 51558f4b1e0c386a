"""Makes the fixtures in models/interchange/spark/testdata anew: models of
PySpark 3.5.8, fitted to rows of `ctr synth`, and what they give for others.

    spark_fixtures.py --ctr ./ctr --python $(scripts/lib/peers.sh scripts/crosscheck/requirements/spark-3.5.txt) --out DIR
"""

import argparse
import csv
import gzip
import io
import random
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
LEFT_OUT = ("estimator", "evaluator", "_SUCCESS")


def table(path):
    with open(path, newline="") as text:
        return list(csv.DictReader(text))


def write(path, rows):
    with open(path, "w", newline="") as text:
        out = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        out.writeheader()
        out.writerows(rows)


def spoiled(rows, seed=1):
    """Rows with values that no model has seen, that are empty, or written another way."""
    draw = random.Random(seed)
    out = []
    for i, row in enumerate(map(dict, rows)):
        if i % 4 == 1:
            row[draw.choice(["site_id", "app_category", "device_model", "C18", "C16"])] = ""
        if i % 4 == 2:
            row[draw.choice(["site_id", "site_category", "app_id"])] = "unseen00"
        if i % 4 == 3:
            for column in ("C21", "C18", "banner_pos"):
                row[column] = "00" + row[column]
            if i % 8 == 3:
                row["C18"] = "+" + row["C18"]
        if i % 16 == 4:
            row["C21"] = "99999"
        out.append(row)
    return out


def pack(folder, to):
    """A tar.gz without what no reader needs, and without times."""
    def plain(entry):
        name = Path(entry.name).name
        if name in LEFT_OUT or name.startswith("."):
            return None
        entry.mtime = entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.add(folder, arcname=folder.name, filter=plain)
    with open(to, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(body.getvalue())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ctr", required=True)
    parser.add_argument("--python", required=True, help="one that has PySpark")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        subprocess.run([args.ctr, "synth", "--rows", "1500", "--seed", "3", "--out", scratch / "all.csv", "--quiet"], check=True)
        rows = table(scratch / "all.csv")
        write(scratch / "train.csv", rows[:1000])
        write(scratch / "rows.csv", spoiled(rows[1000:1300]))
        subprocess.run([args.python, HERE / "spark_models.py", "--train", scratch / "train.csv",
                        "--score", scratch / "rows.csv", "--out", scratch / "models"], check=True)
        shutil.copy(scratch / "rows.csv", args.out)
        for scores in sorted((scratch / "models").glob("*.csv")):
            shutil.copy(scores, args.out)
            pack(scratch / "models" / scores.stem, args.out / f"{scores.stem}.tar.gz")


if __name__ == "__main__":
    main()
