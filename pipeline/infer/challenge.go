package infer

import (
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"

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

// Comparison is how a challenger stands beside the champion. Figures of labels
// are over the rows that have one, of both models where it is in the shadow.
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
	seed maphash.Seed
	log  chan []byte   // never closed: requests may be under way to the end
	quit chan struct{} // closed by close
	done chan struct{}

	mu                   sync.Mutex
	rows, differ         int64
	sum, most            float64
	champion, challenger metrics.Running
}

func newChallenge(c Challenge, r *Registry) (*challenge, error) {
	switch {
	case r.Find(c.Name, "") == nil:
		return nil, fmt.Errorf("challenger %s: no such model", c.Name)
	case r.Default().Name == c.Name:
		return nil, fmt.Errorf("challenger %s: is the first model itself", c.Name)
	case !(c.Share >= 0 && c.Share <= 1):
		return nil, fmt.Errorf("challenger's share %v: want 0..1", c.Share)
	}
	g := &challenge{Challenge: c, seed: maphash.MakeSeed()}
	if c.Log != nil {
		g.log, g.quit, g.done = make(chan []byte, 64), make(chan struct{}), make(chan struct{})
		go g.writeLog()
	}
	return g, nil
}

// writeLog writes until close, and stops at the first error: the log is left
// out rather than the answers.
func (g *challenge) writeLog() {
	defer close(g.done)
	for {
		select {
		case lines := <-g.log:
			if _, err := g.Log.Write(lines); err != nil {
				return
			}
		case <-g.quit:
			for len(g.log) > 0 {
				if _, err := g.Log.Write(<-g.log); err != nil {
					return
				}
			}
			return
		}
	}
}

func (g *challenge) close() {
	if g.log != nil {
		close(g.quit)
		<-g.done
	}
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

// judge counts rows that one of the models has answered.
func (g *challenge) judge(of *metrics.Running, r *pipeline.Request, threshold float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	of.Threshold = threshold
	for i, p := range r.P {
		if y := r.Y[i]; y >= 0 {
			of.AddLabelled(uint8(y), p)
		} else {
			of.Add(p)
		}
	}
}

// compare counts rows that both have scored.
func (g *challenge) compare(a, b *pipeline.Request) {
	var lines []byte
	g.mu.Lock()
	for i, p := range a.P {
		q := b.P[i]
		g.rows++
		d := math.Abs(p - q)
		g.sum += d
		g.most = max(g.most, d)
		if a.Prediction(i) != b.Prediction(i) {
			g.differ++
		}
		if g.log != nil {
			lines = appendShadow(lines, a.IDs[i], a.Y[i], p, q)
		}
	}
	g.mu.Unlock()
	if g.log == nil {
		return
	}
	select {
	case g.log <- lines:
	default: // the disk is slower than the rows
	}
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
func (g *challenge) comparison(r *Registry) *Comparison {
	g.mu.Lock()
	defer g.mu.Unlock()
	first, second := r.Default(), r.Find(g.Name, "")
	c := &Comparison{
		Champion: first.ID(), Challenger: second.ID(), Shadow: g.Shadow, Share: g.Share,
		Rows: g.rows, Differ: g.differ, MostDifference: g.most,
		By: map[string]Judged{"champion": judged(&g.champion), "challenger": judged(&g.challenger)},
	}
	if g.rows > 0 {
		c.MeanDifference = g.sum / float64(g.rows)
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
