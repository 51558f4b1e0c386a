"""ctr import of LightGBM's and XGBoost's models gives those tools' own
probabilities, on the fixtures made anew and on the real rows."""

import csv
import tempfile
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import xgboost

import boosters_reference
from harness import Skip

TOLERANCE = 1e-12
SINGLE = 1e-6  # XGBoost adds leaves in float32
SHAP = 1e-9
SHAP_SINGLE = 1e-5  # XGBoost's contributions are float32


def imported(context, model, rows):
    """Probabilities of rows by the model, imported."""
    tool = "lightgbm" if model.suffix == ".txt" else "xgboost"
    ours = model.with_name(model.name + ".ctr")
    context.run("import", tool, model, "--out", ours)
    _, predictions = context.predictions(ours, rows)
    with open(predictions, newline="") as f:
        return np.array([float(r["probability"]) for r in csv.DictReader(f)])


def compare(context, name, model, rows, want):
    limit = TOLERANCE if model.suffix == ".txt" else SINGLE
    got = imported(context, model, rows)
    context.report.below(f"import/{name}", float(np.abs(got - want).max()), limit,
                         f"{len(want)} rows, {len(np.unique(want))} distinct probabilities, greatest difference")


def explained(context, name, model, rows, names, want):
    """Compares what ctr explain says of the imported model with the tool's
    contributions: one column a feature, and the baseline."""
    said = context.json("explain", rows, "--model", model.with_name(model.name + ".ctr"), "--rows", len(want))
    got = np.zeros(want.shape)
    got[:, -1] = said["baseline"]
    for i, row in enumerate(said["rows"]):
        for c in row["contributions"]:
            got[i, names.index(c["field"])] = c["contribution"]
    context.report.below(f"explain/{name}", float(np.abs(got - want).max()), SHAP if model.suffix == ".txt" else SHAP_SINGLE,
                         f"{len(said['rows'])} rows, {int((np.abs(got[:, :-1]).max(0) > 0).sum())} columns, greatest difference of a contribution")


def synthetic(context):
    folder = Path(tempfile.mkdtemp(dir=context.scratch))
    boosters_reference.main(folder)
    for name in boosters_reference.CASES:
        rows = folder / f"{name}.csv"
        want = pd.read_csv(rows)["want"].to_numpy()
        compare(context, name, folder / name, rows, want)
        if name in boosters_reference.EXPLAINED:
            kept = pd.read_csv(folder / f"{name}.contrib.csv")
            explained(context, name, folder / name, rows, list(kept), kept.to_numpy())


def frame(path, numbers):
    """Real rows as pandas has them: categories and numbers."""
    tabs = str(path).endswith(".tsv")
    names = ["label"] + [f"I{i}" for i in range(1, 14)] + [f"C{i}" for i in range(1, 27)] if tabs else None
    raw = pd.read_csv(path, dtype=str, sep="\t" if tabs else ",", names=names, keep_default_na=False)
    y = raw["label" if tabs else "click"].astype(int).to_numpy()
    data = raw.drop(columns=[c for c in ("id", "click", "label") if c in raw])
    return pd.DataFrame({c: pd.to_numeric(data[c]) if c in numbers else data[c].where(data[c] != "", None) for c in data}), y


def real(context, name, path, numbers):
    data, y = frame(path, numbers)
    half = len(y) // 2

    def categories(of):
        return pd.DataFrame({c: data[c] if c in numbers else pd.Categorical(
            data[c].where(data[c].isin(set(data[c][:of].dropna()))), categories=sorted(set(data[c][:of].dropna()))) for c in data})

    known = categories(half)
    model = context.scratch / f"{name}.txt"
    settings = {"objective": "binary", "num_leaves": 31, "verbose": -1, "seed": 1, "num_threads": 2}
    fitted = lightgbm.train(settings, lightgbm.Dataset(known[:half], y[:half]), 50)
    fitted.save_model(model)
    compare(context, f"lightgbm/{name}", model, path, fitted.predict(known))
    explained(context, f"lightgbm/{name}", model, path, fitted.feature_name(), boosters_reference.contributions(fitted, known[:300]))
    # XGBoost refuses values that it has not seen in a pandas column.
    known = categories(len(y))
    matrix = xgboost.DMatrix(known, y, enable_categorical=True)
    fitted = xgboost.train({"objective": "binary:logistic", "max_depth": 6, "nthread": 2}, matrix, 30)
    for ending in ("json", "ubj"):
        model = context.scratch / f"{name}.{ending}"
        fitted.save_model(model)
        compare(context, f"xgboost/{name} {ending}", model, path, fitted.predict(matrix))
    some = fitted.predict(xgboost.DMatrix(known[:300], enable_categorical=True), pred_contribs=True)
    explained(context, f"xgboost/{name}", model, path, fitted.feature_names, some)


def run(context):
    synthetic(context)
    try:
        avazu, criteo = context.real("avazu-34h.csv"), context.real("criteo-10k.tsv")
    except Skip as why:
        context.report.add("SKIP", "import/real", why)
        return
    real(context, "avazu", avazu, {"hour", "C14", "C15", "C16"})
    real(context, "criteo", criteo, {f"I{i}" for i in range(1, 14)})
