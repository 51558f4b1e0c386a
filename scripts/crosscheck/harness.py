"""What all checks have in common: running ctr, finding data, reporting."""

import itertools
import json
import os
import subprocess
import time
import traceback
from pathlib import Path


class Skip(Exception):
    """A check that can't run here, and why."""


class Failed(Exception):
    """A check whose work could not be done, and why."""


class Report:
    """Prints each result as it comes and counts them."""

    def __init__(self):
        self.counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}

    def add(self, status, name, detail):
        self.counts[status] += 1
        print(f"{status} {name}: {detail}", flush=True)

    def check(self, name, ok, detail):
        self.add("PASS" if ok else "FAIL", name, detail)

    def below(self, name, value, limit, what):
        """Checks value <= limit; NaN fails."""
        self.check(name, value <= limit, f"{what} {value:.3g}: want at most {limit:g}")

    @property
    def failed(self):
        return self.counts["FAIL"] > 0


class Context:
    """Where things are, and a cache of trained models."""

    def __init__(self, ctr, shared, scratch, report, write=None, everything=False):
        self.ctr_path = Path(ctr).resolve()
        self.shared = Path(shared)
        self.scratch = Path(scratch)
        self.report = report
        self.everything = everything  # --all: every model, and all rows
        self.write = write  # the document that gets the quality table, or None
        self._models = {}

    def run(self, *args):
        """Runs ctr and gives its standard output; Failed where it exits non-zero."""
        # Settings of whoever runs this must not reach the command.
        env = {k: v for k, v in os.environ.items() if not k.startswith("CTR_")}
        done = subprocess.run(
            [str(self.ctr_path), *map(str, args)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, check=False,
        )
        if done.returncode != 0:
            raise Failed(f"ctr {' '.join(map(str, args))}: exit {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def json(self, *args):
        return json.loads(self.run(*args, "--json"))

    def real(self, name):
        """The path of a file of real rows, or Skip."""
        path = self.shared / "data" / name
        if not path.exists():
            raise Skip(f"{name} is not in {self.shared / 'data'} (set CTR_SHARED)")
        return path

    def rows(self):
        """Avazu rows with a header: the real ones, else synthetic ones."""
        try:
            return self.real("avazu-34h.csv"), "real"
        except Skip:
            return self.synthetic(20_000), "synthetic"

    def some(self, path, rows):
        """A file of the first rows of a file; all of them with --all."""
        if self.everything:
            return path
        out = self.scratch / f"some-{rows}-{path.name}"
        if not out.exists():
            with open(path, encoding="utf-8", newline="") as f, open(out, "w", encoding="utf-8", newline="") as to:
                to.writelines(itertools.islice(f, rows + (path.suffix == ".csv")))
        return out

    def chosen(self, cases):
        """The cases whose last element is true, without it; all with --all."""
        return [case[:-1] for case in cases if case[-1] or self.everything]

    def synthetic(self, rows):
        path = self.scratch / f"synthetic-{rows}.csv"
        if not path.exists():
            self.run("synth", "--rows", rows, "--seed", 7, "--out", path)
        return path

    def train(self, data, *flags):
        """Trains once for each data and flags; gives the model's path and what
        train printed."""
        key = (str(data), *map(str, flags))
        if key not in self._models:
            path = self.scratch / f"model-{len(self._models)}.ctr"
            began = time.monotonic()
            result = self.json("train", data, *flags, "--out", path)
            result["wall"] = time.monotonic() - began
            self._models[key] = (path, result)
        return self._models[key]

    def imported(self):
        """Names and paths of models of Spark, imported, whose fields are cast, and
        a file of rows for each; None where any rows of Avazu's will do."""
        kept = Path(__file__).resolve().parents[2] / "models" / "interchange" / "spark" / "testdata"
        found = [(name, kept / f"{name}.tar.gz", kept / "rows.csv") for name in ("lr-scaled", "dt", "gbt")]
        replaced = self.shared / "spark" / "avazu-lr-model"
        for name, path, rows in found + [("replaced", replaced, None)] * replaced.exists():
            model = self.scratch / f"imported-{name}.ctr"
            if not model.exists():
                self.run("import", "spark", path, "--out", model)
            yield name, model, rows

    def predictions(self, model, *data):
        """Evaluates a model; gives the metrics and the predictions file."""
        path = self.scratch / f"{model.stem}-{len(list(self.scratch.iterdir()))}.csv"
        metrics = self.json("evaluate", *data, "--model", model, "--predictions", path)
        return metrics, path


def guarded(report, name, function, context):
    """Runs one check; what it raises becomes a line of the report."""
    try:
        function(context)
    except Skip as why:
        report.add("SKIP", name, why)
    except Failed as why:
        report.add("FAIL", name, why)
    except Exception:  # noqa: BLE001: a fault in a check is a failed check, and the others still run
        report.add("FAIL", name, traceback.format_exc().strip().replace("\n", "\n    "))
