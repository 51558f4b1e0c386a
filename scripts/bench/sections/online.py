"""One pass of online logistic regression over CSV."""

from contestants import ONLINE
from tables import absent, at_most, commands, faster, no_worse, table, value, Claim

NAME = "online"
# Rows a second that are meant, in millions.
SPEEDS = {"ctr ftrl, 1 thread": 1.5, "ctr ftrl": 2.0, "ctr ftrl, lock-free": 2.7,
          "ctr ftrl, cache, 1 thread": 3.0, "ctr ftrl, 2^18, cache, 1 thread": 4.0}


def run(bench, data):
    ran = bench.run_all(data, ONLINE)
    claims = []
    for name, want in SPEEDS.items():
        if (wall := value(bench, data, name, "wall")) is not None:
            got = len(data.y_train) / wall / 1e6
            claims.append(Claim(got >= want, f"{name}: {got:.2f} M rows/s: want {want} or more"))
    claims += faster(bench, data, "ctr ftrl", "Vowpal Wabbit", 5)
    claims += faster(bench, data, "ctr ftrl, lock-free", "Vowpal Wabbit", 6)
    for name in ("ctr ftrl", "ctr ftrl, lock-free"):
        claims += no_worse(bench, data, name, "Vowpal Wabbit")
        claims += no_worse(bench, data, name, "Vowpal Wabbit", "progressive", "progressive log loss")
    claims += at_most(bench, data, "ctr ftrl", "peak", 300 * 2**20, "peak bytes")
    conversions = [f"Conversions, not counted above: {', '.join(f'{k} {v:.1f} s' for k, v in data.made.items())}."] if data.made else []
    return [
        "The whole process each time; `--split none`. Progressive log loss: every row judged before it is learned from.",
        *conversions, "", *table(bench, data, ran), "", *absent(bench, data, ONLINE),
    ], claims, commands(bench, data, ran)
