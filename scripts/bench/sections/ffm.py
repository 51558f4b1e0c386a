"""Field-aware factorisation machines."""

from contestants import FFM
from tables import absent, at_most, commands, faster, no_worse, table

NAME = "ffm"


def run(bench, data):
    ran = bench.run_all(data, FFM)
    claims = [
        *at_most(bench, data, "ctr ffm", "wall", 8, "wall seconds"),
        *no_worse(bench, data, "ctr ffm", "libffm"),
        *no_worse(bench, data, "ctr ffm, lock-free", "libffm"),
        *faster(bench, data, "ctr ffm", "libffm", 1),
    ]
    return [
        "k = 4, 3 passes, no early stopping. libffm with 2 threads is a race: its log loss differs from run to run,",
        "and the median of the runs stands here. `fit alone` leaves out reading the CSV and making the columns.",
        "", *table(bench, data, ran), "", *absent(bench, data, FFM),
    ], claims, commands(bench, data, ran)
