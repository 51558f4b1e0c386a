"""Compares ctr with tools that define what it computes.

    crosscheck.py --ctr ./ctr [--shared ../shared] [--only metrics,lr-rows] [--keep DIR]

Each check prints PASS, FAIL or SKIP with its figure; the exit status is 1 if
any failed. `make crosscheck` runs it with the pinned packages of
requirements.txt. Checks that need the real rows (avazu-34h.csv,
avazu-stream.csv, criteo-10k.tsv under SHARED/data) use synthetic ones where
those are absent, or are skipped where only real ones make sense.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import check_boosters
import check_determinism
import check_fixtures
import check_formats
import check_lr_rows
import check_lr_weights
import check_metrics
import check_onnx
import check_quality
import check_recipes
import check_replaced
import check_spark
import check_synth
from harness import Context, Report, guarded

# Name, function; in the order in which they run.
CHECKS = [
    ("murmur3", check_lr_rows.murmur_vectors),
    ("fixtures", check_fixtures.run),
    ("modelfile", check_fixtures.run_modelfile),
    ("metrics", check_metrics.run),
    ("lr-rows", check_lr_rows.run),
    ("lr-weights", check_lr_weights.run),
    ("onnx", check_onnx.run),
    ("determinism", check_determinism.run),
    ("replaced-lr", check_replaced.run_lr),
    ("replaced-dt", check_replaced.run_dt),
    ("criteo", check_quality.run_criteo),
    ("quality", check_quality.run),
    ("synth", check_synth.run),
    ("recipes", check_recipes.run),
    ("json", check_formats.run_json),
    ("pmml", check_formats.run_pmml),
    ("boosters", check_boosters.run),
    ("synth-fused", check_fixtures.run_fused),
    ("spark-import", check_spark.run_import),
    ("spark-3.5", check_spark.live("3.5")),
]

# What --all adds: more versions of peers.
MORE = [
    ("spark-4.0", check_spark.live("4.0")),
]


def arguments():
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ctr", default=root / "ctr", help="the binary to check")
    parser.add_argument("--shared", default=os.environ.get("CTR_SHARED") or root.parent / "shared",
                        help="the folder with data/ (CTR_SHARED)")
    parser.add_argument("--only", help="names of checks, separated by commas: " + ", ".join(n for n, _ in CHECKS + MORE))
    parser.add_argument("--all", action="store_true",
                        help="also " + ", ".join(n for n, _ in MORE) + "; and all models and rows in onnx and pmml")
    parser.add_argument("--keep", help="leave models and predictions in this folder")
    parser.add_argument("--write", type=Path, help="put the quality table into this document")
    return parser.parse_args()


def chosen(only, everything):
    checks = CHECKS + MORE
    names = only.split(",") if only else [name for name, _ in (checks if everything else CHECKS)]
    unknown = set(names) - {name for name, _ in checks}
    if unknown:
        sys.exit(f"crosscheck: no check named {', '.join(sorted(unknown))}")
    return [(name, function) for name, function in checks if name in names]


def main():
    args = arguments()
    if not os.access(args.ctr, os.X_OK):
        sys.exit(f"crosscheck: {args.ctr}: no such program; run make build")
    report = Report()
    with tempfile.TemporaryDirectory(prefix="ctr-crosscheck-") as scratch:
        if args.keep:
            Path(args.keep).mkdir(parents=True, exist_ok=True)
            scratch = args.keep
        context = Context(args.ctr, args.shared, scratch, report, args.write, args.all)
        for name, function in chosen(args.only, args.all):
            began = time.monotonic()
            guarded(report, name, function, context)
            print(f"     {name} took {time.monotonic() - began:.1f} s", flush=True)
    counts = report.counts
    print(f"crosscheck: {counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    return 1 if report.failed or counts["PASS"] == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
