package factor

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"ctr/features"
)

// Model is a fitted factorisation machine. It is immutable.
type Model struct {
	algo    string
	form    form
	spec    *features.Spec
	factors int
	bias    float64
	tables  []table
	// weights has form.lines() lines of eight a slot, and one slot of zeros
	// after the last for a field that does not exist.
	weights []float32
	stride  uint64 // bytes of a slot
	report  Report
	pool    sync.Pool // of *[]uint64, for more places than a room has
}

// Report is how a fit went.
type Report struct {
	// Passes over the rows that the model has learned from.
	Passes int `json:"passes"`
	// LogLoss is the mean log loss of the rows of the last pass, each before
	// it was learned from in that pass.
	LogLoss float64 `json:"log_loss"`
	// HeldRows is the number of rows that early stopping looked at, 0 without
	// it, and HeldLogLoss their least mean log loss.
	HeldRows    int     `json:"held_rows,omitempty"`
	HeldLogLoss float64 `json:"held_log_loss,omitempty"`
}

// String gives the report in one line.
func (r Report) String() string {
	s := fmt.Sprintf("%d passes: log loss %.6g", r.Passes, r.LogLoss)
	if r.HeldRows > 0 {
		s += fmt.Sprintf("; on %d held-out rows at best %.6g", r.HeldRows, r.HeldLogLoss)
	}
	return s
}

// newModel makes a model without weights.
func newModel(algo string, form form, factors int, spec *features.Spec, list []table) *Model {
	m := &Model{algo: algo, form: form, spec: spec, factors: factors, tables: list}
	m.stride = uint64(4 * form.lines() * lanes)
	m.pool.New = func() any {
		slots := make([]uint64, form.places())
		return &slots
	}
	return m
}

// allocate gives the model its weights, all 0.
func (m *Model) allocate() {
	m.weights = aligned((slotCount(m.tables) + 1) * m.form.lines() * lanes)
}

// model gives what was fitted, without accumulators and without the weights
// that no row has moved.
func (f *fitted) model(r Report) *Model {
	m := newModel(f.tr.algo, f.form, f.tr.s.factors, f.tr.t.Spec, f.data.tables)
	m.bias, m.report = f.bias, r
	m.allocate()
	n := f.form.lines()
	for i := range slotCount(m.tables) * n {
		copy(m.weights[i*lanes:][:lanes], f.all[i*trainLine:])
	}
	for f := range m.tables {
		t := &m.tables[f]
		for _, slot := range t.empty {
			clear(m.weights[(t.first+int(slot))*n*lanes:][:n*lanes])
		}
	}
	return m
}

// Algo gives "ffm" or "fm".
func (m *Model) Algo() string { return m.algo }

// Bias gives the log-odds of a row of which nothing is known.
func (m *Model) Bias() float64 { return m.bias }

// Report says how the fit went.
func (m *Model) Report() Report { return m.report }

// room is where the slots of some rows begin, in bytes. It lies on the stack,
// so that scoring allocates nothing.
type room [512]uint64

// Probability gives P(click) of one row, encoded by the Spec of the model.
func (m *Model) Probability(ex *features.Example) float64 {
	places := m.form.places()
	if places > len(room{}) {
		slots := m.pool.Get().(*[]uint64)
		p := m.probability(ex, *slots)
		m.pool.Put(slots)
		return p
	}
	var r room
	return m.probability(ex, r[:places])
}

func (m *Model) probability(ex *features.Example, slots []uint64) float64 {
	m.find(ex, slots)
	return sigmoid(m.bias + m.score(slots, slots))
}

// score gives the log-odds less the bias. It asks for the form by type: through
// an interface the slots could not lie on the stack.
func (m *Model) score(slots, next []uint64) float64 {
	if s, ok := m.form.(*shape); ok {
		return s.score(m.weights, slots, next)
	}
	return m.form.(*plain).score(m.weights, slots, next)
}

// find writes where the slots of a row begin.
func (m *Model) find(ex *features.Example, slots []uint64) {
	for f := range m.tables {
		slots[f] = uint64(m.tables[f].slot(ex.Codes[f])) * m.stride
	}
	if len(m.tables) < len(slots) {
		slots[len(m.tables)] = m.nothing()
	}
}

// nothing is where the slot of a field begins that does not exist.
func (m *Model) nothing() uint64 { return m.stride * uint64(slotCount(m.tables)) }

// ProbabilityBlock sets p[i] to Probability(ex[i]), bit for bit. The weights of
// a row are fetched while the row before is scored.
func (m *Model) ProbabilityBlock(ex []*features.Example, p []float64) {
	var r room
	places := m.form.places()
	rows := len(r) / places
	if rows == 0 {
		for i, e := range ex {
			p[i] = m.Probability(e)
		}
		return
	}
	for lo := 0; lo < len(ex); lo += rows {
		some := ex[lo:min(lo+rows, len(ex))]
		for i, e := range some {
			m.find(e, r[i*places:][:places])
		}
		m.scoreBlock(r[:], p[lo:lo+len(some)])
	}
}

// scoreBlock scores as many rows as p is long.
func (m *Model) scoreBlock(slots []uint64, p []float64) {
	places := m.form.places()
	for i := range p {
		now := slots[i*places:][:places]
		next := slots[min(i+1, len(p)-1)*places:][:places]
		p[i] = sigmoid(m.bias + m.score(now, next))
	}
}

// blockRows is how many rows of a table one thread scores at a time.
const blockRows = 64

// Probabilities appends to dst the probability of every row of t, which the
// model's Spec must have encoded, using so many threads (0 = all cores).
func (m *Model) Probabilities(t *features.Table, dst []float64, threads int) []float64 {
	n := len(dst)
	dst = append(dst, make([]float64, t.Rows)...)
	out := dst[n:]
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	source := &rowSource{t: t, tables: m.tables, stride: m.stride, nothing: m.nothing()}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(threads, (t.Rows+blockRows-1)/blockRows) {
		wg.Go(func() {
			slots, rows := source.buffer(blockRows, m.form.places()), make([]int32, blockRows)
			for {
				lo := int(next.Add(blockRows)) - blockRows
				if lo >= t.Rows {
					return
				}
				some := rows[:min(blockRows, t.Rows-lo)]
				for i := range some {
					some[i] = int32(lo + i)
				}
				source.gather(some, slots)
				m.scoreBlock(slots, out[lo:lo+len(some)])
			}
		})
	}
	wg.Wait()
	return dst
}

// sigmoid gives 1/(1+exp(-x)) without overflow.
func sigmoid(x float64) float64 {
	e := math.Exp(-math.Abs(x))
	if x >= 0 {
		return 1 / (1 + e)
	}
	return e / (1 + e)
}
