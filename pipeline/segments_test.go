package pipeline

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// segmentSeeds is how many scripts are run; each step of each is an end.
const segmentSeeds = 3

// errKilled is how a process of these tests ends.
var errKilled = errors.New("killed")

// unlucky says which records are bad.
func unlucky(offset int64) bool { return offset%11 == 7 }

// segBatch gives n scored records of a from offset first on.
func segBatch(a *Assignment, first int64, n int) *Batch {
	b := &Batch{Assignment: a}
	for i := range int64(n) {
		b.Records = append(b.Records, Record{Offset: first + i, Millis: -1, Value: fmt.Appendf(nil, "v%d", first+i)})
	}
	b.Begin(0.5)
	for i := range n {
		if o := first + int64(i); unlucky(o) {
			b.Fail(i, errors.New("unlucky"))
		} else {
			b.IDs[i], b.P[i] = fmt.Appendf(nil, "id%d", o), 0.25
			b.Done(i)
		}
	}
	return b
}

// segWorld is a consumer group as its coordinator knows it, and its members.
type segWorld struct {
	dir        string
	whole      bool
	partitions []*segPartition
	generation int32
	members    []*segMember

	steps  int
	at     func(step int) error // what happens before a step; nil = nothing
	acting *segMember           // whose step it is
}

type segPartition struct {
	id       int32
	owner    *segOwned
	offset   int64
	metadata string
}

type segMember struct {
	sink  *SegmentSink
	owned []*segOwned // also of what it has lost without knowing
}

type segOwned struct {
	*Assignment
	member          *segMember
	next, committed int64
}

func newSegWorld(dir string, partitions int) *segWorld {
	w := &segWorld{dir: dir}
	for p := range partitions {
		w.partitions = append(w.partitions, &segPartition{id: int32(p), offset: -1})
	}
	return w
}

func (w *segWorld) step(string) error {
	w.steps++
	if w.at != nil {
		return w.at(w.steps)
	}
	return nil
}

func (w *segWorld) join() (*segMember, error) {
	s, err := OpenSegments(SegmentOptions{
		Dir: w.dir, Group: "g", Text: PredictionText{Model: "m"}, RotateSize: 700, step: w.step, whole: w.whole,
	})
	m := &segMember{sink: s}
	w.members = append(w.members, m)
	return m, err
}

// give makes m the owner of p, whatever others think.
func (w *segWorld) give(p *segPartition, m *segMember) error {
	w.generation++
	w.acting = m
	o := &segOwned{member: m, committed: -1, next: max(0, p.offset), Assignment: &Assignment{
		Topic: "t", Partition: p.id, Generation: w.generation,
		Start: max(0, p.offset), Committed: p.offset, Metadata: p.metadata,
	}}
	p.owner = o
	if err := m.sink.Resume(o.Assignment); err != nil {
		return err
	}
	m.owned = append(m.owned, o)
	return w.commit(m, settles) // the claim
}

func (w *segWorld) write(o *segOwned, n int) error {
	w.acting = o.member
	err := o.member.sink.Write(segBatch(o.Assignment, o.next, n))
	o.next += int64(n)
	return err
}

// outcome is what becomes of a commit.
type outcome int

const (
	settles outcome = iota
	unknown         // the group has it, the member does not know
	dropped         // the group does not have it, and the member does not know
)

func (w *segWorld) commit(m *segMember, what outcome) error {
	w.acting = m
	var commits []Commit
	var of []*segOwned
	for _, o := range m.owned {
		if o.next != o.committed {
			commits = append(commits, Commit{Assignment: o.Assignment, Offset: o.next})
			of = append(of, o)
		}
	}
	if len(commits) == 0 {
		return m.sink.Settled(nil)
	}
	if _, err := m.sink.Commit(nil, commits); err != nil { //nolint:staticcheck // it does not look at it
		return err
	}
	if err := w.step("commit"); err != nil {
		return err
	}
	for _, o := range of {
		if w.partitions[o.Partition].owner != o {
			return nil // refused, all of them
		}
	}
	if what == dropped {
		return nil
	}
	for _, c := range commits {
		p := w.partitions[c.Assignment.Partition]
		p.offset, p.metadata = c.Offset, c.Metadata
	}
	if what == unknown {
		return nil
	}
	if err := w.step("committed"); err != nil {
		return err
	}
	for _, o := range of {
		o.committed = o.next
	}
	return m.sink.Settled(commits)
}

// release is what a member does when it gives a partition up, or learns that
// it has lost it.
func (w *segWorld) release(o *segOwned) error {
	if err := w.commit(o.member, settles); err != nil {
		return err
	}
	o.member.owned = slices.DeleteFunc(o.member.owned, func(x *segOwned) bool { return x == o })
	return o.member.sink.Released(o.Assignment, o.next == o.committed)
}

