package columnar

import (
	"errors"
	"io"
	"os"
	"testing"

	"ctr/features"
)

func BenchmarkFile(b *testing.B) {
	path := os.Getenv("CTR_FILE")
	if path == "" {
		b.Skip("CTR_FILE is not set")
	}
	rows := 0
	for b.Loop() {
		in, err := features.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		head, _ := in.Peek(HeadSize)
		var r interface{ Next(*features.Block) error }
		if Detect(head) == None {
			r, err = features.NewReader(in, path, features.ReaderOptions{})
		} else {
			var c *Reader
			c, err = NewReader(in, features.ReaderOptions{})
			if err == nil {
				need := make([]bool, len(c.Layout()))
				for i := range need {
					need[i] = i > 0
				}
				err = c.Need(need)
			}
			r = c
		}
		if err != nil {
			b.Fatal(err)
		}
		var blk features.Block
		rows = 0
		for {
			err := r.Next(&blk)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			blk.Split()
			if blk.Bad() {
				for i := range blk.Len() {
					if e := blk.Err(i); e != nil {
						b.Fatal(e)
					}
				}
			}
			rows += blk.Len()
		}
		in.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows*b.N), "ns/row")
	b.ReportMetric(float64(rows), "rows")
}
