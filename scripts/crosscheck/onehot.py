"""Rows as scikit-learn sees them: one-hot columns of a model's fields."""

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import OneHotEncoder


def texts(model, rows):
    """An array of strings: what each field of the model makes of each row,
    after caps. latin-1 keeps bytes apart as they are."""
    out = np.empty((len(rows), len(model.fields)), dtype=object)
    for i, field in enumerate(model.fields):
        for r, row in enumerate(rows):
            out[r, i] = capped(field, model.text(field, row)).decode("latin-1")
    return out


def capped(field, text):
    cap = field.get("cap")
    if cap is None or not text or float(text) <= cap:
        return text
    return (str(int(cap)) if cap == int(cap) else repr(cap)).encode()


def encode(train, *others):
    """One-hot matrices, with an all-zero block for values not in train, and the
    (field, value) of each column."""
    encoder = OneHotEncoder(handle_unknown="ignore", dtype=np.float64)
    first = encoder.fit_transform(train)
    columns = [(i, value) for i, values in enumerate(encoder.categories_) for value in values]
    return [sp.csr_matrix(m) for m in (first, *(encoder.transform(o) for o in others))], columns


def our_weights(model, columns):
    """ctr's weight of each one-hot column."""
    starts, _ = model.offsets()
    return np.array([model.weights[starts[i] + model.dictionaries[i][value.encode("latin-1")]] for i, value in columns])
