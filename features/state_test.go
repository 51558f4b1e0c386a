package features

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// historySpec has history fields of some keys of testSchema.
func historySpec(t testing.TB, bits int, keys ...[]string) *Spec {
	t.Helper()
	plan, err := NewPlan(testSchema, testLayout(), PlanOptions{History: keys, HistoryBits: bits, Include: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	return &Spec{Schema: *testSchema, Fields: plan.Fields, HistoryBits: plan.HistoryBits}
}

// impression is a row as State sees it.
type impression struct {
	hour string
	a, b string
}

func (r impression) csv() string { return fmt.Sprintf("%s,%s,1,0,%s,c,1", r.a, r.hour, r.b) }

func drawImpressions(t *rapid.T, values int) []impression {
	rows := make([]impression, rapid.IntRange(1, 300).Draw(t, "rows"))
	hour := rapid.IntRange(0, 40)
	value := rapid.IntRange(0, values)
	sorted := rapid.Bool().Draw(t, "sorted")
	hours := make([]int, len(rows))
	for i := range rows {
		hours[i] = hour.Draw(t, "hour")
		rows[i].a, rows[i].b = fmt.Sprint(value.Draw(t, "a")), fmt.Sprintf("a value longer than eight %d", value.Draw(t, "b")%7)
	}
	if sorted {
		slices.Sort(hours)
	}
	for i, h := range hours {
		rows[i].hour = Hour(392_000 + h).String()
		if rapid.IntRange(0, 30).Draw(t, "bad") == 0 {
			rows[i].hour = "soon"
		}
	}
	return rows
}

// through gives the past of each row, counted in blocks of n.
func through(t testing.TB, s *Spec, st *State, rows []impression, n int) (out [][]uint32) {
	t.Helper()
	enc, err := s.Encoder(testLayout())
	if err != nil {
		t.Fatal(err)
	}
	b := new(Block)
	for from := 0; from < len(rows); from += n {
		b.Reset(testLayout(), "rows")
		for _, r := range rows[from:min(from+n, len(rows))] {
			b.AppendCSV([]byte(r.csv()), ',')
		}
		enc.ReadKeys(b)
		st.Count(b)
		for i := range b.Len() {
			row := b.Row(i)
			out = append(out, slices.Clone(row.past))
		}
	}
	return out
}

// While there is room for all keys, a State says what a map of all of them
// says, however its rows are cut into blocks, and a snapshot in between
// changes nothing.
func TestStateIsAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := historySpec(t, 16, []string{"a"}, []string{"b", "a"})
		rows := drawImpressions(rt, 40)
		st := s.NewState()
		stop := rapid.IntRange(0, len(rows)).Draw(rt, "stop")
		got := through(t, s, st, rows[:stop], rapid.IntRange(1, 100).Draw(rt, "cut"))
		sn := st.Snapshot()
		if err := s.CheckSnapshot(sn); err != nil {
			rt.Fatal(err)
		}
		got = append(got, through(t, s, s.StateOf(sn), rows[stop:], rapid.IntRange(1, 100).Draw(rt, "cut"))...)

		type seen struct {
			hour          Hour
			count, inHour uint32
		}
		known := map[string]*seen{}
		for i, r := range rows {
			h, ok := ParseHour([]byte(r.hour))
			if !ok {
				continue
			}
			var want []uint32
			for _, key := range []string{r.a, r.b + "\x1f" + r.a} {
				k, again := known[key]
				if !again {
					want = append(want, 0, 0, never)
					known[key] = &seen{h, 1, 1}
					continue
				}
				now := max(h, k.hour)
				since := uint32(now - k.hour)
				if now > k.hour {
					k.hour, k.inHour = now, 0
				}
				want = append(want, k.count, k.inHour, since)
				k.count++
				k.inHour++
			}
			if !slices.Equal(got[i], want) {
				rt.Fatalf("row %d %v: past %v, want %v", i, r, got[i], want)
			}
		}
	})
}

