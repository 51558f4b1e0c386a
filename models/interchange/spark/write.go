package spark

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ctr/features/columnar"
	"ctr/models"
	"ctr/models/trees"
)

// sparkVersion is the Spark whose form of files is written. Later ones read it.
const sparkVersion = "3.5.0"

// outStage is a stage to be written.
type outStage struct {
	class  string // below org.apache.spark.ml: "feature.Bucketizer"
	uid    string
	params map[string]any
	more   map[string]any // beside the parameters
	data   []outData
}

// outData is a data set of a stage: one Parquet file.
type outData struct {
	folder  string
	schema  string // as Spark writes it
	rows    int
	columns []columnar.Out
}

// stages gives the pipeline.
func (e *exporter) stages(a *models.Artifact) (list []outStage, err error) {
	add := func(s outStage, name string) {
		s.uid = name + "_" + e.uid
		list = append(list, s)
	}
	if len(e.derived) > 0 {
		sql, err := statement(e.derived)
		if err != nil {
			return nil, err
		}
		add(outStage{class: "feature.SQLTransformer", params: map[string]any{"statement": sql}}, "SQLTransformer")
	}
	if len(e.index) > 0 {
		add(e.stringIndexer(), "StringIndexer")
	}
	if len(e.bucket) > 0 {
		var all [][]number
		for _, b := range e.bounds {
			all = append(all, splits(b))
		}
		add(outStage{class: "feature.Bucketizer", params: pairs(e.bucket, map[string]any{"splitsArray": all, "handleInvalid": "keep"})}, "Bucketizer")
	}
	if len(e.hot) > 0 {
		add(oneHot(e.hot, e.sizes, "error"), "OneHotEncoder")
	}
	if len(e.hotBins) > 0 {
		add(oneHot(e.hotBins, e.binned, "keep"), "OneHotEncoderBins")
	}
	invalid := "keep" // a number that is missing is NaN
	if e.linear != nil {
		invalid = "error" // there is none
	}
	add(outStage{class: "feature.VectorAssembler", params: map[string]any{"inputCols": e.inputs, "outputCol": "features", "handleInvalid": invalid}}, "VectorAssembler")
	name := map[string]string{"lr": "LogisticRegression", "dt": "DecisionTreeClassifier", "rf": "RandomForestClassifier", "gbdt": "GBTClassifier"}[a.Model.Algo()]
	s, err := e.model(a)
	add(s, name)
	return list, err
}

// pairs adds the columns of a stage of several to its parameters.
func pairs(list []columnPair, params map[string]any) map[string]any {
	var in, out []string
	for _, p := range list {
		in, out = append(in, p.in), append(out, p.out)
	}
	params["inputCols"], params["outputCols"] = in, out
	return params
}

// oneHot gives the stage that makes a slot of each category, and with invalid
// "keep" one more for the number after the last.
func oneHot(columns []columnPair, n []int, invalid string) outStage {
	sizes := columnar.Out{Name: "categorySizes", Kind: columnar.OutInt32, Ends: []int{len(n)}}
	for _, k := range n {
		sizes.Numbers = append(sizes.Numbers, float64(k))
	}
	return outStage{
		class: "feature.OneHotEncoderModel", params: pairs(columns, map[string]any{"dropLast": false, "handleInvalid": invalid}),
		data: []outData{{"data", schemaOf(list1("categorySizes", "integer")), 1, []columnar.Out{sizes}}},
	}
}

