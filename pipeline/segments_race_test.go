package pipeline

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// intrude runs the script of a seed once for each of its steps, and has others
// act before that step, while whoever takes it stands in the middle of
// something; then the script goes on.
func intrude(t *testing.T, seed uint64, others func(w *segWorld, acting *segMember) error) (runs int) {
	t.Helper()
	for stop := 1; ; stop++ {
		w := newSegWorld(memoryDir(t), 3)
		reached := false
		w.at = func(step int) error {
			if step != stop {
				return nil
			}
			reached = true
			at, acting := w.at, w.acting
			w.at = nil
			err := others(w, acting)
			w.at, w.acting = at, acting
			return err
		}
		if err := w.script(seed); err != nil {
			t.Fatalf("seed %d, step %d: %v", seed, stop, err)
		}
		if err := w.restart(); err != nil {
			t.Fatalf("seed %d, step %d: restart: %v", seed, stop, err)
		}
		if err := w.check(); err != nil {
			t.Fatalf("seed %d, step %d: %v", seed, stop, err)
		}
		os.RemoveAll(w.dir)
		if !reached {
			return stop
		}
	}
}

// A member may stand still in the middle of anything, lose its partitions
// meanwhile, and go on as if nothing had happened.
func TestSegmentsZombieStandsStill(t *testing.T) {
	total := 0
	for seed := range uint64(segmentSeeds) {
		total += intrude(t, seed, func(w *segWorld, _ *segMember) error {
			m, err := w.join()
			if err != nil {
				return err
			}
			for _, p := range w.partitions {
				if err := w.give(p, m); err != nil {
					return err
				}
			}
			for _, o := range m.owned {
				if err := w.write(o, 7); err != nil {
					return err
				}
			}
			// Some of it is committed, some of it not.
			if err := w.commit(m, settles); err != nil {
				return err
			}
			return w.write(m.owned[seed%3], 4)
		})
	}
	t.Logf("%d runs", total)
}

// A member that has lost partitions may give its segments their final names
// while another is taking them over.
func TestSegmentsZombieFinishes(t *testing.T) {
	total, finished := 0, 0
	for seed := range uint64(segmentSeeds) {
		total += intrude(t, seed, func(w *segWorld, acting *segMember) error {
			var errs []error
			for _, m := range w.members {
				if m == acting {
					continue
				}
				for _, o := range slices.Clone(m.owned) {
					if w.partitions[o.Partition].owner != o {
						if o.next == o.committed && o.sinkTrack().begun {
							finished++
						}
						errs = append(errs, w.release(o))
					}
				}
			}
			return errors.Join(errs...)
		})
	}
	t.Logf("%d runs, %d segments finished by those that had lost them", total, finished)
	if finished == 0 {
		t.Error("nothing was finished late: want something")
	}
}

// Whoever takes over less than is committed has lost rows: a segment whose final
// name is taken by a shorter file is not given up quietly.
func TestSegmentsShortened(t *testing.T) {
	w := newSegWorld(memoryDir(t), 1)
	m, err := w.join()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.give(w.partitions[0], m), w.write(m.owned[0], 5), w.commit(m, settles)); err != nil {
		t.Fatal(err)
	}
	tr := m.owned[0].sinkTrack()
	part, final := m.sink.path(tr.commit.name.part(tr.partition, rowsFile)), m.sink.path(tr.commit.name.final(tr.partition, rowsFile))
	if err := errors.Join(os.Remove(part), os.WriteFile(final, []byte("short"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := w.release(m.owned[0]); err == nil || !strings.Contains(err.Error(), final+": 5 bytes: want ") {
		t.Errorf("released: %v, want how long the file should be", err)
	}
}

func (o *segOwned) sinkTrack() *track { return o.member.sink.tracks[o.Assignment] }

// memoryDir gives a folder in memory where there is one: these tests sync
// thousands of times.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ctr-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
