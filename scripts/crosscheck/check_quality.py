"""Test log loss on the real rows, beside Python's tools on the same split."""

import sys
import time
from pathlib import Path

from peers import avazu_split, peers

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "scripts" / "lib"))
import machine  # noqa: E402: found only now

# What ctr's defaults must reach on the split below.
LIMITS = {"lr": 0.3950, "dt": 0.4118, "rf": 0.4086, "ffm": 0.3972}
TRAIN_ROWS, TEST_ROWS = 16_290, 7_009


def run(context):
    data = context.real("avazu-34h.csv")
    split = avazu_split(data)
    lines = []
    for name, setting, fit in peers():
        began = time.monotonic()
        loss, auc = split.judge(fit(split))
        lines.append((name, setting, loss, auc, time.monotonic() - began))
    for algo, limit in LIMITS.items():
        _, result = context.train(data, "--algo", algo)
        test, rows = result["test"], result["rows"]
        lines.append((f"ctr {algo}", "default settings", test["log_loss"], test["auc"], result["wall"]))
        context.report.check(f"quality/{algo} split", (rows["train"], rows["test"]) == (TRAIN_ROWS, TEST_ROWS),
                             f"{rows['train']} training and {rows['test']} test rows: want {TRAIN_ROWS} and {TEST_ROWS}")
        context.report.check(f"quality/{algo}", test["log_loss"] <= limit,
                             f"test log loss {test['log_loss']:.5f}: want at most {limit}")
    lines.sort(key=lambda line: line[2])
    print_table(lines)
    if context.write:
        machine.put(context.write, "quality", document(context, lines))


def print_table(lines):
    width = max(len(line[1]) for line in lines)
    print(f"     {'':24} {'':{width}}  log loss     AUC  seconds")
    for name, setting, loss, auc, seconds in lines:
        print(f"     {name:24} {setting:{width}}  {loss:8.5f}  {auc:6.4f}  {seconds:7.1f}")


def document(context, lines):
    """The table for BENCHMARKS.md. Seconds are left out: ctr's are those of the
    whole command, the peers' begin with the rows in memory."""
    return "\n".join([
        *machine.describe(context.ctr_path, ROOT),
        f"{TRAIN_ROWS:,} training and {TEST_ROWS:,} test rows.",
        "",
        "| | settings | test log loss | test AUC |",
        "|---|---|---|---|",
        *(f"| {name} | {setting} | {loss:.5f} | {auc:.4f} |" for name, setting, loss, auc, _ in lines),
        "",
        "`make crosscheck CROSSCHECK='--only quality --write BENCHMARKS.md'`",
    ])


def run_criteo(context):
    data = context.real("criteo-10k.tsv")
    for algo in ("lr", "dt", "rf", "ffm", "fm"):
        path, result = context.train(data, "--schema", "criteo", "--algo", algo)
        metrics, _ = context.predictions(path)
        rows = result["rows"]["train"] + result["rows"]["test"]
        better = metrics["log_loss"] < metrics["majority"]["log_loss"]
        same = abs(metrics["log_loss"] - result["test"]["log_loss"]) < 1e-12
        context.report.check(f"criteo/{algo}", rows == 10_000 and better and same,
                             f"{rows} rows, test log loss {metrics['log_loss']:.5f}, AUC {metrics['auc']:.4f}; the constant has {metrics['majority']['log_loss']:.5f}")