func (e *exporter) stringIndexer() outStage {
	labels := columnar.Out{Name: "labelsArray", Kind: columnar.OutText, Ends: []int{}, Outer: []int{len(e.dicts)}}
	for _, d := range e.dicts {
		for c := range d.Len() {
			v := d.Value(uint32(c + 1))
			if len(v) == 0 {
				v = []byte(nameOfEmpty(d))
			}
			labels.Texts = append(labels.Texts, v)
		}
		labels.Ends = append(labels.Ends, len(labels.Texts))
	}
	schema := `{"name":"labelsArray","type":{"type":"array","elementType":{"type":"array","elementType":"string","containsNull":true},"containsNull":true},"nullable":true,"metadata":{}}`
	return outStage{
		class: "feature.StringIndexerModel", params: pairs(e.index, map[string]any{"handleInvalid": "keep", "stringOrderType": "frequencyDesc"}),
		data: []outData{{"data", schemaOf(schema), 1, []columnar.Out{labels}}},
	}
}

// model gives the classifier.
func (e *exporter) model(a *models.Artifact) (outStage, error) {
	params := map[string]any{
		"featuresCol": "features", "labelCol": "label", "predictionCol": "prediction",
		"probabilityCol": "probability", "rawPredictionCol": "rawPrediction",
	}
	if e.linear != nil {
		for k, v := range map[string]any{
			"threshold": number(a.Threshold), "aggregationDepth": 2, "elasticNetParam": number(0), "family": "binomial", "fitIntercept": true,
			"maxBlockSizeInMB": number(0), "maxIter": 100, "regParam": number(0), "standardization": true, "tol": number(1e-6),
		} {
			params[k] = v
		}
		return outStage{class: "classification.LogisticRegressionModel", params: params, data: []outData{e.coefficientData()}}, nil
	}
	params["thresholds"] = []number{number(1 - a.Threshold), number(a.Threshold)}
	for k, v := range treeDefaults {
		params[k] = v
	}
	params["impurity"] = "gini"
	more := map[string]any{"numFeatures": e.slots, "numClasses": 2}
	class := "classification.DecisionTreeClassificationModel"
	switch a.Model.Algo() {
	case "rf":
		class = "classification.RandomForestClassificationModel"
		params["numTrees"], params["subsamplingRate"], params["featureSubsetStrategy"], params["bootstrap"] = len(e.trees), number(1), "auto", true
		more["numTrees"] = len(e.trees)
	case "gbdt":
		class = "classification.GBTClassificationModel"
		if e.base != 0 { // Spark has no log-odds before the first tree: a tree of one leaf has them
			e.trees = append([][]trees.Node{{{Value: e.base}}}, e.trees...)
		}
		delete(more, "numClasses")
		more["numTrees"] = len(e.trees)
		params["impurity"], params["lossType"], params["stepSize"], params["maxIter"] = "variance", "logistic", number(0.1), len(e.trees)
		params["subsamplingRate"], params["featureSubsetStrategy"], params["validationTol"] = number(1), "all", number(0.01)
	}
	s := outStage{class: class, params: params, more: more}
	rows := 0
	for _, t := range e.trees {
		rows += len(t)
	}
	if rows > math.MaxInt32 {
		return s, fmt.Errorf("%d nodes: want at most %d", rows, math.MaxInt32)
	}
	return s, e.treeData(&s, a.Model.Algo(), rows)
}

// treeDefaults are parameters of how trees were grown, which Spark wants to
// find; they change no prediction.
var treeDefaults = map[string]any{
	"cacheNodeIds": false, "checkpointInterval": 10, "leafCol": "", "maxBins": 32, "maxDepth": 5, "maxMemoryInMB": 256,
	"minInfoGain": number(0), "minInstancesPerNode": 1, "minWeightFractionPerNode": number(0), "seed": 0,
}

