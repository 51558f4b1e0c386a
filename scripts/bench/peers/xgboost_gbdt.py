"""XGBoost: boosted trees by histograms: on frequency ranks as numbers, with
cap on at most that many categories a column, or with onehot on sparse one-hot
columns."""

import os

import numpy as np
import xgboost

from common import SETTINGS, TEST, TRAIN, fitted, index, onehot, rank_tables, ranked, report, table

trees, cap, sparse = SETTINGS.pop("trees"), SETTINGS.pop("cap", None), SETTINGS.pop("onehot", False)
y, columns = table(TRAIN)
tables = None if sparse else rank_tables(columns, cap)
settings = {"objective": "binary:logistic", "tree_method": "hist", "nthread": os.cpu_count(), "seed": 1,
            "grow_policy": "lossguide", "max_depth": 0, **SETTINGS}


def inputs(rows):
    """What the model sees of rows, and the kinds of its columns."""
    if sparse:
        return onehot(rows, np.float32)[0], {}
    x = ranked(rows, tables, np.float32)
    return x, {"feature_types": ["c" if cap else "q"] * x.shape[1], "enable_categorical": bool(cap)}


x, kinds = inputs(columns)


def fit():
    data = xgboost.QuantileDMatrix(x, y, max_bin=settings.get("max_bin", 256), **kinds)
    return xgboost.train(settings, data, trees)


model, spent = fitted(fit)
_, test = table(TEST)
z, kinds = inputs(index(test, columns))
report(spent, model.predict(xgboost.DMatrix(z, **kinds)))
