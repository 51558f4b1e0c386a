"""Every ONNX model that ctr exports passes onnx.checker, and onnxruntime gives
the probabilities and predictions that ctr gives: on the rows that it was
trained on, and on rows with values never seen, none, and times in other forms."""

import csv
import functools
import time

import numpy as np
import onnx
import onnxruntime

from ctrmodel import Model, read_rows
from harness import guarded

DOUBLE = 1e-12  # all is worked out in doubles
FLOAT = 1e-6  # ctr adds up floats, in an order of its own
ROWS = 6_000  # of each file, without --all
BATCH = 4096  # rows a run: a field-aware machine has 25 kB of each row in memory

# Name, algorithm, flags, tolerance, and whether it is among those that are
# checked without --all.
AVAZU = [
    ("lr", "lr", [], DOUBLE, False),
    ("lr/caps", "lr", ["--preset", "replaced-lr"], DOUBLE, True),
    ("lr/l1", "lr", ["--l1", "1"], DOUBLE, False),
    ("lr/crosses and parts", "lr", ["--cross", "site_id,C17", "--cross", "dayofweek,app_id", "--cross", "hour,C1",
                                    "--include", "day,dayofweek,hour_time,month,hour,C14,device_model"], DOUBLE, True),
    ("lr/hashed", "lr", ["--bits", "18", "--cross", "site_id,app_id", "--cross", "hour_time,device_type"], DOUBLE, True),
    ("ftrl", "lr", ["--solver", "ftrl", "--cross", "site_id,app_id"], DOUBLE, False),
    ("dt", "dt", [], DOUBLE, False),
    ("dt/hashed", "dt", ["--bits", "16", "--cross", "site_id,app_id"], DOUBLE, False),
    ("dt/parts", "dt", ["--preset", "replaced-dt"], DOUBLE, True),
    ("rf", "rf", ["--trees", "50"], DOUBLE, True),
    ("gbdt", "gbdt", [], DOUBLE, False),
    ("gbdt/hashed", "gbdt", ["--bits", "16", "--trees", "30"], DOUBLE, True),
    ("gbdt-lr", "gbdt-lr", ["--cross", "site_id,app_id"], DOUBLE, True),
    ("fm", "fm", [], DOUBLE, False),
    ("fm/hashed", "fm", ["--bits", "16", "--cross", "hour_time,site_id"], DOUBLE, True),
    ("ffm", "ffm", [], FLOAT, True),
    ("ffm/hashed", "ffm", ["--bits", "18"], FLOAT, False),
    ("ffm/odd", "ffm", ["--include", "site_id,app_id,device_model,hour_time,C14", "--factors", "6"], FLOAT, False),
]
CRITEO = [
    ("lr/bins", "lr", [], DOUBLE, False),
    ("lr/values", "lr", ["--numbers-as-values"], DOUBLE, True),
    ("lr/numbers crossed", "lr", ["--bits", "18", "--cross", "I1,C1"], DOUBLE, True),
    ("dt", "dt", [], DOUBLE, False),
    ("rf", "rf", ["--trees", "30"], DOUBLE, False),
    ("gbdt", "gbdt", [], DOUBLE, True),
    ("gbdt-lr", "gbdt-lr", [], DOUBLE, False),
    ("fm", "fm", [], DOUBLE, False),
    ("ffm", "ffm", [], FLOAT, True),
]

TIMES = ["14102100", "2014-10-22", "2016-02-29 23:59:59", "2014-01-01T07:00:00", "99123123", "2000-03-01 00:00:00",
         "1970-01-01 12:30:00", "14022805"]


def damaged(rows, path, comma, time_column, label):
    """A file of rows in which every value is, here and there, replaced by
    nothing, by one never seen, or by another column's; and the time by others."""
    rng = np.random.default_rng(1)
    names = list(rows[0])
    with open(path, "w", newline="", encoding="latin-1") as f:
        out = csv.writer(f, delimiter=comma, lineterminator="\n")
        if time_column is not None:
            out.writerow(names)
        for i, row in enumerate(rows):
            cells = [row[n].decode("latin-1") for n in names]
            for j, name in enumerate(names):
                draw = rng.random()
                if name == label:
                    continue
                if name == time_column:
                    cells[j] = TIMES[i % len(TIMES)]
                elif draw < .1:
                    cells[j] = ""
                elif draw < .2:
                    number = time_column is None and name.startswith("I")
                    cells[j] = str(rng.integers(-5, 10**6)) if number else f"never-{i}-" + "é".encode().decode("latin-1")
                elif draw < .25 and time_column is not None:
                    cells[j] = str(rng.integers(0, 3000))  # over and under caps
                elif draw < .27 and time_column is not None:
                    cells[j] = rng.choice(["00", "+", "-", "+00"]) + str(rng.integers(0, 60)) + rng.choice(["", ".0", "e1"])
            out.writerow(cells)


