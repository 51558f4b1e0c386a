package commands

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ctr/models/metrics"
	"ctr/pipeline"
)

// table is text in columns, two spaces apart: the first is set to the left,
// the others to the right, where left does not say otherwise.
type table struct {
	rows [][]string
	left map[int]bool
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer) {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range t.rows {
		line := ""
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case i == 0:
				line += cell + pad
			case t.left[i]:
				line += "  " + cell + pad
			default:
				line += "  " + pad + cell
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

// thousands gives n with commas: 1,234,567.
func thousands[T ~int | ~int64](n T) string { return pipeline.Thousands(n) }

// count gives "1 row" or "23,299 rows".
func count[T ~int | ~int64](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// seconds gives a time the digits that a person wants: 0.043 s, 2.31 s, 47 s.
func seconds(s float64) string {
	switch {
	case s < 0.1:
		return strconv.FormatFloat(s, 'f', 3, 64) + " s"
	case s < 10:
		return strconv.FormatFloat(s, 'f', 2, 64) + " s"
	}
	return strconv.FormatFloat(s, 'f', 0, 64) + " s"
}

// elapsed gives a duration in the same way.
func elapsed(d time.Duration) string { return seconds(d.Seconds()) }

// judged is the metrics of one part of the rows, with its heading.
type judged struct {
	heading string
	m       metrics.Metrics
}

// printMetrics sets the metrics of one or more parts of the rows side by
// side. The last part has the majority guess beside it: what is reached
// without looking at a row.
func printMetrics(w io.Writer, parts ...judged) {
	last := parts[len(parts)-1]
	var t table
	line := func(name string, text func(*metrics.Metrics) string, guess string) {
		cells := []string{name}
		for i := range parts {
			cells = append(cells, text(&parts[i].m))
		}
		t.add(append(cells, guess)...)
	}
	heading := []string{""}
	for _, p := range parts {
		heading = append(heading, p.heading)
	}
	t.add(append(heading, "majority guess")...)
	num := func(get func(*metrics.Metrics) float64) func(*metrics.Metrics) string {
		return func(m *metrics.Metrics) string { return metrics.Text(get(m), 4) }
	}
	line("rows", func(m *metrics.Metrics) string { return thousands(m.Rows) }, "")
	line("clicks", func(m *metrics.Metrics) string { return thousands(m.Clicks) }, "")
	line("accuracy", num(func(m *metrics.Metrics) float64 { return m.Accuracy }), metrics.Text(last.m.Majority.Accuracy, 4))
	line("precision", num(func(m *metrics.Metrics) float64 { return m.Precision }), "")
	line("recall", num(func(m *metrics.Metrics) float64 { return m.Recall }), "")
	line("F1", num(func(m *metrics.Metrics) float64 { return m.F1 }), majorityF1(&last.m))
	line("AUC", num(func(m *metrics.Metrics) float64 { return m.AUC }), "0.5000")
	line("log loss", num(func(m *metrics.Metrics) float64 { return m.LogLoss }), metrics.Text(last.m.Majority.LogLoss, 4))
	line("normalised entropy", num(func(m *metrics.Metrics) float64 { return m.NormalizedEntropy }), "1.0000")
	line("calibration ratio", num(func(m *metrics.Metrics) float64 { return m.CalibrationRatio }), "")
	t.print(w)
}

// majorityF1 is the F1 of always predicting the more frequent label: 0 for
// "no click", 2c/(1+c) for "click" at a click rate c.
func majorityF1(m *metrics.Metrics) string {
	c := float64(m.Clicks) / float64(m.Rows)
	if c <= 0.5 {
		return "0.0000"
	}
	return metrics.Text(2*c/(1+c), 4)
}

// capital gives s with its first letter, where that is a-z, in upper case.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
