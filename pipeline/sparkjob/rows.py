"""What a row means to the Spark job, as ctr's Spec has it.

Values are text, an empty one is a value like any other. A field is a column, a
part of the time (0-23, 1-31, 1 = Sunday, 1-12, in UTC), a capped number or
several of these joined by 0x1F. Only Spark's own functions work on rows, so that
workers need no Python.
"""

import json
import math

from pyspark.sql import functions as f
from pyspark.sql.types import StringType, StructField, StructType

JOIN = "\x1f"
PARTS = ("hour_time", "day", "dayofweek", "month")
TEXT = ("string", "tinyint", "smallint", "int", "bigint")


class Fault(Exception):
    """Something about the data or the task that its owner can mend."""


def read(spark, task):
    """The columns as text, named c0, c1 … by their place."""
    layout = task["layout"]
    if task["format"] == "parquet":
        rows = spark.read.parquet(*task["paths"])
        types = dict(rows.dtypes)
        lost = [name for name in layout if name not in types]
        if lost:
            raise Fault(f"columns {', '.join(lost)}: not in all files")
        return rows.select([textual(name, types[name], i == task["time"]).alias(f"c{i}") for i, name in enumerate(layout)])
    fields = StructType([StructField(f"c{i}", StringType()) for i in range(len(layout))])
    rows = spark.read.csv(task["paths"], schema=fields, header=task["header"], sep=task["comma"], quote='"', escape='"',
                          mode="FAILFAST", maxColumns=len(layout) + 1, maxCharsPerColumn=1 << 20)
    return rows.fillna("")


def textual(name, kind, time):
    column = f.col("`" + name.replace("`", "``") + "`")
    if kind in ("timestamp", "date", "timestamp_ntz") and time:
        column = f.date_format(column, "yyyy-MM-dd HH:mm:ss")
    elif kind == "boolean":
        column = column.cast("int")
    elif kind not in TEXT:
        raise Fault(f"column {name}: {kind}: want text or whole numbers (of the time, a timestamp too)")
    return f.coalesce(column.cast("string"), f.lit(""))


def hours(text):
    """Whole hours since 1970 and the date of YYMMDDHH or YYYY-MM-DD[ HH:MM:SS];
    null where text is neither."""
    short = text.rlike("^[0-9]{8}$")
    long = text.rlike("^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-2][0-9]:[0-5][0-9]:[0-5][0-9])?$")
    date = f.to_date(f.when(short, f.concat_ws("-", f.concat(f.lit("20"), text.substr(1, 2)), text.substr(3, 2), text.substr(5, 2)))
                     .when(long, text.substr(1, 10)), "yyyy-MM-dd")
    clock = f.when(short, text.substr(7, 2)).otherwise(text.substr(12, 2)).cast("int")
    clock = f.when(f.length(text) == 10, 0).otherwise(clock)
    since = f.datediff(date, f.lit("1970-01-01").cast("date")) * 24 + clock
    return f.when(clock < 24, since), date, clock


def numbered(text):
    """A number, null where text is none: no words such as NaN."""
    return f.when(text.rlike("^[-+0-9.eE]+$"), text.cast("double"))


def make(raw, task):
    """Rows with y, hour, weight, draw (0 … 1, by which random rows are held out)
    and the fields f0, f1 … as text. Faults of rows are null."""
    since, parts = f.lit(0), {}
    if task["time"] >= 0:
        since, date, clock = hours(f.col(f"c{task['time']}"))
        parts = dict(zip(PARTS, (clock, f.dayofmonth(date), f.dayofweek(date), f.month(date)), strict=True))
    label = f.col(f"c{task['label']}")
    weight = numbered(f.col(f"c{task['weight']}")) if task["weight"] >= 0 else f.lit(1.0)

    def text(source):
        return parts[source].cast("string") if source in PARTS else f.col(f"c{source}")

    fields = [f.concat_ws(JOIN, *map(text, field["from"])).alias(f"f{i}") for i, field in enumerate(task["fields"])]
    draw = f.xxhash64(f.lit(task["seed"]), *[f.col(c) for c in raw.columns])
    return raw.select(
        f.when(label == "0", 0.0).when(label == "1", 1.0).alias("y"), label.alias("label"),
        since.alias("hour"), (f.col(f"c{task['time']}") if task["time"] >= 0 else f.lit("")).alias("time"),
        f.when((weight > 0) & (weight < float("inf")), weight).alias("weight"),
        (f.pmod(draw, f.lit(1 << 53)) / f.lit(float(1 << 53))).alias("draw"), *fields)


