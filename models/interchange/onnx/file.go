package onnx

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
)

const (
	// maxMessage is the largest protobuf message.
	maxMessage = 1<<31 - 1
	// leastOutside is the size from which a tensor goes into a file of its own
	// where not all can stay in the message.
	leastOutside = 1 << 10
	// pageSize is where each tensor begins in that file, so that it can be
	// mapped into memory.
	pageSize = 1 << 12
)

// write writes the model to path. One that is larger than limit has its tensors
// in a file beside it, path.data, whose name it gives.
func (p *model) write(path string, limit int64) (outside string, err error) {
	m := p.encode()
	if m.size > limit {
		outside = filepath.Base(path) + ".data"
		if err := p.putOutside(path+".data", outside); err != nil {
			return "", err
		}
		if m = p.encode(); m.size > limit {
			return "", fmt.Errorf("dictionaries and trees of %d bytes: ONNX holds at most %d: fewer values (--min-count, --bits) or trees", m.size, limit)
		}
	}
	return outside, create(path, m.write)
}

// putOutside writes the tensors into the file at path, which is known to the
// model by name, and has the graph say so.
func (p *model) putOutside(path, name string) error {
	return create(path, func(w *bufio.Writer) error {
		offset := int64(0)
		for _, t := range p.graph.constants {
			if len(t.raw) < leastOutside {
				continue
			}
			if gap := -offset & (pageSize - 1); gap > 0 {
				if _, err := w.Write(make([]byte, gap)); err != nil {
					return err
				}
				offset += gap
			}
			if _, err := w.Write(t.raw); err != nil {
				return err
			}
			t.file, t.offset = name, offset
			offset += int64(len(t.raw))
		}
		return nil
	})
}

// create makes a file of what fill writes.
func create(path string, fill func(w *bufio.Writer) error) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := bufio.NewWriterSize(f, 1<<16)
	if err := fill(w); err != nil {
		return err
	}
	return w.Flush()
}
