#!/usr/bin/env python3
"""Writes models/trees/testdata/lightgbm.json: trees that LightGBM boosts, which
the package must boost as well.

  python3 scripts/crosscheck/gbdt_reference.py > models/trees/testdata/lightgbm.json

Made with LightGBM 4.7.0. Half of the labels are 1 and weights are quarters, so
that the gradients of the first tree are whole multiples of a power of two:
there ctr's rounding of gradients changes nothing, and the first trees must be
equal. Later ones differ by that rounding. Each value of a column has a bin of
its own in either tool; LightGBM's own guards against rare categories are off,
and so are ctr's. (A cat_smooth of 0 would make it sort categories without rows
by 0/0: hence 1e-9. LightGBM rounds each bin's weight to whole rows: hence
weights near 1. And it never again looks at a column of which a node has no
split that gains, which with lambda_l2 happens in deep trees: hence larger ones
without it.)
"""
import json
import sys

import lightgbm as lgb
import numpy as np

rng = np.random.default_rng(20141021)
n = 400
numbers = np.column_stack([rng.permutation(n) / 8 - 20 for _ in range(3)])
numbers[rng.random(n) < 0.15, 2] = np.nan
code = np.minimum(rng.geometric(0.12, n), 15)
effect = rng.normal(size=16)
missing = np.isnan(numbers[:, 2])
logit = 0.06 * numbers[:, 0] - 0.05 * numbers[:, 1] * (numbers[:, 0] > 3) + effect[code] + 0.8 * missing
noisy = logit + rng.logistic(size=n)
y = np.zeros(n, dtype=int)
y[np.argsort(noisy)[n // 2:]] = 1
w = rng.choice([0.75, 1, 1.25], n)
# The weights of both labels must add up to the same: the first score is 0.
while (d := w[y == 1].sum() - w[y == 0].sum()) != 0:
    w[rng.choice(np.flatnonzero((y == (d < 0)) & (w < 1.25)))] += 0.25
x = np.column_stack([numbers, code])


def fit(trees, leaves, depth, min_leaf, l2, rate, weighted, categories):
    data = lgb.Dataset(x if categories else x[:, :3], y, weight=w if weighted else None,
                       categorical_feature=[3] if categories else [],
                       params={"max_bin": 1000, "min_data_in_bin": 1, "feature_pre_filter": False, "verbose": -1})
    params = {
        "objective": "binary", "num_leaves": leaves, "max_depth": depth, "min_data_in_leaf": min_leaf,
        "lambda_l2": l2, "learning_rate": rate, "min_sum_hessian_in_leaf": 1e-3, "num_threads": 1,
        "max_cat_to_onehot": 1, "cat_smooth": 1e-9, "cat_l2": 0, "max_cat_threshold": 1000,
        "min_data_per_group": 1, "deterministic": True, "verbose": -1,
    }
    return lgb.train(params, data, trees).predict(x if categories else x[:, :3])


cases = []
for case in [
        (1, 2, -1, 1, 0.0, 0.5, False, False), (1, 8, -1, 1, 0.0, 0.5, False, False),
        (1, 31, -1, 5, 1.5, 0.1, False, False), (1, 16, 3, 10, 0.25, 1.0, False, False),
        (1, 31, -1, 1, 0.0, 0.3, True, False), (1, 2, -1, 1, 0.0, 0.5, False, True),
        (1, 4, -1, 5, 2.0, 0.1, False, True), (1, 8, -1, 5, 0.0, 0.1, False, True),
        (1, 12, -1, 5, 0.0, 0.1, False, True), (1, 8, -1, 1, 0.0, 0.5, True, True),
        (10, 4, -1, 5, 1.0, 0.1, False, True), (10, 15, -1, 5, 1.0, 0.1, False, False)]:
    trees, leaves, depth, min_leaf, l2, rate, weighted, categories = case
    cases.append({"trees": trees, "leaves": leaves, "depth": max(depth, 0), "minLeaf": min_leaf, "l2": l2,
                  "rate": rate, "weighted": weighted, "categories": categories,
                  "probability": fit(*case).tolist()})

json.dump({"numbers": [[None if np.isnan(v) else v for v in row] for row in numbers.tolist()],
           "codes": code.tolist(), "y": y.tolist(), "w": w.tolist(), "cases": cases},
          sys.stdout, separators=(",", ":"))
print()
