package pipeline

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// scoredBatch draws a batch with its results.
func scoredBatch(t *rapid.T) *Batch {
	b := &Batch{
		Assignment: &Assignment{Topic: rapid.StringMatching(`[a-z,"é]{1,5}`).Draw(t, "topic"), Partition: rapid.Int32Range(0, 99).Draw(t, "partition")},
		Scored:     time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "scored")), Threshold: .3,
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "n") {
		b.Records = append(b.Records, Record{Offset: int64(i)*3 + 7})
	}
	b.Begin(.3)
	for i := range b.Records {
		if rapid.Bool().Draw(t, "bad") {
			b.Fail(i, ErrNotOwner)
			continue
		}
		b.P[i] = rapid.Float64Range(0, 1).Draw(t, "p")
		b.Y[i] = int8(rapid.IntRange(-1, 1).Draw(t, "y"))
		if rapid.Bool().Draw(t, "named") {
			b.IDs[i] = []byte(rapid.String().Draw(t, "id"))
		}
	}
	return b
}

// The lines are what encoding/json and encoding/csv read as the record's results.
func TestPredictionText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := scoredBatch(t)
		asJSON := PredictionText{Model: "abc", JSON: true}
		asCSV := PredictionText{Model: "abc"}
		asJSON.Begin(b)
		asCSV.Begin(b)
		good := 0
		b.Each(func(i int) {
			good++
			var got struct {
				ID          *string
				Y           *int8
				Prediction  int
				Probability float64
				Timestamp   time.Time
				Topic       string
				Partition   int32
				Offset      int64
				Model       string
			}
			line := asJSON.Append(nil, b, i)
			if err := json.Unmarshal(line, &got); err != nil || line[len(line)-1] != '\n' {
				t.Fatalf("%s: %v", line, err)
			}
			id := ""
			if got.ID != nil {
				id = *got.ID
			}
			if (got.ID == nil) != (b.IDs[i] == nil) || id != string(b.IDs[i]) || math.Float64bits(got.Probability) != math.Float64bits(b.P[i]) ||
				got.Prediction != b.Prediction(i) || !got.Timestamp.Equal(b.Scored) || got.Topic != b.Assignment.Topic ||
				got.Partition != b.Assignment.Partition || got.Offset != b.Records[i].Offset || got.Model != "abc" {
				t.Fatalf("%s: want record %d of %+v", line, i, b)
			}
			if y := b.Y[i]; (got.Y == nil) != (y < 0) || got.Y != nil && *got.Y != y {
				t.Fatalf("%s: want y %d", line, y)
			}
			f, err := csv.NewReader(strings.NewReader(string(asCSV.Append(nil, b, i)))).Read()
			if err != nil || len(f) != 9 || f[0] != strings.ReplaceAll(string(b.IDs[i]), "\r\n", "\n") || f[3] != strconv.FormatFloat(b.P[i], 'g', -1, 64) ||
				f[5] != b.Assignment.Topic || f[7] != strconv.FormatInt(b.Records[i].Offset, 10) || f[8] != "abc" {
				t.Fatalf("%q, %v: want record %d of %+v", f, err, i, b)
			}
		})
		if good != b.Len()-len(b.Bad) {
			t.Fatalf("%d records, want %d", good, b.Len()-len(b.Bad))
		}
	})
}

func TestPredictionTextAllocatesNothing(t *testing.T) {
	b := &Batch{Assignment: &Assignment{Topic: "t"}, Records: make([]Record, 8), Scored: time.Now()}
	b.Begin(.5)
	for _, asJSON := range []bool{false, true} {
		text, buf := PredictionText{Model: "abc", JSON: asJSON}, make([]byte, 0, 4096)
		text.Begin(b)
		if n := testing.AllocsPerRun(100, func() {
			text.Begin(b)
			buf = buf[:0]
			b.Each(func(i int) { buf = text.Append(buf, b, i) })
		}); n > 0 {
			t.Errorf("JSON %v: %v allocations, want 0", asJSON, n)
		}
	}
}
