package pmml

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"ctr/features"
	"ctr/models/trees"
)

// model writes the model element.
func (e *export) model() error {
	switch m := e.a.Model.(type) {
	case *trees.Model:
		if m.Algo() == "dt" {
			return e.tree(e.trees[0], true)
		}
		return e.forest("average", true)
	case *trees.Boosted:
		return e.chain(m.Base())
	}
	if e.trees == nil {
		return e.regression(e.lr.Bias(), true)
	}
	return e.chain(e.lr.Bias())
}

// chain writes trees whose sum goes into a regression.
func (e *export) chain(bias float64) error {
	e.open("MiningModel", "functionName", "regression")
	if err := e.whole(); err != nil {
		return err
	}
	e.open("Segmentation", "multipleModelMethod", "modelChain")
	e.open("Segment", "id", "1")
	e.empty("True")
	if err := e.forest("sum", false); err != nil {
		return err
	}
	e.close(1)
	e.open("Segment", "id", "2")
	e.empty("True")
	if err := e.regression(bias, false); err != nil {
		return err
	}
	e.close(3)
	return nil
}

// regression writes a logistic regression on the weights of fields, where there
// are any, and the sum of trees, where there is one.
func (e *export) regression(bias float64, whole bool) error {
	e.open("RegressionModel", "functionName", "regression", "normalizationMethod", "logit")
	if whole {
		if err := e.whole(); err != nil {
			return err
		}
	}
	var terms []string
	if e.lr != nil {
		for i := range e.spec.Fields {
			terms = append(terms, e.named[weightKey(i)])
		}
	}
	if e.trees != nil {
		terms = append(terms, e.leaves)
	}
	if !whole {
		e.inner(terms)
	}
	e.open("RegressionTable", "intercept", number(bias))
	for _, name := range terms {
		e.empty("NumericPredictor", "name", name, "coefficient", "1")
	}
	e.close(2)
	return nil
}

// inner names what a model inside another one reads.
func (e *export) inner(names []string) {
	if len(names) == 0 {
		// The schema of PMML wants one at least.
		names = e.columns()[:1]
	}
	e.open("MiningSchema")
	for _, name := range names {
		e.empty("MiningField", "name", name)
	}
	e.close(1)
}

// forest writes all trees and what becomes of their leaves.
func (e *export) forest(method string, whole bool) error {
	e.open("MiningModel", "functionName", "regression")
	if whole {
		if err := e.whole(); err != nil {
			return err
		}
	} else {
		e.inner(e.read(e.trees...))
		e.open("Output")
		e.empty("OutputField", "name", e.leaves, "optype", "continuous", "dataType", "double", "feature", "predictedValue")
		e.close(1)
	}
	e.open("Segmentation", "multipleModelMethod", method)
	for t, nodes := range e.trees {
		e.open("Segment", "id", strconv.Itoa(t+1))
		e.empty("True")
		if err := e.tree(nodes, false); err != nil {
			return err
		}
		e.close(1)
	}
	e.close(2)
	return nil
}

// read gives the derived fields that trees look at.
func (e *export) read(list ...[]trees.Node) (names []string) {
	used := make([]bool, len(e.spec.Fields))
	for _, nodes := range list {
		for i := range nodes {
			if !nodes[i].Leaf() {
				used[nodes[i].Field] = true
			}
		}
	}
	for f, yes := range used {
		if yes && !slices.Contains(names, e.looked(f)) {
			names = append(names, e.looked(f))
		}
	}
	return names
}

// looked gives the derived field that trees look at for field f.
func (e *export) looked(f int) string { return e.named[codeKey(f)] }

// tree writes one tree.
func (e *export) tree(nodes []trees.Node, whole bool) error {
	e.open("TreeModel", "functionName", "regression", "missingValueStrategy", "defaultChild", "splitCharacteristic", "binarySplit")
	if whole {
		if err := e.whole(); err != nil {
			return err
		}
	} else {
		e.inner(e.read(nodes))
	}
	e.node(nodes, 0, func() { e.empty("True") })
	e.close(1)
	return e.ctx.Err()
}

// node writes node i, which rows come to that meet the predicate.
func (e *export) node(nodes []trees.Node, i int, predicate func()) {
	n := &nodes[i]
	if n.Leaf() {
		e.open("Node", "id", strconv.Itoa(i), "score", number(n.Value))
		predicate()
		e.close(1)
		return
	}
	missing := n.Right
	if n.MissingLeft {
		missing = n.Left
	}
	e.open("Node", "id", strconv.Itoa(i), "defaultChild", strconv.Itoa(missing))
	predicate()
	e.node(nodes, n.Left, func() { e.test(n, true) })
	e.node(nodes, n.Right, func() { e.test(n, false) })
	e.close(1)
}

// test writes what a row must be to go left, or right, of n.
func (e *export) test(n *trees.Node, left bool) {
	if e.spec.Fields[n.Field].Type == features.Num {
		operator := map[bool]string{true: "lessOrEqual", false: "greaterThan"}[left]
		// Numbers are finite.
		threshold := math.Max(math.Min(n.Value, math.MaxFloat64), -math.MaxFloat64)
		if math.IsInf(n.Value, -1) {
			operator = map[bool]string{true: "lessThan", false: "greaterOrEqual"}[left]
		}
		e.empty("SimplePredicate", "field", e.looked(n.Field), "operator", operator, "value", number(threshold))
		return
	}
	if !left {
		e.empty("True") // what does not go left; a code is never missing
		return
	}
	if len(n.Codes) == 0 {
		e.empty("False")
		return
	}
	e.open("SimpleSetPredicate", "field", e.looked(n.Field), "booleanOperator", "isIn")
	codes := make([]string, len(n.Codes))
	for i, c := range n.Codes {
		codes[i] = strconv.FormatUint(uint64(c), 10)
	}
	e.leaf("Array", strings.Join(codes, " "), "type", "int", "n", strconv.Itoa(len(codes)))
	e.close(1)
}

func codeKey(field int) string   { return fmt.Sprintf("code %d", field) }
func weightKey(field int) string { return fmt.Sprintf("weight %d", field) }
