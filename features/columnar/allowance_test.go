package columnar

import (
	"bytes"
	"errors"
	"testing"
)

// TestAllowanceFor: what unpacks adds ten times what it is more, up to a ratio,
// and what the floor gave first of all.
func TestAllowanceFor(t *testing.T) {
	f := func(size, floor int64, unpacks [][2]int64, want int64) {
		t.Helper()
		a := AllowanceFor(size, 10, 3, floor)
		for _, u := range unpacks {
			a.Unpacked(u[0], u[1])
		}
		if err := a.Take(want + 1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d bytes: %v: want no more than %d", size, err, want)
		}
		if err := a.Take(want); err != nil {
			t.Errorf("%d bytes: %v: want %d", size, err, want)
		}
	}
	f(100, 0, nil, 1000)
	f(100, 5000, nil, 5000)
	f(100, 0, [][2]int64{{10, 20}}, 1100)
	f(100, 0, [][2]int64{{20, 10}}, 1000)
	f(100, 0, [][2]int64{{10, 20}, {10, 30}}, 1300)
	f(100, 0, [][2]int64{{10, 500}}, 3000)
	f(100, 0, [][2]int64{{10, 20}, {0, 1 << 62}}, 3000)
	f(100, 1050, [][2]int64{{10, 20}}, 1100)
	f(100, 1050, [][2]int64{{10, 13}}, 1050)
}

// TestNestedGivesBack: when all that was read is dropped, all is given back.
func TestNestedGivesBack(t *testing.T) {
	b := nestedFile(t)
	a := NewAllowance(1 << 20)
	leaves, err := ReadNested(bytes.NewReader(b), int64(len(b)), everything, a)
	if err != nil {
		t.Fatal(err)
	}
	if a.left == a.all {
		t.Error("nothing is counted")
	}
	for i := range leaves {
		leaves[i].Drop(a)
	}
	if a.left != a.all {
		t.Errorf("%d bytes are not given back", a.all-a.left)
	}
}

func TestGrow(t *testing.T) {
	a := NewAllowance(100)
	s, err := Grow(a, []uint64{}, 5)
	if err != nil || cap(s) != 5 || a.left != 60 {
		t.Fatalf("%v, cap %d, %d left: want 5, 60", err, cap(s), a.left)
	}
	s = append(s, 1, 2, 3, 4, 5)
	if s, err = Grow(a, s, 1); err != nil || cap(s) != 7 || a.left != 44 {
		t.Fatalf("%v, cap %d, %d left: want 7, 44", err, cap(s), a.left)
	}
	if s, err = Grow(a, append(s, 6, 7), 1); !errors.Is(err, ErrTooLarge) || len(s) != 7 {
		t.Fatalf("%v, %v: want %v and what was there", err, s, ErrTooLarge)
	}
}
