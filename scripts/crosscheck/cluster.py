"""`ctr train --engine spark` on a standalone Spark cluster of two workers beside
`ctr train`: the same Spec, the same split, the same codes, and test log losses
within .002 of each other.

    cluster.py --ctr ./ctr [--rows 100000] [--only lr,dt,rf] [--keep DIR]

Part of make crosscheck-all; needs the pyspark of requirements/spark-3.5.txt and
Java 17.
"""

import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts" / "lib"))

from harness import Context, Report, guarded  # noqa: E402
from sparkcluster import Cluster  # noqa: E402

TOLERANCE = 0.002
# Flags that both engines get: trees of the same size.
ALGORITHMS = {"lr": [], "dt": [], "rf": ["--trees", "30"]}
# A row of every oddity: empty and rare values, quotes, a tab, other scripts,
# digits that no number is written with, times in the other form.
ODD = '''id,click,hour,site_id,app_id,C1,C14
1,0,14102100,a,,1,007
2,1,14102100,"a,b",x,1,7
3,0,14102101,"say ""no""",x,1,7.0
4,1,14102101,é,,2,1e3
5,0,2014-10-21 02:00:00,日本,x,2,1000
6,1,2014-10-21,😀,y,10,-0
7,0,14102103,\uffee,y,10,NaN
8,1,14102103,a\tb,y,1,
9,1,14102104,rare,z,3,5
10,0,14102104,a,x,1,7
'''


def tensors(path):
    """The metadata and the tensors, as bytes, of a model file."""
    data = Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    meta = header.pop("__metadata__")
    return meta, {name: data[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]] for name, t in header.items()}


def features(path):
    """What decides the code of every row: the Spec, and the dictionaries by the
    names of their fields."""
    meta, values = tensors(path)
    spec = json.loads(meta["spec"])
    return {f["name"]: (f, values.get(f"dict/{i}/bytes"), values.get(f"dict/{i}/offsets")) for i, f in enumerate(spec["fields"])}


def both(context, cluster, name, data, *flags):
    """Trains with both engines; gives what each printed and its model."""
    made = []
    for engine, more in (("ctr", []), ("spark", cluster.flags())):
        out = context.scratch / f"{name}-{engine}.ctr"
        began = time.monotonic()
        result = context.json("train", data, *flags, *more, "--out", out, "--quiet")
        made.append((result, out, time.monotonic() - began))
    return made


def check_same(context, name, own, spark):
    """The Specs of two models: fields that a tree never asks about are left out
    of Spark's."""
    want, got = features(own), features(spark)
    wrong = [f for f in got if got[f] != want.get(f)]
    context.report.check(f"cluster/{name}/codes", not wrong and bool(got), f"{len(got)} of {len(want)} fields used, other dictionaries in {wrong or 'none'}")


def check_algorithm(context, cluster, algo, data):
    (own, path, took), (spark, spark_path, spark_took) = both(context, cluster, algo, data, "--algo", algo, *ALGORITHMS[algo])
    same = own["rows"] == spark["rows"] and all(own[p]["clicks"] == spark[p]["clicks"] for p in ("train", "test"))
    context.report.check(f"cluster/{algo}/split", same, f"{spark['rows']}: want {own['rows']}")
    if algo == "lr":
        check_same(context, algo, path, spark_path)
    gain = spark["test"]["log_loss"] - own["test"]["log_loss"]
    context.report.below(f"cluster/{algo}", abs(gain), TOLERANCE,
                         f"test log loss {spark['test']['log_loss']:.5f} in {spark_took:.0f} s, ctr's {own['test']['log_loss']:.5f} in {took:.1f} s, difference {gain:+.5f},")
    again = context.json("evaluate", "--model", spark_path)
    context.report.check(f"cluster/{algo}/evaluate", again["log_loss"] == spark["test"]["log_loss"], "ctr evaluate alone finds the held-out rows")


def check_odd(context, cluster):
    """Odd values, crosses, parts of the time, min-count: the same codes."""
    data = context.scratch / "odd.csv"
    data.write_text(ODD)
    flags = ["--cross", "site_id,app_id", "--cross", "hour_time,C1", "--include", "site_id,app_id,C1,C14,day,dayofweek,month,hour_time", "--min-count", "1"]
    (_, own, _), (_, spark, _) = both(context, cluster, "odd", data, *flags)
    check_same(context, "odd", own, spark)
    (_, own, _), (_, spark, _) = both(context, cluster, "odd-2", data, *flags[:-1], "2")
    check_same(context, "odd-2", own, spark)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ctr", default=ROOT / "ctr")
    parser.add_argument("--shared", default=os.environ.get("CTR_SHARED") or ROOT.parent / "shared")
    parser.add_argument("--rows", type=int, default=100_000, help="synthetic rows")
    parser.add_argument("--only", default=",".join(["odd", *ALGORITHMS]))
    parser.add_argument("--keep", help="leave models and logs in this folder")
    args = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="ctr-cluster-") as scratch:
        scratch = Path(args.keep or scratch)
        context = Context(args.ctr, args.shared, scratch, report)
        with Cluster(scratch / "cluster") as cluster:
            if "odd" in args.only.split(","):
                guarded(report, "cluster/odd", lambda c: check_odd(c, cluster), context)
            data = context.synthetic(args.rows) if set(args.only.split(",")) - {"odd"} else None
            for algo in ALGORITHMS:
                if algo in args.only.split(","):
                    guarded(report, f"cluster/{algo}", lambda c, a=algo: check_algorithm(c, cluster, a, data), context)
    print(f"cluster: {report.counts['PASS']} passed, {report.counts['FAIL']} failed, {report.counts['SKIP']} skipped")
    return 1 if report.failed or report.counts["PASS"] == 0 else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.SubprocessError as error:
        sys.exit(f"cluster: {error}")