def boundary(counts, fraction):
    """The hour that splits rows so that the share of those at or after it comes
    nearest to fraction; of two as near, the earlier."""
    if len(counts) < 2:
        raise Fault(f"split by time: {len(counts)} hours in the rows: want 2 or more")
    total, before = sum(counts.values()), 0
    order = sorted(counts)
    best, distance = order[1], math.inf
    for last, hour in zip(order, order[1:]):
        before += counts[last]
        d = abs((total - before) / total - fraction)
        if d < distance:
            best, distance = hour, d
    return best


def divide(rows, task):
    """Counts the rows of each hour, says which of them are held out, and gives
    the training rows, those held out, and the split."""
    layout = task["layout"]
    wrong = {"label": f.col("y").isNull(), "time": f.col("hour").isNull(), "weight": f.col("weight").isNull()}
    example = {"label": "label", "time": "time", "weight": "weight"}
    want = {"label": "want 0 or 1", "time": "want an hour as YYMMDDHH or YYYY-MM-DD[ HH:MM:SS]", "weight": "want a number above 0"}
    hour = rows.groupBy("hour").agg(
        f.count("*").alias("n"),
        *[f.sum(f.when(w, 1).otherwise(0)).alias("no_" + k) for k, w in wrong.items()],
        *[f.max(f.when(w, f.col(example[k]))).alias("bad_" + k) for k, w in wrong.items()])
    seen = hour.collect()
    for kind in wrong:
        bad = sum(r["no_" + kind] for r in seen)
        if bad:
            such = max((str(r["bad_" + kind]) for r in seen if r["bad_" + kind] is not None), default="")
            raise Fault(f"column {layout[task[kind]]}: {bad} rows, such as {json.dumps(such[:40])}: {want[kind]}")
    low, high = task.get("since"), task.get("until")
    counts = {r["hour"]: r["n"] for r in seen if (low is None or r["hour"] >= low) and (high is None or r["hour"] < high)}
    if not counts:
        raise Fault("no rows between since and until" if seen else "no rows")
    if low is not None:
        rows = rows.filter(f.col("hour") >= low)
    if high is not None:
        rows = rows.filter(f.col("hour") < high)
    kind = task["split"] or ("time" if task["time"] >= 0 and len(counts) > 1 else "random")
    split = {"kind": kind}
    if kind == "none":
        return rows, None, split
    held = f.col("draw") < task["fraction"]
    if kind == "time":
        split["boundary"] = boundary(counts, task["fraction"])
        held = f.col("hour") >= split["boundary"]
    return rows.filter(~held), rows.filter(held), split


def count(rows):
    n, clicks, weight = rows.agg(f.count("*"), f.sum("y"), f.sum("weight")).first()
    return {"rows": n, "clicks": int(clicks or 0), "weight": weight or 0.0}


def cap(train, name):
    """The 0.98 quantile of the training rows' numbers, the smallest that at
    least that share does not exceed, where it is less than half of their
    maximum; else None."""
    x = numbered(f.col(name))
    seen = sorted((r[0] + 0.0, r[1]) for r in train.groupBy(x.alias("x")).count().collect() if r[0] is not None)
    total, below = sum(n for _, n in seen), 0
    for value, n in seen:
        below += n
        if below >= math.ceil(0.98 * total):
            return value if value < 0.5 * seen[-1][0] else None
    return None


def number_text(x):
    return str(int(x)) if x == int(x) and abs(x) < 1e15 else repr(x)
