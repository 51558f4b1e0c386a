"""LightGBM: boosted trees on categories."""

import os

import lightgbm

from common import SETTINGS, TEST, TRAIN, fitted, index, rank_tables, ranked, report, table

trees = SETTINGS.pop("trees")
y, columns = table(TRAIN)
tables = rank_tables(columns)
x = ranked(columns, tables)
settings = {"objective": "binary", "num_threads": os.cpu_count(), "seed": 1, "verbose": -1, **SETTINGS}
model, spent = fitted(lambda: lightgbm.train(
    settings, lightgbm.Dataset(x, y, categorical_feature=list(range(x.shape[1])), params=settings), trees))

_, test = table(TEST)
report(spent, model.predict(ranked(index(test, columns), tables)))
