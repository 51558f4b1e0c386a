package pipeline

import (
	"errors"
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
		_, err = io.Copy(f, s.stdin)
		if err = errors.Join(err, f.Close()); err != nil { // closed, or it could not be removed everywhere
			remove()
			return func() {}, named(s.name, err)
		}
		s.spool = f.Name()
	}
	return remove, nil
}
