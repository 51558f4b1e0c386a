package features

import (
	"fmt"
	"strings"
	"testing"
)

func TestNewPlan(t *testing.T) {
	f := func(want string, o PlanOptions) {
		t.Helper()
		p, err := NewPlan(testSchema, testLayout(), o)
		got := ""
		if err != nil {
			got = "error: " + err.Error()
		} else {
			var names []string
			for _, fd := range p.Fields {
				names = append(names, string(fd.Type)+":"+fd.Name)
			}
			got = strings.Join(names, " ")
		}
		if got != want {
			t.Errorf("%+v:\n%s\nwant\n%s", o, got, want)
		}
	}
	f("dict:a dict:hour_time num:n dict:b dict:c", PlanOptions{})
	f("hash:a hash:hour_time num:n hash:b hash:c", PlanOptions{Bits: 5})
	f("dict:b dict:month dict:t", PlanOptions{Include: []string{"b", "a", "month", "t", "b"}, Exclude: []string{"a"}})
	f("dict:a dict:a*b dict:b*a dict:n*day", PlanOptions{
		Include: []string{"a"}, Crosses: [][]string{{"a", "b"}, {"b", "a"}, {"a", "b"}, {"n", "day"}},
	})
	f("dict:a num:count(b) num:count_hour(b) num:since(b) num:count(a+day) num:count_hour(a+day) num:since(a+day)", PlanOptions{
		Include: []string{"a"}, History: [][]string{{"b"}, {"a", "day"}, {"b"}}, Values: true,
	})
	f("error: history-bits 2: want 3 … 28", PlanOptions{HistoryBits: 2})
	usable := "[a t hour_time day dayofweek month n b c]"
	f("error: columns [x y w]: want some of "+usable, PlanOptions{Include: []string{"a", "y"}, Exclude: []string{"x"}, Crosses: [][]string{{"w", "a", "x"}}})
	f("dict:a dict:b dict:c dict:c*b dict:a*b dict:a*c dict:b*hour_time", PlanOptions{
		Include: []string{"a", "b", "c"}, Crosses: [][]string{{"c", "b"}}, Pairs: [][]string{{"a", "b", "c"}, {"b", "hour_time"}, {"b", "a"}},
	})
	f("dict:a num:n dict:b dict:n*a dict:a*b dict:n*b", PlanOptions{
		Include: []string{"a", "n", "b"}, Crosses: [][]string{{"n", "a"}}, Pairs: [][]string{{AllColumns}},
	})
	f("error: cross-pairs a: want two columns or more, or all", PlanOptions{Pairs: [][]string{{"a"}}})
	f("error: cross-pairs a,b,a: want each column once", PlanOptions{Pairs: [][]string{{"a", "b", "a"}}})
	f("error: columns [x]: want some of "+usable, PlanOptions{Pairs: [][]string{{"a", "x", "b"}}})
	f("error: cross a: want two columns or more", PlanOptions{Crosses: [][]string{{"a"}}})
	f("error: no columns are left to learn from", PlanOptions{Include: []string{"a"}, Exclude: []string{"a"}})
	f(fmt.Sprintf("error: min-count -1: want 1 or more; bits %d: want 1 … %d, or 0 for dictionaries; bins 1: want 2 … %d", MaxBits+1, MaxBits, MaxBins),
		PlanOptions{MinCount: -1, Bits: MaxBits + 1, Bins: 1})
}
