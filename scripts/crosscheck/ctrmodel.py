"""Reads model.ctr and encodes rows by its Spec, independently of ctr's code.

The file is safetensors; __metadata__.spec is JSON. A field becomes a code:

    dict  1 + the value's place in the tensors dict/<i>/bytes and
          dict/<i>/offsets, 0 for all others
    hash  murmur3_x86_32(value, seed) & (2^bits - 1)
    num   0 where missing, else 1 + the number of bounds below the value

A cross joins its values by 0x1F; a part of the time is the decimal text of
its number; a number above a field's cap is replaced by the cap.
"""

import csv
import json
from datetime import datetime

import numpy as np
from safetensors import safe_open

from murmur import murmur3

PARTS = {
    "hour_time": lambda t: t.hour,
    "day": lambda t: t.day,
    "dayofweek": lambda t: t.isoweekday() % 7 + 1,  # 1 = Sunday, as Spark counts
    "month": lambda t: t.month,
}


class Model:
    """The parts of a model file that checks need."""

    def __init__(self, path):
        with safe_open(path, framework="np") as f:
            self.meta = f.metadata()
            self.tensors = {name: f.get_tensor(name) for name in f.keys()}
        self.spec = json.loads(self.meta["spec"])
        self.fields = self.spec["fields"]
        self.bits = self.spec.get("bits", 0)
        # Only a logistic regression has these.
        self.weights = self.tensors.get("lr/weights")
        self.bias = float(self.tensors["lr/bias"][0]) if "lr/bias" in self.tensors else None
        self.dictionaries = [self._dictionary(i) for i in range(len(self.fields))]
        if "ftrl/index" in self.tensors:  # learned online: only the slots that were hit
            self.weights = np.zeros(self.offsets()[1])
            self.weights[self.tensors["ftrl/index"]] = self.tensors["ftrl/weights"]

    def _dictionary(self, i):
        if self.fields[i]["type"] != "dict":
            return None
        text = self.tensors[f"dict/{i}/bytes"].tobytes()
        ends = [int(o) for o in self.tensors[f"dict/{i}/offsets"]]
        return {text[a:b]: code for code, (a, b) in enumerate(zip(ends, ends[1:]), start=1)}

    def size(self, i):
        """The number of codes of field i."""
        field = self.fields[i]
        if field["type"] == "dict":
            return len(self.dictionaries[i]) + 1
        if field["type"] == "hash":
            return 1 << self.bits
        return len(field.get("bounds") or []) + 2

    def offsets(self):
        """Where each field's weights begin in one table, and its length: hashed
        fields share one range, which stands where the first of them does."""
        starts, total, shared = [], 0, None
        for i, field in enumerate(self.fields):
            if field["type"] == "hash" and shared is not None:
                starts.append(shared)
                continue
            if field["type"] == "hash":
                shared = total
            starts.append(total)
            total += self.size(i)
        return starts, total

    def column(self, kind):
        """The name of the first column of a kind: label, id, time."""
        return next((c["name"] for c in self.spec["schema"]["columns"] if c["kind"] == kind), None)

    def encode(self, rows):
        """Codes, and values of number fields (NaN elsewhere), a row each."""
        codes = np.zeros((len(rows), len(self.fields)), dtype=np.int64)
        values = np.full((len(rows), len(self.fields)), np.nan)
        for i, field in enumerate(self.fields):
            seen = {}  # text → (code, value): most values come often
            for r, row in enumerate(rows):
                text = self.text(field, row)
                if text not in seen:
                    seen[text] = self.code(i, field, text)
                codes[r, i], values[r, i] = seen[text]
        return codes, values

    def text(self, field, row):
        """The bytes that field makes of a row."""
        if field.get("part"):
            return part(field["part"], row[field["from"][0]])
        if len(field["from"]) == 1:
            return row[field["from"][0]]
        time = self.column("time")
        return b"\x1f".join(row[n] if n in row else part(n, row[time]) for n in field["from"])

    def code(self, i, field, text):
        number = float("nan")
        if field["type"] == "num" or field.get("cap") is not None:
            number = float(text) if text else float("nan")
        if field.get("cap") is not None and number > field["cap"]:
            number = field["cap"]
            text = (str(int(number)) if number == int(number) else repr(number)).encode()
        if field["type"] == "dict":
            return self.dictionaries[i].get(text, 0), float("nan")
        if field["type"] == "hash":
            return murmur3(text, field.get("seed", 0)) & ((1 << self.bits) - 1), float("nan")
        bounds = field.get("bounds") or []
        return (0 if number != number else 1 + sum(b < number for b in bounds)), number


def part(name, text):
    return str(PARTS[name](parse_time(text))).encode()


def parse_time(text):
    """YYMMDDHH, YYYY-MM-DD or YYYY-MM-DD HH:MM:SS."""
    text = text.decode()
    form = {8: "%y%m%d%H", 10: "%Y-%m-%d", 19: "%Y-%m-%d %H:%M:%S"}[len(text)]
    return datetime.strptime(text, form)


def read_rows(path, layouts=()):
    """The rows of a file as dictionaries of bytes. A file whose first row names
    columns has them from there, else from the layout as long as the row."""
    # latin-1 gives each byte a character of its own, so bytes come back as they were.
    with open(path, encoding="latin-1", newline="") as f:
        records = list(csv.reader(f, delimiter="\t" if str(path).endswith(".tsv") else ","))
    names = next((layout for layout in layouts if len(layout) == len(records[0])), None)
    if names is None or "click" in records[0]:
        names, records = records[0], records[1:]
    return [dict(zip(names, (v.encode("latin-1") for v in r), strict=True)) for r in records]
