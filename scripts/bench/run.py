"""Measures ctr's training beside scikit-learn's and Spark's.

    run.py --ctr ./ctr [--rows 1000000] [--rounds 2] [--without spark,rf] [--write BENCHMARKS.md]

Synthetic rows of `ctr synth` are written to CSV. Then each peer and ctr train
on the same file with the same settings, in turn (peer, ctr, peer, ctr, …), so
that a drift of the machine meets both. Measured are wall and CPU seconds from
the start of the process until the model is ready (reading the CSV included),
peak resident memory, and log loss and AUC on rows that neither saw. For
logistic regression the objective that both minimise is given too: a fast fit
that stops early would show there. The table goes to standard output and, with
--write, between the markers in that file.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from safetensors import safe_open

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.append(str(ROOT / "scripts" / "lib"))
import machine  # noqa: E402: found only now

L2 = 10.0
DEPTH, TREES, MIN_LEAF = 14, 100, 5
LR_FLAGS = ["--algo", "lr", "--l2", L2, "--min-count", 1]
TREE_FLAGS = ["--depth", DEPTH, "--min-leaf", MIN_LEAF]

# Name: script, its arguments, ctr's flags for the same, how many times faster
# ctr is meant to be, and whether it is meant to need less memory.
PEERS = {
    "sklearn-lr": ("sklearn_lr.py", [L2, "lbfgs"], LR_FLAGS, 10, False),
    # Not scikit-learn's default solver, but its fastest here: no claim.
    "sklearn-lr-newton": ("sklearn_lr.py", [L2, "newton-cg"], LR_FLAGS, 1, False),
    "spark-lr": ("spark_lr.py", [L2], LR_FLAGS, 20, False),
    "sklearn-dt": ("sklearn_dt.py", [DEPTH, MIN_LEAF], ["--algo", "dt", *TREE_FLAGS], 10, True),
    "sklearn-rf": ("sklearn_rf.py", [TREES, DEPTH, MIN_LEAF],
                   ["--algo", "rf", "--trees", TREES, *TREE_FLAGS, "--row-share", 1, "--bootstrap", "true"], 10, True),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ctr", default=ROOT / "ctr")
    parser.add_argument("--rows", type=int, default=1_000_000, help="training rows; a quarter as many test rows")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", help="peers to run, separated by commas: " + ", ".join(PEERS))
    parser.add_argument("--without", default="", help="peers to leave out")
    parser.add_argument("--data", help="keep the rows in this folder and use those that are there")
    parser.add_argument("--write", help="the file to put the table into; none by default")
    args = parser.parse_args()
    names = args.only.split(",") if args.only else list(PEERS)
    args.peers = [n for n in names if n not in args.without.split(",")]
    unknown = set(args.peers) | set(filter(None, args.without.split(",")))
    if unknown - PEERS.keys():
        parser.error(f"no peer named {', '.join(sorted(unknown - PEERS.keys()))}")
    return args


def spent(command, env=None):
    """Runs a command; gives its output, wall and CPU seconds and peak bytes."""
    began = time.monotonic()
    process = subprocess.Popen([str(a) for a in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={**os.environ, **(env or {}), "BENCH_START": repr(began)})
    # Nobody prints more than a pipe holds to standard error but on failure.
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    code = os.waitstatus_to_exitcode(status)
    process.returncode = code
    if code != 0:
        sys.exit(f"bench: {' '.join(map(str, command))}: exit {code}\n{process.stderr.read().decode()[-3000:]}")
    return out.decode(), {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak": usage.ru_maxrss * 1024}


def make_rows(ctr, folder, rows):
    """Training and test files: the first four fifths of the rows, which are in
    the order of their hours, and the rest."""
    train, test = folder / f"train-{rows}.csv", folder / f"test-{rows}.csv"
    if train.exists() and test.exists():
        return train, test
    everything = folder / "rows.csv"
    subprocess.run([str(ctr), "synth", "--rows", str(rows + rows // 4), "--seed", "1", "--out", str(everything)],
                   check=True, stderr=subprocess.DEVNULL)
    with open(everything, "rb") as source, open(train, "wb") as a, open(test, "wb") as b:
        header = source.readline()
        a.write(header)
        b.write(header)
        for i, line in enumerate(source):
            (a if i < rows else b).write(line)
    everything.unlink()
    return train, test


def run_peer(name, train, test):
    script, more, *_ = PEERS[name]
    out, _ = spent([sys.executable, HERE / "peers" / script, train, test, *more])
    return json.loads(out.strip().splitlines()[-1])


def run_ctr(ctr, name, train, test, folder):
    flags = PEERS[name][2]
    model = folder / "model.ctr"
    command = [ctr, "train", train, "--split", "none", *flags, "--out", model, "--json"]
    out, cost = spent(command)
    trained = json.loads(out)
    judged, _ = spent([ctr, "evaluate", test, "--model", model, "--json"])
    judged = json.loads(judged)
    result = {**cost, "log_loss": judged["log_loss"], "auc": judged["auc"]}
    if "lr" in name:
        with safe_open(model, framework="np") as f:
            w = f.get_tensor("lr/weights")
        result["objective"] = trained["train"]["log_loss"] * trained["rows"]["train"] + 0.5 * L2 * float(w @ w)
    return result


def measure(args, folder):
    """Results by (peer, side): a list, one a round."""
    train, test = make_rows(args.ctr, Path(args.data) if args.data else folder, args.rows)
    results = {}
    for turn in range(args.rounds):
        for name in args.peers:
            for side in ("peer", "ctr"):
                r = run_peer(name, train, test) if side == "peer" else run_ctr(args.ctr, name, train, test, folder)
                results.setdefault((name, side), []).append(r)
                print(f"round {turn + 1} {name} {side}: {r['wall']:.2f} s ({r['cpu']:.2f} CPU), "
                      f"{r['peak'] / 2**20:.0f} MB, log loss {r['log_loss']:.5f}", file=sys.stderr, flush=True)
    return results


def middle(results, key):
    return statistics.median(r[key] for r in results)


def spread(results, key):
    values = sorted(r[key] for r in results)
    return f"{middle(results, key):.2f}" if len(values) < 2 else f"{middle(results, key):.2f} ({values[0]:.2f} … {values[-1]:.2f})"


def table(args, results):
    """The lines of the table and of what the figures were meant to be."""
    lines = ["| training | wall s | CPU s | peak MB | objective | test log loss | test AUC |", "|---|---|---|---|---|---|---|"]
    claims = []
    for name in args.peers:
        peer, ours = results[name, "peer"], results[name, "ctr"]
        for label, rows in ((name, peer), (f"ctr, as {name}", ours)):
            objective = f"{middle(rows, 'objective'):.1f}" if "objective" in rows[0] else ""
            lines.append(f"| {label} | {spread(rows, 'wall')} | {middle(rows, 'cpu'):.2f} | {middle(rows, 'peak') / 2**20:.0f} "
                         f"| {objective} | {middle(rows, 'log_loss'):.5f} | {middle(rows, 'auc'):.4f} |")
        claims += judge(name, peer, ours)
    return lines, claims


def judge(name, peer, ours):
    """What was meant and what was measured, in words: (met, text)."""
    *_, factor, lighter = PEERS[name]
    ratio = middle(peer, "wall") / middle(ours, "wall")
    yield ratio >= factor, f"ctr is {ratio:.1f} times as fast as {name}: want {factor} or more"
    if lighter:
        share = middle(ours, "peak") / middle(peer, "peak")
        yield share < 1, f"ctr's peak memory is {share:.2f} of {name}'s: want less than 1"
    if "objective" in ours[0]:
        excess = middle(ours, "objective") / middle(peer, "objective") - 1
        yield excess <= 1e-3, f"ctr's objective is {excess:+.2e} beside {name}'s, relatively: want at most 1e-3 more"


def document(args, load, results):
    lines, claims = table(args, results)
    commands = [f"ctr train train.csv --split none {' '.join(map(str, PEERS[n][2]))}" for n in args.peers]
    return "\n".join([
        *machine.describe(args.ctr, ROOT, load),
        f"{args.rows:,} training and {args.rows // 4:,} test rows of `ctr synth --seed 1`; medians of {args.rounds} rounds, each peer and ctr in turn.",
        "",
        *lines,
        "",
        *[f"- {'met' if met else 'MISSED'}: {text}" for met, text in claims],
        "",
        "```",
        f"make bench BENCHROWS={args.rows} BENCH='--rounds {args.rounds} --only {','.join(args.peers)}'",
        *dict.fromkeys(commands),
        "```",
    ]), all(met for met, _ in claims)


def main():
    args = arguments()
    args.ctr = Path(args.ctr).resolve()
    load = os.getloadavg()[1]  # before the runs add their own
    with tempfile.TemporaryDirectory(prefix="ctr-bench-") as folder:
        text, met = document(args, load, measure(args, Path(folder)))
    print(text)
    if args.write:
        machine.put(Path(args.write), "training", text)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
