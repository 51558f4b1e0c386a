"""Fits models with PySpark and scores rows with them, for what ctr import is
held against, and scores rows with models that ctr export wrote.

    spark_models.py --train rows.csv --score more.csv --out DIR [--only lr,dt] [MODEL…]

DIR gets a folder NAME of each model, as Spark saves it, and NAME.csv, what it
gives for the rows of --score: id,probability,prediction. For each folder MODEL
it writes DIR/NAME.csv too; all columns are text to it, as to ctr. The models of Go's
fixtures (models/interchange/spark/testdata) were made by PySpark 3.5.8 of rows of `ctr synth`:
see spark_fixtures.sh.
"""

import argparse
import csv
from pathlib import Path

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import (DecisionTreeClassifier, GBTClassifier, LogisticRegression,
                                       RandomForestClassifier)
from pyspark.ml.evaluation import BinaryClassificationEvaluator
from pyspark.ml.feature import (Bucketizer, MinMaxScaler, OneHotEncoder, QuantileDiscretizer, StandardScaler,
                                StringIndexer, VectorAssembler, VectorIndexer)
from pyspark.ml.tuning import CrossValidator, ParamGridBuilder, TrainValidationSplit
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

INTS = ["C1", "banner_pos", "device_type", "device_conn_type", "C14", "C15", "C16", "C17", "C18", "C19", "C20", "C21"]
TEXTS = ["site_id", "site_category", "app_id", "app_category", "device_model"]


def session(name="ctr"):
    spark = (SparkSession.builder.master("local[2]").appName(name).config("spark.driver.memory", "3g")
             # Each plan runs a few times at most: what the second compiler would gain is less than what it costs.
             .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
             .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
             .config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2")
             .config("spark.sql.codegen.wholeStage", "false").config("spark.sql.session.timeZone", "UTC").getOrCreate())
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def read(spark, path):
    """Rows as the replaced system has them: numbers as integers, and parts of the hour as columns."""
    with open(path, newline="") as text:
        names = next(csv.reader(text))
    types = {name: "int" if name in INTS else "string" for name in names}
    types["click"] = "double"
    schema = ", ".join(f"`{name}` {types[name]}" for name in names)
    rows = spark.read.csv(str(path), header=True, schema=schema)
    time = f.to_timestamp(f.concat(f.lit("20"), "hour"), "yyyyMMddHH")
    return (rows.withColumn("hour_time", f.hour(time)).withColumn("day", f.dayofmonth(time))
            .withColumn("dayofweek", f.dayofweek(time)).withColumn("label", f.col("click"))
            # A column of doubles, whose labels look like "15.0".
            .withColumn("C16", f.col("C16").cast("double")))


def one_by_one(columns, drop_last=True):
    index = [StringIndexer(inputCol=c, outputCol=c + "_i", handleInvalid="keep") for c in columns]
    hot = [OneHotEncoder(inputCol=c + "_i", outputCol=c + "_h", handleInvalid="keep", dropLast=drop_last) for c in columns]
    return index + hot


def together(columns, invalid="keep"):
    return StringIndexer(inputCols=columns, outputCols=[c + "_i" for c in columns], handleInvalid=invalid)


def assemble(columns, invalid="error"):
    return VectorAssembler(inputCols=columns, outputCol="features", handleInvalid=invalid)


def most(train):
    """As many bins as trees need for the column of most values, and no more:
    Spark's time for a split is their square."""
    counts = train.agg(*[f.countDistinct(c) for c in [*TEXTS, "C21", "C18", "banner_pos"]]).first()
    return max(32, max(counts) + 2)


