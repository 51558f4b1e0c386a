"""Beside Spark Structured Streaming with the replaced system's pipeline."""

import shutil
import statistics
import subprocess

from .bench import PRESET, SAMPLE, SHARED, Spark, header, say

SECTION = "streaming-spark"
PARTITIONS = 4  # a task a partition: Spark has work for both cores
# The stream of the replaced system: a row number, then Avazu's columns.
STREAM = ("index,id,click,hour,C1,banner_pos,site_id,site_domain,site_category,app_id,app_domain,app_category,device_id,device_ip,"
          "device_model,device_type,device_conn_type,C14,C15,C16,C17,C18,C19,C20,C21")


def run(bench):
    spark = Spark(bench)
    yield f"rows a second, k, to CSV, from one topic of {PARTITIONS} partitions; Spark {spark.version}, its CSV sink, trigger availableNow"
    yield ""
    yield f"{'':62}{'rows':>11}{'rows/s, k':>11}{'with start':>12}{'start, s':>10}"
    yield from fitted(bench, spark)
    yield ""
    own = SHARED / "spark" / "avazu-lr-model" / "bestModel"
    rows = SHARED / "data" / "avazu-stream.csv"
    if own.exists() and rows.exists():
        yield from replaced(bench, spark, own, rows)
    else:
        yield "the replaced system's own model and rows are not here: left out"


def fitted(bench, spark):
    """Both fit the same columns on the same rows."""
    sample = bench.sample()
    model, features = spark.fit(sample)
    bench.fill("spark-fitted", bench.synthetic(), PARTITIONS, bench.rows)
    ours, how = ours_of(bench, model, "fitted", sample)
    theirs = measured(bench, spark, "spark-fitted", model, header(sample), batch=50_000, batches=6)
    yield line(f"Spark, fitted on {SAMPLE:,} synthetic rows, {features:,} features", theirs)
    yield from beside(bench, "spark-fitted", ours, how, theirs)


def replaced(bench, spark, own, rows):
    """The replaced system's model and its stream."""
    bench.fill("spark-own", rows, PARTITIONS, bench.rows)
    ours, how = ours_of(bench, own, "own", rows)
    theirs = measured(bench, spark, "spark-own", own, STREAM, batch=10_000, batches=6)
    yield line("Spark, the replaced system's own model, 68,462 features", theirs)
    yield from beside(bench, "spark-own", ours, how, theirs)


def ours_of(bench, model, name, rows):
    """The same model, imported, where this ctr can; otherwise one of the same
    columns and settings, trained on rows."""
    path = bench.folder / f"{name}.ctr"
    done = subprocess.run([bench.ctr, "import", "spark", model, "--out", path], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return path, "the same model, imported"
    say(f"ctr import spark: {done.stderr.strip().splitlines()[-1]}; trained instead")
    return bench.train(name, rows), f"--preset {PRESET} trained on the same rows" if name == "fitted" else f"--preset {PRESET} trained on its stream"


def measured(bench, spark, topic, model, columns, batch, batches):
    """Rows a second of the batches after the first, of all with the start, and
    seconds until the first was done."""
    say(f"Spark scores {topic}")
    out = bench.folder / f"{topic}-csv"
    got = spark.call(*spark.scoring(bench.broker, topic, model, columns), "--csv", out, "--rows", batch // PARTITIONS * PARTITIONS * batches, "--batch", batch)
    shutil.rmtree(out)
    rows, ends = zip(*got["batches"])
    if len(rows) < 2:
        raise SystemExit(f"{topic}: {len(rows)} batches, want 2 or more")
    return {"rows": sum(rows), "rate": sum(rows[1:]) / (ends[-1] - ends[0]), "whole": sum(rows) / (ends[-1] - got["began"]), "start": ends[0] - got["began"]}


def beside(bench, topic, model, how, theirs):
    rates = [bench.score(topic, f"{topic}-{turn}", model) for turn in range(bench.rounds)]
    rate = statistics.median(rates)
    yield line(f"ctr score, {how}", {"rows": bench.rows, "rate": rate})
    yield f"ctr : Spark = {rate / theirs['rate']:,.0f} (rounds of ctr: {', '.join(f'{r / 1e3:,.0f}' for r in rates)})"


def line(name, r):
    more = f"{r['whole'] / 1e3:>12,.1f}{r['start']:>10.1f}" if "whole" in r else f"{'(with it)':>12}"
    return f"{name:62}{r['rows']:>11,}{r['rate'] / 1e3:>11,.1f}{more}"
