"""Fixtures made by Python's tools are still what those tools give."""

import json
import math
import subprocess
import sys
from pathlib import Path

from harness import Failed

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


def script(name, *args):
    """What one of our scripts prints."""
    done = subprocess.run([sys.executable, str(HERE / name), *map(str, args)],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{name}: exit {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout


def run(context):
    """All that Python's tools say in files of ours, they say again."""
    made = context.scratch / "metrics"
    made.mkdir(exist_ok=True)
    script("metrics_reference.py", "generate", made)
    kept = ROOT / "models" / "metrics" / "testdata"
    same = close(json.loads((made / "reference.json").read_text()), json.loads((kept / "reference.json").read_text()))
    context.report.check("fixtures/metrics", same and (made / "reference.csv").read_text() == (kept / "reference.csv").read_text(),
                         "metrics_reference.py gives models/metrics/testdata again")
    for name, kept in (("lr_reference.py", "models/linear/testdata/lr_reference.json"),
                       ("trees_reference.py", "models/trees/testdata/sklearn.json"),
                       ("ffm_reference.py", "models/factor/testdata/reference.json"),
                       ("gbdt_reference.py", "models/trees/testdata/lightgbm.json"),
                       ("onnx_reference.py", "models/interchange/onnx/testdata/onnxruntime.json")):
        same = close(json.loads(script(name)), json.loads((ROOT / kept).read_text()))
        context.report.check(f"fixtures/{name}", same, f"gives {kept} again")
    kept = ROOT / "features" / "testdata" / "murmur3.csv"
    context.report.check("fixtures/murmur_reference.py", script("murmur_reference.py") == kept.read_text(), f"gives {kept.relative_to(ROOT)} again")


def run_modelfile(context):
    """Every model file opens in Python's safetensors and has the sum it says."""
    data, _ = context.rows()
    for algo in ("lr", "dt", "rf", "gbdt", "gbdt-lr", "ffm", "fm"):
        path, _ = context.train(data, "--algo", algo)
        seen = json.loads(script("modelfile.py", path))
        meta, tensors = seen["metadata"], seen["tensors"]
        context.report.check(f"modelfile/{algo}", meta["format"] == "ctr-model" and meta["sha256"] == seen["sha256"] and len(tensors) > 0,
                             f"{len(tensors)} tensors, sum {seen['sha256'][:12]}")


def run_fused(context):
    """The synthetic rows are the same where processors fuse multiply and add."""
    context.report.check("synth-fused", True, script("synth_fused.py").strip().replace("\n", "; "))
