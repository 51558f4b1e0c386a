"""Spark: L2 logistic regression on one-hot columns, without a scaler (scaling
one-hot columns makes them dense, and then it does not end)."""

import os

import numpy as np
from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import OneHotEncoder, StringIndexer, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from common import NOT_FEATURES, OUT, SETTINGS, TEST, TRAIN, cost, report

spark = (
    SparkSession.builder.master("local[*]").appName("bench")
    .config("spark.driver.memory", "10g").config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", str(os.cpu_count())).getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")


def read(path):
    rows = spark.read.csv(path, header=True)  # all strings: no pass to infer types
    return (rows.withColumn("hour_time", f.substring("hour", 7, 2))
            .withColumn("label", f.col("click").cast("double")))


rows = read(TRAIN)
columns = [c for c in rows.columns if c not in NOT_FEATURES and c != "label"]
indexed, hot = [c + "_i" for c in columns], [c + "_h" for c in columns]
features = Pipeline(stages=[
    StringIndexer(inputCols=columns, outputCols=indexed, handleInvalid="keep"),
    OneHotEncoder(inputCols=indexed, outputCols=hot, dropLast=False, handleInvalid="keep"),
    VectorAssembler(inputCols=hot, outputCol="features"),
]).fit(rows)
train = features.transform(rows).select("label", "features").repartition(os.cpu_count()).cache()
n = train.count()
# Spark minimises the mean loss: its penalty is ours by the number of rows. A
# block of rows may carry an array of all columns, so large blocks should cost
# less than its 1 MB with 750,000 columns; block_mb=0 is its own choice.
model = LogisticRegression(
    maxIter=SETTINGS["max_iter"], regParam=SETTINGS["l2"] / n, elasticNetParam=0.0, standardization=False,
    maxBlockSizeInMB=SETTINGS["block_mb"], tol=SETTINGS["tol"],
).fit(train)
spent = cost()

coefficients, start, parts = model.coefficients.toArray(), 0, {}
for name, labels, kept in zip(columns, features.stages[0].labelsArray, features.stages[1].categorySizes):
    parts[f"texts/{name}"], parts[f"weights/{name}"] = np.asarray(labels), coefficients[start:start + len(labels)]
    start += kept + 1  # its columns for unseen values: their weights are 0
np.savez(OUT + ".weights.npz", bias=model.intercept, **parts)
judged = model.transform(features.transform(read(TEST))).select(vector_to_array("probability")[1].alias("p")).toPandas()
report(spent, judged["p"].to_numpy(), iterations=int(model.summary.totalIterations))
spark.stop()
