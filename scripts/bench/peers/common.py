"""What the peers share: reading the CSV, and telling what training cost.

A peer is run as `python PEER.py TRAIN.csv TEST.csv`, with BENCH_START set to
the time.monotonic() of its start. It prints one JSON object: what training
took (from the start of the process, imports and reading included, until the
model is fitted: scoring the test rows is not counted) and how good it is.
"""

import json
import os
import sys
import time

import numpy as np
import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score

NOT_FEATURES = ["id", "click", "hour"]


def read(path):
    """Labels, and the columns as categories with the hour of the day."""
    # Arrow's reader is pandas' fastest; strings, since a category is a text.
    names = pd.read_csv(path, nrows=0).columns
    rows = pd.read_csv(path, engine="pyarrow", dtype={name: "str" for name in names})
    fields = rows.drop(columns=NOT_FEATURES)
    fields["hour_time"] = rows["hour"].str[-2:]
    return rows["click"].astype("int8").to_numpy(), fields


def frequency_ranks(train, test):
    """1 for a column's most frequent value, 2 for the next …, 0 for unseen: the
    order in which threshold splits of a tree mean most."""
    shape = lambda part: np.zeros((len(part), train.shape[1]), dtype=np.float32)  # noqa: E731
    out, out_test = shape(train), shape(test)
    for j, name in enumerate(train.columns):
        counts = train[name].value_counts()
        rank = pd.Series(np.arange(1, len(counts) + 1, dtype=np.float32), index=counts.index)
        out[:, j] = train[name].map(rank)
        out_test[:, j] = test[name].map(rank).fillna(0)
    return out, out_test


def family(pid):
    """A process and its descendants."""
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children") as f:
                children = f.read().split()
        except FileNotFoundError:  # a thread that ended since it was listed
            continue
        for child in children:
            found += family(child)
    return found


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return sum(int(t) for t in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def peak_bytes(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmHWM"))


def cost():
    """Wall and CPU seconds and peak resident bytes of this process and its
    children since it was started."""
    pids = family(os.getpid())
    return {
        "wall": time.monotonic() - float(os.environ["BENCH_START"]),
        "cpu": sum(map(cpu_seconds, pids)),
        "peak": sum(map(peak_bytes, pids)),
    }


def report(cost, y, p, **more):
    json.dump({**cost, "log_loss": log_loss(y, p), "auc": roc_auc_score(y, p), **more}, sys.stdout)
    print()
