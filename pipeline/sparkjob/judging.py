"""Spark's own figures of a model, for rows that ctr can't read, under the names
that ctr gives them. Average precision and calibration error are left out.
"""

import math

from pyspark.ml.evaluation import BinaryClassificationEvaluator
from pyspark.sql import Column
from pyspark.sql import functions as f

CLIP = 2.0**-52  # keeps probabilities from 0 and 1 in the log loss, as ctr does
GRID = 10_000  # thresholds that are tried


def probabilities(model, rows):
    # The function of that name in pyspark.ml.functions, a module that needs pandas.
    array = rows.sparkSession._jvm.org.apache.spark.ml.functions.vector_to_array(f.col("probability")._jc, "float64")
    return model.transform(rows).select("y", "weight", "probability", Column(array)[1].alias("p"))


def threshold(judged, task):
    """The best F1 of the training rows, or the least cost, among multiples of
    1/GRID."""
    bucket = f.least(f.floor(f.col("p") * GRID), f.lit(GRID - 1)).alias("bucket")
    sums = judged.groupBy(bucket).agg(f.sum(f.col("weight") * f.col("y")), f.sum(f.col("weight") * (1 - f.col("y")))).collect()
    positive = sum(r[1] for r in sums)
    best, score, tp, fp = 1.0, -math.inf, 0.0, 0.0
    for r in sorted(sums, reverse=True):
        tp, fp = tp + r[1], fp + r[2]
        s = 2 * tp / (tp + fp + positive)
        if task["cost_fp"] or task["cost_fn"]:
            s = -(task["cost_fp"] * fp + task["cost_fn"] * (positive - tp))
        if s > score:
            best, score = r[0] / GRID, s
    return best


def metrics(judged, at):
    """Figures under the names that ctr gives them."""
    y, w, p = f.col("y"), f.col("weight"), f.col("p")
    clipped = f.greatest(f.lit(CLIP), f.least(f.lit(1 - CLIP), f.when(y == 1, p).otherwise(1 - p)))

    def weigh(condition):
        return f.sum(f.when(condition, w).otherwise(0.0))

    n, clicks, loss, brier, promised, tp, fp, tn, fn = judged.agg(
        f.count("*"), f.sum("y"), f.sum(-w * f.log(clipped)), f.sum(w * (p - y) * (p - y)), f.sum(w * p),
        weigh((p > at) & (y == 1)), weigh((p > at) & (y == 0)), weigh((p <= at) & (y == 0)), weigh((p <= at) & (y == 1))).first()
    auc = BinaryClassificationEvaluator(rawPredictionCol="probability", labelCol="y", weightCol="weight", numBins=0).evaluate(judged)
    total, positive = tp + fp + tn + fn, tp + fn
    rate = positive / total
    entropy = -rate * math.log(rate) - (1 - rate) * math.log1p(-rate) if 0 < rate < 1 else 0.0
    return {
        "rows": n, "clicks": int(clicks), "threshold": at, "accuracy": (tp + tn) / total,
        "precision": tp / (tp + fp) if tp + fp else 0.0, "recall": tp / positive if positive else 0.0,
        "f1": 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0, "auc": auc if entropy else None, "log_loss": loss / total,
        "normalized_entropy": loss / total / entropy if entropy else None, "brier": brier / total,
        "calibration_ratio": promised / positive if positive else None,
        "confusion": {"tp": tp, "fp": fp, "tn": tn, "fn": fn},
        "majority": {"accuracy": max(rate, 1 - rate), "log_loss": entropy},
    }
