"""Decision trees and forests: what Spark fits, and the classifier that is made of it.

Spark would choose among all subsets of a category's values in each node, and
takes what gains by chance, the more the more values there are. So it is given
numbers: the values of a field stand in the order of their click rate in all
training rows, steadied by some rows at the mean rate, where a split is one of a
few cuts. All values that are too rare to know stand together, at the place of
their own rate.
"""

from pyspark.ml.classification import DecisionTreeClassificationModel, RandomForestClassificationModel
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.util import Identifiable
from pyspark.sql import functions as f

STEADY = 20  # rows at the mean rate that are added to each value's


def ordered(values, settings):
    """For each field its known values by rising click rate, and the place of all
    others among them."""
    n, w, y = f.col("n"), f.col("w"), f.col("y")
    known = f.when((n >= f.col("least")) & (n >= settings["min_group"]), f.struct((-n).alias("n"), "value", "w", "y"))
    table = values.groupBy("field").agg(
        f.slice(f.sort_array(f.collect_list(known)), 1, settings["values"]).alias("known"), f.sum("w").alias("w"), f.sum("y").alias("y"))

    def rate(clicks, weight):
        return (clicks + STEADY * y / w) / (weight + STEADY)

    def others(name):
        return f.aggregate("known", f.col(name), lambda left, value: left - value[name])

    ranked = f.sort_array(f.transform("known", lambda v: f.struct(rate(v["y"], v["w"]).alias("rate"), v["value"])))
    table = table.filter(f.size("known") > 0).select("field", ranked.alias("ranked"), rate(others("y"), others("w")).alias("others"))
    below = f.filter("ranked", lambda v: v["rate"] < f.col("others"))
    return table.select("field", f.col("ranked.value").alias("values"), f.size(below).alias("others"))


def numbers(rows, columns, sizes, others):
    """The vectors of numbers that a tree is fitted to, of indices of values."""
    names = []
    for column, size, place in zip(columns, sizes, others, strict=True):
        i = f.col(column)
        names.append(column + "_number")
        rows = rows.withColumn(names[-1], f.when(i == size, float(place)).when(i >= place, i + 1).otherwise(i))
    return VectorAssembler(inputCols=names, outputCol="features").transform(rows)


class Converter:
    """Makes a classifier on indices of trees that were fitted as a regression on
    numbers.

    Spark's classifiers join two leaves whose likelier class is the same, which
    among clicks leaves next to no tree. A regression of 0 and 1 by variance,
    half of Gini's impurity, has the same splits and keeps them all. Of these a
    node keeps its own only where it explains more than chance would, at the
    price of a number's cut in ctr's trees, and so many rows at the parent's
    probability are added to each node, as there: a leaf that saw no click would
    say 0."""

    def __init__(self, spark, settings, sizes, others):
        self.gateway = spark.sparkContext._gateway
        self.ml, self.mllib = self.gateway.jvm.org.apache.spark.ml, self.gateway.jvm.org.apache.spark.mllib
        self.price, self.rows = settings["price"], settings["smooth"]
        self.others = others
        self.indices = [self.doubles(range(size + 1)) for size in sizes]
        self.sizes = sizes

    def doubles(self, values):
        array = self.gateway.new_array(self.gateway.jvm.double, len(values))
        for i, x in enumerate(values):
            array[i] = float(x)
        return array

    def split(self, old):
        """The cut of a number as one of indices. Where the values that are not
        known go left, their index, the last, has to be named."""
        field = old.featureIndex()
        cut = int(old.threshold()) + 1  # numbers below go left
        if self.others[field] >= cut:
            return self.ml.tree.ContinuousSplit(field, cut - 0.5)
        left = self.gateway.jvm.java.util.Arrays.copyOf(self.indices[field], cut)
        left[cut - 1] = float(self.sizes[field])
        return self.ml.tree.CategoricalSplit(field, left, self.sizes[field] + 1)

    def node(self, old, above):
        n, rate = old.impurityStats().count(), old.prediction()
        p = (n * rate + self.rows * above) / (n + self.rows)
        figures = (1.0 if p > 0.5 else 0.0, 2 * p * (1 - p))
        counts = self.mllib.tree.impurity.GiniCalculator(self.doubles((n * (1 - p), n * p)), round(n))
        gain = old.gain() if old.subtreeDepth() else 0.0
        if n * gain <= self.price * rate * (1 - rate):
            return self.ml.tree.LeafNode(*figures, counts)
        children = self.node(old.leftChild(), p), self.node(old.rightChild(), p)
        return self.ml.tree.InternalNode(*figures, gain, *children, self.split(old.split()), counts)

    def tree(self, fitted):
        root = fitted._java_obj.rootNode()
        node = self.node(root, root.prediction())
        return self.ml.classification.DecisionTreeClassificationModel(Identifiable().uid, node, fitted.numFeatures, 2)

    def model(self, fitted):
        if not hasattr(fitted, "trees"):
            return DecisionTreeClassificationModel(self.tree(fitted))
        trees = self.gateway.new_array(self.ml.classification.DecisionTreeClassificationModel, len(fitted.trees))
        for i, old in enumerate(fitted.trees):
            trees[i] = self.tree(old)
        return RandomForestClassificationModel(
            self.ml.classification.RandomForestClassificationModel(Identifiable().uid, trees, fitted.numFeatures, 2))
