"""ctr's metrics are scikit-learn's, on the same predictions."""

import csv
import json
import subprocess
import sys
from pathlib import Path

TOLERANCE = 1e-9


def reference(rows, threshold, scratch):
    """What metrics_reference.py gives for a predictions file's rows."""
    path = scratch / "metrics-reference.csv"
    with open(path, "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["case", "y", "p", "w", "threshold"])
        for row in rows:
            out.writerow(["p", row["y"], row["probability"], "1", repr(threshold)])
    script = Path(__file__).with_name("metrics_reference.py")
    done = subprocess.run([sys.executable, str(script), "evaluate", str(path)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def flat(values, prefix=""):
    """Nested dictionaries as one, with dotted names."""
    out = {}
    for key, value in values.items():
        if isinstance(value, dict):
            out.update(flat(value, prefix + key + "."))
        else:
            out[prefix + key] = value
    return out


def difference(ours, theirs):
    if ours is None or theirs is None:
        return 0.0 if ours is theirs else float("inf")
    return abs(ours - theirs)


def run(context):
    data, kind = context.rows()
    for algo in ("lr", "dt", "rf"):
        model, _ = context.train(data, "--algo", algo)
        metrics, path = context.predictions(model)
        with open(path, newline="") as f:
            rows = list(csv.DictReader(f))
        want = flat(reference(rows, metrics["threshold"], context.scratch))
        got = flat(metrics)
        missing = sorted(want.keys() - got.keys())
        name = f"metrics/{algo}"
        if missing:
            context.report.check(name, False, f"evaluate --json has no {', '.join(missing)}")
            continue
        gaps = {key: difference(got[key], want[key]) for key in want}
        worst = max(gaps, key=gaps.get)
        context.report.below(name, gaps[worst], TOLERANCE,
                             f"{len(want)} figures of {len(rows)} {kind} rows, greatest difference from scikit-learn ({worst})")
        wrong = sum(int(r["prediction"]) != (float(r["probability"]) > metrics["threshold"]) for r in rows)
        context.report.check(f"predictions/{algo}", wrong == 0 and len(rows) == metrics["rows"],
                             f"{wrong} of {len(rows)} predictions are not probability > threshold")