// A full bucket forgets the key not seen for longest, and the table does not
// grow.
func TestStateForgetsTheLongestUnseen(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := historySpec(t, 3, []string{"a"})
		enc, err := s.Encoder(testLayout())
		if err != nil {
			rt.Fatal(err)
		}
		st, b := s.NewState(), new(Block)
		model := make([][]uint64, 2) // bucket → keys, the last seen first
		counts := map[uint64]uint32{}
		for range rapid.IntRange(1, 200).Draw(rt, "rows") {
			b.Reset(testLayout(), "rows")
			b.AppendCSV([]byte(impression{"14102100", fmt.Sprint(rapid.IntRange(0, 15).Draw(rt, "a")), ""}.csv()), ',')
			enc.ReadKeys(b)
			key := b.keyHashes[0]
			st.Count(b)
			bucket := &model[key>>63]
			if at := slices.Index(*bucket, key); at >= 0 {
				*bucket = slices.Delete(*bucket, at, at+1)
			} else {
				counts[key] = 0
			}
			if row := b.Row(0); row.past[0] != counts[key] {
				rt.Fatalf("count %d, want %d", row.past[0], counts[key])
			}
			counts[key]++
			*bucket = slices.Insert(*bucket, 0, key)
			*bucket = (*bucket)[:min(len(*bucket), ways)]
		}
		if st.Len() != len(model[0])+len(model[1]) {
			rt.Fatalf("%d keys, want %d and %d", st.Len(), len(model[0]), len(model[1]))
		}
	})
}

func TestStateSaturates(t *testing.T) {
	s := historySpec(t, 3, []string{"a"})
	rows := []impression{{"14102100", "x", ""}, {"14102100", "x", ""}, {"14102100", "x", ""}}
	st := s.NewState()
	through(t, s, st, rows[:1], 1)
	sn := st.Snapshot()
	sn.Entries[2], sn.Entries[3] = math.MaxUint32-1, math.MaxUint32-1
	got := through(t, s, s.StateOf(sn), rows, 1)
	for i, want := range [][]uint32{{math.MaxUint32 - 1, math.MaxUint32 - 1, 0}, {math.MaxUint32, math.MaxUint32, 0}, {math.MaxUint32, math.MaxUint32, 0}} {
		if !slices.Equal(got[i], want) {
			t.Errorf("row %d: %v, want %v", i, got[i], want)
		}
	}
}

// Rows that go back in time are found, within a block and between two.
func TestCountFindsLateRows(t *testing.T) {
	s := historySpec(t, 3, []string{"a"})
	enc, err := s.Encoder(testLayout())
	if err != nil {
		t.Fatal(err)
	}
	f := func(hours string, want int) {
		t.Helper()
		st, b := s.NewState(), new(Block)
		b.Reset(testLayout(), "rows")
		b.AppendCSV([]byte(impression{"14102105", "x", ""}.csv()), ',')
		enc.ReadKeys(b)
		st.Count(b)
		b.Reset(testLayout(), "rows")
		for h := range strings.FieldsSeq(hours) {
			b.AppendCSV([]byte(impression{h, "x", ""}.csv()), ',')
		}
		enc.ReadKeys(b)
		if got := st.Count(b); got != want {
			t.Errorf("%s: late row %d, want %d", hours, got, want)
		}
	}
	f("14102105 14102106 14102106", -1)
	f("14102106 soon 14102105", 2)
	f("14102104 14102106 14102105", 0)
	f("soon", -1)
}