func (e *exporter) coefficientData() outData {
	num := func(name string, kind columnar.OutKind, x float64) columnar.Out {
		return columnar.Out{Name: name, Kind: kind, Numbers: []float64{x}}
	}
	ints := func(name string) columnar.Out {
		return columnar.Out{Name: name, Kind: columnar.OutInt32, Ends: []int{0}}
	}
	doubles := func(name string, v []float64) columnar.Out {
		return columnar.Out{Name: name, Kind: columnar.OutDouble, Numbers: v, Ends: []int{len(v)}}
	}
	return outData{"data", coefficientSchema, 1, []columnar.Out{
		num("numClasses", columnar.OutInt32, 2), num("numFeatures", columnar.OutInt32, float64(e.slots)),
		{Name: "interceptVector", Children: []columnar.Out{
			num("type", columnar.OutInt8, 1), num("size", columnar.OutInt32, 1), ints("indices"), doubles("values", []float64{e.linear.Bias()}),
		}},
		{Name: "coefficientMatrix", Children: []columnar.Out{
			num("type", columnar.OutInt8, 1), num("numRows", columnar.OutInt32, 1), num("numCols", columnar.OutInt32, float64(e.slots)),
			ints("colPtrs"), ints("rowIndices"), doubles("values", e.coefficients()), num("isTransposed", columnar.OutBool, 1),
		}},
		num("isMultinomial", columnar.OutBool, 0),
	}}
}

// treeData adds the nodes, and of several trees their weights.
func (e *exporter) treeData(s *outStage, algo string, rows int) error {
	col := func(name string, kind columnar.OutKind) columnar.Out {
		return columnar.Out{Name: name, Kind: kind, Numbers: make([]float64, 0, rows)}
	}
	id, left, right := col("id", columnar.OutInt32), col("leftChild", columnar.OutInt32), col("rightChild", columnar.OutInt32)
	prediction, impurity, gain := col("prediction", columnar.OutDouble), col("impurity", columnar.OutDouble), col("gain", columnar.OutDouble)
	count, tree := col("rawCount", columnar.OutInt64), col("treeID", columnar.OutInt32)
	stats, values := col("impurityStats", columnar.OutDouble), col("leftCategoriesOrThreshold", columnar.OutDouble)
	feature, categories := col("featureIndex", columnar.OutInt32), col("numCategories", columnar.OutInt32)
	stats.Ends, values.Ends = []int{}, []int{}
	for t := range e.trees {
		for k := range e.trees[t] {
			n := &e.trees[t][k]
			l, r, f, c, v := -1.0, -1.0, -1, -1, []float64(nil)
			if !n.Leaf() {
				l, r = float64(n.Left), float64(n.Right)
				f, c, v = e.split(n)
			}
			id.Numbers, tree.Numbers = append(id.Numbers, float64(k)), append(tree.Numbers, float64(t))
			left.Numbers, right.Numbers = append(left.Numbers, l), append(right.Numbers, r)
			feature.Numbers, categories.Numbers = append(feature.Numbers, float64(f)), append(categories.Numbers, float64(c))
			values.Numbers = append(values.Numbers, v...)
			values.Ends = append(values.Ends, len(values.Numbers))
			impurity.Numbers, gain.Numbers = append(impurity.Numbers, 0), append(gain.Numbers, 0)
			count.Numbers = append(count.Numbers, float64(n.Rows))
			p := n.Value
			if algo == "gbdt" {
				// Spark's probability is that of twice the sum.
				prediction.Numbers = append(prediction.Numbers, p/2)
				stats.Numbers = append(stats.Numbers, 1, 0, 0)
			} else {
				if !n.Leaf() {
					p = 0
				}
				prediction.Numbers = append(prediction.Numbers, math.Round(p))
				stats.Numbers = append(stats.Numbers, 1-p, p)
			}
			stats.Ends = append(stats.Ends, len(stats.Numbers))
		}
	}
	node := []columnar.Out{
		id, prediction, impurity, stats, count, gain, left, right,
		{Name: "split", Children: []columnar.Out{feature, values, categories}},
	}
	if algo == "dt" {
		s.data = []outData{{"data", schemaOf(nodeFields), rows, node}}
		return nil
	}
	s.data = []outData{{"data", schemaOf(one("treeID", "integer"), `{"name":"nodeData","type":`+schemaOf(nodeFields)+`,"nullable":true,"metadata":{}}`), rows, []columnar.Out{
		tree, {Name: "nodeData", Children: node},
	}}}
	return e.treesMetadata(s, algo)
}

