"""The synthetic rows have the shape that they promise."""

import csv
import hashlib

import numpy as np
from sklearn.metrics import log_loss

ROWS = 200_000


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def run(context):
    rows, truth = context.scratch / "synth.csv", context.scratch / "synth-truth.csv"
    context.run("synth", "--rows", ROWS, "--seed", 11, "--out", rows, "--truth", truth)
    again = context.scratch / "synth-1.csv"
    context.run("synth", "--rows", ROWS, "--seed", 11, "--out", again, "--threads", 1)
    context.report.check("synth/bytes", digest(rows) == digest(again), f"{ROWS} rows at all threads and at one: {digest(rows)} {digest(again)}")

    with open(rows, newline="") as f:
        table = list(csv.DictReader(f))
    with open(truth, newline="") as f:
        records = list(csv.reader(f))
    if not records[0][1].replace(".", "", 1).replace("e-", "", 1).isdigit():
        records = records[1:]
    p = np.array([float(r[1]) for r in records])
    y = np.array([int(r["click"]) for r in table])
    best = log_loss(y, p) / log_loss(y, np.full(len(y), y.mean()))
    context.report.check("synth/truth", 0.79 <= best <= 0.83, f"log loss of the true probabilities / of the constant {best:.4f}: want 0.81 ± 0.02")
    context.report.check("synth/rate", abs(y.mean() - 0.17) < 0.01 and abs(p.mean() - y.mean()) < 0.005, f"click rate {y.mean():.4f}, true mean {p.mean():.4f}: want about 0.17 and the same")
    both = sum((r["site_id"] == "85f751fd") == (r["app_id"] == "ecad2386") for r in table)
    context.report.check("synth/site or app", both == 0, f"{both} rows have both or neither of the missing site and the missing app")
    context.report.check("synth/ids", [r["id"] for r in table] == [r[0] for r in records] and len({r["id"] for r in table}) == ROWS,
                         "ids are distinct and the truth file has the same, in the same order")
