package spark

import "strings"

// The schemas of the data sets, as Spark writes them into a Parquet footer. It
// takes a file's columns for what they say: VectorUDT and MatrixUDT above all.

// schemaOf gives a struct of fields.
func schemaOf(fields ...string) string {
	return `{"type":"struct","fields":[` + strings.Join(fields, ",") + `]}`
}

// one gives a field of a plain type.
func one(name, kind string) string {
	return `{"name":"` + name + `","type":"` + kind + `","nullable":true,"metadata":{}}`
}

// list1 gives a field of an array.
func list1(name, kind string) string {
	return `{"name":"` + name + `","type":{"type":"array","elementType":"` + kind + `","containsNull":false},"nullable":true,"metadata":{}}`
}

// udt gives a field of a type of Spark ML's own, stored as the fields.
func udt(name, class string, fields ...string) string {
	return `{"name":"` + name + `","type":{"type":"udt","class":"org.apache.spark.ml.linalg.` + class + `","pyClass":"pyspark.ml.linalg.` + class +
		`","sqlType":` + schemaOf(fields...) + `},"nullable":true,"metadata":{}}`
}

var coefficientSchema = schemaOf(
	one("numClasses", "integer"), one("numFeatures", "integer"),
	udt("interceptVector", "VectorUDT", one("type", "byte"), one("size", "integer"), list1("indices", "integer"), list1("values", "double")),
	udt("coefficientMatrix", "MatrixUDT", one("type", "byte"), one("numRows", "integer"), one("numCols", "integer"),
		list1("colPtrs", "integer"), list1("rowIndices", "integer"), list1("values", "double"), one("isTransposed", "boolean")),
	one("isMultinomial", "boolean"),
)

// nodeFields are of Spark's NodeData.
var nodeFields = strings.Join([]string{
	one("id", "integer"), one("prediction", "double"), one("impurity", "double"), list1("impurityStats", "double"), one("rawCount", "long"),
	one("gain", "double"), one("leftChild", "integer"), one("rightChild", "integer"),
	`{"name":"split","type":` + schemaOf(one("featureIndex", "integer"), list1("leftCategoriesOrThreshold", "double"), one("numCategories", "integer")) + `,"nullable":true,"metadata":{}}`,
}, ",")
