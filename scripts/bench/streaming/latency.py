"""From Send in a producer to where the prediction is."""

import re
import shlex

from .bench import Spark, header, metric, say

SECTION = "streaming-latency"
QUANTILES = ("p50-ms", "p99-ms", "p99.9-ms")


def run(bench):
    rows = [("ctr score without a model, the row in predictions.csv", int(m[1]), line)
            for line in bench.gobench("^BenchmarkLatency$") if (m := re.match(r"BenchmarkLatency/rate=(\d+)", line))]
    sample = bench.sample()
    words = bench.scoring("$IN", "$IN", bench.train("latency", sample), "kafka:$OUT")
    words.remove("--until-end")
    words.remove("--json")
    command = "exec " + " ".join(w if "$" in w else shlex.quote(w) for w in words)
    for rate in (100, 50_000):
        rows.append(("ctr score, its output topic", rate, scorer(bench, sample, command, CTR_BENCH_RATE=str(rate))))
    spark = Spark(bench)
    model, _ = spark.fit(sample)
    say("latency of Spark")
    rows.append((f"Spark {spark.version}, default trigger, its output topic", 100, scorer(bench, sample, spark.shell(model, header(sample)), **spark.env)))
    yield "from Send to a reader of the prediction, one partition, ms"
    yield ""
    yield f"{'':54}{'rows/s':>8}" + "".join(f"{q.removesuffix('-ms'):>9}" for q in QUANTILES)
    for name, rate, line in rows:
        yield f"{name:54}{rate:>8,}" + "".join(f"{metric(line, q):>9,.1f}" for q in QUANTILES)


def scorer(bench, sample, command, **env):
    """The line of BenchmarkScorerLatency for a program."""
    env = {**env, "CTR_BENCH_SCORER": command, "CTR_BENCH_FILE": str(sample)}
    found = [line for line in bench.gobench("^BenchmarkScorerLatency$", **env) if "p50-ms" in line]
    if not found:
        raise SystemExit("BenchmarkScorerLatency: no figures")
    return found[0]
