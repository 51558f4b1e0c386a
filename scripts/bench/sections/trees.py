"""Trees, forests and boosting."""

from contestants import TREES_SECTION
from tables import absent, at_most, commands, faster, no_worse, table

NAME = "trees"


def run(bench, data):
    ran = bench.run_all(data, TREES_SECTION)
    claims = []
    for kind in ("dt", "rf"):
        other = f"scikit-learn {kind.upper()}"
        claims += faster(bench, data, f"ctr {kind}", other, 10)
        claims += no_worse(bench, data, f"ctr {kind}", other)
    claims += faster(bench, data, "ctr gbdt", "LightGBM", 1)
    claims += no_worse(bench, data, "ctr gbdt", "LightGBM")
    claims += no_worse(bench, data, "ctr gbdt", "LightGBM, smoothed")
    for name, most in (("ctr dt", 1.2), ("ctr rf", 10), ("ctr gbdt", 15)):
        claims += at_most(bench, data, name, "wall", most, "wall seconds")
    return [
        "The same number of trees, leaves or depth for all of a kind. `fit alone` leaves out reading the CSV and making codes.",
        "", *table(bench, data, ran), "", *absent(bench, data, TREES_SECTION),
    ], claims, commands(bench, data, ran)
