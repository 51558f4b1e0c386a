package columnar

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/cespare/xxhash/v2"
)

const (
	continuation = 0xffffffff // before the length of each message
	arrowMagic   = "ARROW1"   // of files, at both ends
	maxMetadata  = 256 << 20  // of a message; a schema of 10,000 columns has 1 MiB
	// What a message's packed buffers may take: so many times their bytes,
	// and smallBody more.
	smallBody     = 64 << 20
	maxBodyRatio  = 1 << 10
	maxBatchRows  = 1 << 27
	growReadBytes = 1 << 20
)

// isStream reports whether head begins an Arrow stream: the mark of a message
// and a length that one may have.
func isStream(head []byte) bool {
	if len(head) < 8 || binary.LittleEndian.Uint32(head) != continuation {
		return false
	}
	n := binary.LittleEndian.Uint32(head[4:])
	return n >= 8 && n <= maxMetadata
}

// messages reads the messages of an Arrow stream, or of a file, which is a
// stream between its magic and an index. It is arrow-go's ipc.MessageReader:
// its own takes memory for the sizes that a damaged message declares.
type messages struct {
	r      io.Reader
	file   bool
	hash   *xxhash.Digest
	read   int64
	size   int64 // of the file, where it is one and not packed; else 0
	memory *budget
	msg    *ipc.Message
	ended  bool
}

// Retain and Release are of no use: all memory is Go's.
func (m *messages) Retain()  {}
func (m *messages) Release() {}

// full reads len(p) bytes. It gives io.EOF where there is nothing to be read.
func (m *messages) full(p []byte) error {
	n, err := io.ReadFull(m.r, p)
	m.read += int64(n)
	_, _ = m.hash.Write(p[:n])      // never fails
	if err == io.ErrUnexpectedEOF { //nolint:errorlint // ReadFull's own
		err = damaged("cut short after %d bytes", m.read)
	}
	return err
}

// bytes reads n bytes, without taking much more memory than there are.
func (m *messages) bytes(n int64) ([]byte, error) {
	first := max(growReadBytes, m.size-m.read) // so much is there for sure
	out := make([]byte, min(n, first))
	for have := 0; ; {
		if err := m.full(out[have:]); err != nil {
			if err == io.EOF { //nolint:errorlint // full's own
				err = damaged("cut short after %d bytes", m.read)
			}
			return nil, err
		}
		if have = len(out); int64(have) == n {
			return out, nil
		}
		out = append(make([]byte, 0, min(2*int64(have), n)), out...)
		out = out[:cap(out)]
	}
}

// Message gives the next message, io.EOF after the last one. It is valid until
// the next call.
func (m *messages) Message() (*ipc.Message, error) {
	var head [4]byte
	if m.ended {
		return nil, io.EOF
	}
	err := m.full(head[:])
	if err == io.EOF && !m.file { //nolint:errorlint // full's own
		m.ended = true // a stream may end so
		return nil, io.EOF
	}
	if err == io.EOF { //nolint:errorlint // full's own
		err = damaged("cut short after %d bytes", m.read)
	}
	size := binary.LittleEndian.Uint32(head[:])
	if err == nil && size == continuation { // absent before Arrow 0.15
		if err = m.full(head[:]); err == io.EOF { //nolint:errorlint // full's own
			err = damaged("cut short after %d bytes", m.read)
		}
		size = binary.LittleEndian.Uint32(head[:])
	}
	switch {
	case err != nil:
		return nil, err
	case size == 0:
		m.ended = true
		return nil, io.EOF
	case size > maxMetadata:
		return nil, damaged("message with %d bytes of metadata before byte %d", size, m.read)
	}
	meta, err := m.bytes(int64(size))
	if err == nil {
		err = checkMessage(meta)
	}
	if err != nil {
		return nil, err
	}
	err = guarded(func() error {
		length := ipc.NewMessage(memory.NewBufferBytes(meta), memory.NewBufferBytes(nil)).BodyLen()
		if length < 0 {
			return damaged("message of %d bytes before byte %d", length, m.read)
		}
		body, err := m.bytes(length)
		if err != nil {
			return err
		}
		m.memory.left = smallBody + maxBodyRatio*length
		m.msg = ipc.NewMessage(memory.NewBufferBytes(meta), memory.NewBufferBytes(body))
		return nil
	})
	return m.msg, err
}

// finish reads what follows the last message: of a file, the index and the
// magic.
func (m *messages) finish() error {
	var last []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := m.r.Read(buf)
		m.read += int64(n)
		_, _ = m.hash.Write(buf[:n]) // never fails
		last = append(last, buf[:n]...)
		last = last[max(0, len(last)-len(arrowMagic)):]
		if errors.Is(err, io.EOF) {
			if m.file && string(last) != arrowMagic {
				return damaged("it ends in %q: want %s (is it cut short?)", last, arrowMagic)
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// budget gives Go's memory, so much of it for each message.
type budget struct{ left int64 }

// Allocate panics where the message has declared more than its part; the
// reader makes an error of it.
func (b *budget) Allocate(size int) []byte {
	if b.left -= int64(size); size < 0 || b.left < 0 {
		panic("buffers that declare more than they can hold")
	}
	return make([]byte, size)
}

// Reallocate gives size bytes that begin as old.
func (b *budget) Reallocate(size int, old []byte) []byte {
	if size <= cap(old) && size >= 0 {
		return old[:size]
	}
	fresh := b.Allocate(size)
	copy(fresh, old)
	return fresh
}

// Free does nothing: the collector does it.
func (b *budget) Free([]byte) {}
