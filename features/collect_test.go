package features

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// collectBad gives the rows that a Collector calls bad, ascending.
func collectBad(t *testing.T, in []*Block, workers int, o CollectOptions) (bad []int64, c *Collector) {
	t.Helper()
	plan, err := NewPlan(testSchema, testLayout(), PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if c, err = NewCollector(plan, testLayout(), o); err != nil {
		t.Fatal(err)
	}
	ws := make([]*CollectWorker, workers)
	for i := range ws {
		ws[i] = c.Worker()
	}
	for i, b := range in {
		ws[i%workers].Add(b, 0, func(row int, err error) { bad = append(bad, b.First+int64(row)) })
	}
	slices.Sort(bad)
	return bad, c
}

// Which rows are bad does not depend on the sample, that is on how far the
// other workers have come.
func TestSampleFindsTheSameBadRows(t *testing.T) {
	var text strings.Builder
	text.WriteString("a,t,n,y,b,c,w\n")
	const rows = 2000
	for i := range rows {
		label, n, w := "1", "1", "1"
		switch i % 40 {
		case 7:
			label = "yes"
		case 17:
			n = "many"
		case 27:
			w = "-1"
		}
		fmt.Fprintf(&text, "x,14102100,%s,%s,y,%d,%s\n", n, label, i, w)
	}
	whole := blocks(t, text.String(), testSchema)
	want, _ := collectBad(t, whole, 1, CollectOptions{})
	if len(want) != 3*rows/40 {
		t.Fatalf("%d bad rows, want %d", len(want), 3*rows/40)
	}
	for _, workers := range []int{1, 3} {
		bad, c := collectBad(t, cut(t, whole, testLayout(), 10), workers, CollectOptions{Sample: 5})
		if !slices.Equal(bad, want) {
			t.Errorf("%d workers: %d bad rows in a sample, want %d", workers, len(bad), len(want))
		}
		if c.Read() != int64(rows-len(want)) {
			t.Errorf("%d workers: %d good rows read, want %d", workers, c.Read(), rows-len(want))
		}
	}
}

// A sample larger than the data is all of it, however large.
func TestSampleOfMoreThanThereIs(t *testing.T) {
	whole := blocks(t, "a,t,n,y,b,c,w\nx,14102100,1,1,y,1,1\nx,14102100,1,0,y,1,1\n", testSchema)
	for _, n := range []int64{2, 3, math.MaxInt64} {
		_, c := collectBad(t, whole, 1, CollectOptions{Sample: n})
		f, err := c.Fit(context.Background(), FitOptions{Split: "none", Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		if f.Train.Rows != 2 || f.SampleLast != 0 {
			t.Errorf("sample of %d: %d rows, last hash %x, want all 2", n, f.Train.Rows, f.SampleLast)
		}
	}
}

// A sample keeps memory for the rows that it keeps, not for those it saw.
func TestSampleKeepsLittle(t *testing.T) {
	var text strings.Builder
	text.WriteString("a,t,n,y,b,c,w\n")
	for i := range 20_000 {
		fmt.Fprintf(&text, "x,14102100,1,1,y,%d,1\n", i)
	}
	_, c := collectBad(t, blocks(t, text.String(), testSchema), 1, CollectOptions{Sample: 10})
	rows, room := 0, 0
	for _, ch := range c.workers[0].chunks[1:] {
		rows, room = rows+len(ch.rows), room+cap(ch.rows)+cap(ch.y)
	}
	if rows == 0 || room > 8*rows {
		t.Errorf("room for %d rows and labels, %d kept", room, rows)
	}
}

func TestFitWithoutRows(t *testing.T) {
	late := Hour(1 << 30)
	_, c := collectBad(t, blocks(t, "a,t,n,y,b,c,w\nx,14102100,1,1,y,1,1\n", testSchema), 1, CollectOptions{Since: &late})
	for _, split := range []string{"none", "random", "time"} {
		if _, err := c.Fit(context.Background(), FitOptions{Split: split, Fraction: 0.3, Threads: 1}); !errors.Is(err, ErrNoRows) {
			t.Errorf("split %s: error %v, want ErrNoRows", split, err)
		}
	}
}
