package columnar

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"

	"ctr/features"
)

// readBytes reads all rows of data, without a temporary file, and gives their
// number and the error, if any.
func readBytes(data []byte) (int, error) {
	var r *Reader
	if Detect(data[:min(len(data), HeadSize)]) == Parquet {
		f := &parquetFile{hash: xxhash.New(), at: bytes.NewReader(data), size: int64(len(data))}
		r = &Reader{name: "stdin", from: f}
		if err := f.begin(); err != nil {
			return 0, r.named(err)
		}
		if err := r.begin(&features.ReaderOptions{}); err != nil {
			return 0, r.named(err)
		}
	} else {
		var err error
		if r, err = fromStdin(data, features.ReaderOptions{}); err != nil {
			return 0, err
		}
	}
	rows, err := readAll(r, 0)
	return len(rows), err
}

// checkDamaged reads data, which may be damaged: it must not panic, any error
// must name the file, and memory must stay within bounds.
func checkDamaged(t testing.TB, data []byte) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	rows, err := readBytes(data)
	runtime.ReadMemStats(&after)
	if err != nil && !strings.HasPrefix(err.Error(), "stdin:") && !strings.HasPrefix(err.Error(), "too many rows") {
		t.Errorf("%v: want an error that names the file", err)
	}
	// All that was ever taken: fields as strings, and what pages and buffers
	// may declare beside their bytes.
	if took := after.TotalAlloc - before.TotalAlloc; took > 2*smallPage+uint64(rows)<<12+200*uint64(len(data)) {
		t.Errorf("%d MiB taken for %d bytes and %d rows", took>>20, len(data), rows)
	}
}

func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "*.*"))
	if err != nil || len(paths) < 10 {
		t.Fatal(paths, err)
	}
	all := map[string][]byte{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if Detect(data) != None {
			all[path] = data
		}
	}
	return all
}

// TestDamage reads files with a few bytes changed, cut off or left out.
func TestDamage(t *testing.T) {
	const seed = 1
	for path, data := range fixtures(t) {
		rng := rand.New(rand.NewPCG(seed, xxhash.Sum64String(path)))
		for range 60 {
			bad := bytes.Clone(data)
			for range 1 + rng.IntN(3) {
				at := rng.IntN(len(bad))
				if rng.IntN(2) == 0 { // where the sizes are
					at = len(bad) - 1 - rng.IntN(min(len(bad), 600))
				}
				switch rng.IntN(4) {
				case 0:
					bad[at] ^= 1 << rng.IntN(8)
				case 1:
					bad[at] = byte(rng.UintN(256))
				case 2:
					copy(bad[at:], []byte{0xff, 0xff, 0xff, 0xff, 0x07})
				default:
					bad = append(bad[:at], bad[min(at+1+rng.IntN(40), len(bad)):]...)
				}
				if len(bad) < 8 {
					break
				}
			}
			checkDamaged(t, bad)
			if t.Failed() {
				t.Fatalf("%s, seed %d", path, seed)
			}
		}
	}
}

// FuzzRead looks for damage that TestDamage does not think of.
func FuzzRead(f *testing.F) {
	for _, data := range fixtures(f) {
		f.Add(data)
	}
	f.Fuzz(checkDamagedFuzz)
}

func checkDamagedFuzz(t *testing.T, data []byte) { checkDamaged(t, data) }
