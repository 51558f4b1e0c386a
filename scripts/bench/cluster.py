"""Time against rows of `ctr train` and of `ctr train --engine spark` on a
standalone Spark cluster of two workers with a core each, on this machine.

    cluster.py --ctr ./ctr --rows 100000,300000,1000000 [--only lr,dt,rf] [--write BENCHMARKS.md]

Both read the same CSV and hold the same hours out. Spark's seconds are those of
the whole command: starting Spark, the job, the import, and ctr's judging.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts" / "lib"))

import machine  # noqa: E402
from sparkcluster import Cluster  # noqa: E402

ALGORITHMS = {"lr": [], "dt": [], "rf": ["--trees", "30"]}
LIMIT = 3600  # seconds that one training may take


def run(ctr, *args):
    """Seconds that a command took and what it printed; None where it took too
    long."""
    began = time.monotonic()
    try:
        done = subprocess.run([str(ctr), *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env={k: v for k, v in os.environ.items() if not k.startswith("CTR_")}, timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return LIMIT, None
    if done.returncode != 0:
        sys.exit(f"ctr {' '.join(map(str, args))}: exit {done.returncode}: {done.stderr.strip()[-800:]}")
    return time.monotonic() - began, done.stdout


def cell(seconds, result):
    if result is None:
        return f"over {LIMIT}", "-"
    return f"{seconds:.1f}", f"{result['test']['log_loss']:.5f}"


def measure(ctr, cluster, folder, sizes, names):
    """A line of the table for each algorithm and number of rows, as it comes."""
    for rows in sizes:
        data = folder / f"rows-{rows}.csv"
        run(ctr, "synth", "--rows", rows, "--seed", 1, "--out", data)
        for algo in names:
            cells = []
            for flags in ([], cluster.flags()):
                seconds, text = run(ctr, "train", data, "--algo", algo, *ALGORITHMS[algo], *flags, "--out", folder / "model.ctr", "--json", "--quiet")
                cells += cell(seconds, text and json.loads(text))
            yield "| " + " | ".join([algo, f"{rows:,}", cells[0], cells[2], cells[1], cells[3]]) + " |"
        data.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ctr", type=Path, default=ROOT / "ctr")
    parser.add_argument("--rows", default="100000,300000,1000000")
    parser.add_argument("--only", default=",".join(ALGORITHMS))
    parser.add_argument("--write", type=Path, help="put the table into this document")
    args = parser.parse_args()
    load = os.getloadavg()[1]
    lines = [f"`scripts/bench/cluster.py --rows {args.rows} --only {args.only}`", "",
             "| | rows | ctr, s | Spark, s | ctr, test log loss | Spark, test log loss |", "|---|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory(prefix="ctr-bench-cluster-") as folder, Cluster(Path(folder) / "cluster") as cluster:
        print("\n".join(lines[2:]))
        sizes = [int(n) for n in args.rows.split(",")]
        for line in measure(args.ctr.resolve(), cluster, Path(folder), sizes, args.only.split(",")):
            print(line, flush=True)
            lines.append(line)
    if args.write:
        machine.put(args.write, "spark-cluster", "\n".join([*machine.describe(args.ctr.resolve(), ROOT, load), *lines]))


if __name__ == "__main__":
    main()
