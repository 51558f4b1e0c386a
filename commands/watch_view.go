package commands

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"ctr/models/metrics"
	"ctr/pipeline/monitor"
)

// view makes lines of text of a Live.
type view struct {
	width, height int    // of the terminal; 0 is as much as it takes
	model         string // NAME or NAME@VERSION, "" is the default one
}

// style is how a line is set off.
type style int

const (
	plain style = iota
	strong
	faint
	alarm
)

type viewLine struct {
	text  string
	style style
}

// list is a part whose lines are as many as there is room for. head counts its
// first lines, which are there if any is.
type list struct {
	lines []viewLine
	head  int
	most  int // lines after head
	room  int
}

// plainMost is how many lines a list has where the height does not matter.
const plainMost = 8

// lines gives the picture. lost, where not "", says why the server can't be
// reached: the figures are then the last ones.
func (v view) lines(l *monitor.Live, lost string) []viewLine {
	m := findModel(l, v.model)
	out := v.top(l, m, lost)
	lists := []*list{v.alarms(l), v.lag(l), v.columns(m), v.predictions(l), v.problems(l)}
	v.share(lists, v.height-len(out))
	for _, part := range lists {
		if part.room > 0 {
			out = append(out, part.lines[:part.head+part.room]...)
		}
	}
	if v.height > 0 && len(out) > v.height {
		out = out[:v.height]
	}
	for i := range out {
		if out[i].text = strings.TrimRight(printable(out[i].text), " "); v.width > 0 {
			out[i].text = cut(out[i].text, v.width)
		}
	}
	return out
}

// share gives each list its lines, in turn while there are any left.
func (v view) share(lists []*list, left int) {
	if v.height == 0 {
		for _, part := range lists {
			part.room = min(part.most, plainMost)
		}
		return
	}
	for more := true; more; {
		more = false
		for _, part := range lists {
			cost := 1
			if part.room == 0 {
				cost += part.head
			}
			if part.room < part.most && cost <= left {
				part.room++
				left -= cost
				more = true
			}
		}
	}
}

// top has what is always shown: the process, its model, rates and quality.
func (v view) top(l *monitor.Live, m *monitor.Model, lost string) []viewLine {
	source := "requests"
	if l.Source == "stream" {
		source = "topic " + l.Topic + ", group " + l.Group
	}
	words := []string{"ctr " + l.Version, source, "up " + age(l.Uptime), l.State, l.Time.Local().Format("15:04:05")}
	out := []viewLine{{strings.Join(words, "   "), strong}}
	if lost != "" {
		out = append(out, viewLine{"connection lost, trying again: " + lost, alarm})
	}
	if m == nil {
		return append(out, viewLine{"no such model is loaded", faint})
	}
	name := m.Name
	if m.Version != m.Hash {
		name += "@" + m.Version
	}
	text := fmt.Sprintf("model %s   %s   hash %.12s   click above %s   loaded %s ago", name, m.Algo, m.Hash, metrics.Text(m.Threshold, 4), age(l.Time.Sub(m.Loaded).Seconds()))
	if n := len(l.Models); n > 1 {
		text += fmt.Sprintf("   (one of %d: --model)", n)
	}
	out = append(out, viewLine{text, plain}, viewLine{})
	rates, predicted, observed := series(l, m)
	width := 60
	if v.width > 0 {
		width = max(min(width, v.width-25), 0)
	}
	out = append(out,
		viewLine{fmt.Sprintf("rows/s      %9s  %s", thousands(int64(math.Round(l.RowsPerSecond))), sparkline(rates, width)), plain},
		viewLine{fmt.Sprintf("predicted   %9s  %s", percent(m.MeanScore), sparkline(predicted, width)), plain})
	if q := m.Total; q != nil {
		out = append(out, viewLine{fmt.Sprintf("observed    %9s  %s", percent(q.Observed), sparkline(observed, width)), plain})
	} else {
		out = append(out, viewLine{"observed            –  no labels have come", faint})
	}
	for _, t := range l.Latency {
		out = append(out, viewLine{fmt.Sprintf("%-10s  p50 %s   p90 %s   p99 %s   p99.9 %s   max %s", latencyName(t.Name), spanOf(t.P50), spanOf(t.P90), spanOf(t.P99), spanOf(t.P999), spanOf(t.Max)), plain})
	}
	out = append(out, viewLine{totals(l), plain})
	return append(out, v.quality(m)...)
}

// totals gives the line of numbers since the start.
func totals(l *monitor.Live) string {
	text := count(l.Totals.Predictions, "prediction") + ", " + count(l.Totals.Bad, "bad row")
	if l.Source == "stream" {
		return text + ", " + count(l.Totals.DeadLetters, "dead letter") + ", lag " + thousands(l.LagTotal)
	}
	return text + ", " + count(l.Totals.Requests, "request") + ", " + count(l.Totals.Errors, "error")
}

func latencyName(name string) string {
	if name == "record" {
		return "end to end"
	}
	return name
}

// quality has how the model does against labels.
func (v view) quality(m *monitor.Model) []viewLine {
	if m.Total == nil {
		return nil
	}
	var t table
	t.add("AGAINST LABELS", "rows", "accuracy", "F1", "AUC", "log loss", "predicted", "observed", "ratio")
	for _, q := range []struct {
		name string
		*monitor.Quality
	}{{"last 15 minutes", m.Recent}, {"since the start", m.Total}} {
		if q.Quality != nil {
			t.add(q.name, thousands(q.Rows), decimal(q.Accuracy, 4), decimal(q.F1, 4), decimal(q.AUC, 4), decimal(q.LogLoss, 4), percent(q.Predicted), percent(q.Observed), decimal(q.Calibration, 3))
		}
	}
	return append([]viewLine{{}}, tableLines(&t)...)
}

