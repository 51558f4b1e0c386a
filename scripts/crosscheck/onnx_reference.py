"""Write models/interchange/onnx/testdata/onnxruntime.json: the probabilities
that onnxruntime gives rows.csv with each ONNX model there.

    python scripts/crosscheck/onnx_reference.py make ./ctr      # rows.csv, *.ctr
    UPDATE=1 go test ./models/interchange/onnx                  # *.onnx of *.ctr
    python scripts/crosscheck/onnx_reference.py > models/interchange/onnx/testdata/onnxruntime.json

Made with onnxruntime 1.23.2 and onnx 1.19.1. The rows are drawn here: times in
every form, numbers that are missing, values never seen and empty ones.
"""
import csv
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

TESTDATA = Path(__file__).parents[2] / "models" / "interchange" / "onnx" / "testdata"
NAMES = ["click", "hour", "site", "app", "user", "price", "age"]
SCHEMA = """name: shop
columns:
  - label: click
  - time: hour
  - category: [site, app, user]
  - number: [price, age]
"""
TREES = ["--min-leaf", "5"]
MODELS = {
    "lr": ["--algo", "lr", "--include", "hour_time,day,dayofweek,month,site,app,user,price", "--cross", "site,app", "--cross", "dayofweek,site,hour"],
    "values": ["--algo", "lr", "--numbers-as-values", "--bits", "8", "--cross", "price,site", "--cross", "hour_time,app"],
    "ftrl": ["--algo", "lr", "--solver", "ftrl", "--bits", "9"],
    "dt": ["--algo", "dt", "--depth", "4", *TREES],
    "stump": ["--algo", "dt", "--min-leaf", "1000"],
    "rf": ["--algo", "rf", "--trees", "4", "--depth", "5", *TREES],
    "gbdt": ["--algo", "gbdt", "--trees", "6", "--bits", "8", *TREES],
    "gbdt-lr": ["--algo", "gbdt-lr", "--trees", "3", *TREES],
    "fm": ["--algo", "fm", "--factors", "3"],
    "fm-hashed": ["--algo", "fm", "--factors", "2", "--bits", "8"],
    "ffm": ["--algo", "ffm", "--factors", "2", "--include", "site,app,price,hour_time"],
}
TIMES = ["14102100", "2014-10-22", "2016-02-29 23:59:59", "2014-01-01T07:00:00", "99123123", "2000-03-01 00:00:00", "1970-01-01 12:30:00"]


def row(rng, i, time):
    site, app = rng.randrange(9), rng.randrange(6)
    price = round(rng.lognormvariate(2, 1), 2)
    click = rng.random() < .08 + .1 * (site % 3) + .2 * (app == 2) + .3 * (price > 12) * (site == 4)
    return [int(click), time, f"site-{site}-of-nine", f"a{app}", f"{rng.randrange(60):x}",
            "" if rng.random() < .1 else price, "" if rng.random() < .2 else rng.randrange(18, 80)]


def rows(path, n, seed, odd):
    rng = random.Random(seed)
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(NAMES)
        for i in range(n):
            cells = row(rng, i, TIMES[i % len(TIMES)] if odd else f"1410{21 + i * 4 // n}{i * 96 // n % 24:02d}")
            if odd and i % 3 == 0:
                cells[2 + i // 3 % 3] = ["", "nie-gesehen-é", "\x1f", "007"][i // 9 % 4]
            if odd and i % 7 == 0:
                cells[5] = ["-0", "1e3", "", "+12.5", ".5"][i // 7 % 5]
            out.writerow(cells)


def make(ctr):
    TESTDATA.mkdir(exist_ok=True)
    rows(TESTDATA / "rows.csv", 63, 2, True)
    with tempfile.TemporaryDirectory() as folder:
        data, schema = Path(folder) / "shop.csv", Path(folder) / "shop.yaml"
        rows(data, 600, 1, False)
        schema.write_text(SCHEMA)
        for name, flags in MODELS.items():
            subprocess.run([ctr, "train", data, "--schema", schema, "--split", "none", "--quiet", *flags,
                            "--out", TESTDATA / f"{name}.ctr"], check=True, stdout=subprocess.DEVNULL)


def answers():
    with open(TESTDATA / "rows.csv", newline="", encoding="utf-8") as f:
        table = list(csv.DictReader(f))
    given = {}
    for path in sorted(TESTDATA.glob("*.onnx")):
        onnx.checker.check_model(str(path), full_check=True)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        feed = {}
        for want in session.get_inputs():
            texts = [r[want.name] for r in table]
            text = want.type == "tensor(string)"
            feed[want.name] = np.array(texts, dtype=object) if text else np.array([float(t) if t else np.nan for t in texts])
        p, clicks = session.run(["probability", "prediction"], feed)
        given[path.stem] = {"probability": p.tolist(), "prediction": clicks.tolist()}
    return given


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"]:
        make(Path(sys.argv[2]).resolve())
    else:
        json.dump(answers(), sys.stdout, indent=1)
        print()