def inputs(session, rows):
    """The columns of rows as the model wants them."""
    feed = {}
    for want in session.get_inputs():
        texts = [row[want.name].decode() for row in rows]
        if want.type == "tensor(string)":
            feed[want.name] = np.array(texts, dtype=object)
        else:
            feed[want.name] = np.array([float(t) if t else np.nan for t in texts])
    return feed


def scored(session, rows):
    """Probabilities and predictions of rows, and the seconds they took."""
    feed = inputs(session, rows)
    parts, spent = [], 0.0
    for lo in range(0, len(rows), BATCH):
        part = {name: column[lo:lo + BATCH] for name, column in feed.items()}
        began = time.perf_counter()
        parts.append(session.run(["probability", "prediction"], part))
        spent += time.perf_counter() - began
    return *(np.concatenate(side) for side in zip(*parts)), spent


@functools.cache
def table(path, layouts):
    """The rows of a file, read once for all models."""
    return read_rows(path, layouts)


def check(context, name, data, others, algo, flags, tolerance):
    """Trains, exports, and compares on both files."""
    path, _ = context.train(data, "--algo", algo, *flags)
    held(context, name, path, data, others, tolerance)


def held(context, name, path, data, others, tolerance):
    """Exports a model, and compares on both files."""
    data = context.some(data, ROWS)
    out = context.scratch / f"{path.stem}.onnx"
    exported = context.json("export", path, "--to", "onnx", "--out", out)
    onnx.checker.check_model(str(out), full_check=True)
    began = time.perf_counter()
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    load = time.perf_counter() - began
    layouts = tuple(map(tuple, Model(path).spec["schema"].get("layouts") or []))
    for kind, rows_file in (("rows", data), ("unseen", others)):
        if rows_file is None:
            continue
        rows = table(rows_file, layouts)
        _, predictions = context.predictions(path, rows_file)
        with open(predictions, newline="") as f:
            ours = list(csv.DictReader(f))
        want = np.array([float(r["probability"]) for r in ours])
        got, clicks, spent = scored(session, rows)
        apart = np.abs(got - want)
        near = np.abs(want - trained_threshold(session)) <= tolerance
        same = (clicks == np.array([int(r["prediction"]) for r in ours])) | near
        context.report.below(f"onnx/{name}/{kind}", float(apart.max()) if len(got) == len(want) else np.nan, tolerance,
                             f"{len(rows)} rows, {len(np.unique(want))} probabilities, {exported['bytes']:,} bytes, "
                             f"load {load:.2f} s, {spent / len(rows) * 1e6:.1f} µs a row, greatest difference")
        context.report.check(f"onnx/{name}/{kind}/predictions", bool(same.all()), f"{int(clicks.sum())} clicks, {int((~same).sum())} differ")


def one(context, name, *case, how=check):
    """One check, whose faults leave the others alone."""
    guarded(context.report, f"onnx/{name}", lambda c: how(c, name, *case), context)


def trained_threshold(session):
    return float(session.get_modelmeta().custom_metadata_map["threshold"])


def run(context):
    onnxruntime.set_default_logger_severity(3)
    data, kind = context.rows()
    others = context.scratch / "unseen.csv"
    damaged(read_rows(context.some(data, ROWS)), others, ",", "hour", "click")
    for name, algo, flags, tolerance in context.chosen(AVAZU):
        one(context, f"avazu/{name}", data, others, algo, flags, tolerance)
    for name, model, rows in context.imported():
        one(context, f"spark/{name}", model, rows or data, None if rows else others, DOUBLE, how=held)
    if kind != "real":
        context.report.add("SKIP", "onnx/criteo", "the real rows are not there")
        return
    data = context.real("criteo-10k.tsv")
    layouts = [["label", *(f"I{i}" for i in range(1, 14)), *(f"C{i}" for i in range(1, 27))]]
    others = context.scratch / "unseen.tsv"
    damaged(read_rows(context.some(data, ROWS), layouts), others, "\t", None, "label")
    for name, algo, flags, tolerance in context.chosen(CRITEO):
        one(context, f"criteo/{name}", data, others, algo, ["--schema", "criteo", *flags], tolerance)
