package infer

import (
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"

	"ctr/features"
	"ctr/models/metrics"
	"ctr/pipeline"
)

// Challenge sets a second model against the first: it answers a share of the
// requests that name no model, or scores the rows of all of them in the shadow.
type Challenge struct {
	// Name is the challenger's in the Registry.
	Name string
	// Share of requests that the challenger answers, 0..1. Requests whose first
	// row has the same id are answered by the same model.
	Share float64
	// Shadow has the challenger score what the first model answered, after the
	// answer has gone out. Both probabilities are compared.
	Shadow bool
	// Log, where not nil, gets a JSON line for each row scored in the shadow:
	// id, y, champion, challenger. Rows are left out rather than waited for.
	Log io.Writer
}

// Comparison is how a challenger stands beside the champion, since either was
// last replaced. Figures of labels are over the rows that have one, of both
// models where it is in the shadow.
type Comparison struct {
	Champion   string  `json:"champion"`   // NAME@VERSION
	Challenger string  `json:"challenger"` // NAME@VERSION
	Shadow     bool    `json:"shadow"`
	Share      float64 `json:"share"`
	// Rows that both have scored; Differ is how many of them they predict
	// otherwise, MeanDifference and MostDifference are of |p - q|.
	Rows           int64   `json:"rows"`
	Differ         int64   `json:"differ"`
	MeanDifference float64 `json:"mean_difference"`
	MostDifference float64 `json:"most_difference"`
	// Failed is the number of requests that the challenger could not answer (its
	// model reads columns that their rows had not, say) and the champion did.
	Failed int64 `json:"failed"`
	// Unlogged is the number of rows that are not in Log, since it was slower
	// than they came or could not be written.
	Unlogged int64 `json:"unlogged"`
	// By says how each has done on the rows that it scored.
	By map[string]Judged `json:"by"`
}

// Judged is how a model has done.
type Judged struct {
	Rows           int     `json:"rows"`
	Labelled       int     `json:"labelled"`
	MeanPrediction float64 `json:"mean_prediction"`
	LogLoss        float64 `json:"log_loss,omitempty"`
	Accuracy       float64 `json:"accuracy,omitempty"`
	F1             float64 `json:"f1,omitempty"`
}

// challenge is a Challenge at work.
type challenge struct {
	Challenge
	registry *Registry
	note     func(string)
	seed     maphash.Seed
	log      chan shadowRows // never closed: requests may be under way to the end
	queued   atomic.Int64    // bytes in log
	unlogged atomic.Int64
	quit     chan struct{} // closed by close
	done     chan struct{}
	closing  sync.Once

	mu  sync.Mutex
	now figures
}

// figures are what has been counted of two models.
type figures struct {
	champion, challenger *Model

	rows, differ, failed int64
	sum, most            float64
	of                   [2]metrics.Running // of the champion and the challenger
}

// shadowRows are rows for Log, as JSON lines.
type shadowRows struct {
	lines []byte
	rows  int64
}

// mostQueued is the most bytes that wait to be written to Log.
const mostQueued = 16 << 20

func newChallenge(c Challenge, r *Registry, note func(string)) (*challenge, error) {
	switch {
	case r.Find(c.Name, "") == nil:
		return nil, fmt.Errorf("challenger %s: no such model", c.Name)
	case r.Default().Name == c.Name:
		return nil, fmt.Errorf("challenger %s: is the first model itself", c.Name)
	case !(c.Share >= 0 && c.Share <= 1):
		return nil, fmt.Errorf("challenger's share %v: want 0..1", c.Share)
	}
	g := &challenge{Challenge: c, registry: r, note: note, seed: maphash.MakeSeed()}
	if c.Log != nil {
		g.log, g.quit, g.done = make(chan shadowRows, 1024), make(chan struct{}), make(chan struct{})
		go g.writeLog()
	}
	return g, nil
}

// writeLog writes until close. Rows that can't be written are counted, and the
// first error is told: the log is left out rather than the answers.
func (g *challenge) writeLog() {
	defer close(g.done)
	var failed error
	write := func(r shadowRows) {
		g.queued.Add(-int64(len(r.lines)))
		if _, err := g.Log.Write(r.lines); err != nil {
			g.unlogged.Add(r.rows)
			if failed == nil {
				g.note(fmt.Sprintf("the log of challenger %s: %v", g.Name, err))
			}
			failed = err
		}
	}
	for {
		select {
		case r := <-g.log:
			write(r)
		case <-g.quit:
			for len(g.log) > 0 {
				write(<-g.log)
			}
			return
		}
	}
}

