"""What clients can do alone, and what ctr makes of it."""

import collections
import re
import statistics

from .bench import metric

SECTION = "streaming"


def run(bench):
    rates = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in bench.gobench("^BenchmarkStream$"):
        if m := re.match(r"BenchmarkStream/(.+)/partitions=(\d+)/round=\d+", line):
            rates[m[1].replace("_", " ")][m[2]].append(metric(line, "rows/s"))
    plain = {p: statistics.median(v) for p, v in rates["sarama group, counting"].items()}
    sends = {p: statistics.median(v) for p, v in rates["sarama idempotent producer"].items()}
    partitions = sorted({p for r in rates.values() for p in r}, key=int)
    yield "medians of rows a second, k, and what they are of sarama's (reading; for senders, of its producer)"
    yield ""
    yield f"{'':38}" + "".join(f"{p + (' partition' if p == '1' else ' partitions'):>22}" for p in partitions)
    for name, by in rates.items():
        base = sends if "producer" in name or "replay" in name else plain
        cells = (f"{statistics.median(by[p]) / 1e3:,.0f} ({statistics.median(by[p]) / base[p]:.0%})" if p in by and p in base else "" for p in partitions)
        yield f"{name:38}" + "".join(f"{c:>22}" for c in cells)
