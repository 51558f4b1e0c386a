"""The presets of the PySpark system that ctr replaces, recomputed."""

import csv
import json

import numpy as np
from sklearn.linear_model import LogisticRegression

from ctrmodel import Model, parse_time, read_rows
from onehot import encode, texts

LR_COLUMNS = [
    "site_domain", "site_id", "app_category", "app_domain", "site_category", "C16", "C21", "app_id",
    "C18", "device_type", "banner_pos", "device_model", "device_conn_type", "C17", "device_id", "C19",
]
DT_COLUMNS = ["device_id", "device_model", "hour_time", "site_id", "app_id", "day", "dayofweek", "C17"]
LAMBDA = 0.001
THRESHOLD = 0.22
CAPPED = {"C15", "C16", "C19", "C21"}


def divided(model, rows):
    """Rows of training and of test, by the boundary that the file records."""
    split = parse_time(find(json.loads(model.meta["data"]), "boundary").encode())
    times = [parse_time(r[model.column("time")]) for r in rows]
    return ([r for r, t in zip(rows, times) if t < split], [r for r, t in zip(rows, times) if t >= split])


def find(value, key):
    """The first value of key anywhere in nested dictionaries."""
    if isinstance(value, dict):
        if key in value:
            return value[key]
        for v in value.values():
            found = find(v, key)
            if found is not None:
                return found
    return None


def wanted_cap(values):
    """The 0.98 quantile, an observed value, where it is under half of the
    greatest; else None."""
    quantile = float(np.quantile(values, 0.98, method="inverted_cdf"))
    return quantile if quantile < 0.5 * max(values) else None


def check_caps(context, model, train):
    caps = {f["name"]: f.get("cap") for f in model.fields if f["name"] in CAPPED}
    want = {name: wanted_cap([float(r[name]) for r in train]) for name in caps}
    context.report.check("replaced-lr/caps", caps == want, f"{caps}: want {want}")


def run_lr(context):
    data, kind = context.rows()
    path, _ = context.train(data, "--preset", "replaced-lr", "--tol", "1e-12", "--max-iter", "2000")
    model = Model(path)
    names = [f["name"] for f in model.fields]
    context.report.check("replaced-lr/columns", names == LR_COLUMNS and float(model.meta["threshold"]) == THRESHOLD,
                         f"{len(names)} columns, threshold {model.meta['threshold']}")
    train, test = divided(model, read_rows(data))
    check_caps(context, model, train)

    (x, z), _ = encode(texts(model, train), texts(model, test))
    y = np.array([int(r["click"]) for r in train])
    # Spark penalises weights of columns divided by their sample standard
    # deviation; a constant column gets no weight.
    mean = np.asarray(x.mean(axis=0)).ravel()
    std = np.sqrt(mean * (1 - mean) * len(train) / (len(train) - 1))
    inverse = np.divide(1.0, std, out=np.zeros_like(std), where=std > 0)
    peer = LogisticRegression(C=1 / (LAMBDA * len(train)), tol=1e-10, max_iter=1_000, solver="newton-cg")
    peer.fit(x.multiply(inverse).tocsr(), y)
    want = peer.predict_proba(z.multiply(inverse).tocsr())[:, 1]

    metrics, predictions = context.predictions(path)
    with open(predictions, newline="") as f:
        got = np.array([float(r["probability"]) for r in csv.DictReader(f)])
    if got.shape != want.shape:
        context.report.check("replaced-lr", False, f"{len(got)} predictions of {len(want)} held-out rows")
        return
    context.report.below("replaced-lr", float(np.abs(got - want).max()), 1e-4,
                         f"{len(got)} held-out {kind} rows, test log loss {metrics['log_loss']:.5f}, greatest difference of a probability from scikit-learn's")


def run_dt(context):
    data, _ = context.rows()
    path, result = context.train(data, "--preset", "replaced-dt")
    model = Model(path)
    names = [f["name"] for f in model.fields]
    options = json.loads(model.meta["options"])
    depth = next((v for k, v in options.items() if k.lower() == "depth"), None)
    context.report.check("replaced-dt", names == DT_COLUMNS and model.meta["algo"] == "dt" and depth == 14
                         and float(model.meta["threshold"]) == THRESHOLD,
                         f"columns {','.join(names)}, depth {depth}, threshold {model.meta['threshold']}, test F1 {result['test']['f1']:.4f}")
