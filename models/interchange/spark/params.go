package spark

import (
	"maps"
	"slices"
)

// commonParams may stand in any stage.
var commonParams = []string{"inputCol", "outputCol", "inputCols", "outputCols"}

// predictorParams are of all classifiers.
var predictorParams = []string{"featuresCol", "labelCol", "predictionCol", "probabilityCol", "rawPredictionCol", "thresholds", "weightCol"}

// treeParams are of decision trees, alone or in ensembles: how they were grown.
var treeParams = append([]string{
	"cacheNodeIds", "checkpointInterval", "impurity", "leafCol", "maxBins", "maxDepth", "maxMemoryInMB",
	"minInfoGain", "minInstancesPerNode", "minWeightFractionPerNode", "seed", "pruneTree",
}, predictorParams...)

// ensembleParams are of forests and boosted trees.
var ensembleParams = append([]string{"featureSubsetStrategy", "subsamplingRate", "numTrees", "bootstrap"}, treeParams...)

// knownParams are the classes that are read and their parameters, those of
// Spark 2.4 to 4.x. One that is not here is refused: it may mean something.
var knownParams = map[string][]string{
	"StringIndexerModel":  {"handleInvalid", "stringOrderType"},
	"OneHotEncoder":       {"dropLast", "handleInvalid"}, // up to 2.4: no model
	"OneHotEncoderModel":  {"dropLast", "handleInvalid"},
	"VectorAssembler":     {"handleInvalid"},
	"MinMaxScalerModel":   {"min", "max"},
	"StandardScalerModel": {"withMean", "withStd"},
	"Bucketizer":          {"handleInvalid", "splits", "splitsArray"},
	"VectorIndexerModel":  {"handleInvalid", "maxCategories"},
	"SQLTransformer":      {"statement"}, // those that ctr export wrote
	"IndexToString":       {"labels"},    // of predictions: not followed
	"LogisticRegressionModel": append([]string{
		"aggregationDepth", "elasticNetParam", "family", "fitIntercept", "maxBlockSizeInMB", "maxIter", "regParam",
		"standardization", "threshold", "tol", "lowerBoundsOnCoefficients", "lowerBoundsOnIntercepts",
		"upperBoundsOnCoefficients", "upperBoundsOnIntercepts",
	}, predictorParams...),
	"DecisionTreeClassificationModel": treeParams,
	"RandomForestClassificationModel": ensembleParams,
	"GBTClassificationModel": append([]string{
		"lossType", "maxIter", "stepSize", "validationIndicatorCol", "validationTol",
	}, ensembleParams...),
}

func knownClasses() []string { return sortedKeys(knownParams) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
