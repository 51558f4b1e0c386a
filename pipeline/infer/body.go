package infer

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"ctr/features"
)

// buffer is memory for a request's body, as it came and without compression,
// and its answer. Buffers are used again.
type buffer struct{ packed, in, out []byte }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// mostKept is the size of the largest buffer that is kept for other requests.
const mostKept = 1 << 20

func (b *buffer) free() {
	if cap(b.packed)+cap(b.in)+cap(b.out) <= mostKept {
		buffers.Put(b)
	}
}

// budget bounds the memory of all bodies that are being read and answered. The
// first bytes of each are free, so that large bodies, or many that come slowly,
// never keep small ones from being answered; MaxOpen bounds those.
type budget struct {
	left atomic.Int64
}

// freeBytes of each body are not of the budget, and are all that is reserved
// before they have come: what Content-Length says is a claim.
const freeBytes = 64 << 10

// take reports whether n more bytes may be used.
func (b *budget) take(n int64) bool {
	if b.left.Add(-n) < 0 {
		b.left.Add(n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.left.Add(n) }

// body reads the whole body of q into b.in, decompressed, and gives how many
// bytes of the budget it took, which the caller gives back. Compressed bodies
// are read whole first: a client that is slow holds no decompressor.
func (s *Server) body(q *http.Request, b *buffer) (took int64, f *fault) {
	how, f := encodingOf(q)
	if f != nil {
		return 0, f
	}
	if q.ContentLength > s.o.MaxBody {
		return 0, s.tooLarge()
	}
	took, f = s.read(q.Body, b, q.ContentLength)
	if f == nil && how != "" {
		var more int64
		more, f = s.unpack(b, how)
		took += more
	}
	if f != nil {
		s.memory.give(took)
		return 0, f
	}
	return took, nil
}

// read reads in to its end. The first piece is as long as the body says that
// it is, up to freeBytes, so that most are read at once.
func (s *Server) read(in io.Reader, b *buffer, length int64) (took int64, f *fault) {
	b.in = b.in[:0]
	want := int64(4 << 10)
	if length >= 0 {
		want = min(length, freeBytes) + 1 // the 1 sees the end
	}
	for {
		have := int64(len(b.in))
		if need := have + want - freeBytes - 1 - took; need > 0 {
			if !s.memory.take(need) {
				return took, busy("the bodies of other requests fill the memory")
			}
			took += need
		}
		b.in = slices.Grow(b.in, int(want))
		for int64(len(b.in)) < have+want {
			n, err := in.Read(b.in[len(b.in) : have+want])
			b.in = b.in[:len(b.in)+n]
			switch {
			case int64(len(b.in)) > s.o.MaxBody:
				return took, s.tooLarge()
			case err == io.EOF: // a Reader gives it itself
				return took, nil
			case err != nil:
				return took, readFault(err)
			}
		}
		have = int64(len(b.in))
		want = min(have, s.o.MaxBody-have+1)
		if length > have {
			want = min(want, length-have+1)
		}
	}
}

// encodingOf gives how a body is compressed: gzip, zstd, or "" for not at all.
func encodingOf(q *http.Request) (string, *fault) {
	switch how := strings.ToLower(strings.Join(q.Header.Values("Content-Encoding"), ", ")); how {
	case "", "identity":
		return "", nil
	case "gzip", "x-gzip":
		return "gzip", nil
	case "zstd":
		return how, nil
	default:
		return "", &fault{status: http.StatusUnsupportedMediaType, text: "Content-Encoding " + how + ": want gzip or zstd"}
	}
}

// zstdWindow is the most memory that a zstd body may ask for: what RFC 9659
// has those who send it keep to.
const zstdWindow = 8 << 20

// unpack decompresses b.in. A few bodies are decompressed at a time, since each
// may ask for as much as zstdWindow.
func (s *Server) unpack(b *buffer, how string) (took int64, f *fault) {
	s.unpacking <- struct{}{}
	defer func() { <-s.unpacking }()
	b.packed, b.in = b.in, b.packed
	var in io.ReadCloser
	var err error
	if how == "gzip" {
		in, err = gzip.NewReader(bytes.NewReader(b.packed))
	} else {
		in, err = features.NewZstd(bytes.NewReader(b.packed), zstdWindow)
	}
	if err == nil {
		defer in.Close() // after the last byte it has nothing to say
		took, f = s.read(packed{in, &err}, b, -1)
	}
	if err != nil {
		return took, badRequest("body: %s: %v", how, err)
	}
	return took, f
}

// packed keeps what a decompressor found wrong.
type packed struct {
	io.Reader
	err *error
}

func (p packed) Read(to []byte) (int, error) {
	n, err := p.Reader.Read(to)
	if err != nil && err != io.EOF { // a Reader gives it itself
		*p.err = err
	}
	return n, err
}

// readFault says why a body could not be read.
func readFault(err error) *fault {
	var late net.Error
	switch {
	case errors.As(err, &late) && late.Timeout():
		return &fault{status: http.StatusRequestTimeout, text: "the body did not come in time", close: true}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &fault{status: http.StatusBadRequest, text: "the body ends too early", close: true}
	}
	return &fault{status: http.StatusBadRequest, text: "body: " + err.Error(), close: true}
}
