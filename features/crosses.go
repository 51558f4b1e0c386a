package features

import (
	"fmt"
	"slices"
	"strings"
)

// AllColumns stands for all columns, alone in a list of PlanOptions.Pairs.
const AllColumns = "all"

// allCrosses gives o.Crosses and then the pairs of o.Pairs, each once in
// whatever order its columns are named. plain are the fields of single columns.
func allCrosses(o PlanOptions, plain []Field) ([][]string, error) {
	out := slices.Clone(o.Crosses)
	for _, list := range o.Pairs {
		switch {
		case len(list) == 1 && list[0] == AllColumns:
			list = nil
			for _, f := range plain {
				list = append(list, f.Name)
			}
		case len(list) < 2:
			return nil, fmt.Errorf("cross-pairs %s: want two columns or more, or %s", strings.Join(list, ","), AllColumns)
		case len(unique(list)) < len(list):
			return nil, fmt.Errorf("cross-pairs %s: want each column once", strings.Join(list, ","))
		}
		for i, a := range list {
			for _, b := range list[i+1:] {
				if !crossed(out, a, b) {
					out = append(out, []string{a, b})
				}
			}
		}
	}
	return out, nil
}

// crossed reports whether two columns are crossed with each other alone.
func crossed(crosses [][]string, a, b string) bool {
	return slices.ContainsFunc(crosses, func(c []string) bool {
		return len(c) == 2 && (c[0] == a && c[1] == b || c[0] == b && c[1] == a)
	})
}
