"""LIBLINEAR: -s 0, L2-regularised logistic regression by a trust-region
Newton method, on sparse one-hot columns that it gets from memory (reading its
own text format would take longer)."""

import numpy as np
from liblinear.liblinearutil import parameter, problem, train

from common import SETTINGS, TEST, TRAIN, fitted, index, onehot, report, save_weights, table

y, columns = table(TRAIN)
x, starts = onehot(columns)
given = problem(y.astype(np.float64), x, bias=1)
# -R: the intercept is not penalised, as in all the others.
how = parameter(f"-s 0 -c {1 / SETTINGS['l2']} -B 1 -R -m {SETTINGS['threads']} -e {SETTINGS['eps']} -q")
model, spent = fitted(lambda: train(given, how))

n = x.shape[1]
w = np.ctypeslib.as_array(model.w, (n + 1,)) * (1 if model.label[0] == 1 else -1)
save_weights(columns, starts, w[:n], w[n])
_, test = table(TEST)
z, _ = onehot(index(test, columns))
report(spent, 1 / (1 + np.exp(-(z @ w[:n] + w[n]))))
