"""scikit-learn: a random forest on frequency ranks, on all cores."""

import sys

from sklearn.ensemble import RandomForestClassifier

from common import cost, frequency_ranks, read, report

y, train = read(sys.argv[1])
model = RandomForestClassifier(
    int(sys.argv[3]), max_depth=int(sys.argv[4]), min_samples_leaf=int(sys.argv[5]),
    n_jobs=-1, random_state=1,
)
x, _ = frequency_ranks(train, train[:0])
model.fit(x, y)
spent = cost()

y_test, test = read(sys.argv[2])
_, z = frequency_ranks(train, test)
report(spent, y_test, model.predict_proba(z)[:, 1])
