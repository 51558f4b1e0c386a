package pipeline

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestSegmentNames(t *testing.T) {
	f := func(topic string, partition int32) {
		t.Helper()
		prefix := partitionPrefix(topic, partition)
		n := segmentName{first: 41, generation: 7, random: "0123abcd", ext: ".csv"}
		for kind := range segmentFiles {
			for _, name := range []string{n.part(prefix, kind), n.final(prefix, kind)} {
				first, generation, open, ok := parseSegmentFile(name, prefix)
				if want := strings.HasSuffix(name, ".part"); !ok || first != 41 || open != want || want && generation != 7 {
					t.Errorf("%s: first %d, generation %d, open %v, ok %v", name, first, generation, open, ok)
				}
				if len(name) > 255 {
					t.Errorf("%s: %d bytes: want 255 at most", name, len(name))
				}
			}
		}
	}
	f("t", 0)
	f("a-0", math.MaxInt32)
	f(strings.Repeat("x", 249), math.MaxInt32)
	if a, b := partitionPrefix(strings.Repeat("x", 249), 0), partitionPrefix(strings.Repeat("x", 248), 0); a == b {
		t.Errorf("%s stands for two topics", a)
	}
	others := func(name, prefix string) {
		t.Helper()
		if _, _, _, ok := parseSegmentFile(name, prefix); ok {
			t.Errorf("%s is taken for a file of %s", name, prefix)
		}
	}
	final := segmentName{first: 41, ext: ".csv"}
	others(final.final(partitionPrefix("a-0", 1), rowsFile), partitionPrefix("a", 0))
	others(final.final(partitionPrefix("a", 1), rowsFile), partitionPrefix("a", 11))
	others("t-0-00000000000000000041.csv.part", "t-0-")
	others("t-0-00000000000000000041-g1-0123abcd.csv", "t-0-")
	others("t-0-41.csv", "t-0-")
	others("t-0-99999999999999999999.csv", "t-0-")
}

func TestSegmentMetadata(t *testing.T) {
	f := func(c segmentCommit) {
		t.Helper()
		got, other, ok := parseSegmentCommit(c.text())
		if got != c || other != "" || !ok {
			t.Errorf("%s: %+v, other %q, ok %v", c.text(), got, other, ok)
		}
		if len(c.text()) > 4096 {
			t.Errorf("%d bytes: want 4,096 at most", len(c.text()))
		}
	}
	f(segmentCommit{id: "0123456789abcdef"})
	f(segmentCommit{
		id: "0123456789abcdef", some: true, length: [segmentFiles]int64{math.MaxInt64, math.MaxInt64},
		name: segmentName{math.MaxInt64, math.MaxInt32, "01234567", ".jsonl"},
	})
	bad := func(metadata, wantOther string) {
		t.Helper()
		if _, other, ok := parseSegmentCommit(metadata); ok || other != wantOther {
			t.Errorf("%s: other %q, ok %v, want %q and no", metadata, other, ok, wantOther)
		}
	}
	bad("", "")
	bad("somebody's own", "")
	bad("ctr:0123456789ab:predictions.csv", "ctr:0123456789ab:predictions.csv")
	bad("ctr:folder:0123456789abcdef:x", "ctr:folder:0123456789abcdef:x")
	over := "ctr:folder:0123456789abcdef:00000000000000000041-g9999999999-01234567.csv:1:1"
	bad(over, over)
}

// Members that begin at the same moment find the same folder.
func TestSegmentFolderHasOneID(t *testing.T) {
	for range 20 {
		dir := filepath.Join(t.TempDir(), "new", "folder")
		ids := make([]string, 8)
		errs := make([]error, len(ids))
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() { ids[i], errs[i] = markOutput(dir, "g") })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if ids = slices.Compact(ids); len(ids) != 1 {
			t.Fatalf("ids %v, want one", ids)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("%v left in the folder (%v), want one", left, err)
		}
	}
}

// hintOf gives the hint of an error, "" where it has none.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// What the commits name and the folder has differ: that is an error, never a
// guess.
func TestSegmentsRefuse(t *testing.T) {
	// A member that ended with 10 rows committed and 5 more written.
	setup := func(dir string) (*segWorld, string) {
		t.Helper()
		w := newSegWorld(dir, 1)
		m, err := w.join()
		if err == nil {
			err = w.give(w.partitions[0], m)
		}
		if err == nil {
			err = errors.Join(w.write(m.owned[0], 10), w.commit(m, settles), w.write(m.owned[0], 5))
		}
		if err != nil {
			t.Fatal(err)
		}
		name := m.sink.tracks[m.owned[0].Assignment].commit.name
		return w, filepath.Join(dir, name.part("t-0-", rowsFile))
	}
	f := func(want, hint string, spoil func(w *segWorld, part string) error) {
		t.Helper()
		w, part := setup(memoryDir(t))
		m, err := w.join()
		if err = errors.Join(err, spoil(w, part)); err != nil {
			t.Fatal(err)
		}
		err = w.give(w.partitions[0], m)
		if got := errorText(err); !strings.HasPrefix(got, "t/0: "+w.dir+"/"+want) && !strings.HasPrefix(got, want) {
			t.Errorf("error %q, want …%q…", got, want)
		}
		if got := hintOf(err); !strings.Contains(got, hint) {
			t.Errorf("hint %q, want %q", got, hint)
		}
	}
	shared := "all members of a group need the same shared folder"
	f("t-0-00000000000000000000-g1-", shared, func(_ *segWorld, part string) error { return os.Remove(part) })
	f("t-0-00000000000000000000-g1-", shared, func(_ *segWorld, part string) error { return os.Truncate(part, 99) })
	f("t-0-00000000000000000000.csv: 3 bytes: want ", shared, func(w *segWorld, _ string) error {
		return os.WriteFile(filepath.Join(w.dir, "t-0-00000000000000000000.csv"), []byte("old"), 0o644)
	})
	f("t-0-00000000000000000010.csv: exists, and reading begins at offset 10", "another --output", func(w *segWorld, _ string) error {
		return os.WriteFile(filepath.Join(w.dir, "t-0-00000000000000000010.csv"), []byte("old"), 0o644)
	})
	f("t-0-00000000000000000002.csv: exists, and the group's commits do not name it", "--append", func(w *segWorld, _ string) error {
		w.partitions[0].metadata = ""
		return os.WriteFile(filepath.Join(w.dir, "t-0-00000000000000000002.csv"), []byte("old"), 0o644)
	})
	f("t/0: the group's commit is of another output, ctr:0123456789ab:p.csv: want this folder, ", shared, func(w *segWorld, _ string) error {
		w.partitions[0].metadata = "ctr:0123456789ab:p.csv"
		return nil
	})
}
