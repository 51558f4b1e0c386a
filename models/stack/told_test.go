package stack

import (
	"testing"

	"ctr/models"
)

// TestTold scores rows by the parts of a model.
func TestTold(t *testing.T) {
	tab := rows(t, 1000, false)
	m := mustFit(t, tab, models.Options{Trees: 3})
	lr, leaves := m.Parts()
	ex := tab.Spec.NewExample()
	for i := range tab.Rows {
		tab.Example(i, ex)
		sum := lr.LogOdds(ex)
		for _, tree := range leaves.Trees() {
			n := &tree[0]
			for !n.Leaf() {
				left := false
				if n.Codes == nil {
					left = ex.Values[n.Field] <= n.Value || n.MissingLeft && ex.Values[n.Field] != ex.Values[n.Field]
				}
				for _, c := range n.Codes {
					left = left || c == ex.Codes[n.Field]
				}
				to := n.Right
				if left {
					to = n.Left
				}
				n = &tree[to]
			}
			sum += n.Value
		}
		if got := m.LogOdds(ex); got != sum {
			t.Fatalf("row %d: %v: want %v", i, sum, got)
		}
	}
}
