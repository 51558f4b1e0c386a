"""Models of LightGBM and XGBoost and what they make of rows, for the tests of
models/interchange/boosters. Made with lightgbm 4.7.0 and xgboost 3.2.0:

    boosters_reference.py models/interchange/boosters/testdata

writes, for each case, NAME.txt, NAME.json or NAME.ubj (the model) and NAME.csv
(rows and, in the column "want", the tool's probability of each); and for some
NAME.contrib.csv, the tool's contributions to the log-odds (pred_contrib,
pred_contribs), with the baseline as the last column.
"""

import csv
import sys
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import xgboost

NUMBERS = ["x", "gaps", "zeros"]
CATEGORIES = {"word": ["a", "b", "c d", 'q"x', "é", "zz"], "code": [str(i) for i in range(10, 50)]}


def texts(n, seed, unseen, ascii_only):
    """Rows as text, a list a column; y depends on all of them. XGBoost 3.2 counts
    the characters of categories where it means bytes, and writes all but ASCII
    wrongly."""
    words = [w.replace("é", "e") if ascii_only else w for w in CATEGORIES["word"]]
    r = np.random.default_rng(seed)
    x, gaps, zeros = r.normal(size=n).round(3), r.integers(-20, 20, n), r.integers(-3, 4, n)
    word = r.integers(0, 6, n)
    code = r.integers(10, 50, n)
    score = x + 0.05 * gaps + (zeros == 0) + (word % 3 == 1) + (code % 7 < 3) - 1.5
    y = (1 / (1 + np.exp(-2 * score)) > r.random(n)).astype(int)
    columns = {
        "id": [str(i) for i in range(n)], "click": [str(v) for v in y],
        "x": [f"{v:g}" for v in x], "gaps": [str(v) for v in gaps], "zeros": [str(v) for v in zeros],
        "word": [words[i] for i in word], "code": [str(v) for v in code],
    }
    for name in [*NUMBERS[1:], *CATEGORIES]:
        for i in np.flatnonzero(r.random(n) < 0.15):
            columns[name][i] = ""
    if unseen:
        for name, value in (("word", "never"), ("code", "77"), ("x", "1e-36"), ("zeros", "-1e-36"), ("zeros", "2.5")):
            for i in np.flatnonzero(r.random(n) < 0.05):
                columns[name][i] = value
    columns["words"] = words
    return columns


def frame(columns, numeric=False):
    """What the tools are given: categories by pandas, or their numbers."""
    number = lambda v: float(v) if v else np.nan
    out = {n: np.array([number(v) for v in columns[n]]) for n in NUMBERS}
    out["code"] = np.array([number(v) for v in columns["code"]])
    if not numeric:
        code = pd.array([int(v) if v in CATEGORIES["code"] else None for v in columns["code"]], dtype="Int64")
        out["code"] = pd.Categorical(code, categories=list(range(10, 50)))
        # LightGBM is given what it has not seen as missing, which is what it takes it for.
        known = [v if v in columns["words"] else None for v in columns["word"]]
        out["word"] = pd.Categorical(known, categories=columns["words"])
    return pd.DataFrame(out)


def lightgbm_model(columns, numeric, **settings):
    data = lightgbm.Dataset(frame(columns, numeric), [int(v) for v in columns["click"]],
                            categorical_feature=["code"] if numeric else "auto")
    settings = {"objective": "binary", "num_leaves": 7, "min_data_in_leaf": 10, "min_data_per_group": 5, "cat_smooth": 1,
                "max_cat_threshold": 16, "verbose": -1, "seed": 1, "deterministic": True, "num_threads": 1, **settings}
    return lightgbm.train(settings, data, 5)


def xgboost_model(columns, numeric, **settings):
    data = xgboost.DMatrix(frame(columns, numeric), [int(v) for v in columns["click"]], enable_categorical=not numeric)
    settings = {"objective": "binary:logistic", "max_depth": 4, "max_cat_to_onehot": 2, "seed": 1, "nthread": 1, **settings}
    return xgboost.train(settings, data, 5)


CASES = {
    "pandas.txt": (lightgbm_model, False, {"sigmoid": 1.5}),
    "numbers.txt": (lightgbm_model, True, {}),
    "zero.txt": (lightgbm_model, True, {"zero_as_missing": True, "num_leaves": 12}),
    "nomissing.txt": (lightgbm_model, True, {"use_missing": False}),
    "forest.txt": (lightgbm_model, False, {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.7}),
    "entropy.txt": (lightgbm_model, False, {"objective": "cross_entropy"}),
    "pandas.json": (xgboost_model, False, {}),
    "numbers.json": (xgboost_model, True, {"base_score": 0.3}),
    "forest.json": (xgboost_model, True, {"num_parallel_tree": 2, "subsample": 0.8}),
    "pandas.ubj": (xgboost_model, False, {"max_depth": 3}),
}


# Models whose contributions are kept.
EXPLAINED = ("pandas.txt", "numbers.txt", "pandas.json", "numbers.json", "forest.json")


def contributions(model, rows):
    """What each feature adds to the log-odds, and the baseline: LightGBM gives
    them before its sigmoid's factor."""
    if isinstance(model, xgboost.Booster):
        return model.predict(xgboost.DMatrix(rows, enable_categorical=True), pred_contribs=True)
    return model.predict(rows, pred_contrib=True) * model.params.get("sigmoid", 1)


def predict(model, columns, numeric):
    rows = frame(columns, numeric)
    if isinstance(model, lightgbm.Booster):
        return model.predict(rows)
    return model.predict(xgboost.DMatrix(rows, enable_categorical=not numeric))


def main(folder):
    for name, (fit, numeric, settings) in CASES.items():
        plain = fit is xgboost_model
        train = texts(2_000, 1, False, plain)
        model = fit(train, numeric, **settings)
        model.save_model(str(folder / name))
        # XGBoost refuses values of a pandas column that it has not seen.
        columns = texts(300, 2, numeric or not plain, plain)
        columns["want"] = [repr(float(p)) for p in predict(model, columns, numeric)]
        given = frame(columns, numeric)
        del columns["words"]
        with open(folder / f"{name}.csv", "w", encoding="utf-8", newline="") as f:
            out = csv.writer(f, lineterminator="\n")
            out.writerow(columns)
            out.writerows(zip(*columns.values(), strict=True))
        if name in EXPLAINED:
            with open(folder / f"{name}.contrib.csv", "w", encoding="utf-8", newline="") as f:
                out = csv.writer(f, lineterminator="\n")
                out.writerow([*given, "baseline"])
                out.writerows([repr(float(x)) for x in row] for row in contributions(model, given))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
