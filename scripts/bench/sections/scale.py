"""Time and memory of training as rows grow."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contestants import FTRL, LR, ours
from datasets import CSV_BYTES_A_ROW, need_space, synth
from tables import Claim, mib, plain

NAME = "scale"
STEP = 1.15  # of linear
ONLINE = [ours("ctr ftrl", *FTRL), ours("ctr ftrl, lock-free", *FTRL, "--lock-free")]
# Those that keep their rows in memory stop where their column says.
OTHERS = [
    (ours("ctr lr", *LR), 4_000_000),
    (ours("ctr dt", "--algo", "dt"), 4_000_000),
    (ours("ctr gbdt", "--algo", "gbdt", "--trees", 100, "--leaves", 63, "--early-stop", 0), 4_000_000),
    (ours("ctr ffm", "--algo", "ffm", "--factors", 4, "--passes", 3, "--early-stop", 0), 4_000_000),
]
# The limits on 40 M rows: wall seconds and bytes.
LARGEST, LIMITS, MEMORY = 40_000_000, {"ctr ftrl": 20, "ctr ftrl, lock-free": 15}, 300 * 2**20
SIZES = (1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 40_000_000)
MORE_SIZES = (1_000_000, 2_000_000, 4_000_000)


@dataclass
class Rows:
    """Training rows alone: nothing is judged."""

    name: str
    train: Path
    y_train: np.ndarray
    test: None = None


def sizes(most):
    return [n for n in sorted({*SIZES, *MORE_SIZES}) if n <= most]


def run(bench, cache, most):
    """Each size's rows are made, used and deleted before the next."""
    steps, skipped, walls = [], [], {}
    for n in sizes(most):
        if why := need_space(cache, n * CSV_BYTES_A_ROW):
            skipped.append(f"- not run: {n:,} rows: {why}")
            continue
        path = cache / f"scale-{n}.csv"
        try:
            synth(bench.ctr, n, path)
            data = Rows(f"{n:,} rows", path, np.empty(n, dtype=np.int8))
            those = [c for c in ONLINE if n in SIZES] + [c for c, limit in OTHERS if n in MORE_SIZES and n <= limit]
            those = [unjudged(c) for c in those]
            for c in bench.run_all(data, those):
                walls.setdefault(c.name, {})[n] = (bench.middle(data, c, "wall"), bench.middle(data, c, "cpu"), bench.middle(data, c, "peak"))
            skipped += [f"- did not run: {c.name}: {why}" for (name, c), why in bench.missing.items() if name == data.name]
        finally:
            path.unlink(missing_ok=True)
    claims = []
    for name, by_rows in walls.items():
        before = None
        for n, (wall, cpu, peak) in by_rows.items():
            step = None if before is None else wall / n / (by_rows[before][0] / before)
            steps.append([name, f"{n:,}", f"{wall:.2f}", f"{cpu:.2f}", f"{n / wall / 1e6:.2f}", mib(peak), "" if step is None else f"{step:.2f}"])
            if step is not None:
                claims.append(Claim(step <= STEP, f"{name}, {before:,} → {n:,} rows: {step:.2f} of linear: want at most {STEP}"))
            before = n
        claims += largest(name, by_rows)
    lines = ["Rows of `ctr synth --seed 1`, made anew for each size; a step is the time a row beside that of the size before.", "",
             *plain(["", "rows", "wall s", "CPU s", "M rows/s", "peak MB", "step"], steps), "", *dict.fromkeys(skipped)]
    flags = [[*c.flags] for c in ONLINE] + [[*c.flags] for c, _ in OTHERS]
    return lines, claims, ["ctr train rows.csv --split none " + " ".join(map(str, f)) for f in flags]


def unjudged(c):
    return ours(c.name, *c.flags).__class__(**{**c.__dict__, "evaluate": False})


def largest(name, by_rows):
    if LARGEST not in by_rows or name not in LIMITS:
        return []
    wall, _, peak = by_rows[LARGEST]
    return [Claim(wall <= LIMITS[name], f"{name}, 40 M rows: {wall:.1f} s: want at most {LIMITS[name]}"),
            Claim(peak <= MEMORY, f"{name}, 40 M rows: {mib(peak)} MB: want at most {mib(MEMORY)}")]
