"""ctr's logistic regression has scikit-learn's coefficients."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from ctrmodel import Model, read_rows
from onehot import encode, our_weights, texts

TOLERANCE = 1e-4
L2 = 10
FLAGS = ["--algo", "lr", "--min-count", "1", "--split", "none"]
TIGHT = ["--tol", "1e-12", "--max-iter", "1000"]


def objective(bias, w, x, y, l2):
    """Σ log(1 + exp(-s·z)) + ½ l2 ‖w‖², s = ±1: what both minimise. Gives it
    and the greatest element of its gradient."""
    z = x @ w + bias
    value = float(np.logaddexp(0, np.where(y == 1, -z, z)).sum() + 0.5 * l2 * (w @ w))
    residual = 1 / (1 + np.exp(-z)) - y
    gradient = np.append(x.T @ residual + l2 * w, residual.sum())
    return value, float(np.abs(gradient).max())


def run(context):
    data, kind = context.rows()
    rows = read_rows(data)
    y = np.array([int(r["click"]) for r in rows])
    path, _ = context.train(data, *FLAGS, "--l2", L2, *TIGHT)
    model = Model(path)
    (x,), columns = encode(texts(model, rows))

    # Of scikit-learn's solvers, the one that gets nearest to the minimum.
    peer = LogisticRegression(C=1 / L2, tol=1e-10, max_iter=1_000, solver="newton-cg").fit(x, y)
    theirs, intercept = peer.coef_[0], float(peer.intercept_[0])
    gap = max(float(np.abs(our_weights(model, columns) - theirs).max()), abs(model.bias - intercept))
    context.report.below("lr-weights", gap, TOLERANCE,
                         f"{len(rows)} {kind} rows, {len(columns)} columns, greatest difference of a coefficient")

    default = Model(context.train(data, *FLAGS, "--l2", L2)[0])
    ours, _ = objective(default.bias, our_weights(default, columns), x, y, L2)
    best, _ = objective(intercept, theirs, x, y, L2)
    context.report.below("lr-weights/default tolerance", ours / best - 1, 1e-5,
                         f"objective {ours:.4f}, scikit-learn's {best:.4f}: relative excess")

    # Where the penalty is weak, flat directions of the objective leave the
    # coefficients of both to rounding; the gradient tells how near the minimum is.
    weak = Model(context.train(data, *FLAGS, "--l2", 0.1, *TIGHT)[0])
    _, gradient = objective(weak.bias, our_weights(weak, columns), x, y, 0.1)
    context.report.below("lr-weights/weak penalty", gradient, 1e-3, "l2 0.1, greatest element of the gradient")
