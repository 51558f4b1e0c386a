package pipeline

import (
	"io"
	"os"
)

// spoolStdin copies standard input, where it is among the sources, to a
// temporary file, so that it can be read more than once. What it gives takes
// the file away.
func spoolStdin(sources []source) (remove func(), err error) {
	remove = func() {}
	for i := range sources {
		s := &sources[i]
		if s.stdin == nil || s.spool != "" {
			continue
		}
		f, err := os.CreateTemp("", "ctr-stdin-*")
		if err != nil {
			return remove, err
		}
		remove = func() { _ = os.Remove(f.Name()) }
		if _, err = io.Copy(f, s.stdin); err == nil {
			err = f.Close()
		}
		if err != nil {
			remove()
			return func() {}, named(s.name, err)
		}
		s.spool = f.Name()
	}
	return remove, nil
}
