#!/usr/bin/env python3
"""Writes models/linear/testdata/ftrl_reference.json: what Vowpal Wabbit's
FTRL-Proximal predicts for each row before it learns from it, which
--solver ftrl must predict as well.

  pip install vowpalwabbit==9.11.2
  python3 scripts/crosscheck/ftrl_reference.py > models/linear/testdata/ftrl_reference.json

Made with Vowpal Wabbit 9.11.2. It penalises the intercept like any other
weight and ctr does not, so that the cases have no penalty.
"""
import json
import random
import sys

import vowpalwabbit

rng = random.Random(20141021)
ROWS, SIZES = 600, [3, 12, 40, 150]
codes = [[int(size * rng.random() ** 2) for size in SIZES] for _ in range(ROWS)]
effect = [[rng.gauss(0, 0.7) for _ in range(size)] for size in SIZES]
y = []
for row in codes:
    m = -1.2 + sum(effect[f][c] for f, c in enumerate(row))
    y.append(int(rng.random() < 1 / (1 + 2.718281828459045 ** -m)))
w = [round(rng.choice([0.5, 1, 1, 2.25]), 2) for _ in range(ROWS)]

cases = []
for alpha, beta, weighted in [(0.1, 1, False), (0.5, 0.25, False), (0.02, 2, False), (0.1, 1, True)]:
    vw = vowpalwabbit.Workspace(
        f"--ftrl --ftrl_alpha {alpha} --ftrl_beta {beta} --l1 0 --l2 0 "
        "--loss_function logistic --link logistic -b 20 --quiet")
    p = []
    for row, label, weight in zip(codes, y, w):
        features = " ".join(f"f{f}_{c}" for f, c in enumerate(row))
        p.append(vw.predict(f"| {features}"))
        vw.learn(f"{2 * label - 1} {weight if weighted else 1} | {features}")
    vw.finish()
    cases.append({"alpha": alpha, "beta": beta, "weighted": weighted, "p": [round(v, 7) for v in p]})

json.dump({"made_by": "Vowpal Wabbit 9.11.2", "sizes": SIZES, "codes": codes, "y": y, "w": w, "cases": cases},
          sys.stdout, separators=(",", ":"))
print()