// treesMetadata adds the parameters and weight of each tree.
func (e *exporter) treesMetadata(s *outStage, algo string) error {
	inner := outStage{class: "classification.DecisionTreeClassificationModel", params: map[string]any{"impurity": "gini"}, more: map[string]any{"numFeatures": e.slots, "numClasses": 2}}
	if algo == "gbdt" {
		inner = outStage{class: "regression.DecisionTreeRegressionModel", params: map[string]any{"impurity": "variance"}, more: map[string]any{"numFeatures": e.slots}}
	}
	for k, v := range treeDefaults {
		inner.params[k] = v
	}
	id, meta, weights := columnar.Out{Name: "treeID", Kind: columnar.OutInt32}, columnar.Out{Name: "metadata", Kind: columnar.OutText}, columnar.Out{Name: "weights", Kind: columnar.OutDouble}
	for t := range e.trees {
		inner.uid = fmt.Sprintf("tree_%d_%s", t, e.uid)
		text, err := inner.json()
		if err != nil {
			return err
		}
		id.Numbers, meta.Texts, weights.Numbers = append(id.Numbers, float64(t)), append(meta.Texts, text), append(weights.Numbers, 1)
	}
	s.data = append(s.data, outData{"treesMetadata", schemaOf(one("treeID", "integer"), one("metadata", "string"), one("weights", "double")), len(e.trees), []columnar.Out{id, meta, weights}})
	return nil
}

// json gives the stage's metadata. No time is in it, so that the same model
// gives the same folder.
func (s *outStage) json() ([]byte, error) {
	m := map[string]any{
		"class": classPrefix + s.class, "timestamp": 0, "sparkVersion": sparkVersion, "uid": s.uid,
		"paramMap": s.params, "defaultParamMap": map[string]any{},
	}
	for k, v := range s.more {
		m[k] = v
	}
	return json.Marshal(m)
}

// MarshalJSON writes a number as Spark reads it.
func (n number) MarshalJSON() ([]byte, error) {
	switch x := float64(n); {
	case math.IsInf(x, 1):
		return []byte(`"Inf"`), nil
	case math.IsInf(x, -1):
		return []byte(`"-Inf"`), nil
	default:
		text := strconv.FormatFloat(x, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") { // Spark takes 0 for an integer, and refuses it
			text += ".0"
		}
		return []byte(text), nil
	}
}

// write writes a PipelineModel.
func write(path, uid string, stages []outStage) error {
	var uids []string
	for i := range stages {
		uids = append(uids, stages[i].uid)
	}
	pipeline := outStage{class: "PipelineModel", uid: "PipelineModel_" + uid, params: map[string]any{"stageUids": uids}}
	if err := pipeline.write(path); err != nil {
		return err
	}
	digits := len(fmt.Sprint(len(stages)))
	for i := range stages {
		dir := filepath.Join(path, "stages", fmt.Sprintf("%0*d_%s", digits, i, stages[i].uid))
		if err := stages[i].write(dir); err != nil {
			return err
		}
	}
	return nil
}

func (s *outStage) write(dir string) error {
	text, err := s.json()
	if err == nil {
		err = dataSet(filepath.Join(dir, "metadata"), "part-00000", append(text, '\n'))
	}
	if err != nil {
		return err
	}
	for _, d := range s.data {
		var b strings.Builder
		if err := columnar.WriteNested(&b, d.columns, d.rows, "org.apache.spark.sql.parquet.row.metadata", d.schema); err != nil {
			return fmt.Errorf("%s: %w", s.uid, err)
		}
		if err := dataSet(filepath.Join(dir, d.folder), "part-00000-ctr-c000.snappy.parquet", []byte(b.String())); err != nil {
			return err
		}
	}
	return nil
}

// dataSet writes a data set of one file.
func dataSet(dir, name string, body []byte) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, name), body, 0o666); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "_SUCCESS"), nil, 0o666)
}
