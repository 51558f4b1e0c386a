package infer

import (
	"compress/gzip"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"ctr/features"
)

// buffer is memory for a request's body and its answer. Buffers are used again.
type buffer struct{ in, out []byte }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

// mostKept is the size of the largest buffer that is kept for other requests.
const mostKept = 1 << 20

func (b *buffer) free() {
	if cap(b.in)+cap(b.out) <= mostKept {
		buffers.Put(b)
	}
}

// budget bounds the memory of all bodies that are being read and answered.
type budget struct {
	left atomic.Int64
}

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
// bytes of the budget it took, which the caller gives back.
func (s *Server) body(q *http.Request, b *buffer) (took int64, f *fault) {
	if q.ContentLength > s.o.MaxBody {
		return 0, s.tooLarge()
	}
	in, err := unpacked(q)
	if err != nil {
		return 0, err
	}
	if c, ok := in.(io.Closer); ok && in != q.Body {
		defer c.Close()
	}
	took, f = s.read(in, b, q.ContentLength)
	if f != nil {
		s.memory.give(took)
		return 0, f
	}
	return took, nil
}

// read reads in to its end. The first piece is as long as the body says that
// it is, so that most are read at once.
func (s *Server) read(in io.Reader, b *buffer, length int64) (took int64, f *fault) {
	const piece = 4 << 10
	b.in = b.in[:0]
	want := max(min(length, s.o.MaxBody), 0) + 1 // the 1 sees the end
	if length < 0 {
		want = piece
	}
	for {
		if need := int64(len(b.in)) + want - took; need > 0 {
			if !s.memory.take(need) {
				return took, busy("the bodies of other requests fill the memory")
			}
			took += need
		}
		if have := len(b.in); int64(cap(b.in)-have) < want {
			grown := make([]byte, have, int64(have)+want)
			copy(grown, b.in)
			b.in = grown
		}
		for have := int64(len(b.in)); int64(len(b.in)) < have+want; {
			n, err := in.Read(b.in[len(b.in) : have+want])
			b.in = b.in[:int64(len(b.in))+int64(n)]
			if err == io.EOF { // a Reader gives io.EOF itself
				if int64(len(b.in)) > s.o.MaxBody {
					return took, s.tooLarge()
				}
				return took, nil
			}
			if err != nil {
				return took, readFault(err)
			}
		}
		if int64(len(b.in)) > s.o.MaxBody {
			return took, s.tooLarge()
		}
		want = min(int64(len(b.in)), s.o.MaxBody-int64(len(b.in))+1)
	}
}

// unpacked gives the body as it was before its Content-Encoding.
func unpacked(q *http.Request) (io.Reader, *fault) {
	switch how := strings.ToLower(strings.TrimSpace(q.Header.Get("Content-Encoding"))); how {
	case "", "identity":
		return q.Body, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(q.Body)
		if err != nil {
			return nil, readFault(err)
		}
		return z, nil
	case "zstd":
		z, err := features.NewZstd(q.Body, zstdWindow)
		if err != nil {
			return nil, readFault(err)
		}
		return z, nil
	default:
		return nil, &fault{status: http.StatusUnsupportedMediaType, text: "Content-Encoding " + how + ": want gzip or zstd"}
	}
}

// zstdWindow is the most memory that a zstd body may ask for.
const zstdWindow = 8 << 20

// readFault says why a body could not be read.
func readFault(err error) *fault {
	var late net.Error
	switch {
	case errors.As(err, &late) && late.Timeout():
		return &fault{status: http.StatusRequestTimeout, text: "the body did not come in time", close: true}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &fault{status: http.StatusBadRequest, text: "the body ends too early", close: true}
	}
	return &fault{status: http.StatusBadRequest, text: "body: " + err.Error()}
}
