package pipeline

import (
	"strconv"

	"ctr/features"
)

// PredictionText turns scored records into text, a line each: the columns of
// CSVHeader as CSV, or as a JSON object with the same names, in which what a
// record does not have (id, y) is null. Probabilities are in Go's shortest form
// that reads back exactly. It belongs to one goroutine.
type PredictionText struct {
	// Model is what the column model holds: a short hash of the model file.
	Model string
	// JSON asks for JSON instead of CSV.
	JSON bool

	middle []byte // of all rows of a batch: from after the probability to before the offset
	tail   []byte // after the offset
}

// Begin must be called before the records of a batch are added.
func (t *PredictionText) Begin(b *Batch) {
	a := b.Assignment
	if t.JSON {
		t.middle = append(t.middle[:0], `,"timestamp":"`...)
		t.middle = b.Scored.UTC().AppendFormat(t.middle, TimestampForm)
		t.middle = append(t.middle, `","topic":`...)
		t.middle = features.AppendJSONString(t.middle, a.Topic)
		t.middle = append(t.middle, `,"partition":`...)
		t.middle = strconv.AppendInt(t.middle, int64(a.Partition), 10)
		t.middle = append(t.middle, `,"offset":`...)
		t.tail = append(t.tail[:0], `,"model":`...)
		t.tail = append(features.AppendJSONString(t.tail, t.Model), '}', '\n')
		return
	}
	t.middle = b.Scored.UTC().AppendFormat(append(t.middle[:0], ','), TimestampForm)
	t.middle = append(appendCSV(append(t.middle, ','), []byte(a.Topic)), ',')
	t.middle = append(strconv.AppendInt(t.middle, int64(a.Partition), 10), ',')
	t.tail = append(append(append(t.tail[:0], ','), t.Model...), '\n')
}

// Append adds record i of the batch, which must not be a bad one, to dst.
func (t *PredictionText) Append(dst []byte, b *Batch, i int) []byte {
	if t.JSON {
		dst = t.appendJSONHead(dst, b, i)
	} else {
		dst = append(appendCSV(dst, b.IDs[i]), ',')
		if y := b.Y[i]; y >= 0 {
			dst = append(dst, '0'+byte(y))
		}
		dst = append(dst, ',', '0'+byte(b.Prediction(i)), ',')
	}
	dst = strconv.AppendFloat(dst, b.P[i], 'g', -1, 64)
	dst = append(dst, t.middle...)
	dst = strconv.AppendInt(dst, b.Records[i].Offset, 10)
	return append(dst, t.tail...)
}

func (t *PredictionText) appendJSONHead(dst []byte, b *Batch, i int) []byte {
	dst = append(dst, `{"id":`...)
	if id := b.IDs[i]; id != nil {
		dst = features.AppendJSONString(dst, id)
	} else {
		dst = append(dst, "null"...)
	}
	if y := b.Y[i]; y >= 0 {
		dst = append(dst, `,"y":`...)
		dst = append(dst, '0'+byte(y))
	} else {
		dst = append(dst, `,"y":null`...)
	}
	dst = append(dst, `,"prediction":`...)
	dst = append(dst, '0'+byte(b.Prediction(i)))
	return append(dst, `,"probability":`...)
}

// Each calls f with the index of every record of b that is not bad.
func (b *Batch) Each(f func(i int)) {
	bad := b.Bad
	for i := range b.Records {
		if len(bad) > 0 && bad[0].Index == i {
			bad = bad[1:]
			continue
		}
		f(i)
	}
}
