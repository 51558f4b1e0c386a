package infer

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"ctr/pipeline"
)

// score answers rows with their probabilities.
func (s *Server) score(w http.ResponseWriter, q *http.Request) *fault {
	m, named, f := s.model(q)
	if f != nil {
		return f
	}
	b := buffers.Get().(*buffer)
	defer b.free()
	took, f := s.body(q, b)
	if f != nil {
		return f
	}
	defer s.memory.give(took)
	rows, f := formOf(q, b.in)
	if f != nil {
		return f
	}
	withWhy, f := asksWhy(q)
	if f != nil {
		return f
	}
	if withWhy && (rows == formCSV || rows == formTSV) {
		return badRequest("explain: rows as CSV have no place for it: want JSON")
	}
	return s.answer(w, m, named, rows, b, withWhy)
}

// answer scores the rows in b.in and writes what comes of them.
func (s *Server) answer(w http.ResponseWriter, m *Model, named bool, rows form, b *buffer, withWhy bool) *fault {
	r := m.Get()
	defer func() { m.Put(r) }()
	took, f := s.run(r, rows, b.in)
	if f != nil {
		return f
	}
	var shadow *Model
	if c := s.challenge; c != nil && !named {
		if c.Shadow {
			shadow = s.o.Registry.Find(c.Name, "")
		} else {
			if c.answers(r.IDs[0]) {
				if other, o, t := s.challenged(rows, b.in, withWhy); other != nil {
					m.Put(r)
					m, r, took = other, o, t
				}
			}
			c.judge(m, r)
		}
	}
	s.tell(m, r, took)
	var why *explanation
	if withWhy {
		if why, f = explain(m); f != nil {
			return f
		}
		if most := int64(len(r.P)) * why.size(); most > freeBytes {
			if !s.memory.take(most) {
				return busy("other requests fill the memory")
			}
			defer s.memory.give(most)
		}
	}
	var err error
	if b.out, err = appendAnswers(b.out[:0], rows, r, why); err != nil {
		return rowFault(err)
	}
	h := w.Header()
	h["Content-Type"] = contentTypes[rows]
	h["Content-Length"] = []string{strconv.Itoa(len(b.out))}
	h["Ctr-Model"], h["Ctr-Model-Version"] = m.header[:1:1], m.header[1:]
	_, _ = w.Write(b.out) // an error means that who asked has gone
	if shadow != nil {
		s.inShadow(w, m, shadow, r, rows, b.in)
	}
	return nil
}

// challenged has the challenger score rows. It gives nil where that can't: the
// champion's answer must not suffer.
func (s *Server) challenged(rows form, body []byte, withWhy bool) (*Model, *pipeline.Request, time.Duration) {
	m := s.o.Registry.Find(s.challenge.Name, "")
	r := m.Get()
	took, f := s.run(r, rows, body)
	if f == nil && withWhy {
		_, f = explain(m)
	}
	if f != nil {
		m.Put(r)
		s.challenge.failed(m)
		return nil, nil, 0
	}
	return m, r, took
}

// run fills r with the rows of a body and scores them.
func (s *Server) run(r *pipeline.Request, rows form, body []byte) (took time.Duration, f *fault) {
	began := time.Now()
	if f := s.fill(r, rows, body); f != nil {
		return 0, f
	}
	if err := r.Score(); err != nil {
		return 0, rowFault(err)
	}
	if len(r.P) == 0 {
		return 0, badRequest("no rows")
	}
	return time.Since(began), nil
}

// tell tells the Observer of rows that were scored.
func (s *Server) tell(m *Model, r *pipeline.Request, took time.Duration) {
	if s.o.Observer != nil {
		s.o.Observer.Scored(m, r, took)
	}
}

// scored scores the rows that r has been filled with.
func (s *Server) scored(m *Model, r *pipeline.Request) *fault {
	began := time.Now()
	if err := r.Score(); err != nil {
		return rowFault(err)
	}
	if len(r.P) == 0 {
		return badRequest("no rows")
	}
	s.tell(m, r, time.Since(began))
	return nil
}

// inShadow scores rows that have been answered with the challenger too. The
// answer goes out first.
func (s *Server) inShadow(w http.ResponseWriter, m, shadow *Model, r *pipeline.Request, rows form, body []byte) {
	_ = http.NewResponseController(w).Flush() // an error means that who asked has gone
	c := s.challenge
	c.judge(m, r)
	other := shadow.Get()
	defer shadow.Put(other)
	took, f := s.run(other, rows, body)
	if f != nil {
		c.failed(shadow)
		return
	}
	s.tell(shadow, other, took)
	c.judge(shadow, other)
	c.compare(m, r, shadow, other)
}

// asksWhy reports whether an answer is to be explained.
func asksWhy(q *http.Request) (bool, *fault) {
	if q.URL.RawQuery == "" {
		return false, nil
	}
	values, err := url.ParseQuery(q.URL.RawQuery)
	if err != nil {
		return false, badRequest("query: %v", err)
	}
	asked := values["explain"]
	if len(asked) == 0 {
		return false, nil
	}
	why := asked[0] == "true"
	if !why && asked[0] != "false" || len(asked) > 1 {
		return false, badRequest("explain %q: want true or false, once", asked)
	}
	return why, nil
}
