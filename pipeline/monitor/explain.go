package monitor

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ctr/features"
)

const (
	explainEvery = time.Second
	mostWhy      = 8  // fields that are told of a prediction
	mostText     = 40 // bytes of a value, as in errors
)

// explain keeps one of the rows that were scored, with its reasons, where none
// was kept in the last second.
func (m *Monitor) explain(st *served, r *rows) {
	now, due := m.now(), m.nextWhy.Load()
	if now.UnixNano() < due || !m.nextWhy.CompareAndSwap(due, now.Add(explainEvery).UnixNano()) {
		return
	}
	n := r.block.Len()
	for i := n - 1; i >= 0; i-- { // the newest that is good
		if r.block.Err(i) != nil {
			continue
		}
		row, ex := r.block.Row(i), st.Artifact.Spec.NewExample()
		if r.enc.Encode(&row, ex) == nil {
			m.logs.prediction(m.prediction(now, st, r, i, &row, ex))
			return
		}
	}
}

func (m *Monitor) prediction(now time.Time, st *served, r *rows, i int, row *features.Row, ex *features.Example) Prediction {
	p := Prediction{Time: now.UTC(), Model: st.Name, Probability: r.p[i], Why: []Reason{}}
	if p.Probability > st.Threshold {
		p.Prediction = 1
	}
	schema := &st.Artifact.Spec.Schema
	if id := r.ids[i]; id != nil && !m.redacts.Redacts(schema.Find(features.ID)) {
		text := shown(id)
		p.ID = &text
	}
	if y := int(r.y[i]); y >= 0 && !m.redacts.Redacts(schema.Find(features.Label)) {
		p.Label = &y
	}
	if r.place != nil {
		p.Place = r.place(i)
	}
	if st.explains == nil {
		return p
	}
	value, scale := st.explains.Baseline()
	parts := st.explains.Contributions(ex, nil)
	p.Baseline, p.Scale = value, string(scale)
	order := make([]int, len(parts))
	for f := range order {
		order[f] = f
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(math.Abs(parts[b]), math.Abs(parts[a])) })
	for _, f := range order[:min(len(order), mostWhy)] {
		fd := &st.Artifact.Spec.Fields[f]
		why := Reason{Column: fd.Name, Contribution: parts[f], Unseen: st.fields.unseen(f, ex)}
		if !m.redacted(fd) {
			text := shown(r.enc.AppendValue(nil, f, row, ex))
			why.Value = &text
		}
		p.Why = append(p.Why, why)
	}
	return p
}

// shown gives a value as text of at most 40 bytes.
func shown(v []byte) string {
	return cut(strings.ToValidUTF8(string(v), "\uFFFD"), mostText)
}

// cut gives a text of at most so many bytes and, where it was longer, an ellipsis.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	at := most
	for !utf8.RuneStart(text[at]) {
		at--
	}
	return text[:at] + "…"
}
