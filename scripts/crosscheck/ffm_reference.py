"""Write models/factor/testdata/reference.json: small tables, initial weights,
and what factorisation machines become of them by AdaGrad, row after row.

    python scripts/crosscheck/ffm_reference.py > models/factor/testdata/reference.json

The field-aware one is libffm's algorithm (Juan et al. 2016, algorithm 1), in
float32, with its normalisation, one thread and rows in order: written from the
paper and checked against libffm itself, which gave the same weights to 1e-6.
The other is the same with one vector a code, written as the sum over all pairs
of fields (Rendle 2010, equation 1), with linear weights.
"""
import json
import sys

import numpy as np

F = np.float32


def learn(case, v, w, passes):
    """AdaGrad over the rows; v is [slots, fields, k] or [slots, k]."""
    aware = case["algo"] == "ffm"
    eta, lam, linear = F(case["eta"]), F(case["lambda"]), F(case["linear"])
    first = np.concatenate([[0], np.cumsum(case["sizes"])])[:-1]
    n = len(case["sizes"])
    r = F(1 / n)
    gv, gw = np.ones_like(v), np.ones_like(w)
    losses = []
    for _ in range(passes):
        loss = 0.0
        for codes, y in zip(case["codes"], case["y"]):
            s = [int(first[f] + c) for f, c in enumerate(codes)]
            pairs = [(f, g) for f in range(n) for g in range(f + 1, n)]

            def at(f, g):
                return (s[f], g) if aware else (s[f],)

            t = F(0)
            for f, g in pairs:
                t += F(np.dot(v[at(f, g)], v[at(g, f)]))
            for f in range(n):
                t += linear * w[s[f]]
            sign = 1.0 if y else -1.0
            e = np.exp(-sign * float(t * r))
            loss += np.log1p(e)
            kappa = F(-sign * e / (1 + e)) * r
            grad = {}
            for f, g in pairs:
                for a, b in ((at(f, g), at(g, f)), (at(g, f), at(f, g))):
                    grad[a] = grad.get(a, 0) + kappa * v[b]
            step = {a: (lam * v[a] + d).astype(F) for a, d in grad.items()}
            for a, d in step.items():
                gv[a] += d * d
                v[a] -= eta * d / np.sqrt(gv[a])
            if linear:
                for i in s:
                    d = lam * w[i] + kappa * linear
                    gw[i] += d * d
                    w[i] -= eta * d / np.sqrt(gw[i])
        losses.append(loss / len(case["y"]))
    return losses


def make(algo, sizes, k, rows, seed, eta, lam, linear):
    rng = np.random.default_rng(seed)
    codes = np.stack([np.minimum((m * rng.random(rows) ** 2).astype(int), m - 1) for m in sizes], axis=1)
    effect = rng.normal(0, 1.5, (sizes[0], sizes[1]))
    y = (rng.random(rows) < 1 / (1 + np.exp(.5 - effect[codes[:, 0], codes[:, 1]]))).astype(int)
    shape = (sum(sizes), len(sizes), k) if algo == "ffm" else (sum(sizes), k)
    v = np.round(rng.random(shape) / np.sqrt(k), 4).astype(F)
    case = dict(algo=algo, sizes=sizes, factors=k, eta=eta, linear=linear, codes=codes.tolist(), y=y.tolist())
    case["lambda"] = lam
    case["initial"] = [float(x) for x in v.ravel()]
    w = np.zeros(sum(sizes), F)
    case["losses"] = learn(case, v, w, 3)
    case["vectors"] = [round(float(x), 7) for x in v.ravel()]
    case["weights"] = [round(float(x), 7) for x in w]
    return case


cases = [
    make("ffm", [4, 6, 3, 9], 4, 150, 1, .2, 2e-5, 0),
    make("ffm", [5, 3, 4], 4, 100, 2, .5, 1e-3, 0),
    make("ffm", [3, 4], 6, 100, 3, .2, 2e-5, 0),
    make("ffm", [3, 4, 2], 2, 100, 4, .3, 1e-4, 2),
    make("fm", [4, 6, 3, 9], 4, 150, 5, .2, 2e-5, 2),
    make("fm", [4, 6, 3], 9, 100, 6, .5, 1e-3, 2),
]
json.dump({"made_by": f"ffm_reference.py, numpy {np.__version__}", "cases": cases}, sys.stdout)
print()
