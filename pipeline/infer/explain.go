package infer

import (
	"strconv"

	"ctr/features"
	"ctr/models"
	"ctr/pipeline"
)

// explanation writes why rows got their probabilities.
type explanation struct {
	model    models.Explainer
	baseline float64
	head     []byte   // up to the baseline
	names    [][]byte // of fields, as JSON with what stands before and after them
	parts    []float64
}

// explain gives what explains the rows of a model.
func explain(m *Model) (*explanation, *fault) {
	a := m.Artifact()
	e, ok := a.Model.(models.Explainer)
	if !ok {
		return nil, badRequest("explain: a model of %s can't say what each column adds", a.Model.Algo())
	}
	if err := e.Explains(); err != nil {
		return nil, badRequest("explain: %v", err)
	}
	x := &explanation{model: e}
	value, scale := e.Baseline()
	x.baseline = value
	x.head = append(features.AppendJSONString([]byte(`,"explanation":{"scale":`), string(scale)), `,"baseline":`...)
	for i := range a.Spec.Fields {
		name := []byte{','}
		if i == 0 {
			name = nil
		}
		x.names = append(x.names, append(features.AppendJSONString(name, a.Spec.Fields[i].Name), ':'))
	}
	return x, nil
}

// size gives about how many bytes the explanation of a row takes.
func (x *explanation) size() int64 {
	const number = 24 // characters of a float64 at most
	n := len(x.head) + number
	for _, name := range x.names {
		n += len(name) + number
	}
	return int64(n)
}

// append adds the explanation of row i.
func (x *explanation) append(dst []byte, r *pipeline.Request, i int) ([]byte, error) {
	ex, err := r.Example(i)
	if err != nil {
		return nil, err
	}
	x.parts = x.model.Contributions(ex, x.parts[:0])
	dst = strconv.AppendFloat(append(dst, x.head...), x.baseline, 'g', -1, 64)
	dst = append(dst, `,"contributions":{`...)
	for f, v := range x.parts {
		dst = strconv.AppendFloat(append(dst, x.names[f]...), v, 'g', -1, 64)
	}
	return append(dst, "}}"...), nil
}
