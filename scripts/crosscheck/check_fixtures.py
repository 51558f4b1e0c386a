"""Fixtures made by Python's tools are still what those tools give."""

import json
import math
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def close(a, b):
    """Equal but for rounding, all the way down."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(close, a, b))
    if isinstance(a, float) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
    return a == b


def run(context):
    made = context.scratch / "metrics"
    made.mkdir(exist_ok=True)
    subprocess.run([sys.executable, str(HERE / "metrics_reference.py"), "generate", str(made)], check=True, capture_output=True)
    kept = ROOT / "models" / "metrics" / "testdata"
    same = close(json.loads((made / "reference.json").read_text()), json.loads((kept / "reference.json").read_text()))
    context.report.check("fixtures/metrics", same and (made / "reference.csv").read_text() == (kept / "reference.csv").read_text(),
                         "metrics_reference.py gives models/metrics/testdata again")
