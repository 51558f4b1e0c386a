"""L2 logistic regression to its optimum: the same one-hot columns, the same C."""

from contestants import BATCH, L2, SPARK
from objective import Problem
from tables import Claim, absent, commands, faster, table, value

NAME = "batch"


def measure(bench, data, contestants):
    """Runs them and adds objective and gap to each result."""
    ran = bench.run_all(data, contestants)
    problem = Problem(data.train, L2)
    for c in ran:
        # The last run's weights; all runs of a contestant are alike.
        out = bench.out(data, c)
        got = problem.of_ours(f"{out}.ctr") if c.ours else problem.of_peer(f"{out}.weights.npz")
        for r in bench.results[data.name, c]:
            r["objective"] = got
    best = min(r["objective"] for c in ran for r in bench.results[data.name, c])
    for c in ran:
        for r in bench.results[data.name, c]:
            r["gap"] = r["objective"] / best - 1
    return ran


def run(bench, data):
    ran = measure(bench, data, BATCH)
    claims = []
    for name, gap, most in (("ctr lr, to 1e-3", 1e-3, 4), ("ctr lr, to 1e-4", 1e-4, 8)):
        got, wall = value(bench, data, name, "gap"), value(bench, data, name, "wall")
        if got is not None:
            claims.append(Claim(got <= gap and wall <= most,
                                f"{name}: {wall:.2f} s, {got:.1e} above the optimum: want at most {most} s and {gap:g}"))
    claims += faster(bench, data, "ctr lr", "scikit-learn lbfgs", 10)
    claims += faster(bench, data, "ctr lr", "LIBLINEAR", 1)
    return [
        f"Σ log loss + ½·{L2:g}·‖w‖², the intercept free, computed for all from their weights by value on one matrix in NumPy;",
        "the optimum is the lowest of these. `fit alone` leaves out reading the CSV and making the columns.",
        "", *table(bench, data, ran), "", *absent(bench, data, BATCH),
    ], claims, commands(bench, data, ran)


class Spark:
    """Spark alone: it takes minutes."""

    NAME = "spark"

    @staticmethod
    def run(bench, data):
        ran = measure(bench, data, SPARK)
        return ["", *table(bench, data, ran), "", *absent(bench, data, SPARK)], faster(bench, data, "ctr lr", "Spark", 20), commands(bench, data, ran)