// The hashes of keys are part of every model file with history: this file
// holds what they are.
func TestKeyHashes(t *testing.T) {
	s := historySpec(t, 20, []string{"a"}, []string{"b", "a"}, []string{"hour_time"})
	enc, err := s.Encoder(testLayout())
	if err != nil {
		t.Fatal(err)
	}
	b := new(Block)
	b.Reset(testLayout(), "rows")
	b.AppendCSV([]byte(impression{"14102105", "a99f214a", "a value longer than eight"}.csv()), ',')
	b.AppendCSV([]byte(impression{"14102105", "", "x"}.csv()), ',')
	enc.ReadKeys(b)
	got := fmt.Sprintf("%016x", b.keyHashes)
	const want = "[58444a34bfd4eb8b 3db563648e1693eb 142b82f3d1e18264 5823621b830f3e40 e38167b8d55be8b4 142b82f3d1e18264]"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A row that went through no State has no history: that is an error and not
// a count of 0.
func TestEncodeWantsAState(t *testing.T) {
	_, in, enc := fitAvazu(t, madeUpAvazu(10), PlanOptions{History: [][]string{{"device_id"}}})
	in[0].past, in[0].pastWidth = nil, 0
	row := in[0].Row(0)
	if err := enc.Encode(&row, enc.NewExample()); err == nil || !strings.Contains(err.Error(), noPast) {
		t.Errorf("error %v, want %s", err, noPast)
	}
}

func TestCheckSnapshot(t *testing.T) {
	s := historySpec(t, 3, []string{"a"})
	st := s.NewState()
	through(t, s, st, []impression{{"14102100", "x", ""}, {"14102101", "y", ""}, {"14102101", "z", ""}, {"14102101", "v", ""}}, 9)
	f := func(want string, change func(sn *Snapshot)) {
		t.Helper()
		sn := st.Snapshot()
		change(sn)
		if err := s.CheckSnapshot(sn); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("head", func(sn *Snapshot) { sn.Head = sn.Head[:1] })
	f("head", func(sn *Snapshot) { sn.Head[0] = 1 << 40 })
	f("3 buckets: want 2", func(sn *Snapshot) { sn.Sizes = append(sn.Sizes, 0) })
	f("keys: want 0 … 4", func(sn *Snapshot) { sn.Sizes[0] = 5 })
	f("as many as there are", func(sn *Snapshot) { sn.Entries = sn.Entries[:4] })
	f("left over", func(sn *Snapshot) { sn.Entries = append(sn.Entries, 1) })
	f("count 0", func(sn *Snapshot) { sn.Entries[2] = 0 })
	f("in hour", func(sn *Snapshot) { sn.Entries[3] = 9 })
	f("an hour up to", func(sn *Snapshot) { sn.Entries[1] += 100 })
	f("twice", func(sn *Snapshot) {
		at := 0
		for i, n := range sn.Sizes {
			if n > 1 {
				sn.Entries[4*at] = sn.Entries[4*at+4]
				return
			}
			at += int(sn.Sizes[i])
		}
	})
	if err := (&Spec{}).CheckSnapshot(st.Snapshot()); err == nil {
		t.Error("no error without history fields")
	}
}

// Whatever passes CheckSnapshot can be counted on, and is given back as it
// was.
func FuzzSnapshot(f *testing.F) {
	s := historySpec(f, 3, []string{"a"})
	st := s.NewState()
	rows := []impression{{"14102100", "x", ""}, {"14102101", "y", ""}, {"14102101", "x", ""}}
	through(f, s, st, rows, 9)
	add := func(sn *Snapshot) {
		b := binary.LittleEndian.AppendUint64(nil, sn.Head[0])
		b = append(b, sn.Sizes...)
		for _, e := range sn.Entries {
			b = binary.LittleEndian.AppendUint32(b, e)
		}
		f.Add(b)
	}
	add(s.NewState().Snapshot())
	add(st.Snapshot())
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 10 {
			return
		}
		sn := &Snapshot{Head: []uint64{binary.LittleEndian.Uint64(b), 7}, Sizes: b[8:10]}
		for b = b[10:]; len(b) >= 4; b = b[4:] {
			sn.Entries = append(sn.Entries, binary.LittleEndian.Uint32(b))
		}
		if s.CheckSnapshot(sn) != nil {
			return
		}
		st := s.StateOf(sn)
		if back := st.Snapshot(); fmt.Sprint(*back) != fmt.Sprint(*sn) {
			t.Fatalf("%v became %v", *sn, *back)
		}
		through(t, s, st, rows, 2)
		if err := s.CheckSnapshot(st.Snapshot()); err != nil {
			t.Fatal(err)
		}
	})
}
