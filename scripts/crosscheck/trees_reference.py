#!/usr/bin/env python3
"""Writes models/trees/testdata/sklearn.json: trees that scikit-learn fits to
numbers, which the package must fit as well.

  python3 scripts/crosscheck/trees_reference.py > models/trees/testdata/sklearn.json

Made with scikit-learn 1.7.2. The numbers have few digits and are all distinct
within a column, so that no two splits tie but by chance; a tree in which the
order of the columns decides is left out (it is fitted with several seeds).
"""
import json
import sys

import numpy as np
from sklearn.tree import DecisionTreeClassifier

rng = np.random.default_rng(20141021)
n, columns = 250, 4
x = np.column_stack([rng.permutation(n) / 8 - 5 for _ in range(columns)])
logit = 0.25 * x[:, 0] - 0.1 * x[:, 1] * (x[:, 2] > 3) - 1
y = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int)
w = np.round(rng.random(n) * 4 + 0.25, 2)


def fit(depth, leaves, min_leaf, weighted, seed):
    tree = DecisionTreeClassifier(
        criterion="gini", max_depth=depth, max_leaf_nodes=leaves or None,
        min_samples_leaf=min_leaf, random_state=seed)
    tree.fit(x, y, sample_weight=w if weighted else None)
    return tree


trees = []
for depth, leaves, min_leaf, weighted in [
        (1, 0, 1, False), (2, 0, 1, False), (3, 0, 7, False), (4, 0, 15, False), (5, 0, 12, False),
        (8, 6, 5, False), (8, 4, 10, False), (2, 0, 20, True), (3, 0, 12, True), (4, 0, 25, True)]:
    fitted = [fit(depth, leaves, min_leaf, weighted, seed) for seed in range(20)]
    p = fitted[0].predict_proba(x)[:, 1]
    if any(np.abs(t.predict_proba(x)[:, 1] - p).max() > 1e-12 for t in fitted):
        print(f"depth {depth}, min leaf {min_leaf}: ties, left out", file=sys.stderr)
        continue
    trees.append({"depth": depth, "leaves": leaves, "minLeaf": min_leaf, "weighted": weighted,
                  "probability": p.tolist(), "rows": sorted(fitted[0].tree_.n_node_samples.tolist())})

json.dump({"x": x.tolist(), "y": y.tolist(), "w": w.tolist(), "trees": trees}, sys.stdout, separators=(",", ":"))
print()
