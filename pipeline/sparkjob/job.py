"""The Spark job of `ctr train --engine spark`.

    spark-submit [--master URL] job.py TASK.json

ctr writes TASK.json, which says what to read, which fields to make of it
(rows.py) and what to fit, and reads what this program prints: lines that begin
with "@ctr " and go on with a JSON object. All else that Spark prints is its log.

Values that came min_count times or more in the training rows get codes by
falling count, ties by their bytes; StringIndexer's "keep" puts all others after
them, where OneHotEncoder's dropLast makes them all zeros. Trees have an order
of their own: trees.py.

The model is written by this process, not by workers: it lies where ctr is,
whatever the cluster can write to. Works with Spark 3.3 and newer.
"""

import json
import os
import sys
import threading
import time

from py4j.protocol import Py4JJavaError
from pyspark.ml import PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import OneHotEncoder, StringIndexerModel, VectorAssembler
from pyspark.ml.regression import DecisionTreeRegressor, RandomForestRegressor
from pyspark.ml.util import Identifiable
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

import judging
import rows as meaning
import trees
from rows import Fault

MARK = "="  # task.go has it too


def tell(**event):
    print("@ctr " + json.dumps(event), flush=True)


def session(task, **settings):
    builder = SparkSession.builder.appName("ctr train")
    settings = {
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "false",  # what is no number or date is null, and counted
        "spark.sql.legacy.timeParserPolicy": "CORRECTED",
        "spark.sql.csv.parser.columnPruning.enabled": "false",  # so that short rows are noticed
        **settings,
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel(task.get("log_level", "WARN"))
    return spark


def look(spark, task):
    """Tells the format of the first of the files and its columns, or for CSV its
    first row as text, which ctr makes columns of."""
    names = spark.read.format("binaryFile").load(task["paths"]).select("path").orderBy("path").take(1)
    if not names:
        raise Fault(f"{task['paths'][0]}: no files")
    if names[0][0].endswith(".parquet"):
        tell(look={"format": "parquet", "columns": spark.read.parquet(*task["paths"]).columns})
        return
    first = spark.read.text(names[0][0]).filter(f.length("value") > 0).take(1)
    tell(look={"format": "csv", "first": first[0][0] if first else ""})


def marked(rows, task):
    """Values begin with a mark, which ctr takes off again: OneHotEncoder fails
    where one is empty."""
    for i in range(len(task["fields"])):
        rows = rows.withColumn(f"f{i}", f.concat(f.lit(MARK), f"f{i}"))
    return rows


def counted(train, task):
    """How often each value of each field comes, its weight and its clicks'."""
    names = [f"f{i}" for i in range(len(task["fields"]))]
    least = f.element_at(f.array(*[f.lit(field["min_count"]) for field in task["fields"]]), f.col("field") + 1)
    values = train.select(f.posexplode(f.array(*names)).alias("field", "value"), "weight", "y")
    values = values.groupBy("field", "value").agg(
        f.count("*").alias("n"), f.sum("weight").alias("w"), f.sum(f.col("weight") * f.col("y")).alias("y"))
    return values.withColumn("least", least)


def by_count(values):
    values = values.filter(f.col("n") >= f.col("least"))
    order = f.sort_array(f.collect_list(f.struct((-f.col("n")).alias("n"), "value")))
    return values.groupBy("field").agg(order.getField("value").alias("values"), f.lit(0).alias("others"))


def indexer(spark, table):
    """A StringIndexerModel of the values of all fields that any value is known
    of, with the numbers of these and the places of all others. The lists stay in
    the JVM: in Python a value would cost 50 µs."""
    rows = table.select("field", "values", "others").orderBy("field")._jdf.collectAsList()
    if rows.size() == 0:
        raise Fault("no value of any column came often enough: want more rows, or a lower min-count")
    gateway = spark.sparkContext._gateway
    string = gateway.jvm.java.lang.String
    lists, kept, sizes, others = gateway.new_array(string, rows.size(), 0), [], [], []
    for i in range(rows.size()):
        row = rows.get(i)
        values = row.getList(1)
        kept.append(f"f{row.getInt(0)}")
        sizes.append(values.size())
        others.append(row.getInt(2))
        lists[i] = gateway.new_array(string, sizes[i])
        gateway.jvm.java.lang.System.arraycopy(values.toArray(), 0, lists[i], 0, sizes[i])
    model = StringIndexerModel(gateway.jvm.org.apache.spark.ml.feature.StringIndexerModel(Identifiable().uid, lists))
    model.setInputCols(kept).setOutputCols([k + "_index" for k in kept]).setHandleInvalid("keep")
    return model, kept, sizes, others


def estimator(task, n, weight):
    s, columns = task["settings"], {"labelCol": "y", "featuresCol": "features"}
    if task["weight"] >= 0:
        columns["weightCol"] = "weight"
    if task["algo"] == "lr":
        # Spark's penalty stands beside the mean loss, ctr's beside the sum.
        l1, l2 = s["l1"], s["l2"]
        if not s["mean_loss"]:
            l1, l2 = l1 / weight, l2 / weight
        return LogisticRegression(
            regParam=l1 + l2, elasticNetParam=l1 / (l1 + l2) if l1 > 0 else 0.0, standardization=s["standardize"],
            maxIter=s["max_iter"], tol=s["tol"], maxBlockSizeInMB=64, **columns)
    columns |= {"maxDepth": s["depth"], "minInstancesPerNode": s["min_leaf"], "maxBins": s["max_bins"],
                "maxMemoryInMB": 1024, "seed": task["seed"] & ((1 << 62) - 1)}
    if task["algo"] == "dt":
        return DecisionTreeRegressor(**columns)
    return RandomForestRegressor(numTrees=s["trees"], featureSubsetStrategy=str(s["column_share"]),
                                 subsamplingRate=s["row_share"], bootstrap=s["bootstrap"], **columns)


def fit(spark, train, task, n, weight):
    """The fitted stages and the model of vectors."""
    tell(step="values")
    values = counted(train, task)
    if task["algo"] != "lr":
        return fit_trees(spark, train, task, values, n, weight)
    index, kept, _, _ = indexer(spark, by_count(values))
    hot = [k + "_hot" for k in kept]
    encoder = OneHotEncoder(inputCols=index.getOutputCols(), outputCols=hot, dropLast=True, handleInvalid="error")
    stages = [index, encoder.fit(index.transform(train.limit(1))), VectorAssembler(inputCols=hot, outputCol="features")]
    vectors = PipelineModel(stages).transform(train).select("y", "weight", "features")
    # Names of all columns are of no use, and slow in the hundred thousands.
    vectors = vectors.withColumn("features", f.col("features").alias("features", metadata={}))
    return PipelineModel([*stages, fitted(vectors, task, n, weight)]), kept


def fit_trees(spark, train, task, values, n, weight):
    index, kept, sizes, others = indexer(spark, trees.ordered(values, task["settings"]))
    columns = index.getOutputCols()
    vectors = trees.numbers(index.transform(train), columns, sizes, others).select("y", "weight", "features")
    model = fitted(vectors, task, n, weight)
    tell(step="smooth")
    model = trees.Converter(spark, task["settings"], sizes, others).model(model)
    return PipelineModel([index, VectorAssembler(inputCols=columns, outputCol="features"), model]), kept


def fitted(vectors, task, n, weight):
    vectors = vectors.persist()
    tell(step="vectors")
    vectors.count()
    tell(step="fit")
    model = estimator(task, n, weight).fit(vectors)
    vectors.unpersist()
    return model


def train(spark, task):
    began = time.monotonic()
    tell(step="read")
    rows = meaning.make(meaning.read(spark, task), task).persist()
    learn, held, split = meaning.divide(rows, task)
    sizes = {"train": meaning.count(learn), "test": meaning.count(held) if held is not None else {"rows": 0, "clicks": 0}}
    n, clicks = sizes["train"]["rows"], sizes["train"]["clicks"]
    if n == 0:
        raise Fault("no rows in the training part")
    if clicks in (0, n):
        raise Fault(f"column {task['layout'][task['label']]}: all {n} training rows have {clicks // n}: want both 0 and 1")
    caps = {}
    for i, field in enumerate(task["fields"]):
        if field["cap"] and (limit := meaning.cap(learn, f"f{i}")) is not None:
            caps[i] = limit
    for i, limit in caps.items():
        text = f.col(f"f{i}")
        capped = f.when(meaning.numbered(text) > limit, f.lit(meaning.number_text(limit))).otherwise(text)
        learn, held = (part and part.withColumn(f"f{i}", capped) for part in (learn, held))
    learn, held = (part and marked(part, task) for part in (learn, held))
    model, kept = fit(spark, learn, task, n, sizes["train"]["weight"])
    done = {"split": split, "sizes": sizes, "caps": caps, "fields": [int(k[1:]) for k in kept], "spark": spark.version}
    if task["judge"]:
        tell(step="judge")
        judged = judging.probabilities(model, learn).persist()
        at = task["threshold"] if task["threshold"] is not None else judging.threshold(judged, task)
        done |= {"threshold": at, "train": judging.metrics(judged, at)}
        if sizes["test"]["rows"]:
            done["test"] = judging.metrics(judging.probabilities(model, held), at)
    spark.stop()
    tell(step="save")
    local = session(task, **{"spark.master": "local[1]", "spark.ui.enabled": "false", "spark.eventLog.enabled": "false"})
    model.write().session(local).save(task["out"])
    local.stop()
    tell(done={**done, "seconds": time.monotonic() - began})


def watch(spark, task):
    """Tells how far Spark's stages are, once a second, and ends this process
    when ctr has."""
    tracker, last = spark.sparkContext.statusTracker(), None
    while True:
        time.sleep(1)
        try:
            os.kill(task["parent"], 0)
        except ProcessLookupError:
            os._exit(1)
        except OSError:
            pass
        try:
            stages = [s for s in map(tracker.getStageInfo, tracker.getActiveStageIds()) if s]
        except Exception:  # noqa: BLE001: Spark has stopped: there is nothing more to tell
            continue
        now = (len(stages) and max(s.stageId for s in stages), sum(s.numCompletedTasks for s in stages), sum(s.numTasks for s in stages))
        if stages and now != last:
            tell(progress={"stage": now[0], "done": now[1], "total": now[2]})
        last = now


def cause(error):
    """The first line of what is at the root of an error of Spark's."""
    if isinstance(error, Py4JJavaError):
        java = error.java_exception
        while java.getCause() is not None:
            java = java.getCause()
        error = java.toString()
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__


def main():
    with open(sys.argv[1]) as file:
        task = json.load(file)
    try:
        spark = session(task)
        tell(application={"id": spark.sparkContext.applicationId, "ui": spark.sparkContext.uiWebUrl})
        threading.Thread(target=watch, args=(spark, task), daemon=True).start()
        {"look": look, "train": train}[task["do"]](spark, task)
    except Fault as fault:
        tell(fault=str(fault))
        return 1
    except Exception as error:
        tell(error=cause(error))
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
