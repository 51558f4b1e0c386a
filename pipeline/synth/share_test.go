package synth

import (
	"math"
)

// sample holds rows and, beside them, the parts of their logits.
type sample struct {
	codes  [][]uint32 // by column: dense code of each row
	values []int      // by column: number of codes
	p      []float64
	click  []bool
	main   []float64 // single columns, user effects among them
	drift  []float64
	pair   [len(pairs)][]float64
}

// takeSample draws n rows. Its columns are all but id, device_id and
// device_ip, whose effects are taken as known, being among main.
func takeSample(n int64, seed uint64) *sample {
	s := &sample{}
	m := newMaker(Options{Rows: n, Seed: seed}.withDefaults())
	var dense []map[uint32]uint32
	for i := int64(0); i*blockRows < n; i++ {
		m.each(i, func(r *row) {
			ad := &m.w.creatives[r.creative]
			cols := []uint32{
				uint32(hourIndex(m.w, r)), uint32(r.c1), uint32(r.banner), r.site, r.siteDomain,
				uint32(r.siteCategory), r.app, r.appDomain, uint32(r.appCategory), r.model,
				uint32(r.deviceType), uint32(r.connType), r.creative, uint32(ad.size), r.campaign.number,
				uint32(r.campaign.c18), r.c19, r.c20, r.campaign.c21,
			}
			if dense == nil {
				dense, s.codes = make([]map[uint32]uint32, len(cols)), make([][]uint32, len(cols))
				for c := range dense {
					dense[c] = map[uint32]uint32{}
				}
			}
			for c, v := range cols {
				code, ok := dense[c][v]
				if !ok {
					code = uint32(len(dense[c]))
					dense[c][v] = code
				}
				s.codes[c] = append(s.codes[c], code)
			}
			s.p = append(s.p, float64(r.p)/(1<<32))
			s.click = append(s.click, r.click)
			s.main = append(s.main, float64(m.w.mainEffects(r))/one)
			s.drift = append(s.drift, float64(m.w.drift(r))/one)
			for k := range pairs {
				s.pair[k] = append(s.pair[k], float64(r.pairEffect(k))/one)
			}
		})
	}
	for _, d := range dense {
		s.values = append(s.values, len(d))
	}
	return s
}

func hourIndex(w *world, r *row) int {
	for i := range w.hour {
		if &w.hour[i] == r.hour {
			return i
		}
	}
	return -1
}

// additiveLoss gives the least expected log loss of the given logits plus one
// free number for each value of each column: Newton steps by column against
// the true probabilities.
func (s *sample) additiveLoss(logit []float64, sweeps int) float64 {
	z := append([]float64(nil), logit...)
	for range sweeps {
		for c, codes := range s.codes {
			gradient, curvature := make([]float64, s.values[c]), make([]float64, s.values[c])
			for i, v := range codes {
				q := 1 / (1 + math.Exp(-z[i]))
				gradient[v] += s.p[i] - q
				curvature[v] += q * (1 - q)
			}
			for v := range gradient {
				gradient[v] = min(max(gradient[v]/(curvature[v]+1e-9), -2), 2)
			}
			for i, v := range codes {
				z[i] += gradient[v]
			}
		}
	}
	return s.expectedLoss(z)
}

// expectedLoss gives the mean log loss of logits under the true probabilities.
func (s *sample) expectedLoss(z []float64) float64 {
	var sum float64
	for i, z := range z {
		q := 1 / (1 + math.Exp(-z))
		sum -= s.p[i]*math.Log(q) + (1-s.p[i])*math.Log(1-q)
	}
	return sum / float64(len(s.p))
}

func (s *sample) constantAndBest() (constant, best float64) {
	var mean float64
	for _, p := range s.p {
		mean += p / float64(len(s.p))
		best -= (p*math.Log(p) + (1-p)*math.Log(1-p)) / float64(len(s.p))
	}
	return -mean*math.Log(mean) - (1-mean)*math.Log(1-mean), best
}

// sum adds up parts of the logits.
func sum(parts ...[]float64) []float64 {
	out := make([]float64, len(parts[0]))
	for _, p := range parts {
		for i, x := range p {
			out[i] += x
		}
	}
	return out
}
