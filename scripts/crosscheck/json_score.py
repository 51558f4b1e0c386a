"""Scores rows by a model's JSON form alone (`ctr export --to json`), as
docs/formats.md describes it; no code of ctr's or of other checks is used but
the hash.

    json_score.py MODEL.json ROWS.csv    one probability a line
"""

import base64
import bisect
import json
import math
import re
import sys
from datetime import datetime
from decimal import Decimal

from murmur import murmur3

NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
PARTS = {"hour_time": lambda t: t.hour, "day": lambda t: t.day, "month": lambda t: t.month,
         "dayofweek": lambda t: t.isoweekday() % 7 + 1}
FORMS = {8: "%Y%m%d%H", 10: "%Y-%m-%d", 19: "%Y-%m-%d %H:%M:%S"}


INTEGER = re.compile(rb"[+-]?\d+")
LIMIT = 1 << 63


def java(x):
    """A number as Java's Double.toString has it."""
    if x and not 1e-3 <= abs(x) < 1e7:
        digits, exponent = f"{Decimal(repr(x)):e}".split("e")
        whole, _, rest = digits.partition(".")
        return f"{whole}.{rest.rstrip('0') or '0'}E{int(exponent)}".encode()
    return repr(x).encode()


class Model:
    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            self.m = json.load(f)
        self.columns = {c["name"] for c in self.m["schema"]["columns"] if c["kind"] != "ignore"}
        plain = lambda v: base64.b64decode(v["base64"]) if isinstance(v, dict) else v.encode()
        self.codes = [{plain(v): i for i, v in enumerate(f.get("dictionary", []), start=1)} for f in self.m["fields"]]

    def text(self, field, row):
        def value(name):
            part = field.get("part") or (len(field["from"]) > 1 and name not in self.columns and name)
            if part in PARTS:
                time = row[self.m["time"]].decode().replace("T", " ")
                form, century = FORMS[len(time)], "20" if len(time) == 8 else ""
                return str(PARTS[part](datetime.strptime(century + time, form))).encode()
            return row[name]
        return b"\x1f".join(map(value, field["from"]))

    def encode(self, field, codes, row):
        """The code of a field and, of a number, its value: NaN where missing."""
        text, cap, x = self.text(field, row), field.get("cap"), math.nan
        if NUMBER.fullmatch(text) and (cap is not None or field["type"] == "num"):
            x = float(text)
            if cap is not None and x > cap:
                x, text = cap, (str(int(cap)) if cap == int(cap) else repr(cap)).encode()
        if field["type"] == "num":
            return (0 if math.isnan(x) else 1 + bisect.bisect_left(field.get("bounds") or [], x)), x
        if field.get("cast"):
            return codes.get(text, 0) or codes.get(self.cast(field, text), 0), x
        if field["type"] == "hash":
            return murmur3(text, field.get("seed", 0)) & (1 << self.m["bits"]) - 1, x
        return codes.get(text, 0), x

    def cast(self, field, text):
        """What a number is cast to; None where the text is none."""
        if field["cast"] == "int":
            n = int(text) if INTEGER.fullmatch(text) else LIMIT
            return b"%d" % n if -LIMIT <= n < LIMIT else None
        if not NUMBER.fullmatch(text) and (field["cast"] == "double" or text):
            return None
        if field["cast"] == "double":
            return java(float(text))
        return b"%d" % (1 + bisect.bisect_left(field.get("bounds") or [], float(text)) if text else 0)

    def linear(self, lr, coded):
        z = lr["bias"]
        for field, at, (code, x) in zip(self.m["fields"], lr["offsets"], coded):
            if not field.get("values"):
                z += lr["weights"][at + code]
            elif math.isnan(x):
                z += lr["weights"][at]
            else:
                z += lr["weights"][at + 1] * ((x - field.get("mean", 0)) / (field.get("scale") or 1))
        return z

    def leaf(self, nodes, coded):
        node = nodes[0]
        while "leaf" not in node:
            code, x = coded[node["field"]]
            if "in" in node:
                left = code in node["in"]
            else:
                left = node["missing"] == "left" if math.isnan(x) else x <= float(node["le"])
            node = nodes[node["left" if left else "right"]]
        return node["leaf"]

    def machine(self, coded):
        m, n, k, slots = self.m, len(coded), self.m["factors"], []
        for s, (code, _) in zip(m["slots"], coded):
            if "codes" in s:
                at = bisect.bisect_left(s["codes"], code & s["mask"])
                own = at + 1 if at < len(s["codes"]) and s["codes"][at] == code & s["mask"] else 0
            else:
                own = code if code < s["size"] else 0
            slots.append(s["first"] + own)
        vector = lambda f, g: (slots[f] * n + g if m["algo"] == "ffm" else slots[f]) * k
        pairs = sum(m["vectors"][vector(f, g) + d] * m["vectors"][vector(g, f) + d]
                    for f in range(n) for g in range(f + 1, n) for d in range(k))
        return m["bias"] + m["scale"] * (pairs + m["linear_scale"] * sum(m["linear"][s] for s in slots))

    def probability(self, row):
        m, coded = self.m, [self.encode(f, c, row) for f, c in zip(self.m["fields"], self.codes)]
        leaves = [self.leaf(t, coded) for t in m.get("trees", [])]
        if m["algo"] in ("dt", "rf"):
            return sum(leaves) / len(leaves)
        z = self.machine(coded) if "factors" in m else m.get("base", 0) + sum(leaves)
        z += self.linear(m["lr"], coded) if "lr" in m else 0
        e = math.exp(-abs(z))
        return (1 if z >= 0 else e) / (1 + e)


if __name__ == "__main__":
    from ctrmodel import read_rows

    model = Model(sys.argv[1])
    for r in read_rows(sys.argv[2], model.m["schema"].get("layouts") or []):
        print(model.probability(r))
