package monitor

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

const (
	// Calibration is judged from so many labelled rows and clicks on, of the last
	// 15 minutes.
	calibratedRows   = 1000
	calibratedClicks = 50
	calibrationLimit = 1.25 // or 1/1.25
	// lagLimit is how long a backlog may take to be worked off, in seconds, and
	// lagRows how small a one is of no concern.
	lagLimit = 60
	lagRows  = 10_000
	// errorLimit is the share of requests, or of records, that may be bad, of
	// errorLeast or more in the last minute.
	errorLimit   = 0.05
	errorLeast   = 20
	errorSeconds = 60
	// alarmSeconds is how often alarms are looked for where nobody asks.
	alarmSeconds = 10
)

// alarmKinds are all there are, the worst first.
var alarmKinds = []string{"model", "errors", "lag", "calibration", "unseen", "missing", "psi"}

type alarmKey struct{ kind, model, column string }

// alarms gives those that v calls for, and keeps since when each was raised.
// m.mu is held.
func (m *Monitor) alarms(v *Live, second int64) []Alarm {
	found := []Alarm{}
	m.ofTraffic(v, second, &found)
	for i := range v.Models {
		found = append(found, v.Models[i].alarms()...)
	}
	raised := map[alarmKey]time.Time{}
	for i := range found {
		a := &found[i]
		key := alarmKey{a.Kind, a.Model, a.Column}
		if a.Since = m.raised[key]; a.Since.IsZero() {
			a.Since = v.Time
		}
		raised[key] = a.Since
	}
	m.raised = raised
	slices.SortStableFunc(found, func(a, b Alarm) int {
		return cmp.Or(
			slices.Index(alarmKinds, a.Kind)-slices.Index(alarmKinds, b.Kind), cmp.Compare(b.Value, a.Value))
	})
	return found
}

func (m *Monitor) ofTraffic(v *Live, second int64, to *[]Alarm) {
	var t traffic
	m.seconds.each(second, errorSeconds, func(s *traffic) {
		t.rows += s.rows
		t.bad += s.bad
		t.requests += s.requests
		t.errors += s.errors
	})
	what, bad, all := "requests", t.errors, t.requests
	if v.Source == "stream" {
		what, bad, all = "records", t.bad, t.rows
	}
	if share := float64(bad) / float64(max(all, 1)); all >= errorLeast && share > errorLimit {
		*to = append(*to, Alarm{
			Kind: "errors", Value: share, Limit: errorLimit,
			Text: fmt.Sprintf("%.3g %% of the %s of the last minute were bad", 100*share, what),
		})
	}
	if v.LagTotal < lagRows {
		return
	}
	wait := float64(v.LagTotal) / max(v.RowsPerSecond, 1)
	if wait > lagLimit {
		*to = append(*to, Alarm{
			Kind: "lag", Value: wait, Limit: lagLimit,
			Text: fmt.Sprintf("%d records wait: %.0f s of work at this rate", v.LagTotal, wait),
		})
	}
}

// alarms gives those of a model and its columns.
func (v *Model) alarms() (list []Alarm) {
	add := func(kind, column string, value, limit float64, format string, args ...any) {
		list = append(list, Alarm{Kind: kind, Model: v.Name, Column: column, Value: value, Limit: limit, Text: fmt.Sprintf(format, args...)})
	}
	if v.Refused != "" {
		add("model", "", 1, 0, "the newest file is refused: %s", v.Refused)
	}
	if q := v.Recent; q != nil && q.Rows >= calibratedRows && q.Clicks >= calibratedClicks && q.Calibration != nil {
		if c := *q.Calibration; c > calibrationLimit || c < 1/calibrationLimit {
			limit := calibrationLimit
			if c < 1 {
				limit = 1 / limit
			}
			add("calibration", "", c, limit, "%.2f clicks predicted for each one observed in the last %d minutes", c, recentKept)
		}
	}
	for i := range v.Columns {
		c := &v.Columns[i]
		switch c.Alarm {
		case "psi":
			add("psi", c.Name, *c.PSI, psiLimit, "column %s is spread otherwise than in training: PSI %.2f", c.Name, *c.PSI)
		case "unseen":
			add("unseen", c.Name, *c.Unseen, shareLimit(*c.TrainUnseen), "column %s: %.3g %% of the rows have values that training did not see, %.3g %% did then", c.Name, 100**c.Unseen, 100**c.TrainUnseen)
		case "missing":
			add("missing", c.Name, *c.Missing, shareLimit(*c.TrainMissing), "column %s: %.3g %% of the rows have no value, %.3g %% had none in training", c.Name, 100**c.Missing, 100**c.TrainMissing)
		}
	}
	return list
}
