"""How sure a difference of log loss is."""

import numpy as np

DRAWS = 1_000
CHUNK = 50


def intervals(differences, seed=1, level=0.95):
    """Mean and two-sided interval of each column of differences (a row of the
    data each) by the paired bootstrap: whole rows are drawn with replacement,
    as Poisson(1) counts, the same for all columns, so that columns may be
    compared with each other (Efron & Tibshirani 1993, chapter 13)."""
    rng = np.random.default_rng(seed)
    rows = len(differences)
    means = []
    for begin in range(0, DRAWS, CHUNK):
        counts = rng.poisson(1, (min(CHUNK, DRAWS - begin), rows)).astype(np.float32)
        means.append(counts @ differences / counts.sum(axis=1, keepdims=True))
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return differences.mean(axis=0), low, high
