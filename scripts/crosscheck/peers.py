"""Python's tools on the real rows, each at the settings that TARGETS names or,
where it names none, at settings chosen on the last quarter of the training
part. Every row is split by whole hours; nothing is learned from the test part.
"""

from dataclasses import dataclass

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

LAST_TRAINING_HOUR = 14102202
SEED = 1


@dataclass
class Split:
    """Training and test rows: texts, one-hot matrices, frequency ranks."""

    y: np.ndarray
    y_test: np.ndarray
    onehot: object
    onehot_test: object
    ranks: np.ndarray
    ranks_test: np.ndarray

    def judge(self, p):
        """Log loss and AUC of test probabilities."""
        return log_loss(self.y_test, p), roc_auc_score(self.y_test, p)


def avazu_split(path):
    rows = pd.read_csv(path, dtype=str)
    training = (rows["hour"].astype(int) <= LAST_TRAINING_HOUR).to_numpy()
    y = rows["click"].astype(int).to_numpy()
    # Of the time only the hour of the day: tomorrow's date has no weight.
    fields = rows.drop(columns=["id", "click", "hour"]).assign(hour_time=rows["hour"].str[-2:])
    train, test = fields[training], fields[~training]
    encoder = OneHotEncoder(handle_unknown="ignore", dtype=np.float64)
    return Split(
        y[training], y[~training],
        encoder.fit_transform(train), encoder.transform(test),
        *frequency_ranks(train, test),
    )


def frequency_ranks(train, test):
    """1 for a column's most frequent value, 2 for the next …, 0 for unseen."""
    out = []
    for name in train.columns:
        counts = train[name].value_counts().rename_axis("value").reset_index(name="count")
        order = counts.sort_values(["count", "value"], ascending=[False, True])["value"]
        rank = pd.Series(np.arange(1, len(order) + 1), index=order)
        out.append([part[name].map(rank).fillna(0).to_numpy(np.float32) for part in (train, test)])
    return np.column_stack([a for a, _ in out]), np.column_stack([b for _, b in out])


def constant(s):
    return np.full(len(s.y_test), s.y.mean())


def logistic(s, **settings):
    return LogisticRegression(C=0.1, **settings).fit(s.onehot, s.y).predict_proba(s.onehot_test)[:, 1]


def forest(s):
    m = RandomForestClassifier(200, max_depth=20, min_samples_leaf=5, n_jobs=-1, random_state=SEED)
    return m.fit(s.ranks, s.y).predict_proba(s.ranks_test)[:, 1]


def tree(s):
    m = DecisionTreeClassifier(max_depth=6, min_samples_leaf=50, random_state=SEED)
    return m.fit(s.ranks, s.y).predict_proba(s.ranks_test)[:, 1]


def clipped_tree(s):
    # A leaf without clicks says 0, and a click there costs 36: the softer
    # figure is what the tree's splits are worth.
    return np.clip(tree(s), 1e-3, 1 - 1e-3)


def lightgbm_trees(s):
    m = lightgbm.LGBMClassifier(n_estimators=100, learning_rate=0.05, num_leaves=31, random_state=SEED, verbose=-1)
    frame = pd.DataFrame(s.ranks.astype(np.int32)).astype("int32")
    names = list(frame.columns)
    m.fit(frame, s.y, categorical_feature=names)
    return m.predict_proba(pd.DataFrame(s.ranks_test.astype(np.int32)))[:, 1]


def xgboost_trees(s):
    m = xgboost.XGBClassifier(n_estimators=100, learning_rate=0.1, max_depth=6, tree_method="hist", random_state=SEED)
    return m.fit(s.onehot, s.y).predict_proba(s.onehot_test)[:, 1]


def peers():
    """Name, settings, and a function from a Split to test probabilities."""
    return [
        ("constant", "the training click rate", constant),
        ("scikit-learn LR", "one-hot, C 0.1, default stop", logistic),
        ("scikit-learn LR", "one-hot, C 0.1, converged", lambda s: logistic(s, tol=1e-8, max_iter=1_000, solver="newton-cg")),
        ("scikit-learn RF", "200 x depth 20, leaf 5", forest),
        ("scikit-learn DT", "depth 6, leaf 50", tree),
        ("scikit-learn DT", "the same, p kept in 0.001 … 0.999", clipped_tree),
        ("LightGBM", "100 x 31 leaves, rate 0.05, categorical", lightgbm_trees),
        ("XGBoost", "100 x depth 6, rate 0.1, one-hot", xgboost_trees),
    ]
