"""Spark: L2 logistic regression on one-hot columns, without a scaler (scaling
one-hot columns makes them dense, and then it does not end)."""

import os
import sys

from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import OneHotEncoder, StringIndexer, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import SparkSession
from pyspark.sql import functions as f

import numpy as np

from common import NOT_FEATURES, cost, report

L2 = float(sys.argv[3])

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


rows = read(sys.argv[1])
columns = [c for c in rows.columns if c not in NOT_FEATURES and c != "label"]
indexed, hot = [c + "_i" for c in columns], [c + "_h" for c in columns]
features = Pipeline(stages=[
    StringIndexer(inputCols=columns, outputCols=indexed, handleInvalid="keep"),
    OneHotEncoder(inputCols=indexed, outputCols=hot, dropLast=False, handleInvalid="keep"),
    VectorAssembler(inputCols=hot, outputCol="features"),
]).fit(rows)
train = features.transform(rows).select("label", "features").cache()
n = train.count()
# Spark minimises the mean loss: its penalty is ours by the number of rows. 100
# iterations are its default; with 1,000 it had not ended after seven minutes on
# a million rows.
model = LogisticRegression(maxIter=100, regParam=L2 / n, elasticNetParam=0.0, standardization=False).fit(train)
spent = cost()


def judged(data):
    got = model.transform(data).select("label", vector_to_array("probability")[1].alias("p")).toPandas()
    return got["label"].to_numpy(), got["p"].to_numpy()


y, p = judged(train)
w = model.coefficients.toArray()
loss = -np.log(np.where(y == 1, p, 1 - p).clip(1e-15)).sum()
y_test, p_test = judged(features.transform(read(sys.argv[2])))
report(spent, y_test, p_test, objective=float(loss + 0.5 * L2 * (w @ w)), iterations=int(model.summary.totalIterations))
spark.stop()
