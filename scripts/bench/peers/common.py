"""What the peers share: reading the CSV, and telling what training cost.

A peer is run as `python PEER.py TRAIN TEST OUT [NAME=VALUE…]`, with BENCH_START
set to the time.monotonic() of its start. It writes its probabilities of the
test rows to OUT.npy and prints one JSON object on its last line: what training
took, from the start of the process, imports and reading included, until the
model is fitted (scoring the test rows is not counted), and whatever else it
has to tell. The harness judges the probabilities of all in one way.
"""

import json
import os
import sys
import time

import numpy as np

NOT_FEATURES = ("id", "click", "hour")


class Settings(dict):
    """NAME=VALUE arguments as numbers where they are numbers."""

    def __init__(self, arguments):
        for a in arguments:
            name, _, value = a.partition("=")
            try:
                self[name] = json.loads(value)
            except json.JSONDecodeError:
                self[name] = value

    def __missing__(self, name):
        raise SystemExit(f"{sys.argv[0]}: want {name}=…")


TRAIN, TEST, OUT = sys.argv[1:4] if len(sys.argv) > 3 else ("", "", "")
SETTINGS = Settings(sys.argv[4:])


def table(path):
    """Labels, and for each column its name, codes (int32, a row each) and the
    texts that the codes stand for. Arrow's reader makes dictionaries while it
    reads, on all cores: the fastest way into Python that we know."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    with open(path) as f:
        names = f.readline().rstrip("\n").split(",")
    text = pa.dictionary(pa.int32(), pa.string())
    types = {n: text for n in names} | {"id": pa.string(), "click": pa.int8()}
    rows = csv.read_csv(path, convert_options=csv.ConvertOptions(
        column_types=types, include_columns=[n for n in names if n != "id"],
        strings_can_be_null=False, auto_dict_encode=True))
    columns = {}
    for name in [n for n in names if n not in NOT_FEATURES] + ["hour"]:
        column = rows[name].unify_dictionaries().combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = column.chunk(0)
        codes, texts = column.indices.to_numpy(zero_copy_only=False), column.dictionary
        if name == "hour":  # only the hour of the day is a feature
            name, (texts, codes) = "hour_time", hours(pc.utf8_slice_codeunits(texts, 6, 8), codes)
        columns[name] = (codes.astype(np.int32, copy=False), texts)
    return rows["click"].to_numpy(), columns


def hours(texts, codes):
    merged = texts.dictionary_encode()
    return merged.dictionary, merged.indices.to_numpy(zero_copy_only=False)[codes]


def index(columns, like):
    """The codes of other rows in the dictionaries of `like`; -1 where unseen."""
    import pyarrow.compute as pc

    out = {}
    for name, (codes, texts) in columns.items():
        places = pc.index_in(texts, value_set=like[name][1]).fill_null(-1).to_numpy(zero_copy_only=False)
        out[name] = (places[codes].astype(np.int32), like[name][1])
    return out


def onehot(columns, dtype=np.float64):
    """One sparse column a value, and the number of the first column of each
    field. Values never seen (-1) have none."""
    from scipy import sparse

    sizes = [len(texts) for _, texts in columns.values()]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    codes = np.column_stack([c for c, _ in columns.values()])
    known = codes >= 0
    ends = np.concatenate([[0], np.cumsum(known.sum(axis=1))]).astype(np.int32)
    places = (codes + starts[:-1].astype(np.int32))[known]
    matrix = sparse.csr_matrix((np.ones(len(places), dtype=dtype), places, ends), shape=(len(codes), starts[-1]))
    return matrix, starts


def rank_tables(columns, cap=None):
    """For each column the rank of each code: 1 for the most frequent value, 2
    for the next …, the order in which threshold splits of a tree mean most.
    Beyond cap all values share its rank; the last entry, which the code -1
    finds, is 0."""
    tables = {}
    for name, (codes, texts) in columns.items():
        order = np.argsort(-np.bincount(codes, minlength=len(texts)), kind="stable")
        rank = np.zeros(len(texts) + 1, dtype=np.int32)
        rank[order] = np.arange(1, len(texts) + 1)
        tables[name] = rank if cap is None else np.minimum(rank, cap)
    return tables


def ranked(columns, tables, dtype=np.int32):
    """The ranks of rows: an array, a row each."""
    return np.column_stack([tables[name][codes].astype(dtype) for name, (codes, _) in columns.items()])


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


def fitted(fit):
    """Runs fit: its result, and what all has cost so far with the seconds of
    the fit alone."""
    began = time.monotonic()
    result = fit()
    return result, {**cost(), "fit": time.monotonic() - began}


def save_weights(columns, starts, coefficients, bias):
    """The weight of every value by its text, for an objective that is computed
    in one way for all."""
    parts = {f"texts/{n}": np.asarray(t.to_pylist()) for n, (_, t) in columns.items()}
    parts |= {f"weights/{n}": coefficients[a:b] for n, a, b in zip(columns, starts, starts[1:])}
    np.savez(OUT + ".weights.npz", bias=bias, **parts)


def report(spent, probabilities, **more):
    np.save(OUT + ".npy", np.asarray(probabilities, dtype=np.float64))
    json.dump({**spent, **more}, sys.stdout)
    print()
