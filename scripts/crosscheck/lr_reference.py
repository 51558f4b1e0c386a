"""Write models/linear/testdata/lr_reference.json: a small table and the
coefficients that scikit-learn finds for it under several penalties.

    python scripts/crosscheck/lr_reference.py > models/linear/testdata/lr_reference.json

The table has every kind of field that the Go package knows: dictionary codes
(one field with a heavy tail, one that is constant), a number with missing
values, and two hashed fields that share 16 weights and collide in some rows.
The design matrix has one column a weight, in the order of Spec.Offsets.
"""
import json
import sys
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

warnings.filterwarnings("error")
rng = np.random.default_rng(7)
ROWS, BITS = 500, 4

small = rng.integers(0, 6, ROWS)
tail = np.minimum((30 * rng.random(ROWS) ** 3).astype(int), 29)
constant = np.ones(ROWS, int)
value = np.where(rng.random(ROWS) < 0.2, np.nan, np.round(rng.normal(5, 2, ROWS), 3))
hash1, hash2 = rng.integers(0, 1 << BITS, (2, ROWS))
weights = np.round(rng.uniform(0.2, 3, ROWS), 3)

mean, scale = np.nanmean(value), np.nanstd(value)


def onehot(codes, size):
    return np.eye(size)[codes]


number = np.zeros((ROWS, 4))  # missing, value, two bins that have no weight
number[:, 0] = np.isnan(value)
number[:, 1] = np.where(np.isnan(value), 0, (value - mean) / scale)
X = np.hstack([
    onehot(small, 6), onehot(tail, 30), onehot(constant, 3), number,
    onehot(hash1, 1 << BITS) + onehot(hash2, 1 << BITS),
])
truth = rng.normal(0, 0.8, X.shape[1])
y = (rng.random(ROWS) < 1 / (1 + np.exp(1.5 - X @ truth))).astype(int)


def fit(X, l2=None, l1=None, w=None):
    """Minimise the sum of losses + l2/2 |b|^2, or + l1 |b|_1."""
    if l1 is None:
        m = LogisticRegression(C=1 / l2, solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(X, y, w)
        other = LogisticRegression(C=1 / l2, solver="lbfgs", tol=1e-10, max_iter=100000).fit(X, y, w)
        # lbfgs stops where the objective stops falling: it is off by 1e-4 where
        # the penalty is weakest, newton-cholesky by 1e-9.
        assert abs(m.coef_ - other.coef_).max() < 5e-4
    else:
        m = LogisticRegression(C=1 / l1, penalty="l1", solver="saga", tol=1e-12, max_iter=1000000).fit(X, y, w)
    return m.coef_[0], m.intercept_[0]


def deviations(X, w):
    """Spark's: sample variance with weights, n-1 where all are 1."""
    mu = w @ X / w.sum()
    return np.sqrt(w @ (X - mu) ** 2 / (w.sum() - (w ** 2).sum() / w.sum()))


def standardized(l2=None, l1=None, w=None):
    u = deviations(X, np.ones(ROWS) if w is None else w)
    u[u < 1e-9] = 0
    b, b0 = fit(np.divide(X, u, out=np.zeros_like(X), where=u > 0), l2, l1, w)
    return np.divide(b, u, out=np.zeros_like(b), where=u > 0), b0


cases = []


def case(name, found, **options):
    coef, intercept = found
    cases.append(dict(name=name, **options, coef=coef.tolist(), intercept=intercept))


case("l2 10", fit(X, 10), l2=10)
case("l2 1", fit(X, 1), l2=1)
case("l2 0.01", fit(X, 0.01), l2=0.01)
case("mean loss, l2 0.02", fit(X, 0.02 * ROWS), l2=0.02, mean_loss=True)
case("weighted, l2 1", fit(X, 1, w=weights), l2=1, weighted=True)
case("weighted mean loss, l2 0.02", fit(X, 0.02 * weights.sum(), w=weights), l2=0.02, weighted=True, mean_loss=True)
case("standardized, l2 3", standardized(3), l2=3, standardize=True)
case("standardized mean loss, l2 0.1", standardized(0.1 * ROWS), l2=0.1, standardize=True, mean_loss=True)
case("standardized, weighted, l2 3", standardized(3, w=weights), l2=3, standardize=True, weighted=True)
case("l1 2", fit(X, l1=2), l1=2)
case("weighted, l1 2", fit(X, l1=2, w=weights), l1=2, weighted=True)
case("standardized, l1 1", standardized(l1=1), l1=1, standardize=True)

json.dump(dict(
    made_by=f"scripts/crosscheck/lr_reference.py, scikit-learn {sklearn.__version__}",
    small=small.tolist(), tail=tail.tolist(), constant=constant.tolist(),
    value=[None if np.isnan(v) else v for v in value], mean=mean, scale=scale,
    bits=BITS, hash1=hash1.tolist(), hash2=hash2.tolist(),
    y=y.tolist(), weights=weights.tolist(), cases=cases,
), sys.stdout)
print()
