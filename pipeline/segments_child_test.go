package pipeline

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// segmentChild is a process that scores one partition into dir. Its group is
// at the other end of its standard input and output: it says "resume" and is
// told generation, offset and metadata; it says "commit" and the same three,
// and is told yes, no, or stop.
func segmentChild(dir string, in io.Reader, out io.Writer) error {
	answers := bufio.NewReader(in)
	ask := func(format string, args ...any) (string, error) {
		if _, err := fmt.Fprintf(out, format+"\n", args...); err != nil {
			return "", err
		}
		line, err := answers.ReadString('\n')
		return strings.TrimSuffix(line, "\n"), err
	}
	s, err := OpenSegments(SegmentOptions{Dir: dir, Group: "g", Text: PredictionText{Model: "m"}, RotateSize: 8000})
	if err != nil {
		return err
	}
	line, err := ask("resume")
	if err != nil {
		return err
	}
	a := &Assignment{Topic: "t"}
	if _, err := fmt.Sscanf(line, "%d %d %q", &a.Generation, &a.Committed, &a.Metadata); err != nil {
		return err
	}
	a.Start = max(0, a.Committed)
	if err := s.Resume(a); err != nil {
		return err
	}
	for next := a.Start; ; {
		c := []Commit{{Assignment: a, Offset: next}}
		if _, err := s.Commit(nil, c); err != nil { //nolint:staticcheck // it does not look at it
			return err
		}
		answer, err := ask("commit %d %d %q", a.Generation, next, c[0].Metadata)
		if err != nil {
			return err
		}
		if answer == "no" {
			return errors.Join(s.Released(a, false), s.Close())
		}
		if err := s.Settled(c); err != nil {
			return err
		}
		if answer == "stop" {
			return errors.Join(s.Released(a, true), s.Close())
		}
		for range 1 + rand.IntN(4) {
			n := 1 + rand.IntN(30)
			if err := s.Write(segBatch(a, next, n)); err != nil {
				return err
			}
			next += int64(n)
		}
	}
}