def pipelines(bins):
    """A name and what is fitted, for each model."""
    cats = [*TEXTS, "C21", "C18", "banner_pos"]
    hots = [c + "_h" for c in cats]
    lr = {"maxIter": 30, "regParam": 0.01, "labelCol": "label"}
    yield "lr", Pipeline(stages=[
        *one_by_one(cats), assemble(hots), MinMaxScaler(inputCol="features", outputCol="scaled"),
        LogisticRegression(featuresCol="scaled", threshold=0.22, **lr)])
    more = [*TEXTS, "C16", "C1", "hour_time", "dayofweek"]
    yield "lr-scaled", Pipeline(stages=[
        together(more), OneHotEncoder(inputCols=[c + "_i" for c in more], outputCols=[c + "_h" for c in more], dropLast=False),
        QuantileDiscretizer(inputCol="C17", outputCol="C17_b", numBuckets=6, handleInvalid="keep"),
        Bucketizer(splitsArray=[[-float("inf"), 1.0, 30.0, 50.0, float("inf")], [-float("inf"), 16000.0, 20000.0, float("inf")]],
                   inputCols=["C19", "C14"], outputCols=["C19_b", "C14_b"], handleInvalid="keep"),
        OneHotEncoder(inputCols=["C17_b", "C19_b"], outputCols=["C17_h", "C19_h"], handleInvalid="keep"),
        assemble([c + "_h" for c in more] + ["C17_h", "C19_h", "C14_b", "C21", "C20"]),
        StandardScaler(inputCol="features", outputCol="scaled", withMean=True, withStd=True),
        LogisticRegression(featuresCol="scaled", thresholds=[0.7, 0.2], **lr)])
    trees = {"labelCol": "label", "maxBins": bins, "seed": 7}
    index = [c + "_i" for c in cats]
    yield "dt", Pipeline(stages=[
        together(cats), Bucketizer(splits=[-float("inf"), 16000.0, 18000.0, 20000.0, float("inf")], inputCol="C14", outputCol="C14_b", handleInvalid="keep"),
        assemble([*index, "hour_time", "C14_b", "C17"], "keep"),
        DecisionTreeClassifier(maxDepth=6, minInstancesPerNode=3, **trees).setThresholds([0.8, 0.3])])
    yield "rf", Pipeline(stages=[
        together(cats), assemble([*index, "hour_time", "C17", "C19"]),
        MinMaxScaler(inputCol="features", outputCol="scaled", min=-1.0, max=2.0),
        RandomForestClassifier(featuresCol="scaled", numTrees=7, maxDepth=5, **trees)])
    few = ["site_category", "app_category", "banner_pos", "C18"]
    yield "gbt", Pipeline(stages=[
        *one_by_one(few, False), together(["site_id", "device_model"]),
        assemble([*[c + "_h" for c in few], "site_id_i", "device_model_i", "C17", "C21"], "keep"),
        VectorIndexer(inputCol="features", outputCol="indexed", maxCategories=4, handleInvalid="keep"),
        GBTClassifier(featuresCol="indexed", maxIter=6, maxDepth=4, **trees)])
    small = Pipeline(stages=[
        *one_by_one(["site_category", "C18"]), assemble(["site_category_h", "C18_h"]),
        LogisticRegression(maxIter=10, labelCol="label")])
    grid = ParamGridBuilder().addGrid(small.getStages()[-1].regParam, [0.1, 0.001]).build()
    yield "cv", CrossValidator(estimator=small, estimatorParamMaps=grid, evaluator=BinaryClassificationEvaluator(), numFolds=2, seed=1)
    yield "tvs", TrainValidationSplit(estimator=small, estimatorParamMaps=grid, evaluator=BinaryClassificationEvaluator(), seed=1)


def scores(model, rows, path):
    """Writes what the model gives for the rows, in their order."""
    # As text: a vector would cost 50 µs a row in Python, and vector_to_array wants pandas.
    out = model.transform(rows).select("id", f.col("probability").cast("string").alias("p"), "prediction")
    with open(path, "w", newline="") as text:
        text.write("id,probability,prediction\n")
        for row in out.collect():
            text.write(f"{row.id},{row.p.strip('[]').split(',')[1]},{int(row.prediction)}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--score", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", help="names of models, separated by commas")
    parser.add_argument("models", nargs="*", type=Path)
    args = parser.parse_args()
    spark = session()
    train = read(spark, args.train).cache()
    score = read(spark, args.score).cache()
    for name, estimator in pipelines(most(train)):
        if args.only and name not in args.only.split(","):
            continue
        model = estimator.fit(train)
        model.write().overwrite().save(str(args.out / name))
        scores(model, score, args.out / f"{name}.csv")
        print(name, flush=True)
    texts = spark.read.csv(str(args.score), header=True).cache()
    for path in args.models:
        scores(PipelineModel.load(str(path)), texts, args.out / f"{path.name}.csv")
        print(path.name, flush=True)
    spark.stop()


if __name__ == "__main__":
    main()
