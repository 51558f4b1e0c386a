package monitor

import (
	"math/rand/v2"
	"sync"
	"time"

	"ctr/features"
	"ctr/models"
	"ctr/models/metrics"
)

// served is a model and what it did. What changes is guarded by Monitor.mu.
type served struct {
	Served
	began    time.Time
	fields   *fields
	explains models.Explainer // nil where the model can't say why

	running metrics.Running
	clicks  int64 // predictions of 1
	scores  [scoreBins]Bin
	fine    fineScores
	seconds ring[judged]
	minutes ring[judged]
	recent  ring[recent]
	sampled int64
	unseen  []int64 // by field, of the sampled rows
}

func newServed(s Served, now time.Time) *served {
	st := &served{
		Served: s, began: now, fields: newFields(s.Artifact),
		seconds: newRing[judged](1, secondsKept), minutes: newRing[judged](60, minutesKept), recent: newRing[recent](60, recentKept),
		unseen: make([]int64, len(s.Artifact.Spec.Fields)),
	}
	st.running.Threshold = s.Threshold
	for i := range st.scores {
		st.scores[i].From, st.scores[i].To = float64(i)/scoreBins, float64(i+1)/scoreBins
	}
	if e, ok := s.Artifact.Model.(models.Explainer); ok && e.Explains() == nil {
		st.explains = e
	}
	return st
}

// addTo adds what the model did to t.
func (st *served) addTo(t *Totals) {
	s := st.running.Summary()
	t.Rows += int64(s.Rows)
	t.Predictions += int64(s.Rows)
	t.Labelled += int64(s.Labelled)
	t.Clicks += st.clicks
}

// shard is what one thread, or some requests, counted since the last look.
type shard struct {
	m  *Monitor
	mu sync.Mutex

	deltas  map[*served]*delta
	spans   [spanKinds]spans
	traffic traffic // but for rows that were scored
	routes  routes
	skip    int // rows until the next one whose columns are counted

	_ [64]byte // the next shard's lock is in another cache line
}

// delta is what one model did since the last look.
type delta struct {
	running metrics.Running
	clicks  int64 // predictions of 1
	scores  [scoreBins]uint32
	clicked [scoreBins]uint32 // labels of 1 among them
	fine    fineScores
	counts  []uint32 // of columns
	sampled int64
	ex      *features.Example
}

// of gives the delta of a model. s.mu is held.
func (s *shard) of(st *served) *delta {
	d := s.deltas[st]
	if d == nil {
		d = &delta{counts: make([]uint32, st.fields.total), ex: st.Artifact.Spec.NewExample()}
		d.running.Threshold = st.Threshold
		s.deltas[st] = d
	}
	return d
}

// add counts rows but for what running counts; a label of -1 is none.
func (d *delta) add(ps []float64, ys []int8) {
	clicks, threshold := int64(0), d.running.Threshold
	for i, y := range ys[:len(ps)] {
		p := ps[i]
		if p > threshold {
			clicks++
		}
		b := scoreBin(p)
		d.scores[b]++
		if y >= 0 {
			d.clicked[b] += uint32(y)
			d.fine.add(y, p)
		}
	}
	d.clicks += clicks
}

// drain adds d to what is known of the model and empties it. It gives the
// number of rows.
func (d *delta) drain(st *served, second int64) int64 {
	s := d.running.Summary()
	if s.Rows == 0 {
		return 0
	}
	st.running.Merge(&d.running)
	st.clicks += d.clicks
	last := st.recent.of(second)
	for _, to := range []*metrics.Running{&st.seconds.of(second).running, &st.minutes.of(second).running, &last.running} {
		to.Threshold = st.Threshold
		to.Merge(&d.running)
	}
	for i, n := range d.scores {
		st.scores[i].Rows += int64(n)
		st.scores[i].Clicks += int64(d.clicked[i])
	}
	if s.Labelled > 0 {
		st.fine.merge(&d.fine)
		last.fine.merge(&d.fine)
		d.fine = fineScores{}
	}
	if d.sampled > 0 {
		if last.counts == nil {
			last.counts = make([]int64, len(d.counts))
		}
		for i, n := range d.counts {
			last.counts[i] += int64(n)
		}
		for f := range st.unseen {
			if st.fields.kind(f) == features.Dict {
				st.unseen[f] += int64(d.counts[st.fields.at[f]])
			}
		}
		last.sampled += d.sampled
		st.sampled += d.sampled
		clear(d.counts)
	}
	d.scores, d.clicked, d.clicks, d.sampled = [scoreBins]uint32{}, [scoreBins]uint32{}, 0, 0
	d.running = metrics.Running{Threshold: st.Threshold}
	return int64(s.Rows)
}

// rows are scored rows that some may be picked of.
type rows struct {
	block *features.Block
	enc   *features.Encoder
	ids   [][]byte
	p     []float64
	y     []int8
	place func(i int) string // nil where rows have none
}

// sample counts the columns of one row in so many. s.mu is held.
func (s *shard) sample(st *served, d *delta, r *rows) {
	n, stride := r.block.Len(), int(s.m.stride.Load())
	for s.skip < n && s.m.taken.Load() < sampleTarget {
		i := s.skip
		if stride == 1 {
			s.skip++
		} else {
			s.skip += 1 + rand.IntN(2*stride-1)
		}
		if r.block.Err(i) != nil {
			continue
		}
		row := r.block.Row(i)
		if r.enc.Encode(&row, d.ex) != nil {
			continue // a bad row, which is told of elsewhere
		}
		st.fields.count(d.counts, d.ex)
		d.sampled++
		s.m.taken.Add(1)
	}
	s.skip = max(s.skip-n, 0)
}
