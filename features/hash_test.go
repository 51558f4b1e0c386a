package features

import (
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"
)

// The vectors are onnxruntime's own: scripts/crosscheck/murmur_reference.py.
func TestMurmur3EqualsOnnxruntime(t *testing.T) {
	text, err := os.ReadFile("testdata/murmur3.csv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) < 100 {
		t.Fatalf("%d vectors, want 100 or more", len(lines))
	}
	for _, line := range lines {
		part := strings.Split(line, ",")
		seed, err1 := strconv.ParseUint(part[0], 10, 32)
		value, err2 := hex.DecodeString(part[1])
		want, err3 := strconv.ParseUint(part[2], 10, 32)
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatalf("%q: %v %v %v", line, err1, err2, err3)
		}
		if got := Murmur3(value, uint32(seed)); got != uint32(want) {
			t.Errorf("Murmur3(%q, %d) = %d, want %d", value, seed, got, want)
		}
	}
}
