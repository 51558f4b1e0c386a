"""Rows, and what `ctr evaluate --predictions` gives to them, for the clients of
clients.sh. The standard library alone: each client has an environment of its
own."""

import csv
import sys

ROWS = 500
MODEL = "ctr"


class Expected:
    """columns: name -> texts; ids, probabilities and predictions, row by row."""

    def __init__(self, rows, predictions):
        with open(predictions, newline="") as f:
            want = {r["id"]: r for r in csv.DictReader(f)}
        with open(rows, newline="") as f:
            kept = [r for r in csv.DictReader(f) if r["id"] in want][:ROWS]
        if len(kept) < ROWS:
            sys.exit(f"{len(kept)} rows, want {ROWS}")
        self.columns = {name: [r[name] for r in kept] for name in kept[0] if name != "click"}
        self.ids = self.columns["id"]
        self.probabilities = [float(want[i]["probability"]) for i in self.ids]
        self.predictions = [int(want[i]["prediction"]) for i in self.ids]
        if len(set(self.probabilities)) < ROWS // 2:
            sys.exit("hardly any distinct probabilities: rows that prove nothing")

    def whole(self):
        """The columns whose values are whole numbers, written as Python writes them."""
        return {
            name: [int(v) for v in values]
            for name, values in self.columns.items()
            if name != "id" and all(v.lstrip("-").isdigit() and str(int(v)) == v for v in values)
        }

    def check(self, what, probabilities, predictions, ids):
        """Wants the very bits."""
        got = list(zip((text(i) for i in ids), (float(p) for p in probabilities), (int(y) for y in predictions), strict=True))
        want = list(zip(self.ids, self.probabilities, self.predictions, strict=True))
        bad = [(g, w) for g, w in zip(got, want, strict=True) if g != w]
        if bad:
            sys.exit(f"{what}: {len(bad)} of {len(want)} rows differ: {bad[0][0]}, want {bad[0][1]}")
        print(f"{what}: {len(want)} rows, the same bits")


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def want(what, condition):
    if not condition:
        sys.exit(f"{what}: not so")


def arguments():
    http, grpc, rows, predictions = sys.argv[1:]
    return http, grpc, Expected(rows, predictions)
