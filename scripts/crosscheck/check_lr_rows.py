"""Every probability of a logistic regression, recomputed from the tensors of
model.ctr and the raw rows with NumPy alone."""

import csv
from pathlib import Path

import numpy as np

from ctrmodel import Model, read_rows
from murmur import murmur3

TOLERANCE = 1e-12


def murmur_vectors(context):
    """Our second murmur3 gives what onnxruntime's did."""
    path = Path(__file__).parents[2] / "features" / "testdata" / "murmur3.csv"
    with open(path, newline="") as f:
        vectors = [(int(seed), bytes.fromhex(value), int(want)) for seed, value, want in csv.reader(f)]
    wrong = sum(murmur3(value, seed) != want for seed, value, want in vectors)
    context.report.check("murmur3", wrong == 0 and len(vectors) > 0, f"{wrong} of {len(vectors)} vectors differ")


def probabilities(model, rows):
    """1 / (1 + exp(-(bias + Σ weight of each field's code)))."""
    codes, values = model.encode(rows)
    weights = model.weights
    starts, total = model.offsets()
    if weights.shape != (total,):
        raise ValueError(f"weights: shape {weights.shape}: want ({total},)")
    z = np.full(len(rows), model.bias)
    for i, field in enumerate(model.fields):
        w = weights[starts[i]:starts[i] + model.size(i)]
        if field["type"] == "num" and field.get("values"):
            # Two weights: of a missing value, and of the standardised one.
            scaled = (values[:, i] - field.get("mean", 0.0)) / (field.get("scale") or 1.0)
            z += np.where(np.isnan(values[:, i]), w[0], w[1] * scaled)
        else:
            z += w[codes[:, i]]
    return 1 / (1 + np.exp(-z))


def compare(context, name, train, flags, judged):
    """Trains on one file and compares all probabilities of another."""
    path, _ = context.train(train, "--algo", "lr", *flags)
    model = Model(path)
    rows = read_rows(judged, model.spec["schema"].get("layouts") or [])
    _, predictions = context.predictions(path, judged)
    with open(predictions, newline="") as f:
        ours = list(csv.DictReader(f))
    if len(ours) != len(rows):
        context.report.check(name, False, f"{len(ours)} predictions of {len(rows)} rows")
        return
    got = np.array([float(r["probability"]) for r in ours])
    want = probabilities(model, rows)
    label, identity = model.column("label"), model.column("id")
    same = all(r["y"] == raw[label].decode() and (identity is None or r["id"] == raw[identity].decode())
               for r, raw in zip(ours, rows))
    context.report.below(name, float(np.abs(got - want).max()), TOLERANCE,
                         f"{len(rows)} rows of {Path(judged).name}, {len(np.unique(got))} distinct probabilities, greatest difference")
    context.report.check(name + "/order", same, "id and y are those of the input, row by row")


def run(context):
    data, kind = context.rows()
    cases = [
        ("default", []),
        ("bits", ["--bits", "18"]),
        ("bits and crosses", ["--bits", "16", "--cross", "site_id,app_id", "--cross", "hour_time,device_type"]),
        ("crosses and parts", ["--cross", "site_id,C17", "--cross", "dayofweek,app_id", "--include", "day,dayofweek,hour_time,C14,device_model"]),
        ("caps", ["--preset", "replaced-lr"]),
        ("ftrl", ["--solver", "ftrl"]),
        ("ftrl sparse", ["--solver", "ftrl", "--bits", "18", "--l1", "0.5", "--min-count", "2", "--cross", "site_id,app_id"]),
    ]
    for name, flags in cases:
        compare(context, f"lr-rows/{name}", data, flags, data)
    if kind == "real":
        compare(context, "lr-rows/stream", data, [], context.real("avazu-stream.csv"))
        criteo = context.real("criteo-10k.tsv")
        compare(context, "lr-rows/criteo bins", criteo, ["--schema", "criteo"], criteo)
        compare(context, "lr-rows/criteo values", criteo, ["--schema", "criteo", "--numbers-as-values"], criteo)
    else:
        context.report.add("SKIP", "lr-rows/stream and criteo", "the real rows are not there")
