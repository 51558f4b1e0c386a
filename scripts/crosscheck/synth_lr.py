#!/usr/bin/env python3
"""What scikit-learn's logistic regression makes of synthetic rows.

Usage: synth_lr.py ROWS.csv TRUTH.csv [TEST_FRACTION]

Fits one-hot (hashed to 2**22) logistic regression on the first part of the
rows and judges it on the last, without and with the planted pairs as crosses,
and prints how much of the way from a constant guess to the true probabilities
each goes. Needs numpy, scipy, pandas and scikit-learn.
"""
import sys
import time

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.linear_model import LogisticRegression

# Keep in step with pairs in pipeline/synth/effect.go.
PAIRS = [
    ("banner_pos", "device_model"),
    ("site_category", "C14"),
    ("C20", "C21"),
    ("app_id", "C18"),
    ("device_model", "C19"),
    ("app_domain", "C20"),
]
BITS = 22
PENALTY_C = 0.1  # the variance of a weight's prior


def log_loss(y, p):
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def design(columns):
    """One-hot rows of hashed columns, a column's name being part of its hash."""
    n = len(next(iter(columns.values())))
    codes = []
    for name, values in columns.items():
        h = pd.util.hash_array((name + "=" + values).to_numpy(dtype=object))
        codes.append((h & ((1 << BITS) - 1)).astype(np.int32))
    k = len(codes)
    indices = np.stack(codes, axis=1).ravel()
    return sparse.csr_matrix(
        (np.ones(n * k), indices, np.arange(0, n * k + 1, k)), shape=(n, 1 << BITS)
    )


def main():
    rows = pd.read_csv(sys.argv[1], dtype=str)
    truth = pd.read_csv(sys.argv[2], dtype={"id": str})
    assert (rows["id"] == truth["id"]).all()
    fraction = float(sys.argv[3]) if len(sys.argv) > 3 else 0.2
    y = rows["click"].astype(int).to_numpy()
    cut = int(len(rows) * (1 - fraction))
    plain = {c: rows[c] for c in rows.columns if c not in ("id", "click", "hour")}
    plain["hour_of_day"] = rows["hour"].str[-2:]
    crossed = dict(plain)
    for a, b in PAIRS:
        crossed[a + "*" + b] = rows[a] + "\x1f" + rows[b]
    constant = log_loss(y[cut:], np.full(len(y) - cut, y[:cut].mean()))
    best = log_loss(y[cut:], truth["probability"].to_numpy()[cut:])
    print(f"rows {cut} + {len(y) - cut}  constant {constant:.5f}  best {best:.5f}  ratio {best / constant:.4f}")
    for name, columns in (("single columns", plain), ("and the pairs", crossed)):
        start = time.time()
        x = design(columns)
        model = LogisticRegression(C=PENALTY_C, max_iter=120, tol=1e-5)
        model.fit(x[:cut], y[:cut])
        loss = log_loss(y[cut:], model.predict_proba(x[cut:])[:, 1])
        share = (constant - loss) / (constant - best)
        print(f"{name:15s} log loss {loss:.5f}  share of the gain {share:.3f}  {time.time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
