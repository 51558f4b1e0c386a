package commands

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
)

// keepLast writes the header and the last n rows of a CSV file without line
// breaks in fields to another file, and gives how many it wrote.
func keepLast(from, to string, n int) (int, error) {
	text, err := os.ReadFile(from)
	if err != nil {
		return 0, err
	}
	header := bytes.IndexByte(text, '\n') + 1
	at := len(text)
	kept := 0
	for kept < n && at > header {
		at = bytes.LastIndexByte(text[:at-1], '\n') + 1
		kept++
	}
	return kept, writeFile(to, true, nil, func(w io.Writer) error {
		_, err := w.Write(text[:header])
		if err == nil {
			_, err = w.Write(text[at:])
		}
		return err
	})
}

// check holds the live probabilities against the offline ones: the same rows,
// each with the same digits.
func (d *demo) check(context.Context) error {
	d.heading("Check: is each live probability the one that evaluation gave?", "")
	offline, err := probabilities(d.path("evaluated.csv"))
	if err != nil {
		return err
	}
	live, err := probabilities(d.r.Predictions)
	if err != nil {
		return err
	}
	distinct := map[string]bool{}
	for id, p := range live {
		if offline[id] == p {
			d.r.Equal++
		}
		distinct[p] = true
	}
	d.r.Distinct = len(distinct)
	if n := int64(len(offline)); d.r.Replayed != n || d.r.Scored != n || d.r.Equal != n || int64(len(live)) != n {
		return fmt.Errorf("check: %d rows evaluated, %d replayed, %d scored, %d of them with the same probability: want all the same",
			n, d.r.Replayed, d.r.Scored, d.r.Equal)
	}
	fmt.Fprintf(d.out, "%s replayed = %s scored, and all %s probabilities (%s different ones)\nare those of ctr evaluate, to the last bit.\n",
		count(d.r.Replayed, "row"), thousands(d.r.Scored), thousands(d.r.Equal), thousands(d.r.Distinct))
	return nil
}

// probabilities reads the columns id and probability of a CSV file, the
// latter as it is spelled. An id that is there twice is an error.
func probabilities(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	r := csv.NewReader(bufio.NewReaderSize(f, 1<<20))
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	id, p := -1, -1
	for i, name := range header {
		switch name {
		case "id":
			id = i
		case "probability":
			p = i
		}
	}
	if id < 0 || p < 0 {
		return nil, fmt.Errorf("%s: want columns id and probability", path)
	}
	all := map[string]string{}
	for {
		row, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if _, twice := all[row[id]]; twice {
			return nil, fmt.Errorf("%s: id %s twice", path, row[id])
		}
		all[row[id]] = row[p]
	}
}
