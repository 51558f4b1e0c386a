"""The replaced system's live half: Spark Structured Streaming reads a topic of
CSV rows, applies a saved pipeline of its ML library and writes predictions.

    spark_stream.py fit ROWS.csv MODEL
    spark_stream.py score --brokers B --topic T --model MODEL --columns NAMES
                          --checkpoint FOLDER
                          (--csv FOLDER --rows N --batch N | --to TOPIC)

SPARK_JARS has the connector's jars, separated by commas. score to CSV ends
after N rows or at the topic's end and prints, as JSON, when each batch was
done; score to a topic goes on until it is killed.
"""

import argparse
import datetime
import json
import os
import time

from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import MinMaxScaler, OneHotEncoder, StringIndexer, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

BEGAN = time.time()
# The replaced system's columns, and its settings below.
COLUMNS = [
    "site_domain", "site_id", "app_category", "app_domain", "site_category", "C16", "C21", "app_id",
    "C18", "device_type", "banner_pos", "device_model", "device_conn_type", "C17", "device_id", "C19",
]


def session():
    s = (SparkSession.builder.master("local[*]").appName("bench")
         .config("spark.jars", os.environ.get("SPARK_JARS", ""))
         .config("spark.driver.memory", "6g").config("spark.ui.enabled", "false")
         .config("spark.sql.streaming.numRecentProgressUpdates", "10000").getOrCreate())
    s.sparkContext.setLogLevel("ERROR")
    return s


def fit(spark, rows, model):
    """Fits the pipeline on a file with a header, stages in the order of the
    replaced system's, one a column, as its are."""
    data = spark.read.csv(rows, header=True)  # all strings, as they come from a topic
    data = data.withColumn("y", f.col("click").cast("double")).cache()
    indexers = [StringIndexer(inputCol=c, outputCol=c + "_index", handleInvalid="keep") for c in COLUMNS]
    encoders = [OneHotEncoder(inputCol=c + "_index", outputCol=c + "_index_ohe", handleInvalid="keep") for c in COLUMNS]
    made = Pipeline(stages=[
        *indexers, *encoders,
        VectorAssembler(inputCols=[c + "_index_ohe" for c in COLUMNS], outputCol="features"),
        MinMaxScaler(inputCol="features", outputCol="features_scaled"),
        LogisticRegression(featuresCol="features_scaled", labelCol="y", maxIter=100, regParam=0.001, threshold=0.22),
    ]).fit(data)
    made.write().overwrite().save(model)
    print(json.dumps({"features": made.stages[-1].numFeatures}))


def predictions(spark, args):
    """The stream from the topic's records to what is written."""
    names = args.columns.split(",")
    label = "click" if "click" in names else "y"
    source = (spark.readStream.format("kafka").option("kafka.bootstrap.servers", args.brokers)
              .option("subscribe", args.topic).option("startingOffsets", "earliest"))
    if args.batch:
        source = source.option("maxOffsetsPerTrigger", args.batch)
    fields = f.split(f.col("value").cast("string"), ",")
    rows = source.load().select(
        "topic", "partition", "offset", *[fields.getItem(names.index(c)).alias(c) for c in ["id", label, *COLUMNS]])
    return PipelineModel.load(args.model).transform(rows).select(
        "id", f.col(label).alias("y"), "prediction", vector_to_array("probability").getItem(1).alias("probability"),
        f.current_timestamp().alias("timestamp"), "topic", "partition", "offset")


def score(spark, args):
    rows = predictions(spark, args)
    if args.to:  # the default trigger: a batch as soon as the one before is done
        value = f.to_json(f.struct("id", "y", "prediction", "probability")).alias("value")
        out = rows.select(value).writeStream.format("kafka").option("kafka.bootstrap.servers", args.brokers)
        out.option("topic", args.to).option("checkpointLocation", args.checkpoint).start().awaitTermination()
        return
    out = rows.writeStream.format("csv").option("path", args.csv).option("checkpointLocation", args.checkpoint)
    query = out.trigger(availableNow=True).start()
    while query.isActive and sum(p["numInputRows"] for p in query.recentProgress) < args.rows:
        time.sleep(0.1)
    done = [p for p in query.recentProgress if p["numInputRows"] > 0]
    query.stop()
    if query.exception():
        raise SystemExit(f"spark_stream: {query.exception()}")
    print(json.dumps({"began": BEGAN, "batches": [[p["numInputRows"], ended(p)] for p in done]}))


def ended(progress):
    """When a batch was done, seconds since 1970."""
    began = datetime.datetime.fromisoformat(progress["timestamp"].replace("Z", "+00:00"))
    return began.timestamp() + progress["durationMs"]["triggerExecution"] / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    fits = commands.add_parser("fit")
    fits.add_argument("rows")
    fits.add_argument("model")
    scores = commands.add_parser("score")
    for name in ("brokers", "topic", "model", "columns"):
        scores.add_argument("--" + name, required=True)
    scores.add_argument("--checkpoint", required=True, help="an empty folder for the query's own files")
    scores.add_argument("--csv", help="an empty folder for predictions")
    scores.add_argument("--to", help="a topic for predictions, as JSON")
    scores.add_argument("--rows", type=int, default=1, help="stop after so many")
    scores.add_argument("--batch", type=int, help="rows a batch at most")
    args = parser.parse_args()
    spark = session()
    if args.command == "fit":
        fit(spark, args.rows, args.model)
    else:
        score(spark, args)
    spark.stop()


if __name__ == "__main__":
    main()
