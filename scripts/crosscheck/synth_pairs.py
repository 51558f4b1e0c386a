#!/usr/bin/env python3
"""Whether the planted pairs of synthetic rows can be found.

Usage: synth_pairs.py ROWS.csv

Fits a logistic regression of single columns, then repeats: for each of the 231
pairs of columns, fit one shrunken Newton step a cell on the training rows
and measure its log loss on the test rows; keep the best pair. Six rounds. A
plain search, to show that the pairs stand out. Needs numpy, scipy, pandas and
scikit-learn.
"""
import itertools
import sys

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from synth_lr import PAIRS

CELL_RIDGE = 10.0  # one over the variance of a cell's effect


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def log_loss(y, z):
    return np.mean(np.logaddexp(0, z) - y * z)


def main():
    rows = pd.read_csv(sys.argv[1], dtype=str)
    y = rows["click"].astype(float).to_numpy()
    names = [c for c in rows.columns if c not in ("id", "click")]
    codes = {c: pd.factorize(rows[c])[0].astype(np.int64) for c in names}
    test = np.random.default_rng(1).random(len(y)) < 0.25
    train = ~test
    single = [c for c in names if c != "device_ip"]
    offsets = np.cumsum([0] + [codes[c].max() + 1 for c in single])
    x = sparse.csr_matrix(
        (
            np.ones(len(y) * len(single)),
            np.stack([codes[c] + o for c, o in zip(single, offsets)], axis=1).ravel(),
            np.arange(0, len(y) * len(single) + 1, len(single)),
        ),
        shape=(len(y), offsets[-1]),
    )
    model = LogisticRegression(C=0.1, max_iter=60, tol=1e-5).fit(x[train], y[train])
    z = model.decision_function(x)
    print(f"single columns: test log loss {log_loss(y[test], z[test]):.5f}", flush=True)

    def gain_of(a, b):
        key = codes[a] * (codes[b].max() + 1) + codes[b]
        if key.max() > 50_000_000:
            _, key = np.unique(key, return_inverse=True)
        p = sigmoid(z)
        n = key.max() + 1
        step = np.zeros(n)
        for _ in range(2):
            q = sigmoid(z + step[key])
            g = np.bincount(key[train], (y - q)[train], n) - CELL_RIDGE * step
            h = np.bincount(key[train], (q * (1 - q))[train], n) + CELL_RIDGE
            step += g / h
        moved = z + step[key]
        return log_loss(y[test], z[test]) - log_loss(y[test], moved[test]), moved

    planted = {frozenset(p) for p in PAIRS}
    found = 0
    candidates = None
    for _ in range(6):
        scores = []
        for a, b in candidates or itertools.combinations(names, 2):
            if "device_ip" in (a, b) or "device_id" in (a, b):
                continue
            scores.append((gain_of(a, b)[0], a, b))
        scores.sort(reverse=True)
        candidates = [(a, b) for _, a, b in scores[:40]]  # later rounds look at the best of the first
        gain, a, b = scores[0]
        hit = frozenset((a, b)) in planted
        found += hit
        runner = ", ".join(f"{g:.5f} {c}*{d}" for g, c, d in scores[1:4])
        print(f"{'planted' if hit else 'other  '} {gain:.5f} {a}*{b}   next: {runner}", flush=True)
        z = gain_of(a, b)[1]
    print(f"{found} of 6 planted pairs found; test log loss {log_loss(y[test], z[test]):.5f}")


if __name__ == "__main__":
    main()
