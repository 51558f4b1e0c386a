package interchange

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

// Writer writes text piece by piece. It keeps its first error, which WriteFile
// gives.
type Writer struct{ b *bufio.Writer }

// NewWriter gives a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{bufio.NewWriterSize(w, 1<<20)} }

// Write writes b. Its error is kept as well.
func (w *Writer) Write(b []byte) (int, error) { return w.b.Write(b) }

// Bytes writes b.
func (w *Writer) Bytes(b []byte) { _, _ = w.b.Write(b) }

// Text writes all of list.
func (w *Writer) Text(list ...string) {
	for _, s := range list {
		_, _ = w.b.WriteString(s)
	}
}

// Byte writes c.
func (w *Writer) Byte(c byte) { _ = w.b.WriteByte(c) }

// Printf writes what fmt.Sprintf gives.
func (w *Writer) Printf(format string, a ...any) { _, _ = fmt.Fprintf(w.b, format, a...) }

// Flush writes what is kept back and gives the first error there was.
func (w *Writer) Flush() error { return w.b.Flush() }

// WriteFile makes the file at path of what write writes. It gives write's error,
// or that of writing.
func WriteFile(path string, write func(w *Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := NewWriter(f)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
