"""scikit-learn: one decision tree on frequency ranks."""

import sys

from sklearn.tree import DecisionTreeClassifier

from common import cost, frequency_ranks, read, report

y, train = read(sys.argv[1])
model = DecisionTreeClassifier(max_depth=int(sys.argv[3]), min_samples_leaf=int(sys.argv[4]), random_state=1)
x, _ = frequency_ranks(train, train[:0])
model.fit(x, y)
spent = cost()

y_test, test = read(sys.argv[2])
_, z = frequency_ranks(train, test)
report(spent, y_test, model.predict_proba(z)[:, 1])
