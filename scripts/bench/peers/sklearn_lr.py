"""scikit-learn: L2 logistic regression on sparse one-hot columns, converged."""

import sys

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import OneHotEncoder

from common import cost, read, report

L2, SOLVER = float(sys.argv[3]), sys.argv[4]

y, fields = read(sys.argv[1])
encoder = OneHotEncoder(handle_unknown="ignore", dtype=np.float64)
x = encoder.fit_transform(fields)
model = LogisticRegression(C=1 / L2, solver=SOLVER, max_iter=1_000)
model.fit(x, y)
spent = cost()

w = model.coef_[0]
objective = log_loss(y, model.predict_proba(x)[:, 1]) * len(y) + 0.5 * L2 * float(w @ w)
y_test, test = read(sys.argv[2])
report(spent, y_test, model.predict_proba(encoder.transform(test))[:, 1],
       objective=objective, iterations=int(model.n_iter_[0]))
