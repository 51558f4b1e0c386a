"""scikit-learn: L2 logistic regression on sparse one-hot columns."""

from sklearn.linear_model import LogisticRegression

from common import SETTINGS, TEST, TRAIN, fitted, index, onehot, report, save_weights, table

y, columns = table(TRAIN)
x, starts = onehot(columns)
model = LogisticRegression(
    C=1 / SETTINGS["l2"], solver=SETTINGS["solver"],
    max_iter=SETTINGS["max_iter"], tol=SETTINGS.get("tol", 1e-4),
)
_, spent = fitted(lambda: model.fit(x, y))

save_weights(columns, starts, model.coef_[0], model.intercept_[0])
_, test = table(TEST)
z, _ = onehot(index(test, columns))
report(spent, model.predict_proba(z)[:, 1], iterations=int(model.n_iter_[0]))
