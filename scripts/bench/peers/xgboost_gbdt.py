"""XGBoost: boosted trees by histograms, on frequency ranks, as categories
where there are at most `cap` of them."""

import os

import numpy as np
import xgboost

from common import SETTINGS, TEST, TRAIN, fitted, index, rank_tables, ranked, report, table

trees, cap = SETTINGS.pop("trees"), SETTINGS.pop("cap", None)
y, columns = table(TRAIN)
tables = rank_tables(columns, cap)
x = ranked(columns, tables, np.float32)
kinds = ["c" if cap else "q"] * x.shape[1]
settings = {"objective": "binary:logistic", "tree_method": "hist", "nthread": os.cpu_count(), "seed": 1,
            "grow_policy": "lossguide", "max_depth": 0, **SETTINGS}


def fit():
    data = xgboost.QuantileDMatrix(x, y, feature_types=kinds, enable_categorical=bool(cap), max_bin=settings.get("max_bin", 256))
    return xgboost.train(settings, data, trees)


model, spent = fitted(fit)
_, test = table(TEST)
z = ranked(index(test, columns), tables, np.float32)
report(spent, model.predict(xgboost.DMatrix(z, feature_types=kinds, enable_categorical=bool(cap))))
