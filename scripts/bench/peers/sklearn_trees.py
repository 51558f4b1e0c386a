"""scikit-learn: a tree, a forest or boosting over histograms, on frequency ranks."""

import os

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from common import SETTINGS, TEST, TRAIN, fitted, index, rank_tables, ranked, report, table

kind = SETTINGS.pop("kind")
cap = SETTINGS.pop("cap", None)  # with a cap, ranks are categories: hist takes 255 of them
# A leaf without clicks says 0, and a click there costs 36: what the splits are
# worth shows when no probability is nearer to 0 or 1 than this.
clip = SETTINGS.pop("clip", 0)
dtype = np.int32 if kind == "hist" else np.float32

y, columns = table(TRAIN)
tables = rank_tables(columns, cap)
x = ranked(columns, tables, dtype)
model = {
    "dt": lambda: DecisionTreeClassifier(**SETTINGS, random_state=1),
    "rf": lambda: RandomForestClassifier(**SETTINGS, n_jobs=os.cpu_count(), random_state=1),
    "hist": lambda: HistGradientBoostingClassifier(
        **SETTINGS, early_stopping=False, random_state=1,
        categorical_features=np.arange(x.shape[1]) if cap else None),
}[kind]()
_, spent = fitted(lambda: model.fit(x, y))

_, test = table(TEST)
p = model.predict_proba(ranked(index(test, columns), tables, dtype))[:, 1]
report(spent, np.clip(p, clip, 1 - clip))
