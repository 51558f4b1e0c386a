"""ctr's logistic regression has scikit-learn's coefficients."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from ctrmodel import Model, read_rows
from onehot import encode, our_weights, texts

TOLERANCE = 1e-4


def objective(bias, w, x, y, l2):
    """Σ log(1 + exp(-s·z)) + ½ l2 ‖w‖², s = ±1: what both minimise."""
    z = x @ w + bias
    return float(np.logaddexp(0, np.where(y == 1, -z, z)).sum() + 0.5 * l2 * (w @ w))


def run(context):
    data, kind = context.rows()
    rows = read_rows(data)
    y = np.array([int(r["click"]) for r in rows])
    for l2 in (10, 1):
        flags = ["--algo", "lr", "--l2", l2, "--min-count", "1", "--split", "none"]
        path, _ = context.train(data, *flags, "--tol", "1e-12", "--max-iter", "1000")
        model = Model(path)
        (x,), columns = encode(texts(model, rows))
        peer = LogisticRegression(C=1 / l2, tol=1e-10, max_iter=20_000).fit(x, y)
        theirs, w = peer.coef_[0], our_weights(model, columns)
        bias = float(model.tensors["bias"].reshape(-1)[0])
        gap = max(float(np.abs(w - theirs).max()), abs(bias - float(peer.intercept_[0])))
        context.report.below(f"lr-weights/l2={l2}", gap, TOLERANCE,
                             f"{len(rows)} {kind} rows, {len(columns)} columns, greatest difference of a coefficient")
        default, _ = context.train(data, *flags)
        model = Model(default)
        ours = objective(float(model.tensors["bias"].reshape(-1)[0]), our_weights(model, columns), x, y, l2)
        best = objective(float(peer.intercept_[0]), theirs, x, y, l2)
        context.report.below(f"lr-weights/l2={l2}, default tolerance", ours / best - 1, 1e-4,
                             f"objective {ours:.4f}, scikit-learn's {best:.4f}: relative excess")