func (v view) alarms(l *monitor.Live) *list {
	out := &list{lines: []viewLine{{}}, head: 1, most: len(l.Alarms)}
	for _, a := range l.Alarms {
		out.lines = append(out.lines, viewLine{fmt.Sprintf("ALARM since %s: %s", a.Since.Local().Format("15:04:05"), a.Text), alarm})
	}
	return out
}

func (v view) lag(l *monitor.Live) *list {
	if len(l.Lag) == 0 {
		return &list{}
	}
	var t table
	t.add("LAG", "records", "rows/s", "next offset", "committed")
	for _, p := range l.Lag {
		committed := "–"
		if p.Committed >= 0 {
			committed = thousands(p.Committed)
		}
		t.add(fmt.Sprintf("%s/%d", p.Topic, p.Partition), thousands(p.Lag), thousands(int64(math.Round(p.RowsPerSecond))), thousands(p.Next), committed)
	}
	return listOf(tableLines(&t))
}

func (v view) columns(m *monitor.Model) *list {
	if m == nil || m.Sampled == 0 {
		return &list{}
	}
	all := slices.Clone(m.Columns)
	rank := func(c monitor.Column) float64 {
		r := -1.0
		if c.PSI != nil {
			r = *c.PSI
		}
		if c.Alarm != "" {
			r += 1e6
		}
		return r
	}
	slices.SortStableFunc(all, func(a, b monitor.Column) int {
		switch ra, rb := rank(a), rank(b); {
		case ra > rb:
			return -1
		case ra < rb:
			return 1
		}
		return 0
	})
	t := table{left: map[int]bool{6: true}}
	t.add("COLUMN", "PSI", "unseen", "in training", "missing", "in training", "")
	for _, c := range all {
		note := c.Note
		if c.Alarm != "" {
			note = "ALARM " + c.Alarm
		}
		t.add(c.Name, decimal(c.PSI, 3), percent(c.Unseen), percent(c.TrainUnseen), percent(c.Missing), percent(c.TrainMissing), note)
	}
	lines := tableLines(&t)
	for i, c := range all {
		if c.Alarm != "" {
			lines[i+1].style = alarm
		}
	}
	return listOf(lines)
}

func (v view) predictions(l *monitor.Live) *list {
	if len(l.Predictions) == 0 {
		return &list{}
	}
	t := table{left: map[int]bool{2: true, 3: true, 4: true}}
	t.add("LAST", "probability", "", "label", "why")
	for _, p := range l.Predictions {
		label := "–"
		if p.Label != nil {
			label = click(*p.Label)
		}
		var why []string
		for _, r := range p.Why[:min(len(p.Why), 3)] {
			value := "…"
			if r.Value != nil {
				value = cut(*r.Value, 12)
			}
			why = append(why, fmt.Sprintf("%s=%s %+.2f", r.Column, value, r.Contribution))
		}
		t.add(p.Time.Local().Format("15:04:05"), metrics.Text(p.Probability, 4), click(p.Prediction), label, strings.Join(why, "  "))
	}
	return listOf(tableLines(&t))
}

func click(y int) string {
	if y == 1 {
		return "click"
	}
	return "no"
}

func (v view) problems(l *monitor.Live) *list {
	if len(l.Problems) == 0 {
		return &list{}
	}
	t := table{left: map[int]bool{1: true, 2: true}}
	t.add("ERRORS", "where", "reason")
	for _, p := range l.Problems {
		text := p.Text
		if p.Count > 1 {
			text += " (" + thousands(p.Count) + " times)"
		}
		t.add(p.Time.Local().Format("15:04:05"), p.Place, text)
	}
	return listOf(tableLines(&t))
}

// listOf makes a list of a table, with an empty line before it.
func listOf(lines []viewLine) *list {
	return &list{lines: append([]viewLine{{}}, lines...), head: 2, most: len(lines) - 1}
}

// tableLines gives a table's lines, the first one faint.
func tableLines(t *table) []viewLine {
	var b strings.Builder
	t.print(&b)
	var out []viewLine
	for i, text := range strings.Split(strings.TrimRight(b.String(), "\n"), "\n") {
		l := viewLine{text, plain}
		if i == 0 {
			l.style = faint
		}
		out = append(out, l)
	}
	return out
}

// findModel gives a model by its name, or name and version; the first for "".
func findModel(l *monitor.Live, name string) *monitor.Model {
	for i := range l.Models {
		m := &l.Models[i]
		if name == "" || m.Name == name || m.Name+"@"+m.Version == name {
			return m
		}
	}
	return nil
}

func modelNames(l *monitor.Live) []string {
	var names []string
	for _, m := range l.Models {
		names = append(names, m.Name+"@"+m.Version)
	}
	return names
}

// series gives the last two minutes: rows a second of all models, predicted and
// observed click rates of m; NaN where there were no rows.
func series(l *monitor.Live, m *monitor.Model) (rates, predicted, observed []float64) {
	rows := map[time.Time]int64{}
	for _, other := range l.Models {
		for _, p := range other.Seconds {
			rows[p.Time] += p.Predictions
		}
	}
	orNaN := func(x *float64) float64 {
		if x == nil {
			return math.NaN()
		}
		return *x
	}
	for _, p := range m.Seconds {
		rates = append(rates, float64(rows[p.Time]))
		predicted, observed = append(predicted, orNaN(p.Predicted)), append(observed, orNaN(p.Observed))
	}
	return rates, predicted, observed
}
