package pipeline

import (
	"testing"
	"time"
)

// settledSink also keeps what it was told of its commits.
type settledSink struct {
	*memorySink
	settled  map[int32]int64
	released map[int32]bool
}

func (s *settledSink) Settled(commits []Commit) error {
	for _, c := range commits {
		s.settled[c.Assignment.Partition] = c.Offset
	}
	return nil
}

func (s *settledSink) Released(a *Assignment, settled bool) error {
	s.released[a.Partition] = settled
	return nil
}

// A sink is told which commits the group has, and when a partition has gone:
// also as one of several.
func TestScoreSettles(t *testing.T) {
	f := func(refuse error, settled bool) {
		t.Helper()
		src, plain := memory(2, 100, 10), newMemorySink()
		src.refuse = refuse
		sink := &settledSink{plain, map[int32]int64{}, map[int32]bool{}}
		_, err := Score(t.Context(), ScoreOptions{Scorers: jitters, CommitEvery: time.Hour}, src, Sinks(newMemorySink(), sink), nil)
		if err != nil {
			t.Fatal(err)
		}
		for p := range int32(2) {
			if got, told := sink.released[p]; !told || got != settled {
				t.Errorf("partition %d: released %v (told: %v), want %v", p, got, told, settled)
			}
			if want := int64(100); settled && sink.settled[p] != want {
				t.Errorf("partition %d: settled %d, want %d", p, sink.settled[p], want)
			}
		}
		if !settled && len(sink.settled) > 0 {
			t.Errorf("settled %v, want none", sink.settled)
		}
	}
	f(nil, true)
	f(ErrNotOwner, false)
}
