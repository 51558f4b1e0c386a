"""The rows that contestants meet: made once, split once, the same for all."""

import hashlib
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

LABEL, HOUR = 1, 2  # places of Avazu's columns
CSV_BYTES_A_ROW = 160
REAL_LAST_TRAINING_HOUR = "14102202"  # as TARGETS has it
# One letter a column is a namespace of its own in Vowpal Wabbit.
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass
class Dataset:
    """Training and test rows on disk. truth is None where it is not known."""

    name: str
    folder: Path
    train: Path
    test: Path
    y_train: np.ndarray
    y_test: np.ndarray
    truth: np.ndarray | None = None
    columns: list = field(default_factory=list)
    made: dict = field(default_factory=dict)  # what a conversion cost, by name

    def letters(self):
        """The namespace of each column in Vowpal Wabbit's text."""
        return dict(zip([*self.columns[HOUR + 1:], "hour_time"], LETTERS))

    def vw(self):
        """Vowpal Wabbit's text of both parts, written on first use."""
        train, test = self.train.with_suffix(".vw"), self.test.with_suffix(".vw")
        for source, target in ((self.test, test), (self.train, train)):
            seconds = target.with_suffix(".vw-seconds")
            if not (target.exists() and seconds.exists()):
                began = time.monotonic()
                write_vw(source, target)
                seconds.write_text(str(time.monotonic() - began))
            self.made["Vowpal Wabbit's text"] = float(seconds.read_text())
        return train, test


def write_vw(source, target):
    """A row as `-1 |a 1005 |b 0 …`: one namespace a column, the hour of the day
    the last of them."""
    partial = target.with_suffix(".partial")
    with open(source) as rows, open(partial, "w") as out:
        width = len(rows.readline().split(","))
        form = " ".join(f"|{c} %s" for c in LETTERS[:width - HOUR])
        for line in rows:
            cells = line.rstrip("\n").split(",")
            label = "1 " if cells[LABEL] == "1" else "-1 "
            out.write(label + form % (*cells[HOUR + 1:], cells[HOUR][6:]) + "\n")
    partial.rename(target)


def need_space(folder, wanted):
    """None, or why wanted bytes do not fit with a reserve of 2 GB."""
    free = shutil.disk_usage(folder).free
    if free < wanted + 2e9:
        return f"{folder}: {free / 1e9:.1f} GB free: want {(wanted + 2e9) / 1e9:.1f}"
    return None


def synth(ctr, rows, out, truth=None, seed=1):
    command = [ctr, "synth", "--rows", rows, "--seed", seed, "--out", out, "--overwrite", "--quiet"]
    subprocess.run([str(c) for c in [*command, *(["--truth", truth] if truth else [])]], check=True)


def boundary(hours, share):
    """The hour that a split by time begins its test part with: of the starts of
    hours, the one that leaves a share of test rows nearest to the wanted one,
    as `ctr train --test-fraction` does."""
    names, counts = np.unique(hours, return_counts=True)
    before = np.concatenate([[0], np.cumsum(counts)])[:-1]
    tests = 1 - before / counts.sum()
    inside = np.arange(1, len(names))
    return names[inside[np.argmin(abs(tests[inside] - share))]]


def split(source, folder, name, first_test_hour):
    """Writes train.csv and test.csv: the rows before an hour and the rest."""
    parts = {}
    with open(source, "rb") as rows, open(folder / "train.csv", "wb") as a, open(folder / "test.csv", "wb") as b:
        header = rows.readline()
        a.write(header)
        b.write(header)
        labels = {a: [], b: []}
        for line in rows:
            cells = line.split(b",", HOUR + 1)
            part = a if cells[HOUR] < first_test_hour else b
            part.write(line)
            labels[part].append(cells[LABEL] == b"1")
        parts = [np.array(labels[p], dtype=np.int8) for p in (a, b)]
    np.savez(folder / "labels.npz", train=parts[0], test=parts[1])
    return load(folder, name)


def load(folder, name):
    labels = np.load(folder / "labels.npz")
    truth = np.load(folder / "truth.npy") if (folder / "truth.npy").exists() else None
    with open(folder / "train.csv") as f:
        columns = f.readline().rstrip("\n").split(",")
    return Dataset(name, folder, folder / "train.csv", folder / "test.csv", labels["train"], labels["test"], truth, columns)


def synthetic(ctr, cache, rows, seed=1):
    """About rows training rows and a quarter as many later ones, kept in the
    cache by the program's and the settings' sum."""
    key = hashlib.sha256(f"{rows} {seed} {sample_sum(ctr)}".encode()).hexdigest()[:12]
    folder = cache / f"synthetic-{rows}-{key}"
    if (folder / "done").exists():
        return load(folder, "synthetic")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    total = rows + rows // 4
    if why := need_space(folder, 3 * total * CSV_BYTES_A_ROW):
        raise SystemExit(f"bench: {why}")
    everything, truth = folder / "rows.csv", folder / "truth.csv"
    synth(ctr, total, everything, truth, seed)
    hours = np.loadtxt(everything, delimiter=",", skiprows=1, usecols=HOUR, dtype="S8")
    data = split(everything, folder, "synthetic", boundary(hours, 0.2))
    p = np.loadtxt(truth, delimiter=",", skiprows=1, usecols=1)
    np.save(folder / "truth.npy", p[len(data.y_train):])
    everything.unlink()
    truth.unlink()
    (folder / "done").touch()
    return load(folder, "synthetic")


def sample_sum(ctr):
    """What the program's generator writes, in short: other rows must not be
    taken from the cache for these."""
    rows = subprocess.run([str(ctr), "synth", "--rows", "2000", "--seed", "1", "--quiet"], check=True, capture_output=True).stdout
    return hashlib.sha256(rows).hexdigest()


def real(path, folder):
    """The rows of Avazu in path, split where TARGETS splits them."""
    folder.mkdir(parents=True, exist_ok=True)
    first_test = str(int(REAL_LAST_TRAINING_HOUR) + 1).encode()
    return split(path, folder, "real", first_test)


def cache_folder(given):
    base = Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ctr-bench"
    base.mkdir(parents=True, exist_ok=True)
    return base
