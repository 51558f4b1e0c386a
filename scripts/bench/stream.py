"""Makes tables of what BenchmarkStream and BenchmarkLatency print."""

import collections
import re
import statistics
import sys

rates, late = collections.defaultdict(lambda: collections.defaultdict(list)), []
for line in sys.stdin:
    if m := re.match(r"BenchmarkStream/(.+)/partitions=(\d+)/round=\d+\S*\s.*?([\d.e+]+) rows/s", line):
        rates[m[1].replace("_", " ")][m[2]].append(float(m[3]))
    elif m := re.match(r"BenchmarkLatency/rate=(\d+)", line):
        late.append([m[1], *(re.search(rf"([\d.e+-]+) {re.escape(q)}-ms", line)[1] for q in ("p50", "p99", "p99.9"))])
plain = {p: statistics.median(v) for p, v in rates.get("sarama group, counting", {}).items()}
sends = {p: statistics.median(v) for p, v in rates.get("sarama idempotent producer", {}).items()}
partitions = sorted({p for r in rates.values() for p in r}, key=int)
print("medians of rows a second, k, and what they are of sarama's (reading; for senders, of its producer)\n")
print(f"{'':38}" + "".join(f"{p + (' partition' if p == '1' else ' partitions'):>22}" for p in partitions))
for name, by in rates.items():
    base = sends if "producer" in name or "replay" in name else plain
    cells = (f"{statistics.median(by[p]) / 1e3:,.0f} ({statistics.median(by[p]) / base[p]:.0%})" if p in by and p in base else "" for p in partitions)
    print(f"{name:38}" + "".join(f"{c:>22}" for c in cells))
if late:
    print("\nfrom Send to the row in predictions.csv, one partition, ms\n")
    print(f"{'rows/s':>8}{'p50':>9}{'p99':>9}{'p99.9':>9}")
    for r in late:
        print(f"{int(r[0]):>8,}" + "".join(f"{float(x):>9.1f}" for x in r[1:]))