// script runs a random life of a group, always the same one for a seed.
func (w *segWorld) script(seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 1))
	var members []*segMember
	for range 2 {
		m, err := w.join()
		if err != nil {
			return err
		}
		members = append(members, m)
	}
	for i, p := range w.partitions {
		if err := w.give(p, members[i%2]); err != nil {
			return err
		}
	}
	for range 80 {
		m := members[rng.IntN(2)]
		p := w.partitions[rng.IntN(len(w.partitions))]
		var err error
		switch k := rng.IntN(20); {
		case k < 9 && len(m.owned) > 0:
			err = w.write(m.owned[rng.IntN(len(m.owned))], 1+rng.IntN(5))
		case k < 13:
			err = w.commit(m, settles)
		case k < 14:
			err = w.commit(m, unknown)
		case k < 15:
			err = w.commit(m, dropped)
		case k < 17: // a graceful move
			if err = w.release(p.owner); err == nil {
				err = w.give(p, m)
			}
		case k < 18: // taken from one who does not know
			err = w.give(p, m)
		case len(m.owned) > 0: // gives up, perhaps what it had lost already
			o := m.owned[rng.IntN(len(m.owned))]
			if err = w.release(o); err == nil && w.partitions[o.Partition].owner == o {
				err = w.give(w.partitions[o.Partition], m)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// restart is a new process that takes all partitions and reads 20 more records
// of each; those that were there before go on for a while, as zombies do.
func (w *segWorld) restart() error {
	w.at = nil
	before := w.members
	m, err := w.join()
	if err != nil {
		return err
	}
	for _, p := range w.partitions {
		if err := w.give(p, m); err != nil {
			return err
		}
	}
	for _, z := range before {
		for _, o := range z.owned {
			if o.member.sink.tracks[o.Assignment] != nil {
				_ = w.write(o, 3) // it may have been killed
			}
		}
	}
	for _, o := range m.owned {
		if err := w.write(o, 20); err != nil {
			return err
		}
	}
	for _, o := range slices.Clone(m.owned) {
		if err := w.release(o); err != nil {
			return err
		}
	}
	for _, z := range w.members {
		_ = z.sink.Close()
	}
	// Nothing open is left after the next one.
	last, err := w.join()
	if err != nil {
		return err
	}
	for _, p := range w.partitions {
		if err := w.give(p, last); err != nil {
			return err
		}
	}
	return last.sink.Close()
}

// check reads the final files: what is missing, repeated or out of place.
func (w *segWorld) check() error {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return err
	}
	seen := make([]map[int64]int, len(w.partitions))
	for i := range seen {
		seen[i] = map[int64]int{}
	}
	var faults []error
	for _, e := range entries {
		path := filepath.Join(w.dir, e.Name())
		text, err := os.ReadFile(path)
		switch {
		case e.IsDir():
			continue
		case strings.HasSuffix(path, ".csv"):
			rows, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
			if err != nil || len(rows) < 2 || !strings.HasPrefix(string(text), CSVHeader) {
				faults = append(faults, fmt.Errorf("%s: %d rows, %w", e.Name(), len(rows), err))
				continue
			}
			for _, r := range rows[1:] {
				p, err1 := strconv.Atoi(r[6])
				offset, err2 := strconv.ParseInt(r[7], 10, 64)
				if err := errors.Join(err1, err2); err != nil || unlucky(offset) {
					faults = append(faults, fmt.Errorf("%s: row %v: %w", e.Name(), r, err))
					continue
				}
				seen[p][offset]++
			}
		case strings.HasSuffix(path, deadExt):
			for line := range strings.Lines(string(text)) {
				var l deadLetter
				if err := json.Unmarshal([]byte(line), &l); err != nil || !unlucky(l.Offset) {
					faults = append(faults, fmt.Errorf("%s: %q: %w", e.Name(), line, err))
					continue
				}
				seen[l.Partition][l.Offset]++
			}
		default:
			err = cmp.Or(err, errors.New("want final files only"))
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", e.Name(), err))
		}
	}
	for p, offsets := range seen {
		for o := range w.partitions[p].offset {
			if n := offsets[o]; n != 1 {
				faults = append(faults, fmt.Errorf("%d/%d: %d times", p, o, n))
			}
		}
		if n := int64(len(offsets)); n != w.partitions[p].offset {
			faults = append(faults, fmt.Errorf("%d: offsets %v: want %d", p, slices.Sorted(maps.Keys(offsets)), w.partitions[p].offset))
		}
	}
	return errors.Join(faults...)
}

// crashes runs the script of a seed, ended before every single step; it gives
// how many ends there were, and how many of them left wrong files behind.
func crashes(t *testing.T, seed uint64, whole bool) (ends, wrong int) {
	t.Helper()
	for stop := 1; ; stop++ {
		w := newSegWorld(memoryDir(t), 3)
		w.whole = whole
		w.at = func(step int) error {
			if step >= stop {
				return errKilled
			}
			return nil
		}
		err := w.script(seed)
		if err != nil && !errors.Is(err, errKilled) {
			t.Fatalf("seed %d, step %d: %v", seed, stop, err)
		}
		if err2 := w.restart(); err2 != nil {
			t.Fatalf("seed %d, step %d: restart: %v", seed, stop, err2)
		}
		if fault := w.check(); fault != nil {
			wrong++
			if !whole {
				t.Fatalf("seed %d, step %d: %v", seed, stop, fault)
			}
		}
		os.RemoveAll(w.dir)
		if err == nil {
			return stop, wrong
		}
	}
}

// However a process ends, and whatever those that have lost their partitions
// go on writing, each record stands in the final files exactly once.
func TestSegmentsCrash(t *testing.T) {
	total := 0
	for seed := range uint64(segmentSeeds) {
		ends, _ := crashes(t, seed, false)
		total += ends
	}
	t.Logf("%d ends", total)
}

// The test above sees repeats where lengths are not heeded.
func TestSegmentsCrashControl(t *testing.T) {
	ends, wrong := crashes(t, 1, true)
	if wrong == 0 {
		t.Errorf("no repeats in %d ends: want some", ends)
	}
	t.Logf("%d of %d ends left repeats", wrong, ends)
}
