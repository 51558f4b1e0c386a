package columnar

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

func everything(string) bool { return true }

// nestedFile is a file of three rows with a column of each kind.
func nestedFile(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	err := WriteNested(&b, []Out{
		{Name: "i", Kind: OutInt32, Numbers: []float64{1, -2, 3}},
		{Name: "t", Kind: OutText, Texts: [][]byte{[]byte("a"), nil, []byte("ccc")}},
		{Name: "list", Kind: OutDouble, Numbers: []float64{.5, 1.5, 2.5}, Ends: []int{2, 2, 3}},
		{Name: "lists", Kind: OutText, Texts: [][]byte{[]byte("x"), []byte("y"), []byte("z")}, Ends: []int{0, 2, 3}, Outer: []int{2, 2, 3}},
		{Name: "s", Children: []Out{{Name: "b", Kind: OutBool, Numbers: []float64{1, 0, 1}}, {Name: "l", Kind: OutInt64, Numbers: []float64{1 << 40, 0, -1}}}},
	}, 3, "key", "value")
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestNestedThereAndBack(t *testing.T) {
	b := nestedFile(t)
	leaves, err := ReadNested(bytes.NewReader(b), int64(len(b)), everything, NewAllowance(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	at := map[string]*Leaf{}
	for i := range leaves {
		at[leaves[i].Path] = &leaves[i]
	}
	numbers := func(path string, lists int, want ...float64) {
		t.Helper()
		if l := at[path]; l == nil || !slices.Equal(l.Numbers, want) || l.Lists != lists {
			t.Errorf("%s: %v: want %v in %d lists", path, l, want, lists)
		}
	}
	numbers("i", 0, 1, -2, 3)
	numbers("list", 1, .5, 1.5, 2.5)
	numbers("s.b", 0, 1, 0, 1)
	numbers("s.l", 0, 1<<40, 0, -1)
	if l := at["t"]; l.Len() != 3 || string(l.Text(0)) != "a" || len(l.Text(1)) != 0 || string(l.Text(2)) != "ccc" {
		t.Errorf("t: %v", l)
	}
	cuts := func(path string, depth int, want ...int) {
		t.Helper()
		if got := at[path].Cuts(depth); !slices.Equal(got, want) {
			t.Errorf("%s: cuts of depth %d %v: want %v", path, depth, got, want)
		}
	}
	cuts("i", 0, 0, 1, 2, 3)
	cuts("list", 0, 0, 2, 2, 3)
	cuts("lists", 0, 0, 2, 2, 3)
	cuts("lists", 1, 0, 0, 2, 2, 3) // the row without lists counts as an empty one
}

func TestNestedAllowance(t *testing.T) {
	var b bytes.Buffer
	if err := WriteNested(&b, []Out{{Name: "x", Kind: OutDouble, Numbers: make([]float64, 1<<20)}}, 1<<20, "", ""); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 1<<20 {
		t.Fatalf("%d bytes: want what compresses well", b.Len())
	}
	_, err := ReadNested(bytes.NewReader(b.Bytes()), int64(b.Len()), everything, NewAllowance(1<<22))
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v: want %v", err, ErrTooLarge)
	}
	leaves, err := ReadNested(bytes.NewReader(b.Bytes()), int64(b.Len()), func(string) bool { return false }, NewAllowance(0))
	if err != nil || leaves[0].Len() != 0 {
		t.Errorf("%v, %v: want nothing read of what is not wanted", leaves, err)
	}
}

// FuzzNested reads damaged files: an error or values, never a panic, and no more
// memory than allowed.
func FuzzNested(f *testing.F) {
	f.Add(nestedFile(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		leaves, err := ReadNested(bytes.NewReader(b), int64(len(b)), everything, NewAllowance(1<<22))
		if err != nil {
			return
		}
		for i := range leaves {
			l := &leaves[i]
			for depth := range l.Lists + 1 {
				cuts := l.Cuts(depth)
				if cuts[len(cuts)-1] != l.Len() {
					t.Fatalf("%s: cuts %v of %d values", l.Path, cuts, l.Len())
				}
			}
			for k := range l.Len() {
				if l.IsText() {
					l.Text(k)
				}
			}
		}
	})
}
