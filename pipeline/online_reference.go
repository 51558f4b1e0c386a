package pipeline

import "ctr/features"

// newEncoding gives what picks and encodes rows on one goroutine. In the first
// pass it counts them too, for the model's Reference: not where rows without a
// click are left out, for those that are left are spread otherwise.
func (t *onlineTraining) newEncoding() *rowEncoding {
	e := &rowEncoding{t: t, counts: t.pass == 1 && t.keep >= 1}
	if e.counts {
		t.counting = append(t.counting, e)
	}
	return e
}

// counted counts the rows that were encoded.
func (e *rowEncoding) counted(l *learnable, spec *features.Spec) {
	if !e.counts {
		return
	}
	if e.counter == nil {
		e.counter = spec.NewReferenceCounter()
	}
	e.counter.Add(l.codes)
}

// reference gives what all goroutines counted, and what the model had that
// learning went on from; nil where that is not known.
func (t *onlineTraining) reference() *features.Reference {
	var sum *features.Reference
	for _, e := range t.counting {
		switch {
		case e.counter == nil:
		case sum == nil:
			sum = e.counter.Reference()
		default:
			sum = sum.Add(e.counter.Reference())
		}
	}
	if w, ok := t.o.warm(); ok {
		return sum.Add(w.Reference)
	}
	return sum
}
