// Package spark reads pipelines that Spark ML saved and writes such, without a
// JVM: the stages that turn columns into a vector are folded, with the model at
// their end, into one of ctr's own families.
//
// Every such stage is a function of one column. So a linear model over them is
// a weight for each value of each column, and a split of a tree is a set of
// values or a threshold on the number as the row has it.
package spark

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"ctr/features"
	"ctr/models"
	"ctr/models/interchange"
)

// Name is the format's.
const Name = "spark"

// Importer reads what Spark ML saved.
func Importer() interchange.Importer {
	return interchange.Importer{
		Name: Name, Title: "a folder that Spark ML 2.4 to 4.x saved, or a tar, tar.gz or zip of it: a PipelineModel, or a CrossValidatorModel or TrainValidationSplitModel whose best model is one, that ends in logistic regression, a decision tree, a random forest or GBT",
		Import: Import,
	}
}

// Import reads the PipelineModel, CrossValidatorModel or
// TrainValidationSplitModel in the folder at path, or in an archive of one
// (tar, tar.gz, zip). A stage or parameter that it does not know is an error
// that names it. See interchange.ImportFunc.
func Import(ctx context.Context, path string, o interchange.ImportOptions) (*models.Artifact, []string, error) {
	f, err := open(path)
	if err != nil {
		return nil, nil, named(path, err)
	}
	defer f.close()
	a, notes, err := f.artifact(ctx, o)
	if err != nil {
		return nil, nil, named(path, err)
	}
	return a, notes, nil
}

// named puts the path before err, unless it is there.
func named(path string, err error) error {
	if strings.Contains(err.Error(), path) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// predictors are the models that may stand at the end of a pipeline.
var predictors = []string{"LogisticRegressionModel", "DecisionTreeClassificationModel", "RandomForestClassificationModel", "GBTClassificationModel"}

func (f *files) artifact(ctx context.Context, o interchange.ImportOptions) (*models.Artifact, []string, error) {
	dir, err := f.find()
	if err != nil {
		return nil, nil, err
	}
	stages, err := f.stages(dir, 0)
	if err != nil {
		return nil, nil, err
	}
	// Names for predictions come after the model, and mean nothing to ctr.
	for len(stages) > 0 && stages[len(stages)-1].class == "IndexToString" {
		stages = stages[:len(stages)-1]
	}
	at := len(stages) - 1
	if at < 0 || !slices.Contains(predictors, stages[at].class) {
		return nil, nil, fmt.Errorf("the pipeline does not end in a classifier: want %s", strings.Join(predictors, ", "))
	}
	last := stages[at]
	p := &plan{
		files: f, trees: last.class != predictors[0], asRead: o.AsRead,
		columns: map[string]vector{}, vectors: map[string]bool{}, raw: map[string]*source{}, derived: map[string]derived{},
	}
	in := last.text("featuresCol")
	list, columns, err := flows(stages[:at], in, p.derived)
	if err != nil {
		return nil, nil, err
	}
	if err := p.settleSchema(o, columns); err != nil {
		return nil, nil, err
	}
	if err := p.label(stages[:at], last.text("labelCol")); err != nil {
		return nil, nil, err
	}
	if err := p.walk(list); err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	vector, ok := p.columns[in]
	if last.err != nil || !ok || !p.vectors[in] {
		return nil, nil, last.fail("column %q: made by no stage: want the vector of features", in)
	}
	a := &models.Artifact{Version: o.Version}
	if a.Model, a.Spec, err = p.model(last, vector); err != nil {
		return nil, nil, err
	}
	if a.Threshold, err = threshold(last); err != nil {
		return nil, nil, err
	}
	if o.Threshold != nil {
		a.Threshold = *o.Threshold
	}
	return a, p.notes, nil
}

// model makes the model at the end of the pipeline.
func (p *plan) model(s *stage, v vector) (models.Model, *features.Spec, error) {
	if s.class == "LogisticRegressionModel" {
		return p.linear(s, v)
	}
	return p.forest(s, v)
}

// label looks at the stage that indexed the label, if there is one: its second
// label is what the model gives the probability of.
func (p *plan) label(stages []*stage, column string) error {
	for _, s := range stages {
		if s.class != "StringIndexerModel" {
			continue
		}
		_, out, err := s.inOut()
		if err != nil {
			return err
		}
		at := slices.Index(out, column)
		if at < 0 {
			continue
		}
		all, err := p.files.labels(s)
		if err != nil {
			return err
		}
		if at >= len(all) || all[at].len() != 2 {
			return s.fail("label %s: want two values", column)
		}
		if x, ok := features.ParseNumber(all[at].at(1)); ok && x == 0 {
			return s.fail("label %s: %q is indexed as 1, so that the model gives the probability of no click: want 1 as 1", column, all[at].at(1))
		}
		p.note("%s: the probability is that of %q", s, all[at].at(1))
		all[at].leaf.Drop(p.files.allow)
	}
	return nil
}

// threshold gives where a probability becomes a prediction: 1 where p > t.
func threshold(s *stage) (float64, error) {
	var pair []number
	s.param("thresholds", &pair)
	t := s.number("threshold", 0.5)
	if s.err != nil {
		return 0, s.err
	}
	if len(pair) > 0 {
		if len(pair) != 2 || !(pair[0] >= 0) || !(pair[1] >= 0) || !(pair[0]+pair[1] > 0) || math.IsInf(float64(pair[0]+pair[1]), 0) {
			return 0, s.fail("parameter thresholds: want two, of which one is above 0")
		}
		// The class with the greatest p/t is predicted: the second one where
		// p/t₁ > (1-p)/t₀.
		t = float64(pair[1] / (pair[0] + pair[1]))
		if pair[0] == 0 { // p/0 is more than anything, but 0/0 is not
			t = math.Nextafter(1, 0)
		}
	}
	if !(t >= 0 && t <= 1) {
		return 0, s.fail("parameter threshold %v: want 0 … 1", t)
	}
	return t, nil
}