func (g *challenge) close() {
	g.closing.Do(func() {
		if g.log != nil {
			close(g.quit)
			<-g.done
		}
	})
}

// answers reports whether the challenger is to answer a request whose first row
// has this id.
func (g *challenge) answers(id []byte) bool {
	if g.Shadow || g.Share == 0 {
		return false
	}
	if len(id) == 0 {
		return rand.Float64() < g.Share //nolint:gosec // nothing secret
	}
	return float64(maphash.Bytes(g.seed, id)>>11)/(1<<53) < g.Share
}

// current gives the figures of the models as they are served now, which begin
// anew where either was replaced. g.mu is held.
func (g *challenge) current() *figures {
	first, second := g.registry.Default(), g.registry.Find(g.Name, "")
	if g.now.champion != first || g.now.challenger != second {
		g.now = figures{champion: first, challenger: second}
	}
	return &g.now
}

// judge counts rows that one of the models has scored; not those of a model
// that was replaced meanwhile.
func (g *challenge) judge(m *Model, r *pipeline.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.current()
	of := &f.of[0]
	switch m {
	case f.champion:
	case f.challenger:
		of = &f.of[1]
	default:
		return
	}
	of.Threshold = m.Threshold()
	for i, p := range r.P {
		if y := r.Y[i]; y >= 0 {
			of.AddLabelled(uint8(y), p)
		} else {
			of.Add(p)
		}
	}
}

// failed counts a request that m, the challenger, could not answer.
func (g *challenge) failed(m *Model) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f := g.current(); f.challenger == m {
		f.failed++
	}
}

// compare counts rows that both have scored, a by the model m and b by other.
func (g *challenge) compare(m *Model, a *pipeline.Request, other *Model, b *pipeline.Request) {
	g.mu.Lock()
	if f := g.current(); f.champion == m && f.challenger == other {
		for i, p := range a.P {
			d := math.Abs(p - b.P[i])
			f.rows++
			f.sum += d
			f.most = max(f.most, d)
			if a.Prediction(i) != b.Prediction(i) {
				f.differ++
			}
		}
	}
	g.mu.Unlock()
	if g.log == nil {
		return
	}
	r := shadowRows{rows: int64(len(a.P))}
	for i, p := range a.P {
		r.lines = appendShadow(r.lines, a.IDs[i], a.Y[i], p, b.P[i])
	}
	if g.queued.Add(int64(len(r.lines))) <= mostQueued {
		select {
		case g.log <- r:
			return
		default: // the disk is slower than the rows
		}
	}
	g.queued.Add(-int64(len(r.lines)))
	g.unlogged.Add(r.rows)
}

func appendShadow(dst, id []byte, y int8, p, q float64) []byte {
	dst = append(dst, `{"id":`...)
	if id == nil {
		dst = append(dst, "null"...)
	} else {
		dst = features.AppendJSONString(dst, id)
	}
	dst = append(dst, `,"y":`...)
	if y < 0 {
		dst = append(dst, "null"...)
	} else {
		dst = append(dst, '0'+byte(y))
	}
	dst = strconv.AppendFloat(append(dst, `,"champion":`...), p, 'g', -1, 64)
	dst = strconv.AppendFloat(append(dst, `,"challenger":`...), q, 'g', -1, 64)
	return append(dst, "}\n"...)
}

// comparison gives how the two stand.
func (g *challenge) comparison() *Comparison {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := g.current()
	c := &Comparison{
		Champion: f.champion.ID(), Challenger: f.challenger.ID(), Shadow: g.Shadow, Share: g.Share,
		Rows: f.rows, Differ: f.differ, MostDifference: f.most, Failed: f.failed, Unlogged: g.unlogged.Load(),
		By: map[string]Judged{"champion": judged(&f.of[0]), "challenger": judged(&f.of[1])},
	}
	if f.rows > 0 {
		c.MeanDifference = f.sum / float64(f.rows)
	}
	return c
}

func judged(r *metrics.Running) Judged {
	s := r.Summary()
	j := Judged{Rows: s.Rows, Labelled: s.Labelled}
	if s.Rows > 0 {
		j.MeanPrediction = s.MeanPrediction
	}
	if s.Labelled > 0 {
		j.LogLoss, j.Accuracy, j.F1 = s.LogLoss, s.Accuracy, s.F1
	}
	return j
}
