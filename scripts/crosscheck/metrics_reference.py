"""Metrics as scikit-learn defines them, for models/metrics to be held against.

    metrics_reference.py generate DIR        writes DIR/reference.csv, DIR/reference.json
    metrics_reference.py evaluate FILE.csv   prints the metrics of one set of rows

A CSV has the columns case,y,p,w,threshold (one set of rows a case). The JSON
has, by case, what scikit-learn gives; what it leaves undefined is null. It has
no normalised entropy, calibration ratio or calibration error: they are written
out here from their definitions, plainly and without regard for speed.

Made with Python 3.11, scikit-learn 1.7.2, NumPy 2.2.6; expected to give the
same to 1e-12 with any scikit-learn 1.7.
"""

import csv
import json
import math
import sys
import warnings

import numpy as np
from sklearn import metrics as skm

BINS = 10


def calibration_error(y, p, w):
    """Ten bins of equal weight; equal probabilities share the bin that holds
    the middle of their ranks."""
    total = math.fsum(w)
    gaps = [[] for _ in range(BINS)]
    before = 0.0
    for value in np.unique(p):
        rows = p == value
        weight = math.fsum(w[rows])
        b = min(int((before + weight / 2) / total * BINS), BINS - 1)
        gaps[b].extend(w[rows] * (p[rows] - y[rows]))
        before += weight
    return sum(abs(math.fsum(g)) for g in gaps) / total


def evaluate(y, p, w, threshold):
    one_class = y.min() == y.max()
    predicted = (p > threshold).astype(int)
    kw = {"sample_weight": w}
    tn, fp, fn, tp = skm.confusion_matrix(y, predicted, labels=[0, 1], **kw).ravel()
    clicked, total = math.fsum(w * y), math.fsum(w)
    rate = clicked / total
    entropy = 0.0 if one_class else -(rate * math.log(rate) + (1 - rate) * math.log1p(-rate))
    loss = skm.log_loss(y, p, labels=[0, 1], **kw)
    return {
        "rows": len(y),
        "clicks": int(y.sum()),
        "threshold": threshold,
        "accuracy": skm.accuracy_score(y, predicted, **kw),
        "precision": skm.precision_score(y, predicted, zero_division=0, **kw),
        "recall": skm.recall_score(y, predicted, zero_division=0, **kw),
        "f1": skm.f1_score(y, predicted, zero_division=0, **kw),
        "auc": None if one_class else skm.roc_auc_score(y, p, **kw),
        "pr_auc": None if clicked == 0 else skm.average_precision_score(y, p, **kw),
        "log_loss": loss,
        "normalized_entropy": None if one_class else loss / entropy,
        "brier": skm.brier_score_loss(y, p, pos_label=1, **kw),
        "calibration_ratio": None if clicked == 0 else math.fsum(w * p) / clicked,
        "ece": calibration_error(y, p, w),
        "confusion": {"tp": float(tp), "fp": float(fp), "tn": float(tn), "fn": float(fn)},
        "majority": {"accuracy": max(rate, 1 - rate), "log_loss": entropy},
    }


def cases(rng):
    """Name, y, p, w, threshold."""

    def clicks(p):
        return (rng.random(len(p)) < p).astype(int)

    def beta(n):
        return rng.beta(2, 9, n)

    p = beta(500)
    yield "smooth", clicks(p), p, np.ones(500), 0.22
    p = np.round(beta(600), 2)
    yield "ties", clicks(p), p, np.ones(600), 0.17
    p = beta(400)
    yield "weights", clicks(p), p, rng.integers(1, 50, 400) / 8, 0.2
    p = np.round(beta(300), 1)
    yield "weights and ties", clicks(p), p, rng.exponential(3, 300), 0.15
    p = rng.choice([0, 1e-300, 1e-17, 1e-9, 0.5, 1 - 1e-9, np.nextafter(1, 0), 1], 200)
    yield "extremes", rng.integers(0, 2, 200), p, np.ones(200), 0.5
    p = np.full(50, 0.25)
    yield "constant", clicks(p), p, np.ones(50), 0.25
    p = 1 - beta(100)
    yield "upside down", clicks(1 - p), p, np.ones(100), 0.5
    yield "one row", np.array([1]), np.array([0.3]), np.ones(1), 0.5
    yield "no clicks", np.zeros(40, int), beta(40), np.ones(40), 0.1
    yield "all clicks", np.ones(40, int), beta(40), np.ones(40), 0.1
    p = np.round(beta(80), 2)
    yield "zero weights", clicks(p), p, rng.integers(0, 3, 80).astype(float), 0.2


def generate(folder):
    rng = np.random.default_rng(20261123)
    results = {}
    with open(f"{folder}/reference.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["case", "y", "p", "w", "threshold"])
        for name, y, p, w, threshold in cases(rng):
            results[name] = evaluate(y, p, w, threshold)
            for row in zip(y, p, w):
                out.writerow([name, int(row[0]), repr(float(row[1])), repr(float(row[2])), threshold])
    with open(f"{folder}/reference.json", "w") as f:
        json.dump(results, f, indent=1)
        f.write("\n")


def read(path):
    with open(path, newline="") as f:
        rows = list(csv.DictReader(f))
    y = np.array([int(r["y"]) for r in rows])
    p = np.array([float(r["p"]) for r in rows])
    w = np.array([float(r["w"]) for r in rows])
    return y, p, w, float(rows[0]["threshold"])


def main():
    warnings.simplefilter("ignore")
    match sys.argv[1:]:
        case ["generate", folder]:
            generate(folder)
        case ["evaluate", path]:
            json.dump(evaluate(*read(path)), sys.stdout)
        case _:
            sys.exit(__doc__)


main()
