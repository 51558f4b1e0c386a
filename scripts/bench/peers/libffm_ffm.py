"""libffm: field-aware factorisation machine. One feature a value of a column,
as its README shows; OMP_NUM_THREADS is the number of its threads."""

import os
import tempfile

import numpy as np
import pylibffm

from common import OUT, SETTINGS, TEST, TRAIN, fitted, index, onehot, report, table

y, columns = table(TRAIN)
x, starts = onehot(columns, np.float32)
fields = np.repeat(np.arange(len(columns)), np.diff(starts))


def fit(folder):
    # Its compiled half wants the data in a file of its own.
    path, _ = pylibffm.make_bin(folder, x, y, fields)
    return pylibffm.train_with_bin(path, {k: v for k, v in SETTINGS.items() if k != "threads"})


with tempfile.TemporaryDirectory(dir=os.path.dirname(OUT)) as folder:
    model, spent = fitted(lambda: fit(folder))

_, test = table(TEST)
z, _ = onehot(index(test, columns), np.float32)
p = model.predict(z, fields)
if p.std() == 0:
    raise SystemExit("libffm: all its probabilities are the same")
print()  # it printed a table without a line end
report(spent, p)
