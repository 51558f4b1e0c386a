package crosses

import (
	"cmp"
	"math"
	"slices"
)

// How many candidates are screened again together, and how many of the best
// are then judged exactly.
const (
	screenBatch = 16
	exactBatch  = 4
	exactMost   = 16 // where none is sure
	maxSaturate = 64 // steps of single columns a round
)

// leastGain is the smallest gain that a pair is worth.
const leastGain = 1e-6

// sure reports whether a gain is more than chance would explain.
func (s *search) sure(c *candidate) bool { return c.gain > s.o.Errors*c.err && c.gain > leastGain }

// best finds the candidate with the largest exact gain among those screened
// best, of the sure ones where there are any. Gains mostly fall from round to
// round: a candidate is screened again only where the gain it once had could
// still win (the lazy greedy of Minoux 1978).
func (s *search) best(list []*candidate) *candidate {
	order(list)
	fresh, top := 0, 0
	for {
		end := min(top+exactBatch, len(list))
		fresh = s.freshen(list, fresh, end)
		s.each(list[top:end], s.exact)
		top = end
		best := slices.MaxFunc(list[:top], s.compare)
		// Those that come next were screened to gain no more than this one.
		if s.sure(best) || top == len(list) || top >= exactMost || list[top-1].stale < leastGain*s.weight() {
			return best
		}
	}
}

// freshen screens candidates of list, of which the first fresh are done and
// sorted, until the first end of them are the best of all, and says how many
// are done then.
func (s *search) freshen(list []*candidate, fresh, end int) int {
	for fresh < len(list) && (fresh < end || list[fresh].stale >= list[end-1].stale) {
		n := min(fresh+screenBatch, len(list))
		s.each(list[fresh:n], func(c *candidate, x *scratch) { c.stale = s.screen(c, x) })
		fresh = n
		order(list[:fresh])
	}
	return fresh
}

// compare orders judged candidates: sure ones are greater, then those that
// gain more.
func (s *search) compare(x, y *candidate) int {
	if sx, sy := s.sure(x), s.sure(y); sx != sy {
		if sx {
			return 1
		}
		return -1
	}
	return cmp.Compare(x.gain, y.gain)
}

// saturate gives single columns further steps as long as they gain.
func (s *search) saturate() {
	for _, c := range s.singles {
		c.stale = math.Inf(1)
	}
	for range maxSaturate {
		c := s.best(s.singles)
		if s.pool.ctx.Err() != nil || !s.sure(c) {
			return
		}
		s.apply(c)
		c.stale = math.Inf(1) // it may gain more than the approximation said
	}
}

// take adds a pair's effects to the margins and no longer offers it.
func (s *search) take(c *candidate) {
	s.apply(c)
	s.saturate()
	s.pairs = slices.DeleteFunc(s.pairs, func(d *candidate) bool { return d == c })
}

// each calls do for each candidate, in any order.
func (s *search) each(list []*candidate, do func(*candidate, *scratch)) {
	s.pool.each(len(list), func(i int, x *scratch) { do(list[i], x) })
}
