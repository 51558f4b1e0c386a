package monitor

import (
	"cmp"
	"slices"

	"ctr/models/metrics"
)

// calibrationGroups is how many groups a calibration table has at most.
const calibrationGroups = 10

// Live gives how things stand now.
func (m *Monitor) Live() *Live {
	list, state := m.ask()
	m.mu.Lock()
	v := m.live(list, state)
	m.mu.Unlock()
	m.logs.copyTo(v)
	return v
}

// ask gives which models are served, all of which have a state, and whether the
// process is ready. Others are asked, so m.mu must not be held.
func (m *Monitor) ask() (list []Served, state string) {
	list, state = m.o.Models(), "ready"
	for _, s := range list {
		m.state(s.Artifact, func() Served { return s })
	}
	if m.o.State != nil {
		if err := m.o.State(); err != nil {
			state = err.Error()
		}
	}
	return list, state
}

// live gives all but the logs. m.mu is held.
func (m *Monitor) live(list []Served, state string) *Live {
	second, now := m.drain(), m.now()
	v := &Live{
		Time: now.UTC(), Source: m.o.Source, Version: m.o.Version, Started: m.began.UTC(), Uptime: now.Sub(m.began).Seconds(),
		State: state, Topic: m.o.Topic, Group: m.o.Group,
		Latency: []Latency{}, Lag: []Partition{}, Models: []Model{},
	}
	v.Totals, v.Routes = m.totals(), m.routes.list()
	v.RowsPerSecond, v.RequestsPerSecond = m.rates(second)
	for k := range m.spans {
		if m.long[k].count == 0 {
			continue
		}
		var sum spans
		m.spans[k].each(second, spanSeconds, sum.merge)
		v.Latency = append(v.Latency, sum.latency(spanNames[k]))
	}
	v.Lag, v.LagTotal = m.lag()
	for i, s := range list {
		for _, st := range *m.states.Load() {
			if st.Artifact == s.Artifact {
				v.Models = append(v.Models, m.model(st, s, second, i == 0))
			}
		}
	}
	v.Alarms = m.alarms(v, second)
	return v
}

func (m *Monitor) totals() Totals {
	t := m.gone
	for _, st := range *m.states.Load() {
		st.addTo(&t)
	}
	t.Bad = m.bad
	t.Rows += m.bad
	if m.o.Source == "stream" {
		t.DeadLetters = m.bad
	}
	m.routes.each(func(route string, status int, n int64) {
		if !scoring(route) {
			return
		}
		t.Requests += n
		if status >= 400 {
			t.Errors += n
		}
	})
	return t
}

// rates are over whole seconds.
func (m *Monitor) rates(second int64) (rows, requests float64) {
	n := min(second-m.began.Unix(), rateSeconds)
	if n <= 0 {
		return 0, 0
	}
	m.seconds.each(second-1, int(n), func(t *traffic) {
		rows += float64(t.rows)
		requests += float64(t.requests)
	})
	return rows / float64(n), requests / float64(n)
}

func (m *Monitor) lag() (list []Partition, total int64) {
	list = []Partition{}
	for _, p := range m.stats.Partitions {
		list = append(list, Partition{
			Topic: p.Topic, Partition: p.Partition, Lag: p.Lag, Next: p.Next, Committed: p.Committed,
			Rows: p.Rows, RowsPerSecond: p.RowsPerSecond,
		})
		total += p.Lag
	}
	slices.SortFunc(list, func(a, b Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return list, total
}

func (m *Monitor) model(st *served, s Served, second int64, first bool) Model {
	sum := st.running.Summary()
	v := Model{
		st:   st,
		Name: s.Name, Version: s.Version, Hash: s.Artifact.Hash, Algo: s.Artifact.Model.Algo(), Threshold: s.Threshold,
		Loaded: s.Loaded.UTC(), Default: first,
		Predictions: int64(sum.Rows), Clicks: st.clicks, Labelled: int64(sum.Labelled), MeanScore: known(sum.MeanPrediction),
		Scores:  slices.Clone(st.scores[:]),
		Seconds: points(&st.seconds, &m.seconds, second, st.began), Minutes: points(&st.minutes, &m.minutes, second, st.began),
		Calibration: st.fine.groups(calibrationGroups), Total: quality(&st.running, &st.fine),
	}
	if s.Refused != nil {
		v.Refused = s.Refused.Error()
	}
	last, counts := st.lately(second)
	v.Recent, v.Sampled = quality(&last.running, &last.fine), last.sampled
	v.Columns = st.fields.columns(counts, last.sampled)
	return v
}

// lately gives the last quarter of an hour.
func (st *served) lately(second int64) (sum recent, counts []int64) {
	sum.running.Threshold = st.Threshold
	counts = make([]int64, st.fields.total)
	st.recent.each(second, recentKept, func(r *recent) {
		sum.running.Merge(&r.running)
		sum.fine.merge(&r.fine)
		sum.sampled += r.sampled
		for i, n := range r.counts {
			counts[i] += n
		}
	})
	return sum, counts
}

// quality gives nil where there are no labels.
func quality(r *metrics.Running, f *fineScores) *Quality {
	s := r.Summary()
	if s.Labelled == 0 {
		return nil
	}
	q := &Quality{
		Rows: int64(s.Labelled), Clicks: int64(s.Clicks), Accuracy: known(s.Accuracy), Precision: known(s.Precision),
		Recall: known(s.Recall), F1: known(s.F1), AUC: known(f.auc()), LogLoss: known(s.LogLoss),
		Predicted: known(s.MeanLabelled), Observed: known(s.ClickRate),
	}
	if s.Clicks > 0 {
		q.Calibration = known(s.MeanLabelled / s.ClickRate)
	}
	return q
}
